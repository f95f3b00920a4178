package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
)

func (r *rig) dialled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dials
}

func (r *rig) failWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = err
}

// S-45, S-51: a server that stays away is asked for after 1, 2, 4 … s, with up
// to a fifth more by chance, and every two minutes in the end. The client's
// next call is not held up by that, and a server that is back is found.
func TestServerThatStaysAwayIsAskedForMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true, Eager: true})
		s := r.greet()
		r.failWith(fault.New(fault.EndpointUnreachable, "srv"))
		s.die()
		began := time.Now()
		for tries, at := range []time.Duration{0, 1, 3, 7, 15, 31, 63} {
			least, most := at*time.Second, at*time.Second*6/5
			<-time.After(time.Until(began.Add(least)) - time.Millisecond)
			synctest.Wait()
			if got := r.dialled() - 1; got > tries {
				t.Errorf("%d tries before %v, want at most %d", got, least, tries)
			}
			<-time.After(time.Until(began.Add(most)) + 10*time.Millisecond)
			synctest.Wait()
			if got := r.dialled() - 1; got < tries {
				t.Errorf("%d tries within %v, want at least %d", got, most, tries)
			}
		}
		before := r.dialled()
		<-time.After(time.Hour)
		if got := r.dialled() - before; got < 20 || got > 31 {
			t.Errorf("%d tries within an hour, want one every 2 minutes", got)
		}

		now := time.Now()
		r.send(toolCall("a"))
		wantCode(t, r.recv(), "a", fault.EndpointUnreachable)
		r.failWith(nil)
		r.send(toolCall("b"))
		s = r.server()
		s.regreet(welcome)
		s.next() // initialized
		s.say(result(s.next().ID(), `{}`))
		if m := r.recv(); m.Result() == nil {
			t.Errorf("the call to the server that is back was answered %s", m.Bytes())
		}
		if took := time.Since(now); took > time.Second {
			t.Errorf("two calls waited %v for the next try", took)
		}
		r.client.Close()
		<-r.done
		r.done <- nil
	})
}

// W-05: a notification that cannot be delivered is no news for the client.
func TestNotificationThatIsNotDeliveredIsNotAnswered(t *testing.T) {
	r := start(t, Options{Reconnect: true, Gate: denyEcho{}})
	s := r.greet()
	r.send(`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`) // refused by the gate
	r.failWith(fault.New(fault.EndpointUnreachable, "srv"))
	s.die()
	r.send(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`) // to nobody
	r.send(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)
	wantCode(t, r.recv(), "p", fault.EndpointUnreachable)
}
