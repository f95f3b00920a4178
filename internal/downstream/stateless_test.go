package downstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// P1, P2: clients that name their requests alike get their own answers, each
// with the names it gave, and nothing else of a message changes.
func TestStatelessClientsShareOneConversation(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	const n = 20
	bodies := []<-chan *http.Response{}
	for i := range n {
		body := `{ "x":1.0,"jsonrpc":"2.0","id" : 9007199254740993 ,"method":"tools/call","params":{"name":"echo","arguments":{},"i":` + strconv.Itoa(i) +
			`,"_meta":{` + meta + `,"progressToken": 1.50,"v":9007199254740993}},"y":"\u00e9"}`
		bodies = append(bodies, f.begin(body, says("tools/call", mcp.HeaderName, "echo")))
	}
	c := st.next(t)
	seen := map[jsonrpc.ID]bool{}
	var asked []jsonrpc.Message
	for range n {
		m := c.recv(t)
		token, _ := jsonrpc.Member(m.Meta(), "progressToken")
		if seen[m.ID()] || string(token) != string(m.ID()) || !strings.HasPrefix(string(m.ID()), `"`) {
			t.Fatalf("names of %s", m.Bytes())
		}
		back := strings.ReplaceAll(string(m.Bytes()), string(m.ID()), "@")
		i, _ := jsonrpc.Member(m.Params(), "i")
		if want := `{ "x":1.0,"jsonrpc":"2.0","id" : @ ,"method":"tools/call","params":{"name":"echo","arguments":{},"i":` + string(i) +
			`,"_meta":{` + meta + `,"progressToken": @,"v":9007199254740993}},"y":"\u00e9"}`; back != want {
			t.Fatalf("sent\n%s, want\n%s", back, want)
		}
		seen[m.ID()] = true
		asked = append(asked, m)
	}
	for _, m := range asked { // all at once, the first one answered last
		for k := range 3 {
			note := `{"params" : {"progress":` + strconv.Itoa(k) + `.0,"progressToken":` + string(m.ID()) + `},"method":"notifications/progress","jsonrpc":"2.0"}`
			c.send(t, parsed(t, note))
		}
	}
	for i := range asked {
		m := asked[len(asked)-1-i]
		at, _ := jsonrpc.Member(m.Params(), "i")
		c.send(t, parsed(t, `{"z":1.0,"result":{"resultType":"complete","i":`+string(at)+`,"n":9007199254740993},"id":`+string(m.ID())+`,"jsonrpc":"2.0"}`))
	}
	for i, b := range bodies {
		e := f.events(<-b)
		for k := range 3 {
			if ev := e.want(`"progress":` + strconv.Itoa(k) + `.0`); ev.id != "" || ev.data != `{"params" : {"progress":`+strconv.Itoa(k)+`.0,"progressToken":1.50},"method":"notifications/progress","jsonrpc":"2.0"}` {
				t.Errorf("event %+v", ev)
			}
		}
		if ev := e.want(`result`); ev.data != `{"z":1.0,"result":{"resultType":"complete","i":`+strconv.Itoa(i)+`,"n":9007199254740993},"id":9007199254740993,"jsonrpc":"2.0"}` {
			t.Errorf("answer %s", ev.data)
		}
		e.wantEnd()
	}
}

func parsed(t *testing.T, s string) jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return m
}

// P10: no notification is lost or overtaken by the answer, however many clients.
func TestStatelessNotificationsAreNotLost(t *testing.T) {
	f := start(t, &HTTP{Serve: func(ctx context.Context, c jsonrpc.Conn, _ Client) {
		for {
			m, err := c.Recv(ctx)
			if err != nil {
				return
			}
			for k := range 3 {
				_ = c.Send(ctx, progress(string(m.ID()), k)) // the answer below fails too
			}
			if c.Send(ctx, echoed(m)) != nil {
				return
			}
		}
	}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				resp, err := f.try(t.Context(), "POST", "/mcp", ask(strconv.Itoa(i), "x/y", "", `"progressToken":"t"`), says("x/y"))
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				parts := strings.Split(strings.TrimSpace(string(b)), "\n\n")
				if err != nil || len(parts) != 4 || !strings.Contains(parts[3], fmt.Sprintf(`"id":%d,`, i)) || !strings.Contains(parts[2], `"progress":2`) {
					t.Errorf("call %d: %v\n%s", i, err, b)
					return
				}
			}
		})
	}
	wg.Wait()
}

