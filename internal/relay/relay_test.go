package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// rig is a relay between a client end and server ends made by Dial.
type rig struct {
	t       *testing.T
	client  jsonrpc.Conn
	servers chan *server
	done    chan error
	dials   int
	failing error         // what Dial answers instead
	held    chan struct{} // Send on new connections waits for it
	after   chan struct{} // so does its return
	mu      sync.Mutex
}

// server is the far end of one dialled connection.
type server struct {
	t *testing.T
	*conn
	far jsonrpc.Conn
}

// conn is the relay's end: a pipe whose Recv can also give call errors.
type conn struct {
	jsonrpc.Conn
	errs chan error
	fail chan struct{} // closed: Recv ends with an error
	once sync.Once
	pump sync.Once
	in   chan jsonrpc.Message
	eof  chan struct{}
	held chan struct{} // Send waits for it
	post chan struct{} // Send waits for it when the message is out
	full chan struct{} // Send waits for it or for Close, as a write to a full pipe does
}

func (c *conn) Recv(ctx context.Context) (jsonrpc.Message, error) {
	c.pump.Do(func() {
		go func() {
			defer close(c.eof)
			for {
				m, err := c.Conn.Recv(context.Background())
				if err != nil {
					return
				}
				c.in <- m
			}
		}()
	})
	select {
	case m := <-c.in:
		return m, nil
	case err := <-c.errs:
		return jsonrpc.Message{}, err
	case <-c.fail:
		return jsonrpc.Message{}, fault.New(fault.CommandExited, "srv").With("the server program ended with status 9")
	case <-c.eof:
		return jsonrpc.Message{}, errors.New("closed")
	}
}

// Send fails on a dead connection, as a write to a closed pipe does.
func (c *conn) Send(ctx context.Context, m jsonrpc.Message) error {
	if c.held != nil {
		<-c.held
	}
	if c.full != nil {
		select {
		case <-c.full:
		case <-c.eof:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-c.fail:
		return errors.New("broken pipe")
	default:
	}
	err := c.Conn.Send(ctx, m)
	if c.post != nil {
		<-c.post
	}
	return err
}

func (c *conn) die() { c.once.Do(func() { close(c.fail) }) }

func start(t *testing.T, o Options) *rig {
	t.Helper()
	near, far := jsonrpc.Pipe()
	r := &rig{t: t, client: far, servers: make(chan *server, 16), done: make(chan error, 1)}
	o.Server, o.Log = "srv", slog.New(slog.DiscardHandler)
	o.Dial = func(context.Context) (jsonrpc.Conn, error) {
		r.mu.Lock()
		r.dials++
		err := r.failing
		r.mu.Unlock()
		if err != nil {
			return nil, err
		}
		a, b := jsonrpc.Pipe()
		c := &conn{Conn: a, errs: make(chan error, 16), fail: make(chan struct{}), in: make(chan jsonrpc.Message), eof: make(chan struct{}), held: r.held, post: r.after}
		r.servers <- &server{t: t, conn: c, far: b}
		return c, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.done <- Run(ctx, near, o) }()
	t.Cleanup(func() {
		cancel()
		far.Close()
		<-r.done
	})
	return r
}

func (r *rig) send(s string) {
	r.t.Helper()
	if err := r.client.Send(r.t.Context(), parse(r.t, s)); err != nil {
		r.t.Fatal("send:", err)
	}
}

func (r *rig) recv() jsonrpc.Message { r.t.Helper(); return recv(r.t, r.client) }

func (r *rig) server() *server {
	r.t.Helper()
	select {
	case s := <-r.servers:
		return s
	case <-time.After(time.Minute):
		r.t.Fatal("no connection was dialled")
		return nil
	}
}

func (s *server) next() jsonrpc.Message { s.t.Helper(); return recv(s.t, s.far) }

func (s *server) say(text string) {
	s.t.Helper()
	if err := s.far.Send(s.t.Context(), parse(s.t, text)); err != nil {
		s.t.Fatal("server send:", err)
	}
}

func parse(t *testing.T, s string) jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(s))
	if err != nil {
		t.Fatalf("parse %s: %v", s, err)
	}
	return m
}

