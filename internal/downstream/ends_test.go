package downstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

func TestEndOfTheConversationAnswersWhatWaits(t *testing.T) { // F-137
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	plain := f.begin(call(1, ""), h)
	c.recv(t)
	streamed := f.begin(call(2, `,"_meta":{"progressToken":2}`), h)
	c.recv(t)
	c.send(t, progress("2", 1))
	e := f.events(<-streamed)
	e.want("progress")
	get := f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream")))
	c.Close()
	r := <-plain
	if b := f.text(r); r.StatusCode != 502 || !strings.Contains(b, `"id":1,"error"`) || !strings.Contains(b, "DB_CONNECTION_LOST") {
		t.Errorf("got %d %s", r.StatusCode, b)
	}
	e.want("DB_CONNECTION_LOST")
	e.wantEnd()
	get.wantEnd()
	if err := c.Send(t.Context(), logged("x")); err == nil {
		t.Error("Send after Close: no error")
	}
	if resp := f.do("POST", "/mcp", call(3, ""), h); resp.StatusCode != 404 {
		t.Errorf("got %d, want 404", resp.StatusCode)
	}
}

func TestFailedInitializeLeavesNoSession(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	resp := f.begin(initialize("2025-06-18"), nil)
	c := st.next(t)
	c.recv(t)
	c.send(t, jsonrpc.NewError("0", -32603, "no", nil))
	if r := <-resp; r.Header.Get(mcp.HeaderSession) != "" {
		t.Error("a session id was given out")
	}
	if _, err := c.Recv(t.Context()); err != io.EOF {
		t.Errorf("Recv: %v, want EOF", err)
	}
}

func TestLostAnswerIsNotCancelledAndHarmsNobody(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	ctx, cancel := context.WithCancel(t.Context())
	go f.try(ctx, "POST", "/mcp", call(1, ""), h)
	m := c.recv(t)
	cancel()
	s := c.Conn.(*session)
	eventually(t, "the break is seen", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.calls["1"] != nil && s.calls["1"].left
	})
	c.send(t, echoed(m))
	resp := f.begin(call(2, ""), h)
	if m := c.recv(t); m.Method() != "tools/call" { // no cancellation came
		t.Errorf("got %s", m.Bytes())
	}
	c.send(t, jsonrpc.NewResult("2", []byte("{}")))
	if b := f.text(<-resp); !strings.Contains(b, `"id":2`) {
		t.Errorf("got %s", b)
	}
}

func TestRefusedAnswerOfTheClientReachesTheServerAsAnError(t *testing.T) { // S-01
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	resp := f.do("POST", "/mcp", `{"jsonrpc":"2.0","id":"q","result":{},"result":{}}`, h)
	if resp.StatusCode != 400 {
		t.Errorf("got %d, want 400", resp.StatusCode)
	}
	if m := c.recv(t); m.ID() != `"q"` || m.Error() == nil {
		t.Errorf("got %s, want an error answer", m.Bytes())
	}
}

func TestPrettyPrintedAnswerIsOneEvent(t *testing.T) { // S-03
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-06-18")
	resp := f.begin(call(1, ""), h.with("Accept", "text/event-stream"))
	c.recv(t)
	m, err := jsonrpc.Parse([]byte("{\n \"jsonrpc\":\"2.0\",\r\n\"id\":1,\"result\":{}\n}"))
	if err != nil {
		t.Fatal(err)
	}
	c.send(t, m)
	f.events(<-resp).want(`{  "jsonrpc":"2.0",  "id":1,"result":{} }`)
}

func TestUnreadBodyIsRefusedBeforeItComes(t *testing.T) { // S-65
	f := start(t, &HTTP{MaxBytes: 1 << 20})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", f.addr, 1<<20+1)
	b := make([]byte, 4096)
	n, _ := conn.Read(b)
	if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 413") {
		t.Errorf("got %s", b[:n])
	}
}
