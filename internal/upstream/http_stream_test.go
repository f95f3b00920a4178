package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// onCall makes a fake answer tools/call with f.
func (f *fake) onCall(g func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message)) {
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() != "tools/call" {
			return false
		}
		g(w, r, m)
		return true
	}
}

// P-10: progress is never overtaken by its response, over 1,000 calls of which
// 64 run at once.
func TestProgressComesBeforeItsAnswer(t *testing.T) {
	f := newFake(t)
	const calls, steps = 1000, 3
	f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
		var id int
		_, _ = fmt.Sscan(string(m.ID()), &id)
		streamHead(w)
		for n := 1; n <= steps; n++ {
			event(w, "", progress(id, n))
		}
		event(w, "", result(m))
	})
	p := dialTo(t, f.URL)
	p.greet()
	got := map[string]int{}
	sent, done := 0, 0
	for done < calls {
		for sent < calls && sent-done < 64 {
			p.request(10+sent, "tools/call", "")
			sent++
		}
		m := p.message()
		if m.Kind() == jsonrpc.Response {
			if got[string(m.ID())] != steps {
				t.Fatalf("answer %s after %d of %d notifications", m.ID(), got[string(m.ID())], steps)
			}
			done++
			continue
		}
		token, _ := jsonrpc.Member(m.Params(), "progressToken")
		step, _ := jsonrpc.Member(m.Params(), "progress")
		if m.About() != jsonrpc.ID(token) {
			t.Fatalf("progress of %s came as about %s", token, m.About())
		}
		got[string(token)]++
		if fmt.Sprint(got[string(token)]) != string(step) {
			t.Fatalf("progress %s of %s came as number %d", step, token, got[string(token)])
		}
	}
}

// W-01.
func TestServerRequestsPassWithinAStream(t *testing.T) {
	f := newFake(t)
	answers := make(chan string, 1)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		switch {
		case m.Kind() == jsonrpc.Response:
			answers <- string(m.Bytes())
		case m.Method() == "tools/call":
			streamHead(w)
			_, _ = io.WriteString(w, ": comment\n\nevent: ping\ndata: not for us\n\nid: 1\ndata:\n\n")
			event(w, "", `{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage"}`)
			<-answers
			event(w, "", result(m))
			return true
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "tools/call", "")
	if m := p.message(); m.Method() != "sampling/createMessage" {
		t.Fatalf("got %s", m.Bytes())
	}
	p.send(jsonrpc.NewResult(`"s1"`, []byte(`{}`)))
	if m := p.message(); m.ID() != "2" {
		t.Fatalf("got %s", m.Bytes())
	}
}

// S-51, SEP-1699: a stream that ends before its answer is asked for again
// where it was left, once or several times.
func TestStreamOfACallIsResumed(t *testing.T) {
	for _, how := range []string{"cut", "ended", "cut in an event", "ended twice"} {
		t.Run(how, func(t *testing.T) {
			f := newFake(t)
			rest := make(chan string, 1)
			var gets atomic.Int32
			f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
				rest <- result(m)
				streamHead(w)
				_, _ = io.WriteString(w, "id: e1\nretry: 10\ndata:\n\n")
				event(w, "e2", progress(1, 1))
				switch how {
				case "cut":
					hangUp(w)
				case "cut in an event":
					_, _ = io.WriteString(w, "id: e3\ndata: {\"jsonrpc\"")
					w.(http.Flusher).Flush()
					hangUp(w)
				}
			})
			f.get = func(w http.ResponseWriter, r *http.Request) {
				last := r.Header.Get("Last-Event-Id")
				if last == "" {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				if r.Header.Get("Mcp-Session-Id") != "session-1" || r.Header.Get("Accept") != "text/event-stream" {
					t.Errorf("resumed with %v", r.Header)
				}
				streamHead(w)
				if n := gets.Add(1); how == "ended twice" && n == 1 {
					event(w, "e4", progress(1, 2))
					return
				}
				if want := map[bool]string{true: "e4", false: "e2"}[how == "ended twice"]; last != want {
					t.Errorf("resumed after %q, want %q", last, want)
				}
				event(w, "e5", <-rest)
			}
			p := dialTo(t, f.URL)
			p.greet()
			p.request(2, "tools/call", "")
			for {
				m := p.message()
				if m.Kind() == jsonrpc.Response {
					break
				}
			}
			if n := f.count("POST", "tools/call"); n != 1 {
				t.Errorf("the call was sent %d times", n)
			}
		})
	}
}

