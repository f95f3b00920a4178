package downstream

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

func TestInitializeOpensASessionAndAnswersAreExact(t *testing.T) { // S-02 F-144
	f := start(t, &HTTP{})
	for _, path := range []string{"/mcp", "/"} {
		h := f.session("2025-06-18")
		if id := h[mcp.HeaderSession]; len(id) < 26 { // 130 bits in base 32
			t.Errorf("session id %q is short", id)
		}
		args := `,"n":9007199254740993,"e":1e3,"s":"\u0041\/","x" : { }`
		resp := f.do("POST", path, call(7, args), h)
		want := `{"jsonrpc":"2.0","id":7,"result":{"name":"echo"` + args + `}}`
		if got := f.text(resp); got != want || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != int64(len(want)) {
			t.Errorf("%s: got %d %s, want %s", path, resp.StatusCode, got, want)
		}
		if resp := f.do("POST", path, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, h); resp.StatusCode != 202 || f.text(resp) != "" {
			t.Errorf("notification: got %d", resp.StatusCode)
		}
		if resp := f.do("DELETE", path, "", h); resp.StatusCode != 204 {
			t.Errorf("DELETE: got %d", resp.StatusCode)
		}
		if resp := f.do("POST", path, call(8, ""), h); resp.StatusCode != 404 {
			t.Errorf("after DELETE: got %d, want 404", resp.StatusCode)
		}
	}
}

func TestBadRequestsAreRefusedWithTheirID(t *testing.T) {
	f := start(t, &HTTP{})
	h := f.session("2025-06-18")
	for _, c := range []struct {
		name, method, body string
		h                  head
		status             int
		want               string
	}{
		{"no session", "POST", call(1, ""), nil, 400, `"id":1,"error":{"code":-32600`},
		{"unknown session", "POST", call(2, ""), h.with(mcp.HeaderSession, "nope"), 404, `"id":2`},
		{"unknown version", "POST", call(3, ""), h.with(mcp.HeaderVersion, "2031-01-01"), 400, `"id":3`},
		{"other version of a session", "POST", call(3, ""), h.with(mcp.HeaderVersion, "2025-03-26"), 200, `"id":3,"result"`},
		{"no version", "POST", call(4, ""), h.with(mcp.HeaderVersion, ""), 200, `"id":4,"result"`},
		{"not JSON", "POST", `{"jsonrpc":`, h, 400, `"code":-32700`},
		{"empty", "POST", ``, h, 400, `"code":-32700`},
		{"duplicate member", "POST", `{"jsonrpc":"2.0","id":5,"method":"ping","method":"tools/call"}`, h, 400, `"code":-32600`},
		{"batch", "POST", `[` + call(6, "") + `]`, h, 400, `"code":-32600`},
		{"GET without session", "GET", "", head{"Accept": "text/event-stream"}, 400, `-32600`},
		{"GET for a page", "GET", "", h.with("Accept", "text/html"), 406, `-32600`},
		{"GET unknown", "GET", "", h.with(mcp.HeaderSession, "nope", "Accept", "text/event-stream"), 404, `DB_SESSION_EXPIRED`},
		{"bad event id", "GET", "", h.with("Accept", "text/event-stream", mcp.HeaderLastEventID, "x"), 400, `-32600`},
		{"event of no stream", "GET", "", h.with("Accept", "text/event-stream", mcp.HeaderLastEventID, "99-1"), 400, `-32600`},
		{"DELETE without session", "DELETE", "", nil, 400, `-32600`},
	} {
		t.Run(c.name, func(t *testing.T) { // S-01 F-136
			resp := f.do(c.method, "/mcp", c.body, c.h)
			if b := f.text(resp); resp.StatusCode != c.status || !strings.Contains(b, c.want) {
				t.Errorf("got %d %s, want %d with %s", resp.StatusCode, b, c.status, c.want)
			}
		})
	}
	if resp := f.do("POST", "/mcp", call(9, ""), h); resp.StatusCode != 200 {
		t.Errorf("the session did not survive: %d", resp.StatusCode)
	}
}

// open starts a session on the stage.
func (f *fixture) open(st *stage, version string) (head, staged) {
	f.t.Helper()
	got := make(chan head, 1)
	go func() { got <- f.session(version) }()
	c := st.next(f.t)
	c.reply(f.t)
	return <-got, c
}

// begin sends a request and gives its response when the header is there.
func (f *fixture) begin(body string, h head) <-chan *http.Response {
	out := make(chan *http.Response, 1)
	go func() {
		resp, err := f.try(f.t.Context(), "POST", "/mcp", body, h)
		if err != nil {
			if f.t.Context().Err() == nil {
				f.t.Errorf("POST %s: %v", body, err)
			}
			resp = &http.Response{Body: http.NoBody, Header: http.Header{}}
		}
		out <- resp
	}()
	return out
}

