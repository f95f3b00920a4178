package era

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// The session is gone. What was refused unread is sent once more.
func TestForgottenSessionIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		w.call("1", "a", asks)
		greet(t, far, `{}`)
		recv(t, far)
		lost := func(id jsonrpc.ID) {
			far.way.errs <- &jsonrpc.CallError{ID: id, Err: fmt.Errorf("post: %w", upstream.ErrSessionLost)}
		}
		lost("1")
		greet(t, far, `{}`)
		if m := recv(t, far); m.ID() != "1" || m.Method() != "tools/call" {
			t.Fatalf("the server got %s", m.Bytes())
		}
		lost("1") // once only
		if failed := <-w.bad; failed.ID != "1" {
			t.Errorf("the client got %v", failed)
		}
		w.request("2", "tools/list", "", asks)
		recv(t, far)
		lost("2")
		greet(t, far, `{}`)
		if m := recv(t, far); m.ID() != "2" {
			t.Errorf("the server got %s", m.Bytes())
		}
		finish(t, far, "2")
		recv(t, w)
		w.Close()
		far.Close()
	})
}

// A program that ended is started again: what only reads, and what it never
// got, is sent once more; a call that it may have made is not.
func TestProgramThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		w.call("1", "a", asks)
		greet(t, far, `{}`)
		recv(t, far)
		w.request("2", "resources/list", "", asks)
		recv(t, far)
		w.call("3", "b", asks) // waits for its turn
		synctest.Wait()
		far.Close()
		far = w.next()
		greet(t, far, `{}`)
		failed := <-w.bad
		if failed.ID != "1" || !fault.IsCode(failed.Err, fault.ConnectionLost) {
			t.Errorf("the client got %v", failed)
		}
		got := map[jsonrpc.ID]bool{recv(t, far).ID(): true, recv(t, far).ID(): true}
		if !got["2"] || !got["3"] {
			t.Fatalf("the server got %v", got)
		}
		finish(t, far, "3")
		recv(t, w)
		far.Close() // once only
		if failed := <-w.bad; failed.ID != "2" {
			t.Errorf("the client got %v", failed)
		}
		w.request("4", "tools/list", "", asks)
		far = w.next()
		greet(t, far, `{}`)
		if m := recv(t, far); m.ID() != "4" {
			t.Errorf("the server got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

func TestProgramThatEndsBeforeItGreetsIsNotStartedAgain(t *testing.T) {
	w, far := newWorld(t)
	w.request("1", "tools/list", "", asks)
	recv(t, far)
	far.Close()
	if failed := <-w.bad; failed.ID != "1" {
		t.Errorf("the client got %v", failed)
	}
	if n := len(w.servers); n != 0 {
		t.Errorf("%d more connections", n)
	}
}

func TestAskedClientOfAnEndedProgramIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far, state := asked(t)
		far.Close()
		synctest.Wait()
		w.request("2", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-1":{}}`, asks)
		if m := recv(t, w); codeOf(m.Error()) != "-32602" {
			t.Errorf("the client got %s", m.Bytes())
		}
		w.Close()
	})
}

// A listen outlives the server's program, and is told what it may have missed.
func TestListenGoesOnAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const has = `{"tools":{"listChanged":true},"resources":{"subscribe":true}}`
		w, far := newWorld(t)
		w.request(`"l"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}`, asks)
		greet(t, far, has)
		finish(t, far, recv(t, far).ID())
		recv(t, w) // acknowledged
		far.Close()
		far = w.next()
		greet(t, far, has)
		if m := recv(t, far); m.Method() != "resources/subscribe" || text(m.Params(), "uri") != "a:b" {
			t.Errorf("the server got %s", m.Bytes())
		} else {
			finish(t, far, m.ID())
		}
		var got []string
		for range 2 {
			got = append(got, string(recv(t, w).Bytes()))
		}
		for _, one := range []string{
			`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`,
			`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`,
		} {
			if !strings.Contains(strings.Join(got, "\n"), one) {
				t.Errorf("got %v, want %s in it", got, one)
			}
		}
		quiet(t, "the client", w) // no second acknowledgement
		w.Close()
		far.Close()
	})
}

// Eight clients have sessions at a time; one that does nothing makes room.
func TestIdleSessionMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		fars := []*server{far}
		needs := func(i int) string { return fmt.Sprintf(`{"experimental":{"n%d":{}}}`, i) }
		for i := range lanesMost {
			w.request(fmt.Sprint(i), "vendor/x", "", needs(i))
			if i > 0 {
				fars = append(fars, w.next())
			}
			greet(t, fars[i], `{}`)
			recv(t, fars[i])
		}
		w.request("100", "vendor/x", "", needs(100))
		if failed := <-w.bad; failed.ID != "100" || !fault.IsCode(failed.Err, fault.TooManyRequests) {
			t.Errorf("the client got %v", failed)
		}
		finish(t, fars[3], "3")
		recv(t, w)
		w.request("101", "vendor/x", "", needs(101))
		fars = append(fars, w.next())
		if _, err := fars[3].Recv(t.Context()); err == nil {
			t.Error("the idle session goes on")
		}
		greet(t, fars[8], `{}`)
		recv(t, fars[8])
		w.Close()
		for _, far := range fars {
			far.Close()
		}
	})
}