// S-51.
func TestStreamThatCannotBeResumedIsALostCall(t *testing.T) {
	for name, id := range map[string]string{"server refuses": "e1", "no event id": ""} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
				streamHead(w)
				event(w, id, progress(1, 1))
			})
			p := dialTo(t, f.URL)
			p.greet()
			p.request(2, "tools/call", "")
			p.message()
			err := p.failure(2)
			wantCode(t, err, fault.ConnectionLost)
			if errors.Is(err, ErrSessionLost) || errors.Is(err, ErrNotSent) {
				t.Errorf("a call that may have acted is said to be repeatable: %v", err)
			}
			p.ok(3, "echo", "")
		})
	}
}

func TestBadMessageInAStream(t *testing.T) {
	for name, row := range map[string]struct {
		data string
		call bool // the call fails; else Recv gives a RefusedError and the answer comes
	}{
		"garbage":                {`{nope`, true},
		"a refused answer":       {`{"jsonrpc":"2.0","id":2,"result":1,"Result":2}`, true},
		"a refused request":      {`{"jsonrpc":"2.0","id":"s","method":"a","Method":"b"}`, false},
		"an answer to no one":    {`{"jsonrpc":"2.0","id":77,"result":{}}`, true},
		"an answer in a stretch": {`{"jsonrpc":"2.0","id":2.0,"result":{}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
				streamHead(w)
				event(w, "", row.data)
				event(w, "", result(m))
			})
			p := dialTo(t, f.URL)
			p.greet()
			p.request(2, "tools/call", "")
			if row.call {
				wantCode(t, p.failure(2), fault.ProtocolError)
			} else {
				var refused *jsonrpc.RefusedError
				if _, err := p.next(); !errors.As(err, &refused) {
					t.Errorf("got %v, want a RefusedError", err)
				}
				p.message()
			}
			p.ok(3, "echo", "")
		})
	}
}

// listening makes a GET stream out of what comes from lines; "cut" cuts it.
func (f *fake) listening(opened chan<- http.Header, lines <-chan string) {
	f.get = func(w http.ResponseWriter, r *http.Request) {
		if !f.knows(r.Header.Get("Mcp-Session-Id")) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		streamHead(w)
		opened <- r.Header
		for {
			select {
			case s := <-lines:
				if s == "cut" {
					hangUp(w)
				}
				_, _ = io.WriteString(w, s)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

// W-09: in 2025-03-26 the server's own stream may hold batches too.
func TestBatchOnTheServersOwnStream(t *testing.T) {
	f := newFake(t)
	f.version = "2025-03-26"
	opened, lines := make(chan http.Header, 10), make(chan string)
	f.listening(opened, lines)
	p := dialTo(t, f.URL)
	p.greet()
	<-opened
	lines <- "data: [{\"jsonrpc\":\"2.0\",\"method\":\"x/one\"}, {\"jsonrpc\":\"2.0\",\"method\":\"x/two\"}]\n\n"
	for _, want := range []string{"x/one", "x/two"} {
		if m := p.message(); m.Method() != want {
			t.Errorf("of a batch came %s, want %s", m.Bytes(), want)
		}
	}
}

// F-134, S-51.
func TestServersOwnStreamIsKeptOpen(t *testing.T) {
	f := newFake(t)
	opened, lines := make(chan http.Header, 10), make(chan string)
	f.listening(opened, lines)
	p := dialTo(t, f.URL)
	p.greet()
	h := <-opened
	if h.Get("Mcp-Session-Id") != "session-1" || h.Get("Mcp-Protocol-Version") != "2025-11-25" || h.Get("Last-Event-Id") != "" {
		t.Errorf("opened with %v", h)
	}
	lines <- "id: g1\nretry: 10\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
	if m := p.message(); m.Method() != "notifications/tools/list_changed" {
		t.Errorf("got %s", m.Bytes())
	}
	lines <- "cut"
	if h := <-opened; h.Get("Last-Event-Id") != "g1" {
		t.Errorf("opened again after %q", h.Get("Last-Event-Id"))
	}
	lines <- "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n\n"
	if m := p.message(); m.Method() != "ping" {
		t.Errorf("got %s", m.Bytes())
	}
	// A new session has a stream of its own, and the old one ends.
	p.greet()
	if h := <-opened; h.Get("Mcp-Session-Id") != "session-2" {
		t.Errorf("opened with %v", h)
	}
}

// F-134: a server that has yet to notice that a connection is gone says that the
// stream is in use.
func TestStreamInUseIsAskedForAgain(t *testing.T) {
	f := newFake(t)
	opened, lines := make(chan http.Header, 10), make(chan string)
	f.listening(opened, lines)
	var asked atomic.Int64
	open := f.get
	f.get = func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 2 {
			w.WriteHeader(http.StatusConflict)
			return
		}
		open(w, r)
	}
	p := dialTo(t, f.URL)
	p.greet()
	<-opened
	lines <- "id: g1\nretry: 10\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"
	p.message()
	lines <- "cut"
	select {
	case h := <-opened:
		if h.Get("Last-Event-Id") != "g1" {
			t.Errorf("opened again after %q", h.Get("Last-Event-Id"))
		}
	case <-time.After(time.Minute):
		t.Error("not asked for again")
	}
}

// W-03: the session is found lost on the server's stream, so the next call need not
// find out.
func TestSessionLostIsSeenOnTheServersStream(t *testing.T) {
	f := newFake(t)
	opened, lines := make(chan http.Header, 10), make(chan string)
	f.listening(opened, lines)
	p := dialTo(t, f.URL)
	p.greet()
	<-opened
	lines <- "retry: 10\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"
	p.message()
	f.expire()
	lines <- "cut"
	var failed *jsonrpc.CallError
	if _, err := p.next(); !errors.As(err, &failed) || failed.ID != "" || !errors.Is(err, ErrSessionLost) {
		t.Fatalf("got %v, want a CallError of no request with ErrSessionLost", err)
	}
	p.request(2, "echo", "")
	if err := p.failure(2); !errors.Is(err, ErrSessionLost) || f.count("POST", "echo") != 0 {
		t.Errorf("got %v after %d posts", err, f.count("POST", "echo"))
	}
	p.greet()
	p.ok(3, "echo", "")
}

func TestServerWithoutAStreamIsNotAskedAgain(t *testing.T) {
	for _, status := range []int{405, 404, 400, 401, 501} {
		f := newFake(t)
		f.get = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }
		p := dialTo(t, f.URL)
		p.greet()
		f.await(t, "GET", "")
		p.ok(2, "echo", "")
		if n := f.count("GET", ""); n != 1 && status != 501 {
			t.Errorf("%d: asked %d times", status, n)
		}
	}
}

// P-10, W-11: notifications keep their order, hold up no request, and are
// overtaken by a cancellation.
func TestOrderOfWhatIsSent(t *testing.T) {
	f := newFake(t)
	let := make(chan struct{})
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() == "notifications/slow" {
			<-let
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "hang", "")
	f.await(t, "POST", "hang")
	p.notify("notifications/slow", "")
	for i := range 100 {
		p.notify("notifications/n", fmt.Sprintf(`{"i":%d}`, i))
	}
	f.await(t, "POST", "notifications/slow")
	p.ok(3, "echo", "")
	p.notify("notifications/cancelled", `{"requestId":2}`)
	f.await(t, "POST", "notifications/cancelled")
	if n := f.count("POST", "notifications/n"); n != 0 {
		t.Errorf("%d notifications came before the one sent first", n)
	}
	close(let)
	for i := range 100 {
		contains(t, f.await(t, "POST", "notifications/n").body, fmt.Sprintf(`"i":%d}`, i))
	}
	p.ok(4, "echo", "")
}

// A disconnect is no cancellation before 2026-07-28: the call's connection
// stays, and a late answer is delivered.
func TestCancelledLegacyCallMayStillAnswer(t *testing.T) {
	f := newFake(t)
	let := make(chan struct{})
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		switch m.Method() {
		case "notifications/cancelled":
			close(let)
		case "tools/call":
			select {
			case <-let:
				answer(w, m)
			case <-r.Context().Done():
				t.Error("the call's connection was closed")
			}
			return true
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "tools/call", "")
	f.await(t, "POST", "tools/call")
	p.notify("notifications/cancelled", `{"requestId":2}`)
	if m := p.message(); m.ID() != "2" {
		t.Errorf("got %s", m.Bytes())
	}
}

func TestCancelledModernCallClosesItsConnection(t *testing.T) {
	f := newFake(t)
	gone := make(chan struct{})
	f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
		<-r.Context().Done()
		close(gone)
	})
	p := dialTo(t, f.URL)
	p.request(2, "tools/call", `{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`)
	f.await(t, "POST", "tools/call")
	p.notify("notifications/cancelled", `{"requestId":2}`)
	p.failure(2)
	<-gone
	if n := f.count("POST", "notifications/cancelled"); n != 0 {
		t.Errorf("%d cancellations were posted", n)
	}
}

func TestRequestsWaitForInitialized(t *testing.T) {
	f := newFake(t)
	let := make(chan struct{})
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() == "notifications/initialized" {
			<-let
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "echo", "")
	f.await(t, "POST", "notifications/initialized")
	if n := f.count("POST", "echo"); n != 0 {
		t.Error("a request came before notifications/initialized was accepted")
	}
	close(let)
	if m := p.message(); m.ID() != "2" {
		t.Errorf("got %s", m.Bytes())
	}
}

// S-53: a body in slices of one byte works, and an event is handed on at once.
func TestSlicesOfOneByte(t *testing.T) {
	f := newFake(t)
	got := make(chan struct{})
	f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
		streamHead(w)
		for _, b := range []byte("data: " + progress(1, 1) + "\r\n\r\n") {
			_, _ = w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
		<-got
		event(w, "", result(m))
	})
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "tools/call", "")
	p.message()
	close(got)
	p.message()
}

// S-53: 100 slow calls hold up nobody.
func TestFastCallPassesSlowOnes(t *testing.T) {
	f := newFake(t)
	p := dialTo(t, f.URL)
	p.greet()
	for i := range 100 {
		p.request(100+i, "hang", "")
	}
	for range 100 {
		f.await(t, "POST", "hang")
	}
	p.ok(2, "ping", "")
}

// S-49: every call is answered once over 64 in flight, and a reused connection does
// for each of them.
func TestManyInFlight(t *testing.T) {
	f := newFake(t)
	before := runtime.NumGoroutine()
	p := dialTo(t, f.URL)
	p.greet()
	const calls = 5000
	answered := map[jsonrpc.ID]bool{}
	for sent := 0; len(answered) < calls; {
		for ; sent < calls && sent-len(answered) < 64; sent++ {
			p.request(10+sent, "echo", "")
		}
		m := p.message()
		if answered[m.ID()] {
			t.Fatalf("%s was answered twice", m.ID())
		}
		answered[m.ID()] = true
	}
	p.Close()
	f.CloseClientConnections()
	flat(t, before)
}

// S-51.
func TestCursorPausesWithinItsBounds(t *testing.T) {
	for _, row := range []struct {
		at          cursor
		fails       int
		least, most time.Duration
	}{
		{cursor{}, 0, 900 * time.Millisecond, 1100 * time.Millisecond},
		{cursor{}, 2, 3600 * time.Millisecond, 4400 * time.Millisecond},
		{cursor{}, 100, 27 * time.Second, 33 * time.Second},
		{cursor{named: true}, 0, 45 * time.Millisecond, 55 * time.Millisecond},
		{cursor{named: true, retry: 200 * time.Millisecond}, 0, 180 * time.Millisecond, 220 * time.Millisecond},
		{cursor{named: true, retry: retryMost}, 5, 27 * time.Second, 33 * time.Second},
	} {
		for range 100 {
			if d := row.at.pause(time.Second, row.fails); d < row.least || d > row.most {
				t.Errorf("%+v after %d failures: %v", row.at, row.fails, d)
			}
		}
	}
}

func TestErrorsKeepNoAddressQuery(t *testing.T) {
	f := newFake(t)
	f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) { hangUp(w) })
	p := dialTo(t, f.URL+"/mcp?key=s3cret")
	p.greet()
	p.request(2, "tools/call", "")
	if err := p.failure(2); strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows the address: %v", err)
	}
}
