package era

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
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

// pair is a client's Conn and the server behind it.
func pair(t *testing.T) (client, server jsonrpc.Conn) {
	t.Helper()
	near, far := jsonrpc.Pipe()
	c := Up(near, "srv", slog.New(slog.DiscardHandler))
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
	found   = `{"jsonrpc":"2.0","id":"drawbridge:discover","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"x":9007199254740993}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m","version":"1"}},"instructions":"be kind","ttlMs":1}}`
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
	want(t, recv(t, s), `{"jsonrpc":"2.0","id":"drawbridge:discover","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"host","version":"9.0","x":1.0}}}}`)
	send(t, s, found)
	select {
	case m := <-answered:
		want(t, m, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"x":9007199254740993}},"serverInfo":{"name":"m","version":"1"},"instructions":"be kind"}}`)
	case <-time.After(10 * time.Second):
		t.Fatal("initialize is not answered")
	}
}

func TestServerOfTheClientsEraIsNotTouched(t *testing.T) {
	c, s := pair(t)
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
	c, s := pair(t)
	send(t, c, hello)
	recv(t, s)
	m := `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"busy"}}`
	send(t, s, m)
	want(t, recv(t, c), m)
}

func TestModernServerServesAClientOfTheInitializeEra(t *testing.T) {
	c, s := pair(t)
	carryOver(t, c, s)
	send(t, c, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":2,"result":{}}`)
	send(t, c, `{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}`)
	want(t, recv(t, c), `{"jsonrpc":"2.0","id":3,"result":{}}`)
	send(t, c, `{"v":1.0,"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993},"_meta":{"progressToken":7}}}`)
	want(t, recv(t, s), `{"v":1.0,"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"host","version":"9.0","x":1.0},"io.modelcontextprotocol/logLevel":"debug"}}}`)
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
	c, s := pair(t)
	carryOver(t, c, s)
	send(t, c, strings.Replace(hello, `"id":1`, `"id":"again"`, 1))
	recv(t, s)
	send(t, s, found)
	if m := recv(t, c); m.ID() != `"again"` || m.Result() == nil {
		t.Errorf("client got %s", m.Bytes())
	}
}

func TestServerThatCannotBeDiscoveredKeepsItsRefusal(t *testing.T) {
	for _, answer := range []string{
		`{"jsonrpc":"2.0","id":"drawbridge:discover","error":{"code":-32601,"message":"no"}}`,
		`{"jsonrpc":"2.0","id":"drawbridge:discover","result":{"supportedVersions":["2099-01-01"]}}`,
	} {
		c, s := pair(t)
		send(t, c, hello)
		recv(t, s)
		send(t, s, refused)
		send(t, s, answer)
		want(t, recv(t, c), refused)
	}
}

func TestRequestForInputIsAnError(t *testing.T) {
	c, s := pair(t)
	carryOver(t, c, s)
	send(t, s, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"input_required","inputRequests":{}}}`)
	_, err := c.Recv(t.Context())
	var failed *jsonrpc.CallError
	if !errors.As(err, &failed) || failed.ID != "4" {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsACarriedConversation(t *testing.T) {
	c, s := pair(t)
	carryOver(t, c, s)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Recv(t.Context()); err == nil {
		t.Error("the server's side goes on")
	}
}