func recv(t *testing.T, c jsonrpc.Conn) jsonrpc.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := c.Recv(ctx)
	if err != nil {
		t.Fatal("recv:", err)
	}
	return m
}

const (
	hello   = `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","x":9007199254740993}}`
	ready   = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	welcome = `{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`
)

func result(id jsonrpc.ID, v string) string {
	return `{"jsonrpc":"2.0","id":` + string(id) + `,"result":` + v + `}`
}

func toolCall(id string) string {
	return `{"jsonrpc":"2.0","id":"` + id + `","method":"tools/call","params":{"name":"echo"}}`
}

// greet takes the relay through the client's handshake.
func (r *rig) greet() *server {
	r.t.Helper()
	r.send(hello)
	s := r.server()
	m := s.next()
	s.say(result(m.ID(), welcome))
	if got := r.recv(); got.Result() == nil {
		r.t.Fatalf("initialize answered %s", got.Bytes())
	}
	r.send(ready)
	if m := s.next(); m.Method() != mcp.MethodInitialized {
		r.t.Fatalf("server got %s", m.Bytes())
	}
	return s
}

// regreet answers the relay's replayed handshake.
func (s *server) regreet(answer string) {
	s.t.Helper()
	m := s.next()
	if m.Method() != mcp.MethodInitialize || !strings.Contains(string(m.Params()), "9007199254740993") {
		s.t.Fatalf("replayed handshake begins with %s", m.Bytes())
	}
	s.say(result(m.ID(), answer))
}

func wantCode(t *testing.T, m jsonrpc.Message, id string, code fault.Code) {
	t.Helper()
	if string(m.ID()) != `"`+id+`"` || !strings.Contains(string(m.Error()), string(code)) {
		t.Errorf("got %s, want %s for %s", m.Bytes(), code, id)
	}
}

// S-02.
func TestMessagesPassAsTheyCame(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	in := `{"id":"a", "jsonrpc":"2.0","vendor":1.0,"method":"x/custom","params":{"n":9007199254740993,"f":1.0,"\u0061":"\/"}}`
	r.send(in)
	if got := string(s.next().Bytes()); got != in {
		t.Errorf("server got\n%s, want\n%s", got, in)
	}
	out := `{"result":{"big":123456789012345678901234567890},"jsonrpc":"2.0","id":"a","y":[ ]}`
	s.say(out)
	if got := string(r.recv().Bytes()); got != out {
		t.Errorf("client got\n%s, want\n%s", got, out)
	}
}

// F-138, F-141, W-04: five calls under way get five answers, and the next call
// works after the handshake was repeated.
func TestLostServerIsAnsweredForAndReachedAgain(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	for i := range 5 {
		r.send(toolCall(fmt.Sprint("c", i)))
		s.next()
	}
	s.die()
	seen := map[jsonrpc.ID]bool{}
	for range 5 {
		m := r.recv()
		if !strings.Contains(string(m.Error()), string(fault.ConnectionLost)) || !strings.Contains(string(m.Error()), "status 9") {
			t.Errorf("got %s, want %s with the cause", m.Bytes(), fault.ConnectionLost)
		}
		seen[m.ID()] = true
	}
	if len(seen) != 5 {
		t.Errorf("answers to %d of 5 calls", len(seen))
	}
	r.send(toolCall("next"))
	s = r.server()
	s.regreet(welcome)
	if m := s.next(); m.Method() != mcp.MethodInitialized {
		t.Errorf("after the handshake the server got %s", m.Bytes())
	}
	m := s.next()
	if string(m.Bytes()) != toolCall("next") {
		t.Errorf("server got %s", m.Bytes())
	}
	s.say(result(m.ID(), `{}`))
	if m := r.recv(); m.Result() == nil {
		t.Errorf("next call answered %s", m.Bytes())
	}
}

// W-04: of a server killed between two calls the relay may see the end before the
// write of the next call fails. Nobody has read that call.
func TestCallThatWasNotWrittenIsSentAgainThoughTheEndIsSeenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.held = make(chan struct{})
		r.send(toolCall("next"))
		synctest.Wait()
		s.die()
		synctest.Wait()
		close(s.held)
		s = r.server()
		s.regreet(welcome)
		s.next() // initialized
		m := s.next()
		if got := string(m.Bytes()); got != toolCall("next") {
			t.Fatalf("server got %s, want the call", got)
		}
		s.say(result(m.ID(), `{}`))
		if m := r.recv(); m.Result() == nil {
			t.Errorf("the call was answered %s, want a result", m.Bytes())
		}
	})
}

