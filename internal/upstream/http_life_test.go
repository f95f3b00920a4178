package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// W-03: a lost session fails every call at once with ErrSessionLost, and one
// new initialize on the same Conn mends it.
func TestSessionLostAndReplaced(t *testing.T) {
	f := newFake(t)
	p := dialTo(t, f.URL)
	p.greet()
	p.ok(2, "echo", "")
	f.expire()
	for i := range 8 {
		p.request(10+i, "echo", "")
	}
	for range 8 {
		if _, err := p.next(); !errors.Is(err, ErrSessionLost) {
			t.Fatalf("got %v, want ErrSessionLost", err)
		}
	}
	before := f.count("POST", "echo")
	p.request(20, "echo", "")
	if err := p.failure(20); !errors.Is(err, ErrSessionLost) || f.count("POST", "echo") != before {
		t.Errorf("a call in a lost session: %v, sent %d times", err, f.count("POST", "echo")-before)
	}
	p.greet()
	p.ok(21, "echo", "")
	f.mu.Lock()
	last := f.seen[len(f.seen)-1]
	f.mu.Unlock()
	if got := last.head.Get("Mcp-Session-Id"); got != "session-2" {
		t.Errorf("session %q after a new initialize", got)
	}
	if n := f.count("DELETE", ""); n != 0 {
		t.Errorf("%d sessions ended that the server forgot by itself", n)
	}
}

// W-03.
func TestRefusalsThatSpeakOfTheSession(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		lost   bool
	}{
		"server-everything":    {400, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`, true},
		"with the request's":   {400, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":2}`, true},
		"not initialized":      {400, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}`, true},
		"plain text":           {400, `Invalid session ID`, true},
		"404 without a body":   {404, ``, true},
		"a wrong parameter":    {400, `{"jsonrpc":"2.0","error":{"code":-32602,"message":"session is no number"},"id":2}`, false},
		"modern version error": {400, `{"jsonrpc":"2.0","error":{"code":-32022,"message":"no session in this version"},"id":2}`, false},
		"another 400":          {400, `what?`, false},
		"500":                  {500, `session store is down`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if m.Method() != "echo" {
					return false
				}
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
				return true
			}
			p := dialTo(t, f.URL)
			p.greet()
			_, err := p.call(2, "echo", "")
			if got := errors.Is(err, ErrSessionLost); got != row.lost {
				t.Errorf("session lost is %v, want %v (%v)", got, row.lost, err)
			}
		})
	}
}

func TestBeforeInitializeNothingIsCalledALostSession(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(jsonrpc.NewError(m.ID(), -32000, "Mcp-Session-Id header is required", nil).Bytes())
		return true
	}
	p := dialTo(t, f.URL)
	if m, err := p.call(2, "server/discover", ""); err != nil || m.Error() == nil {
		t.Errorf("got %s, %v; want the server's own error", m.Bytes(), err)
	}
}

// W-04 and the scenario down-start: the cause says that nothing was sent, and
// the same Conn works once the server is there.
func TestServerDownAtFirst(t *testing.T) {
	for _, kind := range []catalog.Transport{catalog.HTTP, catalog.SSE, catalog.Auto} {
		t.Run(string(kind), func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			ln.Close()
			p := dial(t, catalog.Server{Transport: kind, URL: "http://" + addr + "/mcp"}, options())
			p.request(1, "initialize", helloParams)
			err = p.failure(1)
			wantCode(t, err, fault.EndpointUnreachable)
			if !errors.Is(err, ErrNotSent) {
				t.Errorf("%v does not tell that nothing was sent", err)
			}
			var h http.Handler = &fake{version: "2025-06-18", sessions: map[string]bool{}, arrived: make(chan seen, 100)}
			if kind == catalog.SSE {
				h = newOldServer()
			}
			if ln, err = net.Listen("tcp", addr); err != nil {
				t.Skipf("the port is taken by now: %v", err)
			}
			s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}}
			s.Start()
			t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
			p.greet()
			p.ok(2, "echo", "")
		})
	}
}

// S-54.
func TestUnknownHostIsTheNetwork(t *testing.T) {
	p := dialTo(t, "http://drawbridge-test.invalid/mcp")
	p.request(1, "initialize", helloParams)
	err := p.failure(1)
	wantCode(t, err, fault.NetworkUnavailable)
	if !errors.Is(err, ErrNotSent) {
		t.Errorf("%v does not tell that nothing was sent", err)
	}
}

// S-52.
func TestCallWithALimit(t *testing.T) {
	for _, kind := range []catalog.Transport{catalog.HTTP, catalog.SSE} {
		t.Run(string(kind), func(t *testing.T) {
			f, o := newFake(t), newOldServer()
			url := f.URL
			if kind == catalog.SSE {
				url = serveOld(t, o)
			}
			p := dial(t, catalog.Server{Transport: kind, URL: url, Timeout: catalog.Duration(200 * time.Millisecond)}, options())
			p.greet()
			p.request(2, "hang", "")
			wantCode(t, p.failure(2), fault.Timeout)
			if kind == catalog.HTTP {
				contains(t, f.await(t, "POST", "notifications/cancelled").body, `"requestId":2`)
			}
			p.ok(3, "echo", "")
			eventually(t, "the server heard of the cancellation", func() bool {
				return f.count("POST", "notifications/cancelled")+o.count("notifications/cancelled") == 1
			})
		})
	}
}

// F-135, S-49: close tells the server, ends what is open, and leaves nothing behind.
func TestCloseLeavesNothing(t *testing.T) {
	f := newFake(t)
	streams := make(chan struct{}, 10)
	f.get = func(w http.ResponseWriter, r *http.Request) {
		streamHead(w)
		streams <- struct{}{}
		<-r.Context().Done()
	}
	before := runtime.NumGoroutine()
	for range 3 {
		p := dialTo(t, f.URL)
		p.greet()
		<-streams
		for i := range 20 {
			p.request(10+i, "hang", "")
		}
		f.await(t, "POST", "hang")
		p.request(99, "tools/call", "")
		if m := p.message(); m.ID() != "99" {
			t.Fatalf("got %s", m.Bytes())
		}
		p.notify("notifications/cancelled", `{"requestId":10}`)
		p.Close()
		f.await(t, "POST", "notifications/cancelled")
		if got := f.await(t, "DELETE", "").head.Get("Mcp-Session-Id"); got == "" {
			t.Error("no session was ended")
		}
		for {
			if _, err := p.next(); err != nil {
				if err != io.EOF {
					t.Errorf("Recv ended with %v", err)
				}
				break
			}
		}
		p.Close() // Again: nothing happens.
	}
	f.CloseClientConnections()
	flat(t, before)
}

// F-135.
func TestCloseIsSoonThoughTheServerHangs(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Kind() == jsonrpc.Notification {
			<-r.Context().Done()
			return true
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.ok(1, "initialize", helloParams)
	for range 50 {
		p.notify("notifications/x", "")
	}
	p.request(2, "hang", "")
	f.await(t, "POST", "hang")
	start := time.Now()
	p.Close()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
}
