package downstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
)

func TestBodyLimitOnEachSide(t *testing.T) { // S-65
	f := start(t, &HTTP{MaxBytes: 1 << 20})
	h := f.session("2025-06-18")
	body := func(n int) string {
		empty := call(1, `,"s":""`)
		return call(1, `,"s":"`+strings.Repeat("x", n-len(empty))+`"`)
	}
	for _, c := range []struct{ size, want int }{{1 << 20, 200}, {1<<20 + 1, 413}} {
		resp := f.do("POST", "/mcp", body(c.size), h)
		if b := f.text(resp); resp.StatusCode != c.want || c.want == 413 && (!strings.Contains(b, "DB_MESSAGE_TOO_LARGE") || !strings.Contains(b, "1 MiB")) {
			t.Errorf("%d bytes: got %d %s", c.size, resp.StatusCode, first(b, 200))
		}
		chunked, err := http.NewRequest("POST", "http://"+f.addr+"/mcp", io.MultiReader(strings.NewReader(body(c.size))))
		if err != nil {
			t.Fatal(err)
		}
		chunked.Header = http.Header{"Content-Type": {"application/json"}, "Mcp-Session-Id": {h["Mcp-Session-Id"]}}
		resp, err = f.hc.Do(chunked)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%d bytes in chunks: got %d, want %d", c.size, resp.StatusCode, c.want)
		}
	}
}

func TestLargeMessagesPass(t *testing.T) {
	f := start(t, &HTTP{})
	h := f.session("2025-06-18")
	big := strings.Repeat("x", 8<<20)
	if b := f.text(f.do("POST", "/mcp", call(1, `,"s":"`+big+`"`), h)); len(b) < len(big) {
		t.Errorf("JSON: got %d bytes", len(b))
	}
	resp := f.do("POST", "/mcp", call(2, `,"s":"`+big+`"`), h.with("Accept", "text/event-stream"))
	f.events(resp).want(big)
}

func TestRequestsInFlightAreBounded(t *testing.T) { // S-65
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	var open []<-chan *http.Response
	for i := range mostCalls {
		open = append(open, f.begin(call(i, ""), h))
	}
	held := make([]jsonrpc.Message, mostCalls)
	for i := range held {
		held[i] = c.recv(t)
	}
	resp := f.do("POST", "/mcp", call(9999, ""), h)
	if b := f.text(resp); resp.StatusCode != 429 || !strings.Contains(b, `"id":9999,"error":{"code":-32603`) || !strings.Contains(b, "DB_TOO_MANY_REQUESTS") {
		t.Errorf("got %d %s", resp.StatusCode, b)
	}
	resp = f.do("POST", "/mcp", call(7, ""), h) // S-01: already in flight
	if b := f.text(resp); resp.StatusCode != 400 && resp.StatusCode != 429 || !strings.Contains(b, `"id":7,"error"`) {
		t.Errorf("got %d %s", resp.StatusCode, b)
	}
	c.send(t, echoed(held[0]))
	again := f.begin(call(10000, ""), h)
	c.reply(t)
	if r := <-again; r.StatusCode != 200 {
		t.Errorf("after one finished: got %d", r.StatusCode)
	}
	for _, m := range held[1:] {
		c.send(t, echoed(m))
	}
	for _, r := range open {
		if b := f.text(<-r); !strings.Contains(b, `"result"`) {
			t.Errorf("got %s", b)
		}
	}
}

func TestIDInFlightIsRefused(t *testing.T) { // S-01
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	first := f.begin(call(1, ""), h)
	m := c.recv(t)
	resp := f.do("POST", "/mcp", call(1, ""), h)
	if b := f.text(resp); resp.StatusCode != 400 || !strings.Contains(b, `"id":1,"error":{"code":-32600`) {
		t.Errorf("got %d %s", resp.StatusCode, b)
	}
	c.send(t, echoed(m))
	if b := f.text(<-first); !strings.Contains(b, `"result"`) {
		t.Errorf("got %s", b)
	}
}

