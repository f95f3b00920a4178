package era

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// way is a connection to the server that can be made to fail.
type way struct {
	jsonrpc.Conn
	mu    sync.Mutex
	full  error         // what Send returns
	held  chan struct{} // Send waits for it
	errs  chan error
	in    chan jsonrpc.Message
	begun sync.Once
	ended sync.Once
	done  chan struct{}
}

func newWay(c jsonrpc.Conn) *way {
	return &way{Conn: c, errs: make(chan error, 16), in: make(chan jsonrpc.Message), done: make(chan struct{})}
}

func (w *way) Close() error {
	w.ended.Do(func() { close(w.done) })
	return w.Conn.Close()
}

func (w *way) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = err
}

func (w *way) hold() (release chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = make(chan struct{})
	return w.held
}

func (w *way) Send(ctx context.Context, m jsonrpc.Message) error {
	w.mu.Lock()
	held := w.held
	w.mu.Unlock()
	if held != nil {
		<-held
	}
	w.mu.Lock()
	err := w.full
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Conn.Send(ctx, m)
}

func (w *way) Recv(ctx context.Context) (jsonrpc.Message, error) {
	w.begun.Do(func() {
		go func() {
			defer close(w.in)
			for {
				m, err := w.Conn.Recv(context.Background())
				if err != nil {
					return
				}
				select {
				case w.in <- m:
				case <-w.done:
					return
				}
			}
		}()
	})
	select {
	case m, more := <-w.in:
		if !more {
			return m, errors.New("closed")
		}
		return m, nil
	case err := <-w.errs:
		return jsonrpc.Message{}, err
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	}
}

// talker is a client of which everything that comes is read ahead.
type talker struct {
	t *testing.T
	*conn
	got chan jsonrpc.Message
	end chan error // what Recv returned, but for CallErrors, which are in failed
	bad chan *jsonrpc.CallError
}

// listenTo reads what comes for the client.
func listenTo(t *testing.T, c *conn) *talker {
	p := &talker{t: t, conn: c, got: make(chan jsonrpc.Message, 256), end: make(chan error, 1), bad: make(chan *jsonrpc.CallError, 64)}
	go func() {
		for {
			m, err := c.Recv(context.Background())
			var failed *jsonrpc.CallError
			switch {
			case errors.As(err, &failed):
				p.bad <- failed
			case err != nil:
				p.end <- err
				return
			default:
				p.got <- m
			}
		}
	}()
	return p
}

func (p *talker) Recv(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-p.got:
		return m, nil
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	}
}

// failure is the next request that got no answer.
func (p *talker) failure() *jsonrpc.CallError {
	p.t.Helper()
	select {
	case e := <-p.bad:
		return e
	case <-time.After(time.Minute):
		p.t.Fatal("no request fails")
		return nil
	}
}