// P2, protocol.md 2.7: a listen is a stream that says whose it is by the
// client's own id, and stays.
func TestListenStaysOpenAndIsNamedByItsClient(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve, KeepAlive: 5 * time.Millisecond})
	done := f.begin(ask(`"l1"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, ""), says("subscriptions/listen").with("Accept", "application/json"))
	c := st.next(t)
	m := c.recv(t)
	named := func(method, more string) jsonrpc.Message {
		return parsed(t, `{"jsonrpc":"2.0","method":"`+method+`","params":{`+more+`"_meta":{"io.modelcontextprotocol/subscriptionId":`+string(m.ID())+`,"v":1.0}}}`)
	}
	c.send(t, named("notifications/subscriptions/acknowledged", `"notifications":{},`))
	resp := <-done
	if resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", resp.Header)
	}
	e := f.events(resp)
	if ev := e.want("acknowledged"); ev.id != "" || !strings.HasSuffix(ev.data, `"_meta":{"io.modelcontextprotocol/subscriptionId":"l1","v":1.0}}}`) {
		t.Errorf("got %+v", ev)
	}
	if line, err := e.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") { // a quiet stream
		t.Errorf("got %q, %v, want a comment", line, err)
	}
	// Another request's progress and log do not come here.
	other := f.begin(ask("2", "x/y", "", `"progressToken":"p","io.modelcontextprotocol/logLevel":"debug"`), says("x/y"))
	n := c.recv(t)
	c.send(t, logged("for the other"))
	c.send(t, progress(string(n.ID()), 1))
	c.send(t, named(mcp.MethodToolsChange, ""))
	c.send(t, echoed(n))
	oe := f.events(<-other)
	oe.want("for the other")
	oe.want(`"progressToken":"p"`)
	oe.want(`"id":2`)
	oe.wantEnd()
	e.want("tools/list_changed")
	c.send(t, parsed(t, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":`+string(m.ID())+`}}}`))
	if ev := e.want("result"); ev.data != `{"jsonrpc":"2.0","id":"l1","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"l1"}}}` {
		t.Errorf("got %s", ev.data)
	}
	e.wantEnd()
}

func TestServerEndsAListen(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	done := f.begin(ask("1", "subscriptions/listen", "", ""), says("subscriptions/listen"))
	c := st.next(t)
	m := c.recv(t)
	c.send(t, jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(m.ID())+`}`)))
	e := f.events(<-done)
	e.want(`"requestId":1}`)
	e.wantEnd()
	// An error in the place of the stream is an answer like any other.
	done = f.begin(ask("1", "subscriptions/listen", "", ""), says("subscriptions/listen"))
	m = c.recv(t)
	c.send(t, jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "no", nil))
	if resp := <-done; resp.StatusCode != 404 || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", resp.StatusCode, f.text(resp))
	}
}

