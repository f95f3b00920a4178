package era

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

const tasking28 = `{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`

// declares tells whether a request declares the tasks extension.
func declares(m jsonrpc.Message) bool {
	return member(m.Meta(), metaCapabilities, "extensions", extensionTasks) != nil
}

func reply(t *testing.T, s jsonrpc.Conn, m jsonrpc.Message, result string) {
	t.Helper()
	send(t, s, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":`+result+`}`)
}

// wantAsk takes the server's next request, which is one about the task.
func wantAsk(t *testing.T, s jsonrpc.Conn, method string) jsonrpc.Message {
	t.Helper()
	m := recv(t, s)
	if m.Method() != method || text(m.Params(), "taskId") != "t1" || !declares(m) {
		t.Fatalf("the server got %s, want %s", m.Bytes(), method)
	}
	return m
}

const (
	working28 = `{"resultType":"task","taskId":"t1","status":"working","createdAt":"2026-11-21T00:00:00Z","lastUpdatedAt":"2026-11-21T00:00:00Z","ttlMs":60000,"pollIntervalMs":5000,"x":1.0}`
	working25 = `{"taskId":"t1","status":"working","createdAt":"2026-11-21T00:00:00Z","lastUpdatedAt":"2026-11-21T00:00:00Z","ttl":60000,"pollInterval":5000,"x":1.0}`
)

// startTask has the client start the task t1.
func startTask(t *testing.T, c *talker, s jsonrpc.Conn) {
	t.Helper()
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1.0},"task":{"ttl":60000}}}`)
	m := recv(t, s)
	if !declares(m) || member(m.Params(), "task") != nil || string(member(m.Params(), "arguments")) != `{"n":1.0}` {
		t.Fatalf("the server got %s", m.Bytes())
	}
	reply(t, s, m, working28)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":1,"result":{"task":`+working25+`}}`)
}

// 2.8, 3.1: tasks of 2025-11-25 with a server of the extension.
func TestTaskOfAClientOfTheInitializeEra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, tasking28)
		startTask(t, c, s)
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":"t1"}}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), strings.Replace(working28, `"task"`, `"complete"`, 1))
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"result":`+working25+`}`)
		send(t, c, `{"jsonrpc":"2.0","id":3,"method":"tasks/list"}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":3,"result":{"tasks":[`+working25+`]}}`)

		send(t, c, `{"jsonrpc":"2.0","id":4,"method":"tasks/result","params":{"taskId":"t1"}}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), working28)
		begin := time.Now()
		poll := wantAsk(t, s, "tasks/get")
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("asked again after %v, want the server's own interval", d)
		}
		reply(t, s, poll, `{"resultType":"complete","taskId":"t1","status":"completed","result":{"content":[],"big":9007199254740993}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":4,"result":{"content":[],"big":9007199254740993,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}`)

		send(t, c, `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a"}}`)
		if m := recv(t, s); declares(m) {
			t.Errorf("a call without a task declares the extension: %s", m.Bytes())
		}
		c.Close()
	})
}

func TestTaskIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, tasking28)
		startTask(t, c, s)
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tasks/cancel","params":{"taskId":"t1"}}`)
		reply(t, s, wantAsk(t, s, "tasks/cancel"), `{"resultType":"complete"}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"resultType":"complete","taskId":"t1","status":"cancelled"}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"result":{"taskId":"t1","status":"cancelled","ttl":null}}`)
		send(t, c, `{"jsonrpc":"2.0","id":3,"method":"tasks/result","params":{"taskId":"t1"}}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"resultType":"complete","taskId":"t1","status":"cancelled"}`)
		if m := recv(t, c); m.ID() != "3" || m.Error() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		c.Close()
	})
}

func TestTaskThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w, s := carried(t, Options{}, tasking28)
		startTask(t, c, s)
		result := func(id string) {
			send(t, c, `{"jsonrpc":"2.0","id":`+id+`,"method":"tasks/result","params":{"taskId":"t1"}}`)
		}
		result("2")
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"taskId":"t1","status":"failed","error":{"code":-31999,"message":"m","v":1.0}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"error":{"code":-31999,"message":"m","v":1.0}}`)
		result("3")
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"taskId":"t1","status":"failed","result":{"isError":true}}`)
		if m := recv(t, c); string(member(m.Result(), "isError")) != "true" {
			t.Errorf("the client got %s", m.Bytes())
		}
		result("4")
		send(t, s, `{"jsonrpc":"2.0","id":`+string(wantAsk(t, s, "tasks/get").ID())+`,"error":{"code":-32602,"message":"no such task"}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"no such task"}}`)
		result("5")
		w.errs <- &jsonrpc.CallError{ID: wantAsk(t, s, "tasks/get").ID(), Err: fault.New(fault.EndpointUnreachable, "srv")}
		if e := c.failure(); e.ID != "5" {
			t.Errorf("got %v", e)
		}
		send(t, c, `{"jsonrpc":"2.0","id":6,"method":"tasks/get","params":{}}`)
		if m := recv(t, c); codeOf(m.Error()) != "-32602" {
			t.Errorf("without taskId the client got %s", m.Bytes())
		}
		c.Close()
	})
}

