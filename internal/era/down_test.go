package era

import (
	"context"
	"log/slog"
	"testing"

	"drawbridge/internal/jsonrpc"
)

const client28 = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"roots":{}}`

// legacyEnds is a client of 2026-07-28 and a server of the initialize era that
// have found each other.
func legacyEnds(t *testing.T) (client, server jsonrpc.Conn) {
	t.Helper()
	near, far := jsonrpc.Pipe()
	c := newConn(t.Context(), near, Options{Server: "srv", Log: slog.New(slog.DiscardHandler), Child: true})
	t.Cleanup(func() { c.Close() })
	got := make(chan jsonrpc.Message, 64)
	go func() {
		for {
			m, err := c.Recv(t.Context())
			if err != nil {
				return
			}
			got <- m
		}
	}()
	client = &received{Conn: c, got: got}
	send(t, client, `{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{"_meta":{`+client28+`}}}`)
	if m := recv(t, far); m.ID() != `"d"` {
		t.Fatalf("the server is probed with %s", m.Bytes())
	}
	send(t, far, `{"jsonrpc":"2.0","id":"d","error":{"code":-32601,"message":"no"}}`)
	hello := recv(t, far)
	if hello.Method() != "initialize" || string(member(hello.Params(), "capabilities")) != `{"elicitation":{},"roots":{}}` {
		t.Fatalf("the server got %s", hello.Bytes())
	}
	send(t, far, `{"jsonrpc":"2.0","id":`+string(hello.ID())+`,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true,"x":1.0},"tasks":{}},"serverInfo":{"name":"old","v":9007199254740993}}}`)
	if m := recv(t, far); m.Method() != "notifications/initialized" {
		t.Fatalf("the server got %s", m.Bytes())
	}
	want(t, recv(t, client), `{"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{"listChanged":true,"x":1.0}},"ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"old","v":9007199254740993}}}}`)
	return client, far
}

// received is a Conn whose messages are read ahead.
type received struct {
	jsonrpc.Conn
	got chan jsonrpc.Message
}

func (r *received) Recv(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-r.got:
		return m, nil
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	}
}

func TestServerOfTheInitializeEraServesAStatelessClient(t *testing.T) { // P2, T3
	c, s := legacyEnds(t)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x","_meta":{"v":1.0,`+client28+`}}}`)
	want(t, recv(t, s), `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x","_meta":{"v":1.0}}}`)
	send(t, s, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"n":1e400}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"n":1e400,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"old","v":9007199254740993}},"ttlMs":0,"cacheScope":"private"}}`)
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"a:b","_meta":{`+client28+`}}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":2,"error":{"code":-32002,"message":"gone"}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"gone","data":{"uri":"a:b"}}}`)
	for _, r := range []struct{ request, code string }{
		{`"method":"ping","params":{"_meta":{` + client28 + `}}`, "-32601"},
		{`"method":"initialize","params":{"_meta":{` + client28 + `}}`, "-32601"},
		{`"method":"server/discover","params":{}`, "-32602"},
		{`"method":"tools/list"`, "-32602"},
		{`"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`, "-32602"},
		{`"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v9","io.modelcontextprotocol/clientCapabilities":{}}}`, "-32022"},
	} {
		send(t, c, `{"jsonrpc":"2.0","id":3,`+r.request+`}`)
		if m := recv(t, c); codeOf(m.Error()) != r.code {
			t.Errorf("%s: got %s, want %s", r.request, m.Bytes(), r.code)
		}
	}
}

func TestInputForAServerOfTheInitializeEra(t *testing.T) { // P4
	c, s := legacyEnds(t)
	call := func(id, more string) {
		send(t, c, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"a"`+more+`,"_meta":{`+client28+`}}}`)
	}
	call("1", "")
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":"who","method":"elicitation/create","params":{"message":"?"}}`)
	send(t, s, `{"jsonrpc":"2.0","id":8,"method":"roots/list"}`)
	asked := recv(t, c)
	if got := string(member(asked.Result(), "inputRequests")); got != `{"who":{"method":"elicitation/create","params":{"message":"?"}},"input-2":{"method":"roots/list"}}` {
		t.Fatalf("the client is asked %s", got)
	}
	state := text(asked.Result(), "requestState")
	for name, more := range map[string]string{
		"tampered":        `,"requestState":"` + state + `x"`,
		"another request": `,"arguments":{},"requestState":"` + state + `"`,
	} {
		call("2", more)
		if m := recv(t, c); codeOf(m.Error()) != "-32602" {
			t.Errorf("%s: got %s", name, m.Bytes())
		}
	}
	call("3", `,"requestState":"`+state+`","inputResponses":{"who":{"n":1.0}}`)
	want(t, recv(t, s), `{"jsonrpc":"2.0","id":"who","result":{"n":1.0}}`)
	again := recv(t, c)
	if again.ID() != "3" || member(again.Result(), "inputRequests", "input-2") == nil || text(again.Result(), "requestState") == state {
		t.Fatalf("got %s", again.Bytes())
	}
	call("4", `,"inputResponses":{"input-2":{"roots":[]}},"requestState":"`+text(again.Result(), "requestState")+`"`)
	want(t, recv(t, s), `{"jsonrpc":"2.0","id":8,"result":{"roots":[]}}`)
	send(t, s, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	if m := recv(t, c); m.ID() != "4" || text(m.Result(), "resultType") != "complete" {
		t.Errorf("got %s", m.Bytes())
	}
}

func TestListenToAServerOfTheInitializeEra(t *testing.T) {
	c, s := legacyEnds(t)
	send(t, c, `{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true},"_meta":{`+client28+`}}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"},"notifications":{"toolsListChanged":true}}}`)
	send(t, s, `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`)
	send(t, s, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`)
}

func TestInputForAStatelessServer(t *testing.T) { // P4, T4
	c, s := ends(t)
	carryOver(t, c, s)
	send(t, c, `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a"}}`)
	recv(t, s)
	send(t, s, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{"n":1.0}}},"requestState":"s\u0041"}}`)
	ask := recv(t, c)
	if ask.Method() != "sampling/createMessage" || string(ask.Params()) != `{"n":1.0}` {
		t.Fatalf("the client got %s", ask.Bytes())
	}
	send(t, c, `{"jsonrpc":"2.0","id":`+string(ask.ID())+`,"result":{"big":9007199254740993}}`)
	retry := recv(t, s)
	if retry.ID() == "4" || string(member(retry.Params(), "inputResponses")) != `{"k":{"big":9007199254740993}}` || string(member(retry.Params(), "requestState")) != `"s\u0041"` {
		t.Fatalf("the server got %s", retry.Bytes())
	}
	send(t, s, `{"jsonrpc":"2.0","id":`+string(retry.ID())+`,"result":{"resultType":"complete","content":[]}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}`)
}