// carried is a client of 2025-11-25 whose conversation is carried over to a
// stateless server with these capabilities.
func carried(t *testing.T, o Options, capabilities string) (client *talker, w *way, server jsonrpc.Conn) {
	t.Helper()
	near, far := jsonrpc.Pipe()
	w = newWay(near)
	o.Server, o.Protocol = "srv", Modern
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	client = listenTo(t, newConn(t.Context(), w, o))
	t.Cleanup(func() { client.Close() })
	send(t, client, strings.Replace(hello, "2025-06-18", "2025-11-25", 1))
	m := recv(t, far)
	send(t, far, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":`+capabilities+`}}`)
	if m := recv(t, client); m.Result() == nil {
		t.Fatalf("initialize is answered with %s", m.Bytes())
	}
	return client, w, far
}

// 3.1: -32022, choose a version again and retry once.
func TestVersionIsChosenAgainOnce(t *testing.T) {
	refuse := func(id jsonrpc.ID, supported string) string {
		return `{"jsonrpc":"2.0","id":` + string(id) + `,"error":{"code":-32022,"message":"v","data":{"supported":["` + supported + `"]}}}`
	}
	c, _, s := carried(t, Options{}, `{}`)
	call := `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":9007199254740993}}}`
	send(t, c, call)
	first := recv(t, s)
	send(t, s, refuse(first.ID(), "2026-07-28"))
	again := recv(t, s)
	if again.ID() == first.ID() || string(again.Params()) != string(first.Params()) {
		t.Fatalf("the server got %s", again.Bytes())
	}
	send(t, s, `{"jsonrpc":"2.0","id":`+string(again.ID())+`,"result":{"content":[]}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":5,"result":{"content":[]}}`)

	send(t, c, call)
	send(t, s, refuse(recv(t, s).ID(), "2026-07-28"))
	send(t, s, refuse(recv(t, s).ID(), "2026-07-28"))
	if m := recv(t, c); m.ID() != "5" || codeOf(m.Error()) != "-32022" {
		t.Errorf("after the second refusal the client got %s", m.Bytes())
	}
	send(t, c, call)
	send(t, s, refuse(recv(t, s).ID(), "2027-01-01"))
	if m := recv(t, c); codeOf(m.Error()) != "-32022" {
		t.Errorf("without a version to choose the client got %s", m.Bytes())
	}
}

// A request that only reads is sent again when its stream breaks (2.6: a broken
// stream is a lost request), any other is not.
func TestLostReadIsSentAgainOnce(t *testing.T) {
	c, w, s := carried(t, Options{}, `{}`)
	lose := func(id jsonrpc.ID) {
		w.errs <- &jsonrpc.CallError{ID: id, Err: fault.New(fault.ConnectionLost, "srv")}
	}
	send(t, c, `{"jsonrpc":"2.0","id":5,"method":"tools/list"}`)
	lose(recv(t, s).ID())
	again := recv(t, s)
	if again.ID() == "5" || again.Method() != "tools/list" {
		t.Fatalf("the server got %s", again.Bytes())
	}
	send(t, s, `{"jsonrpc":"2.0","id":`+string(again.ID())+`,"result":{"tools":[]}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":5,"result":{"tools":[]}}`)

	send(t, c, `{"jsonrpc":"2.0","id":6,"method":"resources/read","params":{"uri":"a:b"}}`)
	lose(recv(t, s).ID())
	lose(recv(t, s).ID())
	if e := c.failure(); e.ID != "6" {
		t.Errorf("the call %s failed, want 6", e.ID)
	}
	send(t, c, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}`)
	lose(recv(t, s).ID())
	if e := c.failure(); e.ID != "7" || !fault.IsCode(e.Err, fault.ConnectionLost) {
		t.Errorf("got %v", e)
	}
}

// What the server cannot have read, and what only reads, is named when the
// connection ends, so that it goes over the next.
func TestEndNamesWhatMayBeSentAgain(t *testing.T) {
	for _, endFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, w, s := carried(t, Options{}, `{}`)
			send(t, c, `{"jsonrpc":"2.0","id":"read","method":"tools/list"}`)
			send(t, c, `{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"a"}}`)
			recv(t, s)
			recv(t, s)
			release := w.hold()
			for _, id := range []string{"writing", "queued"} {
				send(t, c, `{"jsonrpc":"2.0","id":"`+id+`","method":"tools/call","params":{"name":"a"}}`)
			}
			synctest.Wait()
			w.fail(errors.New("broken pipe"))
			if endFirst {
				w.errs <- fault.New(fault.CommandExited, "srv")
				synctest.Wait()
			}
			close(release)
			if !endFirst {
				synctest.Wait()
				w.errs <- fault.New(fault.CommandExited, "srv")
			}
			err := <-c.end
			var end *upstream.EndError
			if !errors.As(err, &end) || !fault.IsCode(err, fault.CommandExited) {
				t.Fatalf("the conversation ends with %v", err)
			}
			slices.Sort(end.Repeat)
			if got := slices.Compact(end.Repeat); !slices.Equal(got, []jsonrpc.ID{`"queued"`, `"read"`, `"writing"`}) {
				t.Errorf("to be sent again: %v", got)
			}
			c.Close()
		})
	}
}

// 3.1: roots/list_changed is swallowed; what is not of the specification passes.
func TestNotificationsOfAClientOfTheInitializeEra(t *testing.T) {
	c, _, s := carried(t, Options{}, `{}`)
	for _, method := range []string{"notifications/initialized", "notifications/roots/list_changed", "notifications/progress"} {
		send(t, c, `{"jsonrpc":"2.0","method":"`+method+`"}`)
	}
	send(t, c, `{"jsonrpc":"2.0","method":"vendor/x","params":{"n":1.0}}`)
	m := recv(t, s)
	if m.Method() != "vendor/x" || string(member(m.Params(), "n")) != "1.0" || text(m.Meta(), "io.modelcontextprotocol/protocolVersion") != "2026-07-28" {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// 3.1, section 11: strict clients lose the whole list over one schema that is of
// no object.
func TestWhatClientsOfTheInitializeEraCannotReadIsLeftOut(t *testing.T) {
	var log strings.Builder
	c, _, s := carried(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, `{}`)
	for _, r := range []struct{ method, answer, want string }{
		{"tools/list",
			`{"tools":[ {"name":"a","outputSchema":{"type":"array"},"x":1.0} , {"name":"b","outputSchema":{"type":"object"}},{"name":"c","outputSchema":{"$ref":"#/x"}}],"ttlMs":5}`,
			`{"tools":[ {"name":"a","x":1.0} , {"name":"b","outputSchema":{"type":"object"}},{"name":"c"}],"ttlMs":5}`},
		{"tools/list", `{"tools":[{"name":"b","outputSchema":{ "type":"object"}}]}`, `{"tools":[{"name":"b","outputSchema":{ "type":"object"}}]}`},
		{"tools/call", `{"content":[],"structuredContent":[1.0]}`, `{"content":[]}`},
		{"tools/call", `{"content":[],"structuredContent":null}`, `{"content":[]}`},
		{"tools/call", `{"content":[],"structuredContent":{"n":9007199254740993}}`, `{"content":[],"structuredContent":{"n":9007199254740993}}`},
	} {
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"`+r.method+`","params":{}}`)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"result":`+r.answer+`}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":1,"result":`+r.want+`}`)
	}
	if n := strings.Count(log.String(), "output schema left out"); n != 2 || strings.Count(log.String(), "structured content left out") != 2 {
		t.Errorf("the log says\n%s", log.String())
	}
}

