package era

import (
	"testing"
	"testing/synctest"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// declared is a client that has the extension and can be asked.
const (
	declared = `{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{},"v/x":{}}}`
	bare     = `{"elicitation":{},"extensions":{"v/x":{}}}`
	hasTasks = `{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`
)

// tasker answers for a server of 2025-11-25 whose tools may, must or must not be
// tasks.
func tasker(t *testing.T, far jsonrpc.Conn) {
	t.Helper()
	greet(t, far, hasTasks)
	list := wantMethod(t, far, "tools/list")
	send(t, far, `{"jsonrpc":"2.0","id":`+string(list.ID())+`,"result":{"tools":[{"name":"may","execution":{"taskSupport":"optional"}}],"nextCursor":"n"}}`)
	list = wantMethod(t, far, "tools/list")
	if text(list.Params(), "cursor") != "n" {
		t.Fatalf("the server got %s", list.Bytes())
	}
	send(t, far, `{"jsonrpc":"2.0","id":`+string(list.ID())+`,"result":{"tools":[{"name":"must","execution":{"taskSupport":"required"}},{"name":"mustnot"},{"name":"not","execution":{"taskSupport":"forbidden"}}]}}`)
}

func says(t *testing.T, far jsonrpc.Conn, m jsonrpc.Message, result string) {
	t.Helper()
	send(t, far, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,`+result+`}`)
}

// task is what the server of 2025-11-25 says of its task.
func task(status string) string {
	return `"taskId":"t1","status":"` + status + `","createdAt":"c","lastUpdatedAt":"u","ttl":9007199254740993,"pollInterval":5.0`
}

// shown is the same in the words of the extension.
func shown(status string) string {
	return `"taskId":"t1","status":"` + status + `","createdAt":"c","lastUpdatedAt":"u","pollIntervalMs":5.0,"ttlMs":9007199254740993`
}

// underway takes a world to where the client has a task.
func underway(t *testing.T) (*world, *server) {
	w, far := newWorld(t)
	w.call("1", "must", declared)
	tasker(t, far)
	call := wantMethod(t, far, "tools/call")
	if string(call.Params()) != `{"name":"must","task":{}}` {
		t.Fatalf("the server got %s", call.Bytes())
	}
	says(t, far, call, `"result":{"task":{`+task("working")+`},"_meta":{"v":1.0}}`)
	want(t, recv(t, w), `{"jsonrpc":"2.0","id":1,"result":{"resultType":"task",`+shown("working")+`,"_meta":{"v":1.0}}}`)
	return w, far
}

func (w *world) about(id, method, more string) { w.request(id, method, `"taskId":"t1"`+more, declared) }

func TestDiscoverOffersTheTasksExtension(t *testing.T) {
	for _, c := range []struct{ has, want string }{
		{hasTasks, `{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
		{`{"extensions":{"v/x":{}},"tasks":{"requests":{"tools":{"call":{}}}}}`, `{"extensions":{"v/x":{},"io.modelcontextprotocol/tasks":{}}}`},
		{`{"tools":{},"tasks":{"list":{}}}`, `{"tools":{}}`},
		{`{"tools":{}}`, `{"tools":{}}`},
	} {
		w, far := newWorld(t)
		w.request("1", "server/discover", "", declared)
		hello := recv(t, far)
		if got := string(member(hello.Params(), "capabilities")); got != bare {
			t.Errorf("the server is told %s, want %s", got, bare)
		}
		says(t, far, hello, `"result":{"protocolVersion":"2025-11-25","capabilities":`+c.has+`}`)
		if got := string(member(recv(t, w).Result(), "capabilities")); got != c.want {
			t.Errorf("%s becomes %s, want %s", c.has, got, c.want)
		}
	}
}

// The tool says whether its calls can be tasks, the client whether it takes one.
func TestCallsBecomeTasksWhereBothSidesCan(t *testing.T) {
	for _, c := range []struct{ tool, needs, want string }{
		{"may", declared, `{"name":"may","task":{}}`},
		{"must", declared, `{"name":"must","task":{}}`},
		{"not", declared, `{"name":"not"}`},
		{"mustnot", declared, `{"name":"mustnot"}`},
		{"unlisted", declared, `{"name":"unlisted"}`},
		{"may", bare, `{"name":"may"}`},
		{"must", bare, ""},
	} {
		w, far := newWorld(t)
		w.call("1", c.tool, c.needs)
		tasker(t, far)
		if c.want == "" {
			want(t, recv(t, w), `{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"Missing required client capability","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`)
			continue
		}
		m := wantMethod(t, far, "tools/call")
		if string(m.Params()) != c.want {
			t.Errorf("the server got %s, want params %s", m.Bytes(), c.want)
		}
		says(t, far, m, `"result":{"content":[]}`) // a server may not make a task of it after all
		want(t, recv(t, w), `{"jsonrpc":"2.0","id":1,"result":{"content":[],"resultType":"complete"}}`)
	}
}

func TestTaskOfAServerOfTheInitializeEra(t *testing.T) {
	for _, c := range []struct{ name, status, final, want string }{
		{"completed", "completed", `"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}},"content":[],"n":1.0}`, shown("completed") + `,"result":{"content":[],"n":1.0,"resultType":"complete"}`},
		{"failed by the tool", "failed", `"result":{"isError":true,"_meta":{"v":1.0,"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}`, shown("completed") + `,"result":{"isError":true,"_meta":{"v":1.0},"resultType":"complete"}`},
		{"failed", "failed", `"error":{"code":-31999,"message":"m"}`, shown("failed") + `,"error":{"code":-31999,"message":"m"}`},
		{"cancelled", "cancelled", "", shown("cancelled")},
		{"working", "working", "", shown("working")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, far := underway(t)
			w.about("2", "tasks/get", "")
			get := wantMethod(t, far, "tasks/get")
			if string(get.Params()) != `{"taskId":"t1"}` {
				t.Errorf("the server got %s", get.Bytes())
			}
			says(t, far, get, `"result":{`+task(c.status)+`}`)
			if c.final != "" {
				says(t, far, wantMethod(t, far, "tasks/result"), c.final)
			}
			want(t, recv(t, w), `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete",`+c.want+`}}`)
		})
	}
}

