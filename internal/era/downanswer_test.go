package era

import (
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
)

// What a server of the initialize era answers, in the words of 2026-07-28.
func TestAnswersInTheWordsOf20260728(t *testing.T) {
	const pages = `{"elicitation":{"url":{}}}`
	for _, c := range []struct{ name, method, params, needs, from, want string }{
		{"result", "vendor/x", ``, `{}`,
			`"result":{"n":1.0}`, `"result":{"n":1.0,"resultType":"complete"}`},
		{"result that says it", "vendor/x", ``, `{}`,
			`"result":{"resultType":"other"}`, `"result":{"resultType":"other"}`},
		{"cached result", "tools/list", ``, `{}`,
			`"result":{"tools":[ ]}`, `"result":{"tools":[ ],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`},
		{"cached result that says how long", "prompts/list", ``, `{}`,
			`"result":{"ttlMs":5,"cacheScope":"public"}`, `"result":{"ttlMs":5,"cacheScope":"public","resultType":"complete"}`},
		{"templates", "resources/templates/list", ``, `{}`,
			`"result":{}`, `"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private"}`},
		{"resources", "resources/list", ``, `{}`,
			`"result":{}`, `"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private"}`},
		{"read", "resources/read", `"uri":"a:\u0062"`, `{}`,
			`"result":{}`, `"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private"}`},
		{"missing resource", "resources/read", `"uri":"a:\u0062"`, `{}`,
			`"error":{"code":-32002,"message":"m"}`, `"error":{"code":-32602,"message":"m","data":{"uri":"a:\u0062"}}`},
		{"missing resource with data", "resources/read", `"uri":"a:b"`, `{}`,
			`"error":{"code":-32002,"data":{"n":1.0},"message":"m"}`, `"error":{"code":-32602,"data":{"n":1.0,"uri":"a:b"},"message":"m"}`},
		{"missing resource with its uri", "resources/read", `"uri":"a:b"`, `{}`,
			`"error":{"code":-32002,"message":"m","data":{"uri":"x"}}`, `"error":{"code":-32602,"message":"m","data":{"uri":"x"}}`},
		{"other error", "resources/read", `"uri":"a:b"`, `{}`,
			`"error":{"code":-31999,"message":"m"}`, `"error":{"code":-31999,"message":"m"}`},
		{"page to be opened, which the client cannot be asked", "tools/call", `"name":"a"`, `{"elicitation":{"form":{}}}`,
			`"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://x","elicitationId":"e"}]}}`,
			`"error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{"elicitation":{"url":{}}}}}`},
		{"no page to be opened", "tools/call", `"name":"a"`, pages,
			`"error":{"code":-32042,"message":"m"}`, `"error":{"code":-32603,"message":"m"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, far := newWorld(t)
			w.request("1", c.method, c.params, c.needs)
			greet(t, far, `{}`)
			m := recv(t, far)
			send(t, far, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,`+c.from+`}`)
			want(t, recv(t, w), `{"jsonrpc":"2.0","id":1,`+c.want+`}`)
		})
	}
}

// The server's name is in every result, beside what the server says there.
func TestResultsNameTheServer(t *testing.T) {
	c, s := legacyEnds(t)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"_meta":{`+client28+`}}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"v":1.0},"resultType":"complete"}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"v":1.0,"io.modelcontextprotocol/serverInfo":{"name":"old","v":9007199254740993}},"resultType":"complete"}}`)
}

// -32042 of 2025-11-25: the client opens the pages, then the call is made again.
func TestPagesToBeOpenedFirst(t *testing.T) {
	const pages = `{"elicitation":{"form":{},"url":{}}}`
	w, far := newWorld(t)
	w.call("1", "a", pages)
	greet(t, far, `{}`)
	recv(t, far)
	send(t, far, `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://x","elicitationId":"e","message":"open"}]}}}`)
	m := recv(t, w)
	if got := string(member(m.Result(), "inputRequests")); got != `{"input-1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"open"}}}` {
		t.Fatalf("the client got %s", m.Bytes())
	}
	w.request("2", "tools/call", `"name":"a","requestState":"`+text(m.Result(), "requestState")+`","inputResponses":{"input-1":{"action":"accept"}}`, pages)
	if m := recv(t, far); m.ID() != "1" || m.Method() != "tools/call" || member(m.Params(), "inputResponses") != nil {
		t.Fatalf("the server got %s", m.Bytes())
	}
	finish(t, far, "1")
	if m := recv(t, w); m.ID() != "2" || text(m.Result(), "resultType") != "complete" {
		t.Errorf("the client got %s", m.Bytes())
	}
}