func TestSessionsAreBounded(t *testing.T) { // S-62
	f := start(t, &HTTP{Sessions: 2})
	h := f.session("2025-06-18")
	f.openSSE(t.Context(), "", nil)
	for _, path := range []string{"POST /mcp", "GET /sse"} {
		method, path, _ := strings.Cut(path, " ")
		resp := f.do(method, path, initialize("2025-06-18"), nil)
		if b := f.text(resp); resp.StatusCode != 503 || !strings.Contains(b, "DB_TOO_MANY_REQUESTS") {
			t.Errorf("%s: got %d %s", path, resp.StatusCode, b)
		}
	}
	f.do("DELETE", "/mcp", "", h)
	f.session("2025-06-18")
}

func TestWaitingMessagesAreBoundedAndTheYoungestStay(t *testing.T) {
	s := newSession(streamable, "srv", slog.New(slog.DiscardHandler))
	s.end = func() {}
	for i := range heldEvents + 10 {
		if err := s.Send(t.Context(), logged(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.main.events); n != heldEvents || s.heldCount != n || s.dropped != 10 {
		t.Errorf("%d events, counted %d, dropped %d; want %d and 10", n, s.heldCount, s.dropped, heldEvents)
	}
	if want := logged("10"); string(s.main.events[0].data) != string(want.Bytes()) {
		t.Errorf("oldest is %s", s.main.events[0].data)
	}
	big := logged(strings.Repeat("x", heldBytes/2))
	for range 3 {
		_ = s.Send(t.Context(), big)
	}
	if s.held > heldBytes {
		t.Errorf("%d bytes are held", s.held)
	}
}

// The counts of the store are what the streams hold, whatever came before.
func TestStoreCountsAreRight(t *testing.T) {
	s := newSession(streamable, "srv", slog.New(slog.DiscardHandler))
	s.end = func() {}
	check := func(when string) {
		t.Helper()
		backlog, held, count, kept := 0, 0, 0, 0
		all := []*stream{&s.main}
		for _, st := range s.streams {
			all = append(all, st)
		}
		for _, st := range all {
			unsent := 0
			for _, e := range st.events {
				switch {
				case e.written:
					kept += len(e.data)
				case st.reader != nil:
					backlog += len(e.data)
					unsent++
				default:
					held += len(e.data)
					count++
					unsent++
				}
			}
			if unsent != st.unsent {
				t.Errorf("%s: stream %d has %d unsent, counted %d", when, st.number, unsent, st.unsent)
			}
		}
		if backlog != s.backlog || held != s.held || count != s.heldCount || kept != s.kept {
			t.Errorf("%s: backlog %d (counted %d), held %d/%d (%d/%d), kept %d (%d)", when, backlog, s.backlog, held, count, s.held, s.heldCount, kept, s.kept)
		}
	}
	send := func(n int) {
		for i := range n {
			_ = s.Send(t.Context(), logged(fmt.Sprint(i)))
		}
	}
	send(10)
	check("held")
	r := &reader{wake: make(chan struct{}, 1)}
	at, no := s.resume(nil, r)
	if no != nil {
		t.Fatal(no.err)
	}
	check("attached")
	send(5)
	events, _ := s.next(&at, r)
	s.wroteLocked(at.stream, events[7].number)
	check("half written")
	s.depart(at.stream, r)
	check("departed")
	x := &exchange{reader: reader{wake: make(chan struct{}, 1)}, events: true, json: true}
	if no := s.begin(x, "1"); no != nil {
		t.Fatal(no.err)
	}
	check("moved")
	_ = s.Send(t.Context(), jsonrpc.NewResult("1", []byte("{}")))
	at = position{stream: x.stream, known: true}
	for {
		events, more := s.next(&at, &x.reader)
		if !more {
			break
		}
		at.from = events[len(events)-1].number
		s.wroteLocked(x.stream, at.from)
	}
	s.depart(x.stream, &x.reader)
	check("answered")
	for i := range keptEvents + 5 {
		x := &exchange{reader: reader{wake: make(chan struct{}, 1)}, events: true, json: true}
		id := jsonrpc.ID(fmt.Sprint(i))
		_ = s.begin(x, id)
		_ = s.Send(t.Context(), jsonrpc.NewResult(id, []byte("{}")))
		if x.stream != nil {
			t.Fatal("a stream without a reason")
		}
	}
	s.tend(time.Now())
	s.tend(time.Now().Add(2 * keptFor))
	check("expired")
	if len(s.streams) != 0 {
		t.Errorf("%d streams are left", len(s.streams))
	}
}

func TestSendWaitsForASlowReaderAndEndsWithTheSession(t *testing.T) {
	s := newSession(streamable, "srv", slog.New(slog.DiscardHandler))
	s.end = func() {}
	r := &reader{wake: make(chan struct{}, 1)}
	at, _ := s.resume(nil, r)
	big := logged(strings.Repeat("x", backlogBytes+1))
	if err := s.Send(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- s.Send(t.Context(), logged("next")) }()
	eventually(t, "Send waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.roomy != nil })
	events, _ := s.next(&at, r)
	s.mu.Lock()
	s.wroteLocked(at.stream, events[0].number)
	s.mu.Unlock()
	if err := <-sent; err != nil {
		t.Errorf("Send after the reader read: %v", err)
	}
	_ = s.Send(t.Context(), big)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { sent <- s.Send(ctx, logged("x")) }()
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v, want canceled", err)
	}
	go func() { sent <- s.Send(t.Context(), logged("x")) }()
	eventually(t, "Send waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.roomy != nil })
	s.Close()
	if err := <-sent; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Send: %v, want closed", err)
	}
}

func TestIdleSessionEndsAndAUsedOneStays(t *testing.T) { // W-11
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	_, quiet := f.open(st, "2025-06-18")
	h, listening := f.open(st, "2025-06-18")
	f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream")))
	h, calling := f.open(st, "2025-06-18")
	f.begin(call(1, ""), h)
	calling.recv(t)
	h, left := f.open(st, "2025-06-18")
	ctx, cancel := context.WithCancel(t.Context())
	go f.try(ctx, "POST", "/mcp", call(1, ""), h)
	left.recv(t)
	cancel()
	eventually(t, "the client is seen to have left", func() bool {
		s := left.Conn.(*session)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.calls["1"].left
	})
	later := time.Now().Add(time.Hour) // what tend is told
	for _, c := range []struct {
		name string
		conn staged
		idle bool
	}{{"quiet", quiet, true}, {"with a stream", listening, false}, {"with a call", calling, false}, {"with a call whose client left", left, true}} {
		s := c.conn.Conn.(*session)
		if s.idle(later) {
			t.Errorf("%s: idle before tend looked", c.name)
		}
		s.tend(time.Now())
		if s.idle(time.Now().Add(-time.Hour)) {
			t.Errorf("%s: idle at once", c.name)
		}
		if got := s.idle(later); got != c.idle {
			t.Errorf("%s: idle %v, want %v", c.name, got, c.idle)
		}
	}
}

// W-11: a request that was not handed on, because its client left before, holds
// nothing.
func TestForgottenRequestHoldsNothing(t *testing.T) {
	s := newSession(streamable, "srv", slog.New(slog.DiscardHandler))
	if err := s.Send(t.Context(), logged("waits")); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/mcp", nil)
	r.Header.Set("Accept", "text/event-stream")
	x := newExchange(r)
	if no := s.begin(x, "1"); no != nil {
		t.Fatal(no.err)
	}
	s.forget(x, "1")
	now := time.Now()
	s.tend(now)
	s.tend(now.Add(keptFor))
	if !s.idle(now.Add(time.Hour)) || s.backlog != 0 || len(s.streams) != 0 {
		t.Errorf("idle %v, backlog %d, %d streams; want true, 0, 0", s.idle(now.Add(time.Hour)), s.backlog, len(s.streams))
	}
}

// S-62: a stream that was busy once does not keep the memory for it.
func TestQuietStreamKeepsLittleMemory(t *testing.T) {
	out := newEventWriter(httptest.NewRecorder(), 1, streamable)
	busy := make([]event, 100)
	for i := range busy {
		busy[i] = event{number: uint64(i + 1), data: bytes.Repeat([]byte("x"), largeEvent)}
	}
	if err := out.write(busy); err != nil {
		t.Fatal(err)
	}
	if n := cap(out.buf); n > mostSpare {
		t.Errorf("%d bytes are kept, want %d at most", n, mostSpare)
	}
}

func TestIdleSessionEndsByItself(t *testing.T) { // W-11
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve, Idle: time.Millisecond})
	h, c := f.open(st, "2025-06-18")
	if _, err := c.Recv(t.Context()); err != io.EOF {
		t.Errorf("Recv: %v, want EOF", err)
	}
	if resp := f.do("POST", "/mcp", call(1, ""), h); resp.StatusCode != 404 {
		t.Errorf("got %d, want 404", resp.StatusCode)
	}
}

