package era

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// world is a client of 2026-07-28 and its server of the initialize era.
type world struct {
	*talker
	*place
}

func newWorld(t *testing.T) (*world, *server) { return worldOf(newPlace(t, true)) }

// newWebWorld is the same with a server over HTTP.
func newWebWorld(t *testing.T) (*world, *server) { return worldOf(newPlace(t, false)) }

func worldOf(p *place) (*world, *server) {
	p.o.Protocol = Legacy
	client, far := p.open()
	return &world{client, p}, far
}

// next is the server's end of the next connection.
func (w *world) next() *server {
	w.talker.t.Helper()
	select {
	case far := <-w.servers:
		return far
	case <-time.After(time.Minute):
		w.talker.t.Fatal("nobody connects")
		return nil
	}
}

// request sends a request in the words of 2026-07-28. needs are the client's
// capabilities.
func (w *world) request(id, method, params, needs string) {
	w.talker.t.Helper()
	if params != "" {
		params += ","
	}
	send(w.talker.t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"`+method+`","params":{`+params+
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":`+needs+`}}}`)
}

const asks = `{"elicitation":{},"sampling":{}}` // what a client can be asked

func (w *world) call(id, tool, needs string) { w.request(id, "tools/call", `"name":"`+tool+`"`, needs) }

// tracked calls the tool a with the progress token "p", and with more params.
func (w *world) tracked(id, more string) {
	w.talker.t.Helper()
	send(w.talker.t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"a",`+more+`"_meta":{"progressToken":"p",`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":`+asks+`}}}`)
}

// greet answers the initialize of a session.
func greet(t *testing.T, far jsonrpc.Conn, capabilities string) {
	t.Helper()
	hello := recv(t, far)
	if hello.Method() != "initialize" {
		t.Fatalf("the server got %s", hello.Bytes())
	}
	send(t, far, `{"jsonrpc":"2.0","id":`+string(hello.ID())+`,"result":{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`}}`)
	if m := recv(t, far); m.Method() != "notifications/initialized" {
		t.Fatalf("the server got %s", m.Bytes())
	}
}

// quiet fails when something comes.
func quiet(t *testing.T, what string, c jsonrpc.Conn) {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
	defer cancel()
	if m, err := c.Recv(ctx); err == nil {
		t.Fatalf("%s got %s", what, m.Bytes())
	}
}

func finish(t *testing.T, far jsonrpc.Conn, id jsonrpc.ID) {
	t.Helper()
	send(t, far, `{"jsonrpc":"2.0","id":`+string(id)+`,"result":{"content":[]}}`)
}

// ask sends the client a question and gives what it says.
func ask(id, words, more string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"elicitation/create","params":{"message":"` + words + `"` + more + `}}`
}

// question is what the client is asked by an answer, "" for nothing.
func question(m jsonrpc.Message) string {
	for _, one := range jsonrpc.Members(member(m.Result(), "inputRequests")) {
		return text(one, "params", "message")
	}
	return ""
}

// Twenty calls at a time that all ask: each client is asked what its own call
// wants to know, and the answer goes there. P4
func TestQuestionsReachTheCallThatAsked(t *testing.T) {
	w, far := newWorld(t)
	go func() { // a server that asks in every call, without saying in which
		var mu sync.Mutex
		asked := map[jsonrpc.ID]jsonrpc.Message{}
		for {
			m, err := far.Recv(context.Background())
			if err != nil {
				return
			}
			var out string
			switch {
			case m.Method() == "initialize":
				out = `{"jsonrpc":"2.0","id":` + string(m.ID()) + `,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}`
			case m.Method() == "tools/call":
				mu.Lock()
				id := jsonrpc.ID(fmt.Sprint(1000 + len(asked)))
				asked[id] = m
				mu.Unlock()
				out = ask(string(id), text(m.Params(), "name"), "")
			case m.Kind() == jsonrpc.Response:
				call := asked[m.ID()]
				out = `{"jsonrpc":"2.0","id":` + string(call.ID()) + `,"result":{"of":"` + text(call.Params(), "name") + `","said":` + string(m.Result()) + `}}`
			default:
				continue
			}
			if err := far.Send(context.Background(), parse(t, out)); err != nil {
				return
			}
		}
	}()
	const calls = 20
	name := func(id jsonrpc.ID) string { return "tool" + strings.Trim(string(id), `"r`) }
	for i := range calls {
		w.call(fmt.Sprint(i), fmt.Sprintf("tool%d", i), asks)
	}
	for left := calls; left > 0; {
		m := recv(t, w)
		if words := question(m); words != "" {
			if words != name(m.ID()) {
				t.Fatalf("%s is asked what %s wants to know", name(m.ID()), words)
			}
			state := text(m.Result(), "requestState")
			w.request(`"r`+string(m.ID())+`"`, "tools/call", `"name":"`+words+`","requestState":"`+state+`","inputResponses":{"input-1":{"n":"`+words+`"}}`, asks)
			continue
		}
		left--
		if text(m.Result(), "of") != name(m.ID()) || text(m.Result(), "said", "n") != name(m.ID()) {
			t.Errorf("%s got %s", name(m.ID()), m.Bytes())
		}
	}
}

// A client that cannot be asked, and tools that ask nothing, are not held up.
func TestCallsThatAskNothingRunTogether(t *testing.T) {
	for _, c := range []struct {
		name, needs string
		first       bool // one call of the tool has ended before
	}{{"client that cannot be asked", `{"experimental":{}}`, false}, {"tool that asks nothing", asks, true}} {
		t.Run(c.name, func(t *testing.T) {
			w, far := newWorld(t)
			if c.first {
				w.call("0", "slow", c.needs)
				greet(t, far, `{}`)
				finish(t, far, recv(t, far).ID())
				recv(t, w)
			}
			for i := 1; i <= 100; i++ {
				w.call(fmt.Sprint(i), "slow", c.needs)
			}
			if !c.first {
				greet(t, far, `{}`)
			}
			for range 100 { // before any is answered
				if m := recv(t, far); m.Method() != "tools/call" {
					t.Fatalf("the server got %s", m.Bytes())
				}
			}
		})
	}
}

func TestUnknownToolHoldsOthersUpForAMomentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		w.call("1", "a", asks)
		w.call("2", "b", asks)
		w.request("3", "tools/list", "", asks)
		greet(t, far, `{}`)
		for _, id := range []jsonrpc.ID{"1", "3"} {
			if m := recv(t, far); m.ID() != id {
				t.Fatalf("the server got %s", m.Bytes())
			}
		}
		quiet(t, "the server", far)
		began := time.Now()
		if m := recv(t, far); m.ID() != "2" || time.Since(began) > doubtFor+time.Second {
			t.Errorf("the server got %s after %v", m.Bytes(), time.Since(began))
		}
		w.Close()
		far.Close()
	})
}

