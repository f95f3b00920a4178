package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxProbeLine is far above what a probe sends.
const maxProbeLine = 1 << 20

// stdioWire is a bridge's stdin and stdout.
type stdioWire struct {
	p     *process
	stdin io.WriteCloser
	lines chan string
}

func (r *rig) dialStdio(ctx context.Context, command ...string) (wire, error) {
	w := &stdioWire{lines: make(chan string, 64)}
	p, out, err := r.beginWith(ctx, "connect", command, func(p *process) (err error) {
		w.stdin, err = p.cmd.StdinPipe()
		return err
	})
	if err != nil {
		return nil, err
	}
	w.p = p
	go func() { // ends with the process
		defer close(w.lines)
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, maxProbeLine)
		for scan.Scan() {
			w.lines <- scan.Text()
		}
	}()
	return w, nil
}

func (w *stdioWire) exchange(ctx context.Context, message string, responses int) ([]string, error) {
	if _, err := io.WriteString(w.stdin, message+"\n"); err != nil {
		return nil, err
	}
	var got []string
	for responses > 0 {
		select {
		case line, open := <-w.lines:
			if !open {
				return nil, fmt.Errorf("the bridge ended: %s", w.p.tail())
			}
			got = append(got, line)
			responses -= answers(line)
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer in time, came: %q", got)
		}
	}
	return got, nil
}

// close ends the bridge as a host does.
func (w *stdioWire) close() {
	_ = w.stdin.Close() // it may be gone already
	for range w.lines { // until it has ended
	}
	w.p.end()
}

// answers counts the responses in a message, which may be a batch.
func answers(text string) int {
	type message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	var many []message
	if json.Unmarshal([]byte(text), &many) != nil {
		many = make([]message, 1)
		if json.Unmarshal([]byte(text), &many[0]) != nil {
			return 0
		}
	}
	n := 0
	for _, m := range many {
		if m.ID != nil && m.Method == "" {
			n++
		}
	}
	return n
}

// httpWire is a session at a local endpoint.
type httpWire struct {
	url, session string
}

func (w *httpWire) exchange(ctx context.Context, message string, responses int) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, strings.NewReader(message))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if w.session != "" {
		req.Header.Set("Mcp-Session-Id", w.session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProbeLine))
	if err != nil {
		return nil, err
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		w.session = id
	}
	got := payloads(resp.Header.Get("Content-Type"), body)
	n := 0
	for _, m := range got {
		n += answers(m)
	}
	if n < responses {
		return nil, fmt.Errorf("HTTP %d with %d of %d answers: %s", resp.StatusCode, n, responses, ending(string(body)))
	}
	return got, nil
}

// payloads are the messages of a body.
func payloads(contentType string, body []byte) []string {
	if !strings.HasPrefix(contentType, "text/event-stream") {
		return []string{string(bytes.TrimSpace(body))}
	}
	var list []string
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:")); ok && len(data) > 0 {
			list = append(list, string(bytes.TrimSpace(data)))
		}
	}
	return list
}

func (w *httpWire) close() {
	if w.session == "" {
		return
	}
	req, err := http.NewRequest(http.MethodDelete, w.url, nil)
	if err != nil {
		return // a URL that worked before
	}
	req.Header.Set("Mcp-Session-Id", w.session)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
}