// 2.7: an error for a resource that is not there has the code of the client's
// time.
func TestMissingResourceHasTheClientsCode(t *testing.T) {
	c, _, s := carried(t, Options{}, `{}`)
	for _, r := range []struct{ method, failed, code string }{
		{"resources/read", `{"code":-32602,"message":"m","data":{"uri":"a:b"}}`, "-32002"},
		{"resources/read", `{"code":-32602,"message":"m"}`, "-32602"},
		{"prompts/get", `{"code":-32602,"message":"m","data":{"uri":"a:b"}}`, "-32602"},
	} {
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"`+r.method+`","params":{"uri":"a:b"}}`)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"error":`+r.failed+`}`)
		if m := recv(t, c); codeOf(m.Error()) != r.code {
			t.Errorf("%s with %s: the client got %s", r.method, r.failed, m.Bytes())
		}
	}
}

// 3.1: a server asks for input again and again, but not for ever.
func TestRoundsOfInputHaveAnEnd(t *testing.T) {
	c, _, s := carried(t, Options{}, `{}`)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	for range roundsMost {
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{}}}}}`)
		ask := recv(t, c)
		send(t, c, `{"jsonrpc":"2.0","id":`+string(ask.ID())+`,"result":{}}`)
	}
	send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"result":{"resultType":"input_required","inputRequests":{}}}`)
	if e := c.failure(); e.ID != "1" || !fault.IsCode(e.Err, fault.ProtocolError) {
		t.Errorf("got %v", e)
	}
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a"}}`)
	send(t, s, `{"jsonrpc":"2.0","id":2,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}}}`)
	if e := c.failure(); e.ID != "2" || !strings.Contains(e.Err.Error(), "does not offer") {
		t.Errorf("for what the client has not: %v", e)
	}
}

// 3.1: a call that is cancelled while the client is asked is dropped with it.
func TestCancelledCallTakesItsQuestionsBack(t *testing.T) {
	c, _, s := carried(t, Options{}, `{}`)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{}}}}}`)
	ask := recv(t, c)
	send(t, c, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if m := recv(t, c); m.Method() != "notifications/cancelled" || string(member(m.Params(), "requestId")) != string(ask.ID()) {
		t.Errorf("the client got %s", m.Bytes())
	}
	send(t, c, `{"jsonrpc":"2.0","id":`+string(ask.ID())+`,"result":{}}`)
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"prompts/list"}`)
	if m := recv(t, s); m.ID() != "2" {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// What a server asks for inside its result was read by nobody yet: it may be a
// message that two could read differently, and then it is asked of nobody.
func TestInputThatTwoCouldReadDifferently(t *testing.T) {
	c, _, s := carried(t, Options{}, tasking28)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{"a":1,"a":2}}}}}`)
	if e := c.failure(); e.ID != "1" || !fault.IsCode(e.Err, fault.ProtocolError) {
		t.Errorf("got %v", e)
	}
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a","task":{}}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":2,"result":{"resultType":"task","taskId":"x","ttl":1,"ttlMs":2,"status":"working","status":"failed"}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"result":{"task":{"taskId":"x","ttl":1,"status":"working"}}}`)
	send(t, c, `{"jsonrpc":"2.0","id":3,"method":"tasks/result","params":{"taskId":"x"}}`)
	send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"result":{"status":"completed","result":{"_meta":{"progressToken":1,"progresstoken":2}}}}`)
	if m := recv(t, c); m.ID() != "3" || m.Error() == nil {
		t.Errorf("the client got %s", m.Bytes())
	}
}

// Nor does an answer of the client's that stood inside its request.
func TestGivenInputThatTwoCouldReadDifferently(t *testing.T) {
	c, s := legacyEnds(t)
	call := `"method":"tools/call","params":{"name":"a","_meta":{` + client28 + `}`
	send(t, c, `{"jsonrpc":"2.0","id":1,`+call+`}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":"who","method":"elicitation/create","params":{"message":"?"}}`)
	asked := recv(t, c)
	send(t, c, `{"jsonrpc":"2.0","id":2,`+call+`,"requestState":`+string(member(asked.Result(), "requestState"))+`,"inputResponses":{"who":{"_meta":{"progressToken":1,"progresstoken":2}}}}}`)
	if m := recv(t, s); m.ID() != `"who"` || m.Error() == nil {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// In the rounds after the first a call has another id at the server. P10
func TestWhatIsSaidOfALaterRoundIsOfTheClientsRequest(t *testing.T) {
	client, _, s := carried(t, Options{}, `{"tools":{}}`)
	send(t, client, `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a"}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"input_required","requestState":"x"}}`)
	again := recv(t, s)
	said := parse(t, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`)
	if err := s.Send(t.Context(), said.WithAbout(again.ID())); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, client); m.About() != "4" {
		t.Errorf("the client got %s about %s", m.Bytes(), m.About())
	}
}