// unsuspected takes a world to where two calls run whose tool was never seen to
// ask.
func unsuspected(t *testing.T) (*world, *server) {
	w, far := newWorld(t)
	w.call("0", "a", asks)
	greet(t, far, `{}`)
	finish(t, far, recv(t, far).ID())
	recv(t, w)
	for _, id := range []string{"1", "2"} {
		w.request(id, "tools/call", `"name":"a","x":`+id, asks)
		recv(t, far)
	}
	return w, far
}

func TestFirstQuestionWaitsUntilItsCallIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := unsuspected(t)
		send(t, far, ask("8", "sure?", ""))
		synctest.Wait()
		w.call("3", "a", asks) // not before it is known
		quiet(t, "the client", w)
		quiet(t, "the server", far)
		finish(t, far, "1")
		if m := recv(t, w); m.ID() != "1" {
			t.Fatalf("the client got %s", m.Bytes())
		}
		m := recv(t, w)
		if m.ID() != "2" || question(m) != "sure?" {
			t.Errorf("the client got %s", m.Bytes())
		}
		if m := recv(t, far); m.ID() != "3" { // while the user thinks
			t.Errorf("the server got %s", m.Bytes())
		}
		w.request("4", "tools/call", `"name":"a","x":2,"requestState":"`+text(m.Result(), "requestState")+`","inputResponses":{"input-1":{}}`, asks)
		quiet(t, "the server", far) // the other call has the turn
		finish(t, far, "3")
		want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
		w.Close()
		far.Close()
	})
}

func TestQuestionOfAnUnknownCallIsRefusedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := unsuspected(t)
		send(t, far, ask("8", "sure?", ""))
		began := time.Now()
		var m jsonrpc.Message
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m, err := far.Recv(ctx)
		if err != nil || m.ID() != "8" || m.Error() == nil || time.Since(began) < riddleLimit {
			t.Errorf("the server got %s after %v", m.Bytes(), time.Since(began))
		}
		quiet(t, "the client", w)
		w.Close()
		far.Close()
	})
}

func TestProgressTokenNamesTheCallThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		for _, id := range []string{"1", "2"} {
			send(t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":"t`+id+`","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":`+asks+`}}}`)
		}
		greet(t, far, `{}`)
		recv(t, far)
		ctx, cancel := context.WithTimeout(t.Context(), 2*doubtFor)
		defer cancel()
		if _, err := far.Recv(ctx); err != nil {
			t.Fatal("the second call does not come")
		}
		send(t, far, ask("8", "one?", `,"_meta":{"progressToken":"t1"}`))
		if m := recv(t, w); m.ID() != "1" || question(m) != "one?" {
			t.Errorf("the client got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

// Over HTTP the stream tells which call asks, so nobody waits for another.
func TestStreamNamesTheCallThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWebWorld(t)
		began := time.Now()
		for _, id := range []string{"1", "2", "3"} {
			w.call(id, "a", asks)
			if id == "1" {
				greet(t, far, `{}`)
			}
			recv(t, far)
		}
		for _, id := range []jsonrpc.ID{"2", "1"} {
			if err := far.Send(t.Context(), parse(t, ask(string(id)+"0", "of "+string(id), "")).WithAbout(id)); err != nil {
				t.Fatal(err)
			}
			if m := recv(t, w); m.ID() != id || question(m) != "of "+string(id) {
				t.Errorf("the client got %s", m.Bytes())
			}
		}
		w.call("4", "a", asks)
		if m := recv(t, far); m.ID() != "4" || time.Since(began) >= doubtFor {
			t.Errorf("the server got %s after %v", m.Bytes(), time.Since(began))
		}
		w.Close()
		far.Close()
	})
}

// Without a call, or without the capability, nobody can be asked.
func TestQuestionForNobodyIsRefused(t *testing.T) {
	w, far := newWorld(t)
	w.request("1", "tools/list", "", `{"elicitation":{}}`)
	greet(t, far, `{}`)
	recv(t, far)
	for _, c := range []struct{ request, code string }{
		{`"method":"elicitation/create","params":{"message":"?"}`, "-32603"},
		{`"method":"elicitation/create","params":{"mode":"url","url":"https://x"}`, "-32602"},
		{`"method":"sampling/createMessage","params":{}`, "-32601"},
		{`"method":"roots/list"`, "-32601"},
		{`"method":"vendor/x"`, "-32601"},
	} {
		send(t, far, `{"jsonrpc":"2.0","id":7,`+c.request+`}`)
		if m := recv(t, far); m.ID() != "7" || codeOf(m.Error()) != c.code {
			t.Errorf("%s: got %s, want %s", c.request, m.Bytes(), c.code)
		}
	}
	send(t, far, `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
	want(t, recv(t, far), `{"jsonrpc":"2.0","id":"p","result":{}}`)
}

// A server may take one call after another: then the call that has the turn ends
// only after the one whose client is back. P4
func TestAnswerReachesAServerThatTakesOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far, state := asked(t)
		w.call("2", "b", asks)
		if m := recv(t, far); m.ID() != "2" { // while the user thinks, and is not looked at
			t.Fatalf("the server got %s", m.Bytes())
		}
		w.request("3", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-1":{}}`, asks)
		want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
		finish(t, far, "1")
		if m := recv(t, w); m.ID() != "3" {
			t.Errorf("the client got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

func TestCallThatNeverEndsDoesNotKeepOthersForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far, _ := asked(t)
		w.call("2", "b", asks)
		recv(t, far)
		w.call("3", "c", asks)
		ctx, cancel := context.WithTimeout(t.Context(), 2*turnLimit)
		defer cancel()
		if m, err := far.Recv(ctx); err != nil || m.ID() != "3" {
			t.Errorf("the server got %s, %v", m.Bytes(), err)
		}
		w.Close()
		far.Close()
	})
}

// One question more, while the call waits for its turn to give the first answer.
func TestQuestionForACallThatWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		w.tracked("1", "")
		greet(t, far, `{}`)
		recv(t, far)
		send(t, far, ask("8", "sure?", ""))
		state := text(recv(t, w).Result(), "requestState")
		w.call("2", "b", asks)
		recv(t, far)
		w.tracked("3", `"inputResponses":{"input-1":{}},"requestState":"`+state+`",`)
		send(t, far, ask("9", "really?", `,"_meta":{"progressToken":"p"}`))
		select {
		case m := <-w.got:
			t.Errorf("the client got %s", m.Bytes())
		case <-time.After(2 * gatherFor):
		}
		finish(t, far, "2")
		want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
		if m := recv(t, w); m.ID() != "2" {
			t.Errorf("the client got %s", m.Bytes())
		}
		if m := recv(t, w); m.ID() != "3" || question(m) != "really?" {
			t.Errorf("the client got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

// Nobody is asked in a session what the server asked in the one before.
func TestOpenQuestionsEndWithTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWebWorld(t)
		w.call("1", "a", asks)
		greet(t, far, `{}`)
		recv(t, far)
		w.call("2", "a", asks)
		recv(t, far)
		send(t, far, ask("8", "sure?", ""))
		synctest.Wait()
		for _, id := range []jsonrpc.ID{"1", "2"} {
			far.way.errs <- &jsonrpc.CallError{ID: id, Err: upstream.ErrSessionLost}
		}
		synctest.Wait()
		greet(t, far, `{}`)
		finish(t, far, recv(t, far).ID())
		if m := recv(t, w); question(m) != "" {
			t.Errorf("the client got %s", m.Bytes())
		}
		quiet(t, "the client", w)
		w.Close()
		far.Close()
	})
}
