package downstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// openSSE opens a session of HTTP+SSE and gives its stream and post path.
func (f *fixture) openSSE(ctx context.Context, prefix string, h head) (*events, string) {
	f.t.Helper()
	resp, err := f.try(ctx, "GET", prefix+"/sse", "", h)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { resp.Body.Close() })
	for k, want := range map[string]string{"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} {
		if got := resp.Header.Get(k); got != want {
			f.t.Errorf("%s: got %q, want %q", k, got, want)
		}
	}
	e := f.events(resp)
	ev, _ := e.next()
	if ev.name != "endpoint" || !strings.HasPrefix(ev.data, prefix+"/message?sessionId=") {
		f.t.Fatalf("first event %+v, want the endpoint", ev)
	}
	return e, ev.data
}

func TestSSEClientGetsItsAnswersOnTheStream(t *testing.T) { // F-127 F-145
	f := start(t, &HTTP{Key: testKey})
	for _, c := range []struct {
		prefix string
		h      head
	}{{"/" + testKey, nil}, {"", head{"Authorization": "Bearer " + testKey}}} {
		e, post := f.openSSE(t.Context(), c.prefix, c.h)
		send := func(body string, want int) string {
			t.Helper()
			resp := f.do("POST", post, body, c.h)
			b := f.text(resp)
			if resp.StatusCode != want {
				t.Errorf("POST %s: got %d %s, want %d", body, resp.StatusCode, b, want)
			}
			return b
		}
		send(initialize("2024-11-05"), 202)
		if ev := e.want(`"protocolVersion":"2024-11-05"`); ev.name != "message" || ev.id != "" {
			t.Errorf("event %+v, want a message without id", ev)
		}
		send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202)
		send(call(5, `,"n":9007199254740993`), 202)
		e.want(`{"jsonrpc":"2.0","id":5,"result":{"name":"echo","n":9007199254740993}}`)
		if b := send(`{"x":`, 400); !strings.Contains(b, "-32700") {
			t.Errorf("bad line: %s", b)
		}
		if b := send(`[`+call(6, "")+`]`, 400); !strings.Contains(b, "-32600") {
			t.Errorf("batch: %s", b)
		}
		send("{\n"+call(7, "")[1:], 202)
		e.want(`"id":7`)
	}
}

func TestSSEBatchesOfTheVersionThatHadThem(t *testing.T) { // W-09
	f := start(t, &HTTP{})
	e, post := f.openSSE(t.Context(), "", nil)
	f.do("POST", post, initialize("2025-03-26"), nil)
	e.want(`"protocolVersion":"2025-03-26"`)
	body := `[{"id":3},` + call(1, "") + `,{"jsonrpc":"2.0","method":"notifications/x"},` + call(1, "") + `]`
	if resp := f.do("POST", post, body, nil); resp.StatusCode != 202 {
		t.Errorf("got %d %s", resp.StatusCode, f.text(resp))
	}
	var got []string
	for range 3 {
		ev, _ := e.next()
		got = append(got, ev.data)
	}
	all := strings.Join(got, "\n")
	if strings.Count(all, "-32600") != 2 || strings.Count(all, `"id":1,"result"`) != 1 {
		t.Errorf("got %s, want two errors and an answer", all)
	}
}

func TestSSERoutesTakeTheirMethodsOnly(t *testing.T) { // F-124
	f := start(t, &HTTP{})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/sse", 405}, {"DELETE", "/sse", 405}, {"GET", "/message?sessionId=x", 405},
		{"POST", "/message?sessionId=x", 404}, {"POST", "/message", 404},
	} {
		if resp := f.do(c.method, c.path, call(1, ""), nil); resp.StatusCode != c.want {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, resp.StatusCode, c.want)
		}
	}
	h := f.session("2025-06-18")
	if resp := f.do("POST", "/message?sessionId="+h["Mcp-Session-Id"], call(1, ""), nil); resp.StatusCode != 404 {
		t.Errorf("a session of the other transport: got %d, want 404", resp.StatusCode)
	}
}

func TestEndOfTheSSEStreamEndsTheSession(t *testing.T) { // W-11
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	ctx, cancel := context.WithCancel(t.Context())
	_, post := f.openSSE(ctx, "", nil)
	c := st.next(t)
	if c.info.Transport != "sse" {
		t.Errorf("transport %q", c.info.Transport)
	}
	cancel()
	if _, err := c.Recv(t.Context()); err != io.EOF {
		t.Errorf("Recv: %v, want EOF", err)
	}
	if resp := f.do("POST", post, call(1, ""), nil); resp.StatusCode != 404 {
		t.Errorf("POST: got %d, want 404", resp.StatusCode)
	}
}

func TestEndOfTheConversationEndsTheSSEStream(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	e, post := f.openSSE(t.Context(), "", nil)
	c := st.next(t)
	f.do("POST", post, call(1, ""), nil)
	c.recv(t)
	c.Close()
	e.want("DB_CONNECTION_LOST")
	e.wantEnd()
}

func TestSSEMessagesKeepTheirOrderAndTheirClient(t *testing.T) { // S-67
	f := start(t, &HTTP{Serve: func(ctx context.Context, c jsonrpc.Conn, _ Client) {
		for {
			m, err := c.Recv(ctx)
			if err != nil {
				return
			}
			for i := range 3 {
				_ = c.Send(ctx, progress(string(m.ID()), i))
			}
			_ = c.Send(ctx, echoed(m))
		}
	}})
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			e, post := f.openSSE(t.Context(), "", nil)
			for i := range 125 {
				nonce := fmt.Sprintf("%d/%d", client, i)
				resp := f.do("POST", post, call(i, `,"nonce":"`+nonce+`"`), nil)
				if resp.StatusCode != http.StatusAccepted {
					t.Errorf("got %d", resp.StatusCode)
				}
				resp.Body.Close()
				for k := range 3 {
					e.want(fmt.Sprintf(`{"progressToken":%d,"progress":%d}`, i, k))
				}
				e.want(nonce)
			}
		})
	}
	wg.Wait()
}