// What a task wants to know comes to the client by the requests of its time.
func TestTaskThatAsksForInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, tasking28)
		startTask(t, c, s)
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"t1"}}`)
		wants := `{"taskId":"t1","status":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{"n":1.0}}}}`
		reply(t, s, wantAsk(t, s, "tasks/get"), wants)
		ask := recv(t, c)
		if ask.Method() != "sampling/createMessage" || string(ask.Params()) != `{"n":1.0}` {
			t.Fatalf("the client got %s", ask.Bytes())
		}
		send(t, c, `{"jsonrpc":"2.0","id":`+string(ask.ID())+`,"result":{"y":2.0}}`)
		update := wantAsk(t, s, "tasks/update")
		if got := string(member(update.Params(), "inputResponses")); got != `{"k":{"y":2.0}}` {
			t.Errorf("the server got %s", got)
		}
		reply(t, s, update, `{"resultType":"complete"}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), wants) // it has not got round to it
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"taskId":"t1","status":"completed","result":{}}`)
		if m := recv(t, c); m.ID() != "2" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		c.Close()
	})
}

// The client that stops waiting for a task's result ends no task.
func TestWaitForATaskIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, tasking28)
		startTask(t, c, s)
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"t1"}}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), working28)
		send(t, c, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
		<-time.After(time.Hour)
		send(t, c, `{"jsonrpc":"2.0","id":3,"method":"prompts/list"}`)
		if m := recv(t, s); m.ID() != "3" {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
	})
}

// 3.1: a server that answers at once makes a task that is over.
func TestCallThatBecomesNoTask(t *testing.T) {
	c, _, s := carried(t, Options{}, tasking28)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":{"ttl":5}}}`)
	reply(t, s, recv(t, s), `{"resultType":"complete","content":[],"big":9007199254740993}`)
	created := recv(t, c)
	id := text(created.Result(), "task", "taskId")
	if id == "" || text(created.Result(), "task", "status") != "completed" || string(member(created.Result(), "task", "ttl")) != "5" {
		t.Fatalf("the client got %s", created.Bytes())
	}
	ask := func(method string) jsonrpc.Message {
		t.Helper()
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"`+method+`","params":{"taskId":"`+id+`"}}`)
		return recv(t, c)
	}
	want(t, ask("tasks/result"), `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete","content":[],"big":9007199254740993,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"`+id+`"}}}}`)
	if m := ask("tasks/get"); text(m.Result(), "status") != "completed" {
		t.Errorf("the client got %s", m.Bytes())
	}
	if m := ask("tasks/cancel"); codeOf(m.Error()) != "-32602" {
		t.Errorf("the client got %s", m.Bytes())
	}
	if m := ask("tasks/list"); !strings.Contains(string(m.Result()), id) {
		t.Errorf("the client got %s", m.Bytes())
	}
}

// 3.1, bonus: the server insists on a task and the client knows of none.
func TestTaskForAClientWithoutTasks(t *testing.T) {
	insist := `{"code":-32021,"message":"tasks","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}`
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, tasking28)
		call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":7}}}`
		send(t, c, call)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"error":`+insist+`}`)
		again := recv(t, s)
		if !declares(again) {
			t.Fatalf("the server got %s", again.Bytes())
		}
		reply(t, s, again, working28)
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"taskId":"t1","status":"working","statusMessage":"half way"}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,"message":"half way"}}`)
		reply(t, s, wantAsk(t, s, "tasks/get"), `{"taskId":"t1","status":"completed","result":{"content":[],"x":1.0}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":1.0}}`)

		send(t, c, call)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"error":`+insist+`}`)
		reply(t, s, recv(t, s), working28)
		reply(t, s, wantAsk(t, s, "tasks/get"), working28)
		send(t, c, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		wantAsk(t, s, "tasks/cancel")
		c.Close()
	})
	c, _, s := carried(t, Options{}, `{}`)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	send(t, s, `{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{"sampling":{}}}}}`)
	if m := recv(t, c); codeOf(m.Error()) != "-32021" {
		t.Errorf("another need: the client got %s", m.Bytes())
	}
}

func TestTasksAreOfferedToClientsThatKnowThem(t *testing.T) {
	u := &up{hello: parse(t, strings.Replace(hello, "2025-06-18", "2025-11-25", 1)), found: []byte(`{"capabilities":` + tasking28 + `}`)}
	c := &conn{}
	if got := member(c.welcome(u), "capabilities", "tasks", "requests", "tools", "call"); got == nil {
		t.Errorf("got %s", c.welcome(u))
	}
	u.hello = parse(t, hello)
	if got := member(c.welcome(u), "capabilities", "tasks"); got != nil {
		t.Errorf("a client of 2025-06-18 is offered %s", got)
	}
	u.hello, u.found = parse(t, strings.Replace(hello, "2025-06-18", "2025-11-25", 1)), []byte(`{"capabilities":{}}`)
	if got := member(c.welcome(u), "capabilities", "tasks"); got != nil {
		t.Errorf("of a server without tasks %s is offered", got)
	}
}

func TestFewTasksAndFewerResultsAreKept(t *testing.T) {
	u := &up{}
	for range tasksMost + 5 {
		u.keep(&upTask{id: "x", local: true, result: []byte(`{}`)})
	}
	results := 0
	for _, t := range u.known {
		if t.result != nil {
			results++
		}
	}
	if len(u.known) != tasksMost || results != resultsMost {
		t.Errorf("%d tasks and %d results are kept", len(u.known), results)
	}
}
