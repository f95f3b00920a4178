package downstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const patience = time.Minute

// fixture is a running HTTP on a loopback port.
type fixture struct {
	t    *testing.T
	addr string
	port string
	stop func() // ends Run and waits
	hc   *http.Client
}

func start(t *testing.T, h *HTTP) *fixture { return startOn(t, h, "127.0.0.1:0") }

func startOn(t *testing.T, h *HTTP, addr string) *fixture {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil && strings.HasPrefix(addr, "[::1]") {
		t.Skip("no ::1 on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	if h.Serve == nil {
		h.Serve = echo
	}
	h.Name = "srv"
	h.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, ln) }()
	tr := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	f := &fixture{t: t, addr: ln.Addr().String(), hc: &http.Client{Transport: tr}}
	_, f.port, _ = net.SplitHostPort(f.addr)
	var once sync.Once
	f.stop = func() {
		once.Do(func() {
			tr.CloseIdleConnections()
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(patience):
				buf := make([]byte, 1<<20)
				t.Errorf("Run did not return:\n%s", buf[:runtime.Stack(buf, true)])
			}
		})
	}
	t.Cleanup(f.stop)
	return f
}

// echo answers initialize with the version asked for and every other request
// with its own params.
func echo(ctx context.Context, c jsonrpc.Conn, _ Client) {
	defer c.Close()
	for {
		m, err := c.Recv(ctx)
		if err != nil {
			return
		}
		if m.Kind() == jsonrpc.Request && c.Send(ctx, echoed(m)) != nil {
			return
		}
	}
}

func echoed(m jsonrpc.Message) jsonrpc.Message {
	if m.Method() == mcp.MethodInitialize {
		v, _ := jsonrpc.Member(m.Params(), "protocolVersion")
		return jsonrpc.NewResult(m.ID(), []byte(`{"protocolVersion":`+string(v)+`,"capabilities":{},"serverInfo":{"name":"echo","version":"1"}}`))
	}
	p := m.Params()
	if p == nil {
		p = []byte("{}")
	}
	return jsonrpc.NewResult(m.ID(), p)
}

// stage is a Serve whose conversations the test holds in its own hands.
type stage struct{ conns chan staged }

type staged struct {
	jsonrpc.Conn
	info Client
	over chan struct{} // close it to end Serve
}

func newStage() *stage { return &stage{conns: make(chan staged, 16)} }

func (s *stage) serve(ctx context.Context, c jsonrpc.Conn, info Client) {
	st := staged{c, info, make(chan struct{})}
	select {
	case s.conns <- st:
	case <-ctx.Done():
		return
	}
	select {
	case <-st.over:
	case <-ctx.Done():
	}
}

func (s *stage) next(t *testing.T) staged {
	t.Helper()
	select {
	case c := <-s.conns:
		return c
	case <-time.After(patience):
		t.Fatal("no session was opened")
		panic("unreachable")
	}
}

func (c staged) recv(t *testing.T) jsonrpc.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := c.Recv(ctx)
	if err != nil {
		t.Fatalf("Recv: %v", err)
	}
	return m
}

func (c staged) send(t *testing.T, m jsonrpc.Message) {
	t.Helper()
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

func (c staged) reply(t *testing.T) jsonrpc.Message {
	t.Helper()
	m := c.recv(t)
	c.send(t, echoed(m))
	return m
}

// raw writes text on a connection of its own and reads one response.
func (f *fixture) raw(text string) (*http.Response, string) {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil && !errors.Is(err, net.ErrClosed) {
		f.t.Logf("write: %v", err) // an answer may come before all is written
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		f.t.Fatalf("no response to %q: %v", first(text, 200), err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

func first(s string, n int) string { return s[:min(n, len(s))] }

// head is one request of a client; zero fields are left out or usual.
type head map[string]string

func (f *fixture) do(method, path, body string, h head) *http.Response {
	f.t.Helper()
	resp, err := f.try(f.t.Context(), method, path, body, h)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (f *fixture) try(ctx context.Context, method, path, body string, h head) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+f.addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
	}
	for k, v := range h {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
	return f.hc.Do(req)
}

func (f *fixture) text(resp *http.Response) string {
	f.t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func initialize(version string) string {
	return `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + version + `","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
}

func call(id int, extra string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo"%s}}`, id, extra)
}

// session opens one and gives the headers of its requests.
func (f *fixture) session(version string) head {
	f.t.Helper()
	resp := f.do("POST", "/mcp", initialize(version), nil)
	if b := f.text(resp); resp.StatusCode != 200 || resp.Header.Get(mcp.HeaderSession) == "" {
		f.t.Fatalf("initialize: %d %q %s", resp.StatusCode, resp.Header.Get(mcp.HeaderSession), b)
	}
	return head{mcp.HeaderSession: resp.Header.Get(mcp.HeaderSession), mcp.HeaderVersion: version}
}

func (h head) with(kv ...string) head {
	out := head{}
	for k, v := range h {
		out[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

// sseEvent is one event as a client sees it.
type sseEvent struct{ id, name, data string }

// events reads an event stream.
type events struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
}

func (f *fixture) events(resp *http.Response) *events {
	f.t.Helper()
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		f.t.Fatalf("not an event stream: %d %q %s", resp.StatusCode, ct, f.text(resp))
	}
	return &events{f.t, resp.Body, bufio.NewReader(resp.Body)}
}

// next reads an event; comments are skipped. ok is false at the stream's end.
func (e *events) next() (ev sseEvent, ok bool) {
	e.t.Helper()
	timer := time.AfterFunc(patience, func() { e.body.Close() })
	defer timer.Stop()
	any := false
	for {
		line, err := e.r.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) {
				e.t.Fatalf("stream broke: %v", err)
			}
			return sseEvent{}, false
		}
		line = strings.TrimSuffix(line, "\n")
		switch name, value, _ := strings.Cut(line, ": "); {
		case line == "" && any:
			return ev, true
		case line == "" || name == ":" || name == "":
		case name == "id":
			ev.id, any = value, true
		case name == "event":
			ev.name, any = value, true
		case name == "data":
			ev.data, any = value, true
		default:
			e.t.Fatalf("unknown line %q", line)
		}
	}
}

func (e *events) want(part string) sseEvent {
	e.t.Helper()
	ev, ok := e.next()
	if !ok || !strings.Contains(ev.data, part) {
		e.t.Fatalf("event: got %+v (ok %v), want one with %q", ev, ok, part)
	}
	return ev
}

func (e *events) wantEnd() {
	e.t.Helper()
	if ev, ok := e.next(); ok {
		e.t.Fatalf("got %+v, want the stream's end", ev)
	}
}

// eventually polls until ok, with a deadline.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		runtime.Gosched()
	}
}

func progress(token string, n int) jsonrpc.Message {
	return jsonrpc.NewNotification(mcp.MethodProgress, []byte(fmt.Sprintf(`{"progressToken":%s,"progress":%d}`, token, n)))
}

func logged(text string) jsonrpc.Message {
	return jsonrpc.NewNotification("notifications/message", []byte(`{"level":"info","data":"`+text+`"}`))
}