// asked takes a world to where the client was asked for input to its call 1.
func asked(t *testing.T) (w *world, far *server, state string) {
	w, far = newWorld(t)
	w.call("1", "a", asks)
	greet(t, far, `{}`)
	recv(t, far)
	send(t, far, ask("8", "sure?", ""))
	m := recv(t, w)
	if question(m) != "sure?" {
		t.Fatalf("the client got %s", m.Bytes())
	}
	return w, far, text(m.Result(), "requestState")
}

// A state is good for the client, the request and the round that it was made for.
func TestStateOfAnotherIsRefused(t *testing.T) {
	w, far, state := asked(t)
	_, _, foreign := asked(t)
	other := `,"inputResponses":{"input-1":{}}`
	for _, c := range []struct{ name, method, params, needs string }{
		{"tampered", "tools/call", `"name":"a","requestState":"x` + state + `"` + other, asks},
		{"foreign", "tools/call", `"name":"a","requestState":"` + foreign + `"` + other, asks},
		{"no words", "tools/call", `"name":"a","requestState":1` + other, asks},
		{"another tool", "tools/call", `"name":"b","requestState":"` + state + `"` + other, asks},
		{"another method", "prompts/get", `"name":"a","requestState":"` + state + `"` + other, asks},
		{"another client", "tools/call", `"name":"a","requestState":"` + state + `"` + other, `{"elicitation":{}}`},
		{"no answer", "tools/call", `"name":"a","requestState":"` + state + `","inputResponses":{"input-1":1}`, asks},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.request("2", c.method, c.params, c.needs)
			if m := recv(t, w); m.ID() != "2" || codeOf(m.Error()) != "-32602" {
				t.Errorf("the client got %s", m.Bytes())
			}
		})
	}
	w.request("3", "tools/call", `"name":"a","requestState":"`+state+`"`+other, asks)
	want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
	finish(t, far, "1")
	recv(t, w)
	w.request("4", "tools/call", `"name":"a","requestState":"`+state+`"`+other, asks)
	if m := recv(t, w); codeOf(m.Error()) != "-32602" {
		t.Errorf("used again: the client got %s", m.Bytes())
	}
}

func TestQuestionThatNobodyAnswersEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far, state := asked(t)
		began := time.Now()
		m, err := far.Recv(t.Context())
		if err != nil || m.Method() != "notifications/cancelled" || string(member(m.Params(), "requestId")) != "1" || time.Since(began) < heldLimit {
			t.Errorf("after %v the server got %s", time.Since(began), m.Bytes())
		}
		if m := recv(t, far); m.ID() != "8" || m.Error() == nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		w.request("2", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-1":{}}`, asks)
		if m := recv(t, w); codeOf(m.Error()) != "-32602" {
			t.Errorf("the client got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

// P4: a server that asks without end is stopped.
func TestRoundsOfQuestionsHaveAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far, state := asked(t)
		for round := 2; round <= roundsMost; round++ {
			w.request("2", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-`+string(rune('0'+(round-1)%10))+`":{}}`, asks)
			recv(t, far)
			send(t, far, ask("8", "sure?", ""))
			m := recv(t, w)
			if state = text(m.Result(), "requestState"); state == "" {
				t.Fatalf("round %d: the client got %s", round, m.Bytes())
			}
		}
		w.request("3", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-10":{}}`, asks)
		recv(t, far)
		send(t, far, ask("8", "sure?", ""))
		failed := <-w.bad
		if failed.ID != "3" || !fault.IsCode(failed.Err, fault.ProtocolError) {
			t.Errorf("the client got %v", failed)
		}
		if m := recv(t, far); m.Method() != "notifications/cancelled" {
			t.Errorf("the server got %s", m.Bytes())
		}
		if m := recv(t, far); m.ID() != "8" || m.Error() == nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

// A client may name another request as it named one that it was asked in.
func TestNamesThatAreInUseAtTheServer(t *testing.T) {
	w, far, state := asked(t)
	w.request("1", "prompts/get", `"name":"p"`, asks)
	other := recv(t, far)
	if other.ID() == "1" || other.Method() != "prompts/get" {
		t.Fatalf("the server got %s", other.Bytes())
	}
	finish(t, far, other.ID())
	if m := recv(t, w); m.ID() != "1" || m.Result() == nil {
		t.Errorf("the client got %s", m.Bytes())
	}
	w.request("2", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-1":{}}`, asks)
	want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
	finish(t, far, "1")
	if m := recv(t, w); m.ID() != "2" {
		t.Errorf("the client got %s", m.Bytes())
	}
}

// What comes while the client is away waits for it, under its new names.
func TestProgressWhileTheClientIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		params := func(id, more string) string {
			return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"a"` + more + `,"_meta":{"progressToken":` + id + `0,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + asks + `}}}`
		}
		send(t, w, params("1", ""))
		greet(t, far, `{}`)
		recv(t, far)
		send(t, far, ask("8", "sure?", ""))
		state := text(recv(t, w).Result(), "requestState")
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"progressToken":10}}`)
		send(t, far, `{"jsonrpc":"2.0","id":1,"result":{"n":1.0}}`)
		synctest.Wait()
		send(t, w, params("2", `,"requestState":"`+state+`","inputResponses":{}`))
		want(t, recv(t, w), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"progressToken":20}}`)
		want(t, recv(t, w), `{"jsonrpc":"2.0","id":2,"result":{"n":1.0,"resultType":"complete"}}`)
		w.Close()
		far.Close()
	})
}

// The same token twice is told apart at the server.
func TestProgressTokensAreUniqueAtTheServer(t *testing.T) {
	w, far := newWorld(t)
	for _, id := range []string{"1", "2"} {
		send(t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"vendor/x","params":{"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`)
	}
	greet(t, far, `{}`)
	one, two := member(recv(t, far).Meta(), "progressToken"), member(recv(t, far).Meta(), "progressToken")
	if string(one) != "7" || len(two) == 0 || string(two) == "7" {
		t.Fatalf("the tokens are %s and %s", one, two)
	}
	send(t, far, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+string(two)+`,"progress":1.0}}`)
	want(t, recv(t, w), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1.0}}`)
}

func TestCancelledCallIsCancelledAtTheServer(t *testing.T) {
	w, far := newWorld(t)
	w.call("1", "a", asks)
	greet(t, far, `{}`)
	recv(t, far)
	w.call("2", "b", asks) // waits for its turn
	cancel := func(id string) {
		send(t, w, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`,"reason":"r"}}`)
	}
	cancel("2")
	cancel("1")
	want(t, recv(t, far), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}`)
	w.call("3", "c", asks)
	if m := recv(t, far); m.ID() != "3" {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// A server that ends a call without waiting for the answers gets some all the same.
func TestQuestionsOfAnAnsweredCallAreAnswered(t *testing.T) {
	t.Run("before the client is asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, far := newWorld(t)
			w.call("1", "a", asks)
			greet(t, far, `{}`)
			recv(t, far)
			send(t, far, ask("8", "sure?", ""))
			finish(t, far, "1")
			if m := recv(t, w); question(m) != "" {
				t.Errorf("the client got %s", m.Bytes())
			}
			if m := recv(t, far); m.ID() != "8" || m.Error() == nil {
				t.Errorf("the server got %s", m.Bytes())
			}
			w.Close()
			far.Close()
		})
	})
	t.Run("after", func(t *testing.T) {
		w, far, state := asked(t)
		finish(t, far, "1")
		w.request("3", "tools/call", `"name":"a","requestState":"`+state+`","inputResponses":{"input-1":{}}`, asks)
		if m := recv(t, w); m.ID() != "3" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		want(t, recv(t, far), `{"jsonrpc":"2.0","id":8,"result":{}}`)
	})
}