// P2, protocol.md 2.6: the end of a client's connection cancels its request,
// and only that.
func TestLeavingCancelsAStatelessRequest(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	stays := f.begin(ask("1", "x/y", "", ""), says("x/y"))
	c := st.next(t)
	first := c.recv(t)
	ctx, cancel := context.WithCancel(t.Context())
	go f.try(ctx, "POST", "/mcp", ask("1", "x/z", "", ""), says("x/z"))
	m := c.recv(t)
	cancel()
	if n := c.recv(t); n.Method() != mcp.MethodCancelled || !strings.Contains(string(n.Params()), `"requestId":`+string(m.ID())+`,`) {
		t.Errorf("got %s, want the cancellation of %s", n.Bytes(), m.ID())
	}
	c.send(t, echoed(m)) // too late, and nobody's
	c.send(t, echoed(first))
	if resp := <-stays; resp.StatusCode != 200 {
		t.Errorf("the other request: %d %s", resp.StatusCode, f.text(resp))
	}
}

// What a stateless client may not be asked is answered here; what belongs to
// none, and a log message that could be two's, goes to none. One of which the
// server's transport told whose it is goes there.
func TestStatelessClientsGetWhatIsTheirs(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	level := `"io.modelcontextprotocol/logLevel":"debug"`
	a := f.begin(ask("1", "x/y", "", level), says("x/y"))
	c := st.next(t)
	ma := c.recv(t)
	b := f.begin(ask("2", "x/y", "", level), says("x/y"))
	mb := c.recv(t)
	c.send(t, logged("whose"))
	c.send(t, logged("hers too").WithAbout(mb.ID()))
	c.send(t, progress(`"c99"`, 1))
	c.send(t, progress(string(ma.ID()), 1)) // it asked for none
	c.send(t, jsonrpc.NewNotification(mcp.MethodToolsChange, nil))
	c.send(t, jsonrpc.NewNotification("x/vendor", nil))
	c.send(t, jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(ma.ID())+`}`)))
	c.send(t, jsonrpc.NewRequest("5", "roots/list", nil))
	if m := c.recv(t); m.ID() != "5" || !strings.Contains(string(m.Error()), "-32601") {
		t.Errorf("the server's request got %s", m.Bytes())
	}
	c.send(t, echoed(ma))
	if resp := <-a; resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s", f.text(resp))
	}
	c.send(t, logged("hers")) // now there is one only
	c.send(t, jsonrpc.NewNotification("x/vendor", []byte(`{"v":1.0}`)))
	c.send(t, echoed(mb))
	e := f.events(<-b)
	e.want("hers too")
	e.want("hers")
	e.want(`{"jsonrpc":"2.0","method":"x/vendor","params":{"v":1.0}}`)
	e.want(`"id":2`)
	e.wantEnd()
}

func TestClientThatTakesJSONOnlyGetsTheAnswerAlone(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	for accept, want := range map[string]string{"application/json": "application/json", "text/event-stream": "text/event-stream"} {
		done := f.begin(ask("1", "x/y", "", `"progressToken":1`), says("x/y").with("Accept", accept))
		c := st.next(t)
		st.conns <- c
		m := c.recv(t)
		c.send(t, progress(string(m.ID()), 1))
		c.send(t, echoed(m))
		if resp := <-done; resp.Header.Get("Content-Type") != want {
			t.Errorf("Accept %s: got %s", accept, resp.Header.Get("Content-Type"))
		}
	}
}

