package era

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/jsonrpc"
)

func parse(t *testing.T, s string) jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(s))
	if err != nil {
		t.Fatalf("parse %s: %v", s, err)
	}
	return m
}

// ends is a client's Conn and the server behind it.
func ends(t *testing.T) (client, server jsonrpc.Conn) {
	t.Helper()
	near, far := jsonrpc.Pipe()
	c := newConn(t.Context(), near, Options{Server: "srv", Log: slog.New(slog.DiscardHandler), Child: true})
	t.Cleanup(func() { c.Close() })
	return c, far
}

func send(t *testing.T, c jsonrpc.Conn, s string) {
	t.Helper()
	if err := c.Send(t.Context(), parse(t, s)); err != nil {
		t.Fatal(err)
	}
}

func recv(t *testing.T, c jsonrpc.Conn) jsonrpc.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := c.Recv(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func want(t *testing.T, m jsonrpc.Message, s string) {
	t.Helper()
	if got := string(m.Bytes()); got != s {
		t.Errorf("got\n%s, want\n%s", got, s)
	}
}

const (
	hello   = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"sampling":{}},"clientInfo":{"name":"host","version":"9.0","x":1.0}}}`
	refused = `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"]}}}`
	found   = `{"jsonrpc":"2.0","id":"drawbridge:era:1","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"x":9007199254740993}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m","version":"1"}},"instructions":"be kind","ttlMs":1}}`
)

// carryOver takes the pair through the refused handshake.
func carryOver(t *testing.T, c, s jsonrpc.Conn) {
	t.Helper()
	send(t, c, hello)
	want(t, recv(t, s), hello)
	send(t, s, refused)
	answered := make(chan jsonrpc.Message, 1)
	go func() {
		m, err := c.Recv(context.Background())
		if err == nil {
			answered <- m
		}
	}()
	want(t, recv(t, s), `{"jsonrpc":"2.0","id":"drawbridge:era:1","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"host","version":"9.0","x":1.0}}}}`)
	send(t, s, found)
	select {
	case m := <-answered:
		want(t, m, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"x":9007199254740993}},"serverInfo":{"name":"m","version":"1"},"instructions":"be kind"}}`)
	case <-time.After(time.Minute):
		t.Fatal("initialize is not answered")
	}
}

func TestServerOfTheClientsEraIsNotTouched(t *testing.T) {
	c, s := ends(t)
	for _, m := range []string{
		hello, `{"jsonrpc":"2.0","id":2,"method":"ping"}`, `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{ "name":"a" }}`,
	} {
		send(t, c, m)
		want(t, recv(t, s), m)
	}
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}`,
		`{"jsonrpc":"2.0","id":3,"error":{"code":-32022,"message":"no handshake's answer"}}`,
		`{"jsonrpc":"2.0","id":9,"method":"roots/list"}`,
	} {
		send(t, s, m)
		want(t, recv(t, c), m)
	}
}

func TestOrdinaryRefusalOfInitializePasses(t *testing.T) {
	c, s := ends(t)
	send(t, c, hello)
	recv(t, s)
	m := `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"busy"}}`
	send(t, s, m)
	want(t, recv(t, c), m)
}

func TestModernServerServesAClientOfTheInitializeEra(t *testing.T) {
	c, s := ends(t)
	carryOver(t, c, s)
	send(t, c, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"result":{}}`)
	send(t, c, `{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":3,"result":{}}`)
	send(t, c, `{"v":1.0,"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993},"_meta":{"progressToken":7}}}`)
	want(t, recv(t, s), `{"v":1.0,"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"host","version":"9.0","x":1.0},"io.modelcontextprotocol/logLevel":"debug"}}}`)
	note := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}`
	answer := `{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[],"x":1.0}}`
	send(t, s, note)
	send(t, s, answer)
	want(t, recv(t, c), note)
	want(t, recv(t, c), answer)
	send(t, c, `{"jsonrpc":"2.0","id":5,"method":"tools/list"}`)
	if m := recv(t, s); m.ID() != "5" || !strings.Contains(string(m.Meta()), "2026-07-28") {
		t.Errorf("server got %s", m.Bytes())
	}
	cancelled := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`
	send(t, c, cancelled)
	want(t, recv(t, s), cancelled)
}

func TestHandshakeIsRepeatedOnACarriedConversation(t *testing.T) {
	c, s := ends(t)
	carryOver(t, c, s)
	send(t, c, strings.Replace(hello, `"id":1`, `"id":"again"`, 1))
	recv(t, s)
	send(t, s, strings.Replace(found, "era:1", "era:2", 1))
	if m := recv(t, c); m.ID() != `"again"` || m.Result() == nil {
		t.Errorf("client got %s", m.Bytes())
	}
}

func TestServerThatCannotBeDiscoveredKeepsItsRefusal(t *testing.T) {
	for _, answer := range []string{
		`{"jsonrpc":"2.0","id":"drawbridge:era:1","error":{"code":-32601,"message":"no"}}`,
		`{"jsonrpc":"2.0","id":"drawbridge:era:1","result":{"supportedVersions":["2099-01-01"]}}`,
	} {
		c, s := ends(t)
		send(t, c, hello)
		recv(t, s)
		send(t, s, refused)
		send(t, s, answer)
		want(t, recv(t, c), refused)
	}
}

