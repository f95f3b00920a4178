package relay

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

func forgotten(id string) error {
	return &jsonrpc.CallError{ID: jsonrpc.ID(`"` + id + `"`), Err: fault.New(fault.SessionExpired, "srv").Because(upstream.ErrSessionLost)}
}

// A new session may use the ids of the forgotten one for other questions.
func TestServerRequestsOfAForgottenSessionAreWithdrawn(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	ask := `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"old"}}`
	s.say(ask)
	r.recv()
	r.send(toolCall("a"))
	s.next()
	s.errs <- forgotten("a")
	if m := r.recv(); m.Method() != mcp.MethodCancelled || !strings.Contains(string(m.Params()), `"requestId":1`) {
		t.Errorf("client got %s", m.Bytes())
	}
	s.regreet(welcome)
	s.next()
	s.next()
	r.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`)
	r.send(toolCall("b"))
	if m := s.next(); m.ID() != `"b"` {
		t.Errorf("the new session got %s", m.Bytes())
	}
}

// A call that is being sent in the old session must not slip into the new one
// before its handshake.
func TestNewSessionBeginsWhenNothingIsBeingSentInTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		r.send(toolCall("a"))
		s.next()
		held := make(chan struct{})
		s.held = held
		r.send(toolCall("b"))
		synctest.Wait()
		s.errs <- forgotten("a")
		synctest.Wait()
		go func() { held <- struct{}{}; close(held) }()
		if m := s.next(); m.ID() != `"b"` {
			t.Errorf("server got %s before the call that was on its way", m.Bytes())
		}
		s.regreet(welcome)
	})
}

func TestInitializedIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		r.send(hello)
		s := r.server()
		s.say(result(s.next().ID(), welcome))
		r.recv()
		s.die()
		synctest.Wait()
		r.send(ready)
		s = r.server()
		s.regreet(welcome)
		r.send(toolCall("a"))
		n := 0
		for m := s.next(); m.ID() != `"a"`; m = s.next() {
			if m.Method() != mcp.MethodInitialized {
				t.Errorf("server got %s", m.Bytes())
			}
			n++
		}
		if n != 1 {
			t.Errorf("initialized was sent %d times", n)
		}
	})
}

// A second initialize that the server refuses leaves the session as it was.
func TestRefusedSecondInitializeKeepsTheHandshake(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	r.send(strings.Replace(hello, `"i"`, `"i2"`, 1))
	m := s.next()
	s.say(`{"jsonrpc":"2.0","id":` + string(m.ID()) + `,"error":{"code":-32600,"message":"already initialized"}}`)
	r.recv()
	s.die()
	r.send(toolCall("a"))
	s = r.server()
	s.regreet(welcome)
	if m := s.next(); m.Method() != mcp.MethodInitialized {
		t.Errorf("server got %s", m.Bytes())
	}
	if m := s.next(); m.ID() != `"a"` {
		t.Errorf("server got %s", m.Bytes())
	}
}

// S-45: a server that ends again and again right after the handshake is not
// reached once a second for ever.
func TestEagerReconnectionBacksOffThoughTheHandshakeSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true, Eager: true})
		s := r.greet()
		begin := time.Now()
		n := 0
		s.die()
		for time.Since(begin) < time.Hour {
			s = <-r.servers
			n++
			s.regreet(welcome)
			s.next()
			synctest.Wait()
			s.die()
		}
		if n > 60 {
			t.Errorf("%d connections in an hour", n)
		}
		// A connection that held a while is forgotten for nothing.
		s = <-r.servers
		s.regreet(welcome)
		s.next()
		<-time.After(2 * time.Minute)
		lost := time.Now()
		s.die()
		s = <-r.servers
		if d := time.Since(lost); d > 5*time.Second {
			t.Errorf("after a good connection the next came only after %v", d)
		}
		s.regreet(welcome)
	})
}

// A call is not lost between two connections.
func TestCallWhoseSendFailsLateGoesOverTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true, Eager: true})
		s := r.greet()
		held := make(chan struct{})
		s.held = held
		r.send(toolCall("a"))
		synctest.Wait()
		s.die()
		next := <-r.servers
		next.regreet(welcome)
		next.next()
		synctest.Wait()
		close(held)
		if m := next.next(); m.ID() != `"a"` {
			t.Errorf("server got %s", m.Bytes())
		}
		next.say(result(`"a"`, `{}`))
		if m := r.recv(); m.Result() == nil {
			t.Errorf("client got %s", m.Bytes())
		}
	})
}

// One subscription that the server no longer takes must not keep it out of
// reach.
func TestFailedSubscriptionDoesNotKeepTheServerAway(t *testing.T) {
	r := start(t, Options{Reconnect: true})
	s := r.greet()
	r.send(`{"jsonrpc":"2.0","id":"s1","method":"resources/subscribe","params":{"uri":"a://1"}}`)
	s.say(result(s.next().ID(), `{}`))
	r.recv()
	s.die()
	r.send(toolCall("a"))
	s = r.server()
	s.regreet(welcome)
	s.next()
	m := s.next()
	s.errs <- &jsonrpc.CallError{ID: m.ID(), Err: fault.New(fault.UpstreamError, "srv")}
	if m := s.next(); m.ID() != `"a"` {
		t.Errorf("server got %s", m.Bytes())
	}
}

// The word that the session is forgotten may come before the Send it is about
// returns.
func TestCallForgottenBeforeItsSendReturnsIsAnsweredAtALossToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.held = make(chan struct{})
		r.send(toolCall("a"))
		synctest.Wait()
		s.errs <- forgotten("a")
		synctest.Wait()
		close(s.held)
		s.next() // as it was sent first
		s.regreet(welcome)
		s.next() // initialized
		if m := s.next(); m.ID() != `"a"` {
			t.Fatalf("server got %s", m.Bytes())
		}
		s.die()
		wantCode(t, r.recv(), "a", fault.ConnectionLost)
	})
}

// So is one that waited in the queue for a connection which broke again.
func TestQueuedCallThatWasNotWrittenGoesOverTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.die()
		synctest.Wait()
		gate := make(chan struct{})
		r.held = gate
		r.send(toolCall("a"))
		s = r.server()
		r.held = nil
		gate <- struct{}{}
		s.regreet(welcome)
		gate <- struct{}{}
		s.next() // initialized
		synctest.Wait()
		s.die()
		synctest.Wait()
		gate <- struct{}{}
		s = r.server()
		s.regreet(welcome)
		s.next()
		if m := s.next(); m.ID() != `"a"` {
			t.Fatalf("server got %s", m.Bytes())
		}
		s.say(result(`"a"`, `{}`))
		if m := r.recv(); m.Result() == nil {
			t.Errorf("client got %s", m.Bytes())
		}
	})
}

// What is queued when a connection breaks was sent to nobody.
func TestQueuedCallsSurviveAConnectionThatBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		r.after = make(chan struct{})
		r.send(hello)
		s := r.server()
		m := s.next()
		s.say(result(m.ID(), welcome))
		if m := r.recv(); m.Result() == nil {
			t.Fatalf("client got %s", m.Bytes())
		}
		r.send(ready)
		r.send(toolCall("a"))
		synctest.Wait()
		s.die()
		synctest.Wait()
		gate := r.after
		r.after = nil
		close(gate)
		s = r.server()
		s.regreet(welcome)
		if m := s.next(); m.Method() != mcp.MethodInitialized {
			t.Errorf("server got %s", m.Bytes())
		}
		if m := s.next(); m.ID() != `"a"` {
			t.Errorf("server got %s", m.Bytes())
		}
	})
}

// A server that breaks every connection is not reached for one call for ever.
func TestServerThatBreaksEveryConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.die()
		synctest.Wait()
		r.send(toolCall("a"))
		answered := make(chan jsonrpc.Message, 1)
		go func() { answered <- r.recv() }()
		for n := 0; ; n++ {
			select {
			case s := <-r.servers:
				s.die()
			case m := <-answered:
				if m.Error() == nil {
					t.Errorf("client got %s", m.Bytes())
				}
				return
			}
			if n == 10 {
				t.Fatal("reached again and again")
			}
		}
	})
}

// F-140: so it is when the connection breaks under the first message.
func TestWithoutReconnectALossAtOnceEndsTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		r.held = make(chan struct{})
		r.send(hello)
		s := r.server()
		synctest.Wait()
		s.die()
		synctest.Wait()
		close(s.held)
		if m := r.recv(); m.Error() == nil {
			t.Errorf("client got %s", m.Bytes())
		}
		if err := <-r.done; err == nil {
			t.Error("Run says nothing of the loss")
		}
		r.done <- nil
	})
}

// The end of a connection may name requests that nobody read, or that only read:
// they go over the next connection, once. The others are lost.
func TestCallsThatTheEndSparesGoOverTheNextConnection(t *testing.T) {
	for _, eager := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, Options{Reconnect: true, Eager: eager})
			s := r.greet()
			for _, id := range []string{"a", "b", "c"} {
				r.send(toolCall(id))
				s.next()
			}
			end := &upstream.EndError{Err: fault.New(fault.CommandExited, "srv"), Repeat: []jsonrpc.ID{`"b"`, `"a"`, `"unknown"`}}
			s.errs <- end
			wantCode(t, r.recv(), "c", fault.ConnectionLost)
			s = r.server()
			s.regreet(welcome)
			s.next()
			for _, id := range []jsonrpc.ID{`"b"`, `"a"`} {
				if m := s.next(); m.ID() != id {
					t.Errorf("server got %s, want %s", m.Bytes(), id)
				}
			}
			s.errs <- end
			got := map[jsonrpc.ID]bool{r.recv().ID(): true, r.recv().ID(): true}
			if !got[`"a"`] || !got[`"b"`] {
				t.Errorf("answered: %v", got)
			}
		})
	}
}

// A stateless request needs no handshake to be sent again.
func TestStatelessCallThatNobodyReadGoesOverTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true, Discover: true})
		r.send(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
		s := r.server()
		s.next()
		s.errs <- &upstream.EndError{Err: fault.New(fault.CommandExited, "srv"), Repeat: []jsonrpc.ID{`"a"`}}
		if m := r.server().next(); m.ID() != `"a"` {
			t.Errorf("server got %s", m.Bytes())
		}
	})
}

// The session may be found lost while what was queued is still being sent.
func TestSessionForgottenWhileTheQueueIsSentIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		gate := make(chan struct{})
		r.after = gate
		r.send(hello)
		s := r.server()
		s.say(result(s.next().ID(), welcome))
		r.recv()
		r.send(ready)
		r.send(toolCall("a"))
		synctest.Wait()
		gate <- struct{}{}
		gate <- struct{}{}
		s.next() // initialized
		s.next() // the call, whose Send has not returned
		s.errs <- forgotten("a")
		synctest.Wait()
		close(gate)
		s.regreet(welcome)
		s.next()
		m := s.next()
		s.say(result(m.ID(), `{}`))
		if m := r.recv(); m.ID() != `"a"` || m.Result() == nil {
			t.Errorf("client got %s", m.Bytes())
		}
		if r.dials != 1 {
			t.Errorf("%d dials, want 1", r.dials)
		}
	})
}

// A call that waited was sent to nobody, so nothing it did is in doubt.
func TestCallThatWaitedIsNotCalledLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.die()
		synctest.Wait()
		r.send(toolCall("a"))
		s = r.server()
		s.next() // the relay's initialize
		s.errs <- fault.New(fault.ConnectionLost, "srv")
		wantCode(t, r.recv(), "a", fault.SessionExpired)
	})
}
