package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

func cancelOf(id string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"` + id + `"}}`
}

// W-08: a table that forgets cancelled calls must not forget a call that came
// with the same id later.
func TestIDUsedAgainAfterACancellationIsAnswered(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	cancelled := func(id string) {
		r.send(toolCall(id))
		s.next()
		r.send(cancelOf(id))
		s.next()
	}
	cancelled("a")
	r.send(toolCall("a"))
	s.next()
	for i := range keptCancelled {
		cancelled(fmt.Sprint("c", i))
	}
	cancelled("last")
	s.say(result(`"a"`, `{}`))
	s.say(result(`"last"`, `{}`))
	if m := r.recv(); m.ID() != `"a"` {
		t.Errorf("client got %s, want the answer to a", m.Bytes())
	}
}

// A server that takes its requests back must not fill the table for good.
func TestRequestsThatTheServerTookBackAreForgotten(t *testing.T) {
	r := start(t, Options{Pending: 4})
	s := r.greet()
	for i := range 4 {
		id := fmt.Sprint("q", i)
		s.say(`{"jsonrpc":"2.0","id":"` + id + `","method":"sampling/createMessage","params":{}}`)
		s.say(cancelOf(id))
		if m := r.recv(); string(m.ID()) != `"`+id+`"` {
			t.Fatalf("client got %s", m.Bytes())
		}
		if m := r.recv(); m.Method() != mcp.MethodCancelled {
			t.Fatalf("client got %s", m.Bytes())
		}
	}
	s.say(`{"jsonrpc":"2.0","id":"next","method":"roots/list"}`)
	if m := r.recv(); m.ID() != `"next"` {
		t.Errorf("client got %s, want the server's next request", m.Bytes())
	}
}

// A server that asks more than there is room for, and reads nothing, must not
// stop what it says from being read.
func TestServerThatAsksWithoutReadingIsStillHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Pending: 1})
		s := r.greet()
		r.send(toolCall("a"))
		s.next()
		s.full = make(chan struct{})
		for i := range 100 {
			s.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":"q%d","method":"roots/list"}`, i))
			synctest.Wait()
		}
		s.say(result(`"a"`, `{}`))
		if m := r.recv(); m.ID() != `"q0"` {
			t.Errorf("client got %s", m.Bytes())
		}
		if m := r.recv(); m.ID() != `"a"` {
			t.Errorf("client got %s", m.Bytes())
		}
		close(s.full)
		if m := s.next(); !strings.Contains(string(m.Error()), string(fault.TooManyRequests)) {
			t.Errorf("server got %s", m.Bytes())
		}
	})
}

// The client may answer a server while what it sent before still goes out.
func TestAnswerToTheServerIsNotLostWhileTheQueueIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, Options{})
		r.held = gate
		r.send(hello)
		s := r.server()
		synctest.Wait() // The initialize is on its way and holds the queue up.
		s.say(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`)
		if m := r.recv(); m.ID() != `"q"` {
			t.Fatalf("client got %s", m.Bytes())
		}
		r.send(result(`"q"`, `{"roots":[]}`))
		synctest.Wait()
		close(gate)
		got := []string{string(s.next().ID()), string(s.next().ID())}
		if !strings.Contains(strings.Join(got, " "), `"q"`) {
			t.Errorf("server got the ids %v, want the answer to q", got)
		}
	})
}

// An error without an id is about bytes that the server could not read. The
// client is told what a direct connection would tell it.
func TestErrorOfTheServerWithANullIDPasses(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	text := `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`
	s.say(text)
	s.say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	if m := r.recv(); string(m.Bytes()) != text {
		t.Errorf("client got %s", m.Bytes())
	}
}

// MCP: a client must not cancel its initialize.
func TestInitializeWhoseTimeIsUpIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Limit: time.Minute})
		r.send(hello)
		s := r.server()
		s.next()
		<-time.After(time.Minute)
		wantCode(t, r.recv(), "i", fault.Timeout)
		r.send(hello)
		if m := s.next(); m.Method() != mcp.MethodInitialize {
			t.Errorf("server got %s", m.Bytes())
		}
	})
}

// Nothing hangs: an initialize is answered in the end though calls have no
// limit.
func TestInitializeThatIsNeverAnsweredHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		r.send(hello)
		r.server().next()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m, err := r.client.Recv(ctx)
		if err != nil {
			t.Fatal("no answer within an hour")
		}
		wantCode(t, m, "i", fault.Timeout)
	})
}

func TestNotificationsDoNotPileUpWhileTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, Options{Pending: 4})
		r.held = gate
		r.send(hello)
		s := r.server()
		for range 10_000 {
			r.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
			synctest.Wait()
		}
		r.send(toolCall("a"))
		synctest.Wait()
		close(gate)
		n := 0
		for s.next().ID() != `"a"` {
			n++
		}
		if n > 100 {
			t.Errorf("%d messages had been kept", n)
		}
	})
}

// A request of the server that is no valid message is answered, or the server
// would wait for ever.
func TestRefusedRequestOfTheServerIsAnswered(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	s.errs <- &jsonrpc.RefusedError{Code: jsonrpc.CodeInvalidRequest, Reason: `"method" twice`, ID: `"q"`}
	m := s.next()
	if m.ID() != `"q"` || !strings.Contains(string(m.Error()), string(fault.InvalidRequest)) {
		t.Errorf("server got %s", m.Bytes())
	}
	r.send(toolCall("a"))
	s.next()
}

// MCP: a cancelled request is not answered. What its own transport says of it, that it
// was ended, is no news to the client.
func TestCancelledCallThatFailsIsNotAnswered(t *testing.T) {
	r := start(t, Options{})
	s := r.greet()
	r.send(toolCall("a"))
	s.next()
	r.send(cancelOf("a"))
	s.next()
	s.errs <- &jsonrpc.CallError{ID: `"a"`, Err: fault.New(fault.RequestFailed, "srv")}
	r.send(toolCall("b"))
	s.say(result(s.next().ID(), `{}`))
	for m := r.recv(); m.ID() != `"b"`; m = r.recv() {
		if m.ID() == `"a"` {
			t.Errorf("client got %s", m.Bytes())
		}
	}
}