func TestSlowAnswerBecomesAStreamWithKeepAlives(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve, KeepAlive: 5 * time.Millisecond})
	h, c := f.open(st, "2025-11-25")
	both, plain := f.begin(call(1, ""), h), f.begin(call(2, ""), h.with("Accept", "application/json"))
	one, two := c.recv(t), c.recv(t)
	c.Conn.(*session).tend(time.Now())
	c.Conn.(*session).tend(time.Now().Add(slowAnswer))
	e := f.events(<-both)
	if ev, _ := e.next(); ev.id == "" {
		t.Errorf("first event %+v, want an id", ev)
	}
	if line, err := e.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") {
		t.Errorf("got %q %v, want a comment", line, err)
	}
	c.send(t, echoed(one))
	c.send(t, echoed(two))
	for {
		ev, ok := e.next()
		if !ok {
			t.Fatal("the stream ended without the answer")
		}
		if strings.Contains(ev.data, `"result"`) {
			break
		}
	}
	if r := <-plain; r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s, want JSON", r.Header.Get("Content-Type"))
	}
}

func TestCancelledRequestWithoutAnAnswerIsForgotten(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	resp := f.begin(call(1, ""), h)
	c.recv(t)
	f.do("POST", "/mcp", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, h)
	c.recv(t)
	s := c.Conn.(*session)
	s.tend(time.Now())
	s.tend(time.Now().Add(forgetCall / 2))
	select {
	case <-resp:
		t.Error("it was answered at once")
	default:
	}
	s.tend(time.Now().Add(forgetCall))
	if b := f.text(<-resp); !strings.Contains(b, `"id":1`) || !strings.Contains(b, "cancelled") {
		t.Errorf("got %s", b)
	}
}