func TestStatelessNotificationIsAccepted(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	body := `{"jsonrpc":"2.0","method":"x/note","params":{"v":1.0}}`
	resp := f.do("POST", "/mcp", body, says("x/note"))
	if b := f.text(resp); resp.StatusCode != 202 || b != "" {
		t.Errorf("got %d %q", resp.StatusCode, b)
	}
	c := st.next(t)
	if m := c.recv(t); string(m.Bytes()) != body {
		t.Errorf("the server got %s", m.Bytes())
	}
	// It names a request by a name that the server does not know.
	resp = f.do("POST", "/mcp", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c1"}}`, says("notifications/cancelled"))
	if resp.StatusCode != 202 {
		t.Errorf("got %d", resp.StatusCode)
	}
	done := f.begin(ask("1", "x/y", "", ""), says("x/y"))
	if m := c.reply(t); m.Method() != "x/y" {
		t.Errorf("the server got %s", m.Bytes())
	}
	<-done
}

func TestStatelessConversationIsOpenedAgain(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	done := f.begin(ask("1", "x/y", "", ""), says("x/y"))
	c := st.next(t)
	c.recv(t)
	close(c.over) // the server is lost for good
	if resp := <-done; resp.StatusCode != 502 || resp.Header.Get(mcp.HeaderErrorOrigin) == "" {
		t.Errorf("got %d %s", resp.StatusCode, f.text(resp))
	}
	done = f.begin(ask("1", "x/y", "", ""), says("x/y"))
	c = st.next(t)
	c.reply(t)
	if resp := <-done; resp.StatusCode != 200 {
		t.Errorf("after the loss: %d %s", resp.StatusCode, f.text(resp))
	}
	if err := c.Send(t.Context(), logged("x")); err != nil {
		t.Errorf("Send on an open conversation: %v", err)
	}
	c.Close()
	if err := c.Send(t.Context(), logged("x")); err == nil {
		t.Error("Send on a closed conversation succeeds")
	}
}

func TestIdleStatelessConversationEnds(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve, Idle: time.Millisecond})
	done := f.begin(ask("1", "x/y", "", ""), says("x/y"))
	c := st.next(t)
	m := c.recv(t)
	c.send(t, echoed(m))
	<-done
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.Recv(ctx); err != io.EOF {
		t.Errorf("Recv: %v, want EOF", err)
	}
	now := time.Now()
	s := newStateless("x", nil)
	if s.used = now; s.idle(now.Add(time.Hour), time.Minute) != true {
		t.Error("an hour without a request is not idle")
	}
	s = newStateless("x", nil)
	s.used = now
	if err := s.enter(&question{}); err != nil || s.idle(now.Add(time.Hour), time.Minute) {
		t.Errorf("idle with a request open (%v)", err)
	}
}

func TestClientsWithOtherAuthorizationsShareNothing(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	for _, bearer := range []string{"Bearer a", "Bearer b", ""} {
		done := f.begin(ask("1", "x/y", "", ""), says("x/y").with("Authorization", bearer))
		c := st.next(t)
		if c.info.Authorization != bearer {
			t.Errorf("the conversation of %q has %q", bearer, c.info.Authorization)
		}
		c.reply(t)
		<-done
	}
}

func TestStatelessRequestsAreBounded(t *testing.T) {
	s := newStateless("srv", nil)
	for range mostQuestions {
		if err := s.enter(&question{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.enter(&question{}); err == nil || err == io.ErrClosedPipe {
		t.Errorf("one too many: %v", err)
	}
	sv := &server{HTTP: HTTP{Name: "srv"}, stateless: map[string]*stateless{"": s}}
	if _, no := sv.enterModern(passage{}, &question{}); no == nil || no.status != 429 {
		t.Errorf("got %+v", no)
	}
}

// A client that does not read loses its request; the others go on.
func TestClientThatDoesNotReadLosesItsRequest(t *testing.T) {
	t.Parallel() // it takes as long as such a client is waited for
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	done := f.begin(ask("1", "x/y", "", `"progressToken":1`), says("x/y"))
	c := st.next(t)
	m := c.recv(t)
	big := jsonrpc.NewNotification(mcp.MethodProgress, []byte(`{"progressToken":`+string(m.ID())+`,"message":"`+strings.Repeat("x", 2<<20)+`"}`))
	for range 16 { // what the system buffers, and then some
		c.send(t, big)
	}
	f.events(<-done) // and nothing is read
	if n := c.recv(t); n.Method() != mcp.MethodCancelled {
		t.Errorf("got %s, want a cancellation", n.Bytes())
	}
	other := f.begin(ask("1", "x/y", "", ""), says("x/y"))
	c.reply(t)
	if resp := <-other; resp.StatusCode != 200 {
		t.Errorf("another request: %d", resp.StatusCode)
	}
}