func TestCloseEndsACarriedConversation(t *testing.T) {
	c, s := ends(t)
	carryOver(t, c, s)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Recv(t.Context()); err == nil {
		t.Error("the server's side goes on")
	}
}

// What a client sends before its initialize is answered reaches the server in
// the end, whichever era it turns out to speak.
func TestHeldRequestsAreNotLost(t *testing.T) {
	for _, c := range []struct{ name, answer string }{
		{"modern", found},
		{"not modern", `{"jsonrpc":"2.0","id":"drawbridge:era:1","error":{"code":-32601,"message":"no"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, s := ends(t)
			got := make(chan jsonrpc.Message, 64)
			go func() {
				for {
					m, err := client.Recv(context.Background())
					if err != nil {
						return
					}
					got <- m
				}
			}()
			send(t, client, hello)
			recv(t, s)
			send(t, s, refused)
			recv(t, s) // discover
			send(t, client, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
			send(t, client, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a"}}`)
			send(t, s, c.answer)
			for _, id := range []jsonrpc.ID{"2", "3"} {
				if m := recv(t, s); m.ID() != id {
					t.Fatalf("server got %s, want %s", m.Bytes(), id)
				}
			}
			send(t, s, `{"jsonrpc":"2.0","id":3,"result":{}}`)
			for m := <-got; m.ID() != "3"; m = <-got {
			}
		})
	}
}

// Answers made here wait for nobody who waits for them.
func TestManyHeldPingsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := ends(t)
		got := make(chan jsonrpc.Message, 64)
		go func() {
			for {
				m, err := client.Recv(context.Background())
				if err != nil {
					return
				}
				got <- m
			}
		}()
		send(t, client, hello)
		recv(t, s)
		send(t, s, refused)
		recv(t, s)
		const pings = 40
		for i := range pings {
			send(t, client, fmt.Sprintf(`{"jsonrpc":"2.0","id":"p%d","method":"ping"}`, i))
		}
		send(t, s, found)
		synctest.Wait()
		if n := len(got); n != pings+1 {
			t.Errorf("client got %d messages, want the welcome and %d pings", n, pings)
		}
		client.Close()
	})
}

func TestServerSilentOnDiscoverKeepsItsRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := ends(t)
		send(t, client, hello)
		recv(t, s)
		send(t, s, refused)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m, err := client.Recv(ctx)
		if err != nil {
			t.Fatal("initialize is not answered")
		}
		want(t, m, refused)
		client.Close()
	})
}

func TestDialogueThatEndsWhileItIsCarriedOverLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left
		client, s := ends(t)
		send(t, client, hello)
		recv(t, s)
		send(t, s, refused)
		ended := make(chan error)
		go func() {
			_, err := client.Recv(context.Background())
			ended <- err
		}()
		recv(t, s)
		client.Close()
		if err := <-ended; err == nil {
			t.Error("Recv goes on")
		}
	})
}

// Whatever is under way, Close leaves no goroutine: the bubble would not end.
func TestCloseInAnyStateLeavesNothing(t *testing.T) {
	legacy := func(t *testing.T) (*world, *server) {
		w, far := newWorld(t)
		w.call("1", "a", asks)
		greet(t, far, `{"tools":{},"resources":{"subscribe":true}}`)
		recv(t, far)
		return w, far
	}
	for _, c := range []struct {
		name  string
		bring func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn)
	}{
		{"probed", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			p := newPlace(t, true)
			client, far := p.open()
			(&world{client, p}).call("1", "a", asks)
			wantMethod(t, far, "server/discover")
			return client, far
		}},
		{"greeting", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := newWorld(t)
			w.call("1", "a", asks)
			wantMethod(t, far, "initialize")
			return w, far
		}},
		{"dialling", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := legacy(t)
			w.Dial = func(ctx context.Context) (jsonrpc.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
			w.call("2", "a", `{"sampling":{}}`)
			return w, far
		}},
		{"asked", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far, _ := asked(t)
			return w, far
		}},
		{"waiting for a turn", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := legacy(t)
			w.call("2", "b", asks)
			return w, far
		}},
		{"question of an unknown call", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := unsuspected(t)
			send(t, far, ask("8", "sure?", ""))
			return w, far
		}},
		{"listening", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := legacy(t)
			w.request("2", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["u"]}`, asks)
			wantMethod(t, far, "resources/subscribe")
			return w, far
		}},
		{"server reads nothing", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			w, far := legacy(t)
			for range 200 {
				send(t, w, `{"jsonrpc":"2.0","method":"notifications/x"}`)
			}
			return w, far
		}},
		{"listen opened", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			client, _, far := carried(t, Options{}, `{"tools":{"listChanged":true}}`)
			send(t, client, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
			wantMethod(t, far, "subscriptions/listen")
			return client, far
		}},
		{"waiting for a task", func(t *testing.T) (jsonrpc.Conn, jsonrpc.Conn) {
			client, _, far := carried(t, Options{}, `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
			startTask(t, client, far)
			send(t, client, `{"jsonrpc":"2.0","id":9,"method":"tasks/result","params":{"taskId":"t1"}}`)
			wantMethod(t, far, "tasks/get")
			return client, far
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, far := c.bring(t)
				synctest.Wait()
				client.Close() // that an end was closed before is no fault here
				far.Close()
			})
		})
	}
}