// W-03: eight calls meet a forgotten session; one new session serves them all.
func TestForgottenSessionIsOpenedOnceForAll(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	for i := range 8 {
		r.send(toolCall(fmt.Sprint("c", i)))
		s.next()
	}
	lostOne := func(i int) {
		s.errs <- &jsonrpc.CallError{ID: jsonrpc.ID(fmt.Sprintf(`"c%d"`, i)), Err: fault.New(fault.SessionExpired, "srv").Because(upstream.ErrSessionLost)}
	}
	for i := range 5 {
		lostOne(i)
	}
	s.regreet(welcome)
	s.next() // initialized
	for range 5 {
		m := s.next()
		s.say(result(m.ID(), `{}`))
	}
	// The rest learns of it only now, after the new session is open.
	for i := 5; i < 8; i++ {
		lostOne(i)
	}
	for range 3 {
		m := s.next()
		if m.Method() == mcp.MethodInitialize {
			t.Fatal("a second new session was opened")
		}
		s.say(result(m.ID(), `{}`))
	}
	for range 8 {
		if m := r.recv(); m.Result() == nil {
			t.Errorf("got %s", m.Bytes())
		}
	}
	if r.dials != 1 {
		t.Errorf("%d dials, want 1", r.dials)
	}
}

// W-03.
func TestCallThatTheNewSessionForgetsTooIsAnswered(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	r.send(toolCall("a"))
	s.next()
	gone := &jsonrpc.CallError{ID: `"a"`, Err: fault.New(fault.SessionExpired, "srv").Because(upstream.ErrSessionLost)}
	s.errs <- gone
	s.regreet(welcome)
	s.next()
	s.next() // the call again
	s.errs <- gone
	wantCode(t, r.recv(), "a", fault.SessionExpired)
}

// F-139.
func TestReturningServerIsCompared(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         fault.Code
		changed      bool
	}{
		{"same", welcome, "", false},
		{"other name", strings.Replace(welcome, `"s"`, `"t"`, 1), fault.ServerChanged, false},
		{"other protocol", strings.Replace(welcome, "2025-06-18", "2024-11-05", 1), fault.ServerChanged, false},
		{"other version", strings.Replace(welcome, `"1"`, `"2"`, 1), "", true},
		{"other version and capabilities", strings.NewReplacer(`"1"`, `"2"`, `{}`, `{"tools":{}}`).Replace(welcome), fault.ServerChanged, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, Options{Reconnect: true})
			s := r.greet()
			s.die()
			r.send(toolCall("a"))
			s = r.server()
			s.regreet(c.answer)
			if c.want != "" {
				wantCode(t, r.recv(), "a", c.want)
				return
			}
			s.next()
			s.say(result(s.next().ID(), `{}`))
			got := []string{r.recv().Method()}
			if c.changed {
				got = append(got, r.recv().Method())
			}
			if told := strings.Contains(strings.Join(got, " "), mcp.MethodToolsChange); told != c.changed {
				t.Errorf("client got %q, list_changed wanted: %v", got, c.changed)
			}
		})
	}
}

// F-140.
func TestWithoutReconnectALossEndsTheRelay(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	r.send(toolCall("a"))
	s.next()
	s.die()
	wantCode(t, r.recv(), "a", fault.ConnectionLost)
	select {
	case err := <-r.done:
		if !fault.IsCode(err, fault.CommandExited) {
			t.Errorf("Run returned %v", err)
		}
		r.done <- nil
	case <-time.After(time.Minute):
		t.Fatal("Run goes on")
	}
	if r.dials != 1 {
		t.Errorf("%d dials, want 1", r.dials)
	}
}

// W-04.
func TestServerDownAtStartIsAnsweredAndTriedAgain(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	r.failing = fault.New(fault.EndpointUnreachable, "srv")
	r.send(hello)
	wantCode(t, r.recv(), "i", fault.EndpointUnreachable)
	r.mu.Lock()
	r.failing = nil
	r.mu.Unlock()
	r.greet()
}