func TestRelatedMessagesComeBeforeTheAnswerOnItsStream(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	one := f.begin(call(1, `,"_meta":{"progressToken":"t1"}`), h)
	c.recv(t)
	two := f.begin(call(2, `,"_meta":{"progressToken":2}`), h)
	c.recv(t)

	c.send(t, progress(`"t1"`, 1))
	c.send(t, progress(`2`, 10))
	c.send(t, progress(`"t1"`, 2))
	c.send(t, logged("of 1").WithAbout("1")) // the server's transport told
	c.send(t, jsonrpc.NewResult("1", []byte(`{"done":1}`)))
	e1 := f.events(<-one)
	e1.want(`"progress":1}`)
	if ev := e1.want(`"progress":2}`); ev.name != "message" || ev.id == "" {
		t.Errorf("event %+v, want a message with an id", ev)
	}
	e1.want(`"data":"of 1"`)
	e1.want(`"done":1`)
	e1.wantEnd()

	// With one request open, a question of the server belongs to it.
	c.send(t, jsonrpc.NewRequest(`"q"`, "sampling/createMessage", []byte(`{}`)))
	c.send(t, logged("x"))
	c.send(t, jsonrpc.NewResult("2", []byte(`{"done":2}`)))
	e2 := f.events(<-two)
	for _, part := range []string{`"progress":10`, `sampling/createMessage`, `"data":"x"`, `"done":2`} {
		e2.want(part)
	}
	e2.wantEnd()
	f.do("POST", "/mcp", `{"jsonrpc":"2.0","id":"q","result":{}}`, h)
	if m := c.recv(t); m.Kind() != jsonrpc.Response || m.ID() != `"q"` {
		t.Errorf("got %s, want the client's answer", m.Bytes())
	}
}

func TestClientThatTakesNoStreamGetsJSONOnly(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	for i, accept := range []string{"application/json", "*/*", ""} {
		resp := f.begin(call(i, `,"_meta":{"progressToken":1}`), h.with("Accept", accept))
		m := c.recv(t)
		c.send(t, progress("1", 1))
		c.send(t, echoed(m))
		if r := <-resp; r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: got %s", accept, r.Header.Get("Content-Type"))
		}
	}
	get := f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream")))
	for range 3 { // they waited
		get.want("notifications/progress")
	}
	only := f.begin(call(9, ""), h.with("Accept", "text/event-stream"))
	c.reply(t)
	f.events(<-only).want(`"id":9`)
}

func TestMessagesOfNoRequestGoToTheGetStream(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	for i := range 3 { // before any stream is open
		c.send(t, logged(fmt.Sprint("early", i)))
	}
	get := f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream")))
	for i := range 3 {
		get.want(fmt.Sprint("early", i))
	}
	post := f.begin(call(1, ""), h)
	c.recv(t)
	c.send(t, jsonrpc.NewNotification(mcp.MethodToolsChange, nil))
	get.want("list_changed")
	c.send(t, jsonrpc.NewResult("1", []byte(`{}`)))
	if r := <-post; r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("answer as %s, want JSON", r.Header.Get("Content-Type"))
	}
}

func TestWithoutAGetWaitingMessagesGoWithTheNextPost(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	c.send(t, jsonrpc.NewNotification(mcp.MethodToolsChange, nil))
	c.send(t, logged("second"))
	post := f.begin(call(1, ""), h)
	c.reply(t)
	e := f.events(<-post)
	e.want("list_changed")
	e.want("second")
	e.want(`"id":1,"result"`)
	e.wantEnd()
}

func TestSecondGetTakesTheStreamOverAndGivesItBack(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	h = h.with("Accept", "text/event-stream")
	a := f.events(f.do("GET", "/mcp", "", h))
	c.send(t, logged("one"))
	a.want("one")
	b := f.do("GET", "/mcp", "", h)
	eb := f.events(b)
	c.send(t, logged("two"))
	eb.want("two")
	b.Body.Close()
	s := c.Conn.(*session)
	eventually(t, "the second GET is gone", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.gets) == 1 })
	c.send(t, logged("three"))
	a.want("three")
}

// A message that is being written goes to one GET only, and one that is stuck in a
// connection that nobody reads goes to the next.
func TestSecondGetWaitsForTheWriteOfTheFirst(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	h = h.with("Accept", "text/event-stream")
	a := f.do("GET", "/mcp", "", h)
	defer a.Body.Close()
	c.send(t, logged("stuck"+strings.Repeat("x", 16<<20))) // more than the system takes for a connection
	s := c.Conn.(*session)
	eventually(t, "the first GET is written to", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.main.busy == 1 })
	b := f.events(f.do("GET", "/mcp", "", h))
	b.want("stuck")
	c.send(t, logged("next"))
	b.want("next")
}