// A server gives the questions of a task out when its result is asked for.
func TestTaskThatAsksItsClient(t *testing.T) {
	w, far := underway(t)
	related := `,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}`
	w.call("9", "mustnot", declared) // has the turn, and is not meant
	wantMethod(t, far, "tools/call")

	w.about("2", "tasks/get", "")
	says(t, far, wantMethod(t, far, "tasks/get"), `"result":{`+task("input_required")+`}`)
	result := wantMethod(t, far, "tasks/result")
	send(t, far, ask("7", "sure?", related))
	want(t, recv(t, w), `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete",`+shown("input_required")+`,"inputRequests":{"input-1":{"method":"elicitation/create","params":{"message":"sure?"}}}}}`)

	w.about("3", "tasks/update", `,"inputResponses":{"other":{},"input-1":{"n":1.0}}`)
	want(t, recv(t, far), `{"jsonrpc":"2.0","id":7,"result":{"n":1.0}}`)
	want(t, recv(t, w), `{"jsonrpc":"2.0","id":3,"result":{"resultType":"complete"}}`)

	says(t, far, result, `"result":{"content":[]}`)
	w.about("4", "tasks/get", "")
	says(t, far, wantMethod(t, far, "tasks/get"), `"result":{`+task("completed")+`}`)
	says(t, far, wantMethod(t, far, "tasks/result"), `"result":{"content":[]}`)
	if m := recv(t, w); m.ID() != "4" || member(m.Result(), "result", "content") == nil || member(m.Result(), "inputRequests") != nil {
		t.Errorf("the client got %s", m.Bytes())
	}
}

// Where the questions do not come the task is at work, as far as the client can
// help; and what it does not answer in time is refused.
func TestQuestionsOfATaskThatStayAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := underway(t)
		w.about("2", "tasks/get", "")
		says(t, far, wantMethod(t, far, "tasks/get"), `"result":{`+task("input_required")+`}`)
		wantMethod(t, far, "tasks/result")
		want(t, recv(t, w), `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete",`+shown("working")+`}}`)
		send(t, far, ask("7", "sure?", `,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}`))
		m, err := far.Recv(t.Context())
		if err != nil || m.ID() != "7" || m.Error() == nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