func TestSubscriptionsAndLevelAreRepeated(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":"l","method":"logging/setLevel","params":{"level":"debug"}}`,
		`{"jsonrpc":"2.0","id":"s1","method":"resources/subscribe","params":{"uri":"a://1"}}`,
		`{"jsonrpc":"2.0","id":"s2","method":"resources/subscribe","params":{"uri":"a://2"}}`,
		`{"jsonrpc":"2.0","id":"u2","method":"resources/unsubscribe","params":{"uri":"a://2"}}`,
	} {
		r.send(m)
		s.say(result(s.next().ID(), `{}`))
		r.recv()
	}
	s.die()
	r.send(toolCall("a"))
	s = r.server()
	s.regreet(welcome)
	s.next()
	var got []string
	for range 2 {
		m := s.next()
		got = append(got, m.Method()+string(m.Params()))
		s.say(result(m.ID(), `{}`))
	}
	want := `resources/subscribe{"uri":"a://1"} logging/setLevel{"level":"debug"}`
	if strings.Join(got, " ") != want {
		t.Errorf("repeated %q, want %q", got, want)
	}
	if m := s.next(); m.Method() != mcp.MethodToolsCall {
		t.Errorf("then the server got %s", m.Bytes())
	}
}

// S-01, S-65.
func TestIDInUseAndTooManyAreRefused(t *testing.T) {
	r := start(t, Options{Pending: 2})
	s := r.greet()
	r.send(toolCall("a"))
	s.next()
	r.send(toolCall("a"))
	wantCode(t, r.recv(), "a", fault.InvalidRequest)
	r.send(toolCall("b"))
	s.next()
	r.send(toolCall("c"))
	wantCode(t, r.recv(), "c", fault.TooManyRequests)
	s.say(result(`"a"`, `1`))
	s.say(result(`"b"`, `2`))
	if a, b := r.recv(), r.recv(); string(a.Result())+string(b.Result()) != "12" {
		t.Errorf("the open calls were answered %s and %s", a.Bytes(), b.Bytes())
	}
	r.send(toolCall("d"))
	s.next()
}

// W-02.
func TestCancellationOvertakesABusyCallAndALateAnswerPasses(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	r.send(toolCall("slow"))
	s.next()
	r.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`)
	if m := s.next(); m.Method() != mcp.MethodCancelled {
		t.Errorf("server got %s", m.Bytes())
	}
	s.say(result(`"slow"`, `{}`))
	if m := r.recv(); m.ID() != `"slow"` {
		t.Errorf("client got %s", m.Bytes())
	}
}

// W-01.
func TestServerRequestsReachTheClientAndStrayAnswersDoNotPass(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	r.send(result(`"stray"`, `{}`))
	ask := `{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}`
	s.say(ask)
	if got := r.recv(); string(got.Bytes()) != ask {
		t.Errorf("client got %s", got.Bytes())
	}
	r.send(result(`"q"`, `{"role":"user"}`))
	if m := s.next(); m.ID() != `"q"` {
		t.Errorf("server got %s, want the answer to q only", m.Bytes())
	}
	r.send(result(`"q"`, `{"role":"again"}`))
	r.send(toolCall("a"))
	if m := s.next(); m.ID() != `"a"` {
		t.Errorf("server got a second answer: %s", m.Bytes())
	}
}

// W-01.
func TestOpenServerRequestsAreWithdrawnAtALoss(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	s.say(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`)
	r.recv()
	s.die()
	if m := r.recv(); m.Method() != mcp.MethodCancelled || !strings.Contains(string(m.Params()), `"requestId":"q"`) {
		t.Errorf("client got %s", m.Bytes())
	}
}