func TestBrokenStreamIsTakenUpAgain(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-11-25")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan *http.Response, 1)
	go func() {
		resp, err := f.try(ctx, "POST", "/mcp", call(1, `,"_meta":{"progressToken":1}`), h)
		if err != nil {
			t.Error(err)
		}
		got <- resp
	}()
	c.recv(t)
	c.send(t, progress("1", 1))
	e := f.events(<-got)
	priming, _ := e.next()
	if priming.id == "" || priming.data != "" {
		t.Errorf("first event %+v, want an id alone", priming)
	}
	ev := e.want(`"progress":1}`)
	cancel()
	s := c.Conn.(*session)
	eventually(t, "the break is seen", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.streams[1] != nil && s.streams[1].reader == nil
	})
	c.send(t, progress("1", 2)) // while nobody is there
	other := f.begin(call(2, ""), h)
	c.reply(t)
	if b := f.text(<-other); !strings.Contains(b, `"id":2`) || strings.Contains(b, "progress") {
		t.Errorf("another request's answer: %s", b)
	}
	c.send(t, jsonrpc.NewResult("1", []byte(`{"done":1}`)))

	for _, from := range []struct {
		id   string
		want []string
	}{
		{ev.id, []string{`"progress":2}`, `"done":1`}},
		{priming.id, []string{`"progress":1}`, `"progress":2}`, `"done":1`}}, // as often as asked
	} {
		again := f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream", mcp.HeaderLastEventID, from.id)))
		if p, _ := again.next(); p.id != from.id {
			t.Errorf("priming %+v, want id %s", p, from.id)
		}
		for _, part := range from.want {
			again.want(part)
		}
		again.wantEnd()
	}
}

func TestGetStreamIsResumedWithoutLossOrRepetition(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	h = h.with("Accept", "text/event-stream")
	resp := f.do("GET", "/mcp", "", h)
	e := f.events(resp)
	c.send(t, logged("m1"))
	c.send(t, logged("m2"))
	one := e.want("m1")
	e.want("m2")
	resp.Body.Close()
	s := c.Conn.(*session)
	eventually(t, "the break is seen", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.gets) == 0 })
	c.send(t, logged("m3"))
	e = f.events(f.do("GET", "/mcp", "", h.with(mcp.HeaderLastEventID, one.id)))
	e.want("m2")
	e.want("m3")
	c.send(t, logged("m4"))
	e.want("m4")
}

func TestThousandCallsKeepTheOrderOfTheirMessages(t *testing.T) {
	f := start(t, &HTTP{Serve: func(ctx context.Context, c jsonrpc.Conn, info Client) {
		for {
			m, err := c.Recv(ctx)
			if err != nil {
				return
			}
			if m.Kind() != jsonrpc.Request {
				continue
			}
			if token, ok := jsonrpc.Member(m.Meta(), "progressToken"); ok {
				for i := range 3 {
					_ = c.Send(ctx, progress(string(token), i))
				}
			}
			_ = c.Send(ctx, echoed(m))
		}
	}})
	h := f.session("2025-06-18")
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				if n > 1000 {
					return
				}
				resp, err := f.try(t.Context(), "POST", "/mcp", call(n, fmt.Sprintf(`,"_meta":{"progressToken":"p%d"}`, n)), h)
				if err != nil {
					t.Error(err)
					return
				}
				e := f.events(resp)
				for i := range 3 {
					e.want(fmt.Sprintf(`{"progressToken":"p%d","progress":%d}`, n, i))
				}
				e.want(fmt.Sprintf(`"id":%d,"result"`, n))
				e.wantEnd()
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
}

func TestManyClientsWithTheSameIDsGetTheirOwnAnswers(t *testing.T) { // S-67
	f := start(t, &HTTP{})
	var wg sync.WaitGroup
	for client := range 64 {
		wg.Go(func() {
			h := f.session("2025-06-18")
			for i := range 20 {
				nonce := fmt.Sprintf("%d/%d", client, i)
				resp := f.do("POST", "/mcp", call(1, `,"nonce":"`+nonce+`"`), h)
				if b := f.text(resp); !strings.Contains(b, nonce) {
					t.Errorf("got %s, want the answer with %s", b, nonce)
				}
			}
		})
	}
	wg.Wait()
}

func TestSixtyFourCallsInFlight(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	var resp []<-chan *http.Response
	for i := range 64 {
		resp = append(resp, f.begin(call(i, ""), h))
	}
	var open []jsonrpc.Message
	for range 64 {
		open = append(open, c.recv(t))
	}
	for i := range open { // the last one first
		c.send(t, echoed(open[63-i]))
	}
	for i, r := range resp {
		if b := f.text(<-r); !strings.Contains(b, fmt.Sprintf(`"id":%d,`, i)) {
			t.Errorf("call %d: got %s", i, b)
		}
	}
}