func TestTaskIsCancelledAtAServerOfTheInitializeEra(t *testing.T) {
	for _, c := range []struct {
		name, cancel, get, want string
	}{
		{"at work", `"result":{` + task("cancelled") + `}`, "", `"result":{"resultType":"complete"}`},
		{"over", `"error":{"code":-32602,"message":"over"}`, `"result":{` + task("completed") + `}`, `"result":{"resultType":"complete"}`},
		{"unknown", `"error":{"code":-32602,"message":"no"}`, `"error":{"code":-32602,"message":"no"}`, `"error":{"code":-32602,"message":"no"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, far := underway(t)
			w.about("2", "tasks/cancel", "")
			says(t, far, wantMethod(t, far, "tasks/cancel"), c.cancel)
			if c.get != "" {
				says(t, far, wantMethod(t, far, "tasks/get"), c.get)
			}
			want(t, recv(t, w), `{"jsonrpc":"2.0","id":2,`+c.want+`}`)
		})
	}
}

func TestRequestsAboutTasksThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, has, method, params, needs, code string }{
		{"undeclared", hasTasks, "tasks/get", `"taskId":"t1"`, bare, "-32021"},
		{"undeclared update", hasTasks, "tasks/update", `"taskId":"t1","inputResponses":{}`, bare, "-32021"},
		{"undeclared listen", hasTasks, "subscriptions/listen", `"notifications":{"taskIds":["t1"]}`, bare, "-32021"},
		{"no id", hasTasks, "tasks/cancel", `"x":1`, declared, "-32602"},
		{"no responses", hasTasks, "tasks/update", `"taskId":"t1"`, declared, "-32602"},
		{"no tasks", `{"tasks":{"list":{}}}`, "tasks/get", `"taskId":"t1"`, declared, "-32601"},
		{"of the initialize era", hasTasks, "tasks/result", `"taskId":"t1"`, declared, "-32601"},
		{"list", hasTasks, "tasks/list", `"x":1`, declared, "-32601"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, far := newWorld(t)
			w.request("0", "server/discover", "", bare)
			greet(t, far, c.has)
			recv(t, w)
			w.request("1", c.method, c.params, c.needs)
			if m := recv(t, w); m.ID() != "1" || codeOf(m.Error()) != c.code {
				t.Errorf("the client got %s, want %s", m.Bytes(), c.code)
			}
		})
	}
}

func TestUnknownTaskIsTheServersToRefuse(t *testing.T) {
	w, far := newWorld(t)
	for i, method := range []string{"tasks/get", "tasks/update"} {
		w.about("1", method, `,"inputResponses":{}`)
		if i == 0 {
			greet(t, far, hasTasks)
		}
		says(t, far, wantMethod(t, far, "tasks/get"), `"error":{"code":-32602,"message":"no"}`)
		want(t, recv(t, w), `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}`)
	}
}

func TestListenToATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := underway(t)
		w.request(`"l"`, "subscriptions/listen", `"notifications":{"taskIds":["t1","t\u0032"]}`, declared)
		want(t, recv(t, w), `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"},"notifications":{"taskIds":["t1","t\u0032"]}}}`)
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{`+task("working")+`}}`)
		says(t, far, wantMethod(t, far, "tasks/get"), `"result":{`+task("working")+`}`)
		want(t, recv(t, w), `{"jsonrpc":"2.0","method":"notifications/tasks","params":{`+shown("working")+`,"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`)
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{`+task("completed")+`}}`)
		says(t, far, wantMethod(t, far, "tasks/get"), `"result":{`+task("completed")+`}`)
		says(t, far, wantMethod(t, far, "tasks/result"), `"result":{"n":1.0}`)
		want(t, recv(t, w), `{"jsonrpc":"2.0","method":"notifications/tasks","params":{`+shown("completed")+`,"result":{"n":1.0,"resultType":"complete"},"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`)
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t3","status":"working"}}`)
		quiet(t, "the client", w)
		w.Close()
		far.Close()
	})
}

func TestTaskRequestsOfAnEndedProgramFail(t *testing.T) {
	w, far := underway(t)
	w.about("2", "tasks/get", "")
	wantMethod(t, far, "tasks/get")
	far.Close()
	if failed := <-w.bad; failed.ID != "2" || !fault.IsCode(failed.Err, fault.ConnectionLost) {
		t.Errorf("the client got %v", failed)
	}
}

// Two processes that name their tasks alike, and a client that comes back with
// other capabilities.
func TestTasksAreFoundWhereTheyWereMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const other = `{"sampling":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`
		w, first := underway(t)
		w.request("2", "tools/call", `"name":"must"`, other)
		second := w.next()
		tasker(t, second)
		says(t, second, wantMethod(t, second, "tools/call"), `"result":{"task":{`+task("working")+`}}`)
		recv(t, w)
		for i, c := range []struct {
			needs string
			far   *server
		}{{declared, first}, {other, second}} {
			w.request("3", "tasks/get", `"taskId":"t1"`, c.needs)
			says(t, c.far, wantMethod(t, c.far, "tasks/get"), `"result":{`+task("working")+`}`)
			if m := recv(t, w); m.Result() == nil {
				t.Errorf("%d: the client got %s", i, m.Bytes())
			}
		}
		second.Close()
		synctest.Wait()
		w.request("4", "tasks/get", `"taskId":"t1"`, `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
		wantMethod(t, first, "tasks/get")
		w.Close()
		first.Close()
	})
}
