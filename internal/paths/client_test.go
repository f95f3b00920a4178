package paths

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// client is what a host does on its side of the wire, in bytes.
type client interface {
	// send writes a message. It does not wait for an answer to a request.
	send(m string) error
	close() error
}

// head is what the ends read of a message.
type head struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

func headOf(m string) (h head, err error) {
	err = json.Unmarshal([]byte(m), &h)
	return h, err
}

func (h head) isRequest() bool { return h.ID != nil && h.Method != "" }

// named is a string member of params.
func (h head) named(member string) string {
	var p map[string]json.RawMessage
	var s string
	if json.Unmarshal(h.Params, &p) != nil || json.Unmarshal(p[member], &s) != nil {
		return ""
	}
	return s
}

// stdioClient speaks on two pipes.
type stdioClient struct {
	in   *os.File
	done chan struct{}
	mu   sync.Mutex
}

func newStdioClient(in, out *os.File, to chan<- heard) *stdioClient {
	c := &stdioClient{in: in, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		r := bufio.NewReaderSize(out, 1<<20)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return // the bridge has ended; who waits for more will say so
			}
			to <- heard{body: line[:len(line)-1], line: true}
		}
	}()
	return c
}

func (c *stdioClient) send(m string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.in.WriteString(m + "\n")
	return err
}

func (c *stdioClient) close() error {
	err := c.in.Close()
	<-c.done
	return err
}

// webClient speaks streamable HTTP.
type webClient struct {
	url, version string
	http         *http.Client
	to           chan<- heard
	wg           sync.WaitGroup
	stop         context.CancelFunc
	ctx          context.Context

	mu      sync.Mutex
	session string
	posts   map[string]context.CancelFunc // by the id of the request
}

func newWebClient(url, version string, to chan<- heard) *webClient {
	c := &webClient{url: url, version: version, to: to, http: newHTTP(), posts: map[string]context.CancelFunc{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

func (c *webClient) isModern() bool { return c.version == "2026-07-28" }

func (c *webClient) send(m string) error {
	h, err := headOf(m)
	if err != nil && m[0] != '[' {
		return err
	}
	ctx, cancel := context.WithCancel(c.ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(m))
	if err != nil {
		cancel()
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	c.dress(r, h)
	if m[0] == '[' || h.isRequest() {
		c.mu.Lock()
		c.posts[string(h.ID)] = cancel
		c.mu.Unlock()
		c.wg.Go(func() {
			defer cancel()
			c.ask(r, h)
		})
		return nil
	}
	defer cancel()
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusAccepted || len(b) > 0 {
		return fmt.Errorf("HTTP %d %s", resp.StatusCode, b)
	}
	if h.Method == "notifications/initialized" {
		c.wg.Go(c.listen)
	}
	return err
}

// dress sets the headers of the version.
func (c *webClient) dress(r *http.Request, h head) {
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.isModern() {
		r.Header.Set("Mcp-Protocol-Version", c.version)
		r.Header.Set("Mcp-Method", h.Method)
		if name := h.named(map[string]string{"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}[h.Method]); name != "" {
			r.Header.Set("Mcp-Name", name)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == "" {
		return
	}
	r.Header.Set("Mcp-Session-Id", c.session)
	if c.version >= "2025-06-18" {
		r.Header.Set("Mcp-Protocol-Version", c.version)
	}
}

// ask posts a request and hands on what comes back.
func (c *webClient) ask(r *http.Request, h head) {
	resp, err := c.http.Do(r)
	if err == nil {
		if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
			c.mu.Lock()
			c.session = id
			c.mu.Unlock()
		}
		err = c.read(resp, string(h.ID))
	}
	if err != nil && r.Context().Err() == nil {
		c.to <- heard{stream: string(h.ID), err: err}
	}
}

// leave ends the POST of the last request with this id.
func (c *webClient) leave(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts[id]()
}

func (c *webClient) read(resp *http.Response, stream string) error {
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return readEvents(resp.Body, func(_, data string) { c.to <- heard{stream: stream, body: data, line: true} })
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	c.to <- heard{stream: stream, body: string(b)}
	return nil
}

// listen holds the stream of a session open.
func (c *webClient) listen() {
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.url, nil)
	if err != nil {
		panic("paths: " + err.Error()) // a URL that worked before
	}
	c.dress(r, head{})
	resp, err := c.http.Do(r)
	if err == nil {
		err = c.read(resp, "")
	}
	if c.ctx.Err() == nil {
		c.to <- heard{err: fmt.Errorf("the session's stream ended: %v", err)}
	}
}

func (c *webClient) close() error {
	defer c.http.CloseIdleConnections()
	defer c.wg.Wait()
	c.stop()
	if c.session == "" {
		return nil
	}
	r, err := http.NewRequest(http.MethodDelete, c.url, nil)
	if err != nil {
		return err
	}
	c.dress(r, head{})
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// oldClient speaks HTTP+SSE.
type oldClient struct {
	http *http.Client
	post string
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func newOldClient(t *testing.T, address string, to chan<- heard) *oldClient {
	t.Helper()
	c := &oldClient{http: newHTTP()}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := make(chan string, 1)
	c.wg.Go(func() {
		defer resp.Body.Close()
		err := readEvents(resp.Body, func(event, data string) {
			if event == "endpoint" {
				endpoint <- data
				return
			}
			to <- heard{body: data, line: true}
		})
		if ctx.Err() == nil {
			to <- heard{err: fmt.Errorf("the stream ended: %v", err)}
		}
	})
	at, err := url.Parse(<-endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c.post = r.URL.ResolveReference(at).String()
	return c
}

func (c *oldClient) send(m string) error {
	resp, err := c.http.Post(c.post, "application/json", strings.NewReader(m))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusAccepted {
		return &statusError{resp.StatusCode, string(b)}
	}
	return err
}

// statusError is a POST that was refused.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d %s", e.status, e.body) }

func (c *oldClient) close() error {
	c.stop()
	c.wg.Wait()
	c.http.CloseIdleConnections()
	return nil
}

// readEvents gives the events of a stream that hold anything.
func readEvents(from io.Reader, do func(event, data string)) error {
	r := bufio.NewReaderSize(from, 1<<16)
	event, data := "", []string(nil)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case len(line) == 0:
			if whole := strings.Join(data, "\n"); whole != "" {
				do(event, whole)
			}
			event, data = "", nil
		case name == "event":
			event = value
		case name == "data":
			data = append(data, value)
		}
	}
}
