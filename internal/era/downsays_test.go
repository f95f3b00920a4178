package era

import (
	"strings"
	"testing"
	"testing/synctest"

	"drawbridge/internal/jsonrpc"
)

// logging sends a request that asks for log messages of a level, "" for none.
func (w *world) logging(id, level string) {
	w.talker.t.Helper()
	if level != "" {
		level = `"io.modelcontextprotocol/logLevel":"` + level + `",`
	}
	send(w.talker.t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"vendor/x","params":{"_meta":{`+level+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`)
}

// The server logs as much as any request wanted; each gets what it asked for,
// and nothing when it cannot be told whose a message is.
func TestLogMessagesGoToTheRequestThatAskedForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		level := func(want string) {
			t.Helper()
			m := recv(t, far)
			if m.Method() != "logging/setLevel" || text(m.Params(), "level") != want {
				t.Fatalf("the server got %s, want level %s", m.Bytes(), want)
			}
			send(t, far, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{}}`)
		}
		says := func(level string) string {
			m := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"` + level + `","data":1.0}}`
			send(t, far, m)
			return m
		}
		hears := func(m string) {
			t.Helper()
			want(t, recv(t, w), m)
		}
		w.logging("1", "warning")
		greet(t, far, `{"logging":{}}`)
		level("warning")
		recv(t, far)
		hears(says("error"))
		says("info")
		quiet(t, "the client", w) // less than it asked for

		w.logging("2", "")
		recv(t, far)
		hears(says("error")) // the other asked for none
		w.logging("3", "debug")
		level("debug") // the most verbose
		recv(t, far)
		says("error")
		quiet(t, "the client", w) // of two it is not known which

		finish(t, far, "3")
		recv(t, w)
		says("debug")
		quiet(t, "the client", w) // the first asked for warnings
		w.logging("4", "error")
		recv(t, far) // the level stays
		finish(t, far, "1")
		recv(t, w)
		hears(says("alert"))
		finish(t, far, "4")
		recv(t, w)
		says("alert")
		quiet(t, "the client", w) // nobody asked
		w.Close()
		far.Close()
	})
}

// Over HTTP the stream tells whose a log message is.
func TestLogMessagesOnAStream(t *testing.T) {
	w, far := newWorld(t)
	for _, id := range []string{"1", "2", "3"} {
		w.logging(id, map[string]string{"1": "debug", "2": "error"}[id])
		if id == "1" {
			greet(t, far, `{"logging":{}}`)
			finish(t, far, recv(t, far).ID())
		}
		recv(t, far)
	}
	for _, c := range []struct {
		about jsonrpc.ID
		level string
		comes bool
	}{{"2", "info", false}, {"3", "alert", false}, {"9", "alert", false}, {"2", "alert", true}, {"1", "debug", true}} {
		note := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"` + c.level + `","of":` + string(c.about) + `}}`
		if err := far.Send(t.Context(), parse(t, note).WithAbout(c.about)); err != nil {
			t.Fatal(err)
		}
		if !c.comes {
			continue // would come before the next
		}
		m := recv(t, w)
		if want(t, m, note); m.About() != c.about {
			t.Errorf("it is about %q, want %q", m.About(), c.about)
		}
	}
}

func TestServerWithoutLoggingIsSetNoLevel(t *testing.T) {
	w, far := newWorld(t)
	w.logging("1", "debug")
	greet(t, far, `{}`)
	if m := recv(t, far); m.ID() != "1" || m.Meta() != nil {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// Two listens to one resource are one subscription. What the server does not
// offer is not acknowledged.
func TestListensShareSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		listen := func(id, more string) {
			w.request(id, "subscriptions/listen", `"notifications":{"promptsListChanged":true,"toolsListChanged":false,"resourceSubscriptions":["a:b"`+more+`]}`, `{}`)
		}
		acknowledged := func(id, kinds string) string {
			return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `},"notifications":{` + kinds + `}}}`
		}
		asked := func(method, uri string) jsonrpc.ID {
			t.Helper()
			m := recv(t, far)
			if m.Method() != method || text(m.Params(), "uri") != uri {
				t.Fatalf("the server got %s, want %s %s", m.Bytes(), method, uri)
			}
			return m.ID()
		}
		listen("1", `,"no:such"`)
		greet(t, far, `{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true}}`)
		finish(t, far, asked("resources/subscribe", "a:b"))
		quiet(t, "the client", w) // one subscription has no answer
		send(t, far, `{"jsonrpc":"2.0","id":`+string(asked("resources/subscribe", "no:such"))+`,"error":{"code":-32002,"message":"m"}}`)
		want(t, recv(t, w), acknowledged("1", `"resourceSubscriptions":["a:b"]`))
		listen("2", "")
		want(t, recv(t, w), acknowledged("2", `"resourceSubscriptions":["a:b"]`))
		quiet(t, "the server", far)

		updated := `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","n":1.0}}`
		send(t, far, updated)
		both := string(recv(t, w).Bytes()) + string(recv(t, w).Bytes())
		for _, id := range []string{"1", "2"} {
			if one := strings.TrimSuffix(updated, "}}") + `,"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`; !strings.Contains(both, one) {
				t.Errorf("the client got %s, want %s", both, one)
			}
		}
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:c"}}`)
		send(t, far, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		quiet(t, "the client", w)

		send(t, w, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		quiet(t, "the server", far)
		send(t, w, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
		asked("resources/unsubscribe", "a:b")
		send(t, far, updated)
		quiet(t, "the client", w)
		w.Close()
		far.Close()
	})
}

// A vendor's notification passes, what 2026-07-28 has no more does not.
func TestNotificationsOfAServerOfTheInitializeEra(t *testing.T) {
	w, far := newWorld(t)
	w.request("1", "server/discover", "", `{}`)
	greet(t, far, `{}`)
	recv(t, w)
	for _, method := range []string{"notifications/elicitation/complete", "notifications/tasks/status", "notifications/message", "notifications/progress"} {
		send(t, far, `{"jsonrpc":"2.0","method":"`+method+`","params":{"taskId":"t","level":"error","progressToken":1}}`)
	}
	vendor := `{ "jsonrpc":"2.0","x":1.0,"method":"vendor/news","params":[9007199254740993]}`
	send(t, far, vendor)
	want(t, recv(t, w), vendor)
}