func TestNotificationsKeepTheirPlaceBeforeTheAnswer(t *testing.T) {
	const calls = 300
	r := start(t, Options{Pending: calls})
	s := r.greet()
	go func() {
		for {
			m, err := s.far.Recv(context.Background())
			if err != nil {
				return
			}
			id := string(m.ID())
			for n := range 3 {
				note := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, id, n)
				p, _ := jsonrpc.Parse([]byte(note))
				_ = s.far.Send(context.Background(), p)
			}
			p, _ := jsonrpc.Parse([]byte(result(m.ID(), `{}`)))
			_ = s.far.Send(context.Background(), p)
		}
	}()
	go func() {
		for i := range calls {
			if r.client.Send(context.Background(), parse(t, toolCall(fmt.Sprint(i)))) != nil {
				return
			}
		}
	}()
	notes := map[string]int{}
	for answered := 0; answered < calls; {
		m := r.recv()
		if m.Kind() == jsonrpc.Notification {
			token, _ := jsonrpc.Member(m.Params(), "progressToken")
			progress, _ := jsonrpc.Member(m.Params(), "progress")
			if string(progress) != fmt.Sprint(notes[string(token)]) {
				t.Fatalf("out of order: %s", m.Bytes())
			}
			notes[string(token)]++
			continue
		}
		if notes[string(m.ID())] != 3 {
			t.Fatalf("answer %s came after %d of 3 notifications", m.ID(), notes[string(m.ID())])
		}
		answered++
	}
}

// S-52.
func TestLimitOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Limit: time.Minute})
		s := r.greet()
		r.send(toolCall("a"))
		s.next()
		<-time.After(59 * time.Second)
		synctest.Wait()
		r.send(toolCall("b"))
		s.next()
		s.say(result(`"b"`, `{}`))
		if m := r.recv(); m.ID() != `"b"` {
			t.Errorf("got %s before the limit", m.Bytes())
		}
		wantCode(t, r.recv(), "a", fault.Timeout)
		if m := s.next(); m.Method() != mcp.MethodCancelled {
			t.Errorf("server got %s", m.Bytes())
		}
		r.client.Close()
		<-r.done
		r.done <- nil
	})
}

func TestDiscoverIsAnsweredAtOnce(t *testing.T) {
	discover := `{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{}}`
	t.Run("not handed on", func(t *testing.T) {
		r := start(t, Options{})
		r.send(discover)
		if m := r.recv(); !strings.Contains(string(m.Error()), "-32601") {
			t.Errorf("got %s", m.Bytes())
		}
		if r.dials != 0 {
			t.Error("the server was started for it")
		}
	})
	t.Run("handed on to a silent server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, Options{Discover: true})
			r.send(discover)
			s := r.server()
			s.next()
			if m := r.recv(); !strings.Contains(string(m.Error()), "-32601") {
				t.Errorf("got %s", m.Bytes())
			}
			r.client.Close()
			<-r.done
			r.done <- nil
		})
	})
}

type denyEcho struct{}

func (denyEcho) Admit(_ context.Context, m jsonrpc.Message) error {
	if m.Method() == mcp.MethodToolsCall {
		return fault.New(fault.ToolDenied, "srv")
	}
	return nil
}

func (denyEcho) Release(_ context.Context, req, ans jsonrpc.Message) (jsonrpc.Message, error) {
	if req.Method() == mcp.MethodToolsList {
		return jsonrpc.NewResult(ans.ID(), []byte(`{"tools":[]}`)), nil
	}
	return ans, nil
}

// S-05.
func TestGateRefusesAndRewrites(t *testing.T) {
	r := start(t, Options{Gate: denyEcho{}})
	s := r.greet()
	r.send(toolCall("a"))
	wantCode(t, r.recv(), "a", fault.ToolDenied)
	r.send(`{"jsonrpc":"2.0","id":"l","method":"tools/list"}`)
	if m := s.next(); m.Method() != mcp.MethodToolsList {
		t.Fatalf("server got %s, the denied call must not arrive", m.Bytes())
	}
	s.say(result(`"l"`, `{"tools":[{"name":"echo"}]}`))
	if m := r.recv(); string(m.Result()) != `{"tools":[]}` {
		t.Errorf("client got %s", m.Bytes())
	}
}

// F-135.
func TestLeavingClientEndsTheServersSide(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	r.send(toolCall("a"))
	s.next()
	r.client.Close()
	if m := s.next(); m.Method() != mcp.MethodCancelled {
		t.Errorf("server got %s", m.Bytes())
	}
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	r.done <- nil
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if m, err := s.far.Recv(ctx); err == nil {
		t.Errorf("server still got %s", m.Bytes())
	}
}