func TestRunEndsWithNothingLeft(t *testing.T) { // S-49
	before := runtime.NumGoroutine()
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	waiting := f.begin(call(1, ""), h)
	c.recv(t)
	get := f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream")))
	old, _ := f.openSSE(t.Context(), "", nil)
	silent, err := net.Dial("tcp", f.addr) // connected, and nothing more
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f.stop()
	r := <-waiting
	if b := f.text(r); r.StatusCode != 502 {
		t.Errorf("the waiting call got %d %s, want 502", r.StatusCode, b)
	}
	if _, err := net.Dial("tcp", f.addr); err == nil {
		t.Error("the port is still open")
	}
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the silent connection: %v, want its end", err)
	}
	get.wantEnd()
	old.wantEnd()
	get.body.Close()
	old.body.Close()
	f.hc.CloseIdleConnections()
	eventually(t, "the goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRunReportsABrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	h := &HTTP{Name: "srv", Serve: echo, Log: slog.New(slog.DiscardHandler)}
	if err := h.Run(t.Context(), ln); err == nil {
		t.Error("no error")
	}
}

func TestRunWaitsForEveryConversation(t *testing.T) {
	var running atomic.Int32
	release := make(chan struct{})
	f := start(t, &HTTP{Serve: func(ctx context.Context, c jsonrpc.Conn, _ Client) {
		running.Add(1)
		defer running.Add(-1)
		for {
			m, err := c.Recv(ctx)
			if err != nil {
				<-release
				return
			}
			_ = c.Send(ctx, echoed(m))
		}
	}})
	f.session("2025-06-18")
	go func() { // once Run is ending
		eventually(t, "the port closed", func() bool {
			c, err := net.Dial("tcp", f.addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		close(release)
	}()
	f.stop()
	if n := running.Load(); n != 0 {
		t.Errorf("Run returned with %d conversations running", n)
	}
}
