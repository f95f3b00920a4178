package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"
)

// host is the MCP client end of a bridge's stdin and stdout.
type host struct {
	era   era
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when the bridge's stdout has ended

	version string // of the modern era, for the next request

	mu      sync.Mutex // guards what follows, and writes
	last    int
	waiting map[string]chan message
	stray   []string // lines on stdout that are no messages
}

// message is what a host reads of a JSON-RPC message.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *wireError      `json:"error"`
}

type wireError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *wireError) Error() string { return fmt.Sprintf("%d %s %s", e.Code, e.Message, e.Data) }

const maxLine = 64 << 20

// start runs the bridge with a state folder of its own.
func start(ctx context.Context, e era, command []string, state string) (*host, error) {
	h := &host{era: e, version: modernVersion, done: make(chan struct{}), waiting: map[string]chan message{}}
	h.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	h.cmd.Env = append(os.Environ(), "DRAWBRIDGE_HOME="+state)
	h.cmd.Stderr = os.Stderr
	h.cmd.WaitDelay = time.Second
	var err error
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go h.read(stdout) // close waits for it
	return h, nil
}

// close ends the bridge by closing its stdin, as hosts do.
func (h *host) close() error {
	_ = h.stdin.Close() // the bridge may be gone already
	select {
	case <-h.done:
	case <-time.After(5 * time.Second):
		_ = h.cmd.Process.Kill() // as above
		<-h.done
	}
	err := h.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("the bridge: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.stray) > 0 {
		err = errors.Join(err, fmt.Errorf("%d lines on stdout are no messages, the first: %.200q", len(h.stray), h.stray[0]))
	}
	return err
}

func (h *host) read(stdout io.Reader) {
	defer close(h.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.JSONRPC != "2.0" {
			h.mu.Lock()
			h.stray = append(h.stray, lines.Text())
			h.mu.Unlock()
			continue
		}
		h.take(m)
	}
}

func (h *host) take(m message) {
	switch {
	case m.Method == "" && m.ID != nil:
		h.mu.Lock()
		answered := h.waiting[string(m.ID)]
		delete(h.waiting, string(m.ID))
		h.mu.Unlock()
		if answered != nil {
			answered <- m // has room for one
		}
	case m.Method != "" && m.ID != nil:
		result, err := answer(m.Method, m.Params)
		if h.era == modern {
			err = &wireError{Code: -32600, Message: "a server sends no requests in this era"}
		}
		reply := map[string]any{"jsonrpc": "2.0", "id": m.ID}
		if err != nil {
			reply["error"] = map[string]any{"code": err.Code, "message": err.Message}
		} else {
			reply["result"] = result
		}
		_ = h.write(reply) // a broken pipe shows in the call
	}
}

func (h *host) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err = h.stdin.Write(append(line, '\n'))
	return err
}

// round sends one request and waits for its response.
func (h *host) round(ctx context.Context, method string, params map[string]any) (json.RawMessage, error) {
	h.mu.Lock()
	h.last++
	id := h.last
	answered := make(chan message, 1)
	h.waiting[strconv.Itoa(id)] = answered
	h.mu.Unlock()
	if err := h.write(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answered:
		if m.Error != nil {
			return nil, fmt.Errorf("%s: %w", method, m.Error)
		}
		return m.Result, nil
	case <-h.done:
		return nil, fmt.Errorf("%s: the bridge ended", method)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: no answer in time", method)
	}
}

// open begins the conversation, each era in its way.
func (h *host) open(ctx context.Context) error {
	if h.era == modern {
		return h.get(ctx, "server/discover", map[string]any{}, nil)
	}
	params := map[string]any{"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": clientInfo}
	if _, err := h.round(ctx, "initialize", params); err != nil {
		return err
	}
	return h.write(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
}

const (
	modernVersion = "2026-07-28"
	metaPrefix    = "io.modelcontextprotocol/"
	maxRounds     = 5
)

var (
	clientInfo   = map[string]any{"name": "conformance-driver", "version": "1.0.0"}
	capabilities = map[string]any{"elicitation": map[string]any{}, "sampling": map[string]any{}, "roots": map[string]any{}}
)

// get makes a call and decodes its result; in the modern era it answers the
// server's questions on the way.
func (h *host) get(ctx context.Context, method string, params map[string]any, result any) error {
	raw, err := h.round(ctx, method, h.dressed(params))
	if h.renegotiated(err) {
		raw, err = h.round(ctx, method, h.dressed(params))
	}
	for rounds := 0; err == nil; rounds++ {
		var asked asked
		if err := json.Unmarshal(raw, &asked); err != nil {
			return fmt.Errorf("%s: read the result: %w", method, err)
		}
		if h.era == legacy || asked.ResultType != "input_required" {
			break
		}
		if rounds == maxRounds {
			return fmt.Errorf("%s: still input_required after %d rounds", method, maxRounds)
		}
		if err := asked.answerInto(params); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		raw, err = h.round(ctx, method, h.dressed(params))
	}
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

// dressed adds what the modern era wants on each request.
func (h *host) dressed(params map[string]any) map[string]any {
	if h.era == modern {
		params["_meta"] = map[string]any{
			metaPrefix + "protocolVersion":    h.version,
			metaPrefix + "clientInfo":         clientInfo,
			metaPrefix + "clientCapabilities": capabilities,
		}
	}
	return params
}

// renegotiated tells whether the server refused the version and named one that
// this host speaks.
func (h *host) renegotiated(err error) bool {
	var refused *wireError
	if h.era == legacy || !errors.As(err, &refused) || refused.Code != -32022 {
		return false
	}
	var data struct{ Supported []string }
	return json.Unmarshal(refused.Data, &data) == nil && slices.Contains(data.Supported, modernVersion)
}
