package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// P7, 3.7: what the user says of a server's protocol wins over asking it, and so
// does what an earlier process found out.
func TestProtocolFlagDecidesHowAServerIsOpened(t *testing.T) {
	got := make(chan string, 16)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m, bad := jsonrpc.Parse(body)
		if r.Method != http.MethodPost || err != nil || bad != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		version, _ := jsonrpc.Member(m.Params(), "protocolVersion")
		got <- m.Method() + " " + string(version)
		w.Header().Set("Content-Type", "application/json")
		result := `{"protocolVersion":"2025-03-26","capabilities":{},"serverInfo":{"name":"w","version":"1"}}`
		if m.Method() == "server/discover" {
			result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"w","version":"1"}}}`
		}
		_, _ = w.Write(jsonrpc.NewResult(m.ID(), []byte(result)).Bytes())
	}))
	defer web.Close()
	for _, c := range []struct{ protocol, first string }{
		{"auto", `server/discover `},
		{"modern", `server/discover `},
		{"2026-07-28", `server/discover `},
		{"legacy", `initialize "2025-06-18"`},
		{"2025-03-26", `initialize "2025-03-26"`},
	} {
		p := start(t, nil, "mcp", "connect", web.URL, "--protocol", c.protocol)
		if answer := p.ask(hello); !strings.Contains(answer, `"name":"w"`) {
			t.Errorf("%s: initialize is answered with %s", c.protocol, answer)
		}
		if first := <-got; first != c.first {
			t.Errorf("%s: the server is first asked for %s, want %s", c.protocol, first, c.first)
		}
		p.stdin.Close()
		p.exit()
		for len(got) > 0 {
			<-got
		}
	}
	p := start(t, nil, "mcp", "connect", web.URL, "--protocol", "newest")
	p.stdin.Close()
	if code := p.exit(); code != 2 || !strings.Contains(p.stderr.String(), "legacy, modern, or a version") {
		t.Errorf("exit code %d, stderr %s", code, p.stderr)
	}
}

// A client starts us over and over: only the first start asks what the server
// speaks.
func TestSecondStartKnowsTheServer(t *testing.T) {
	asked := make(chan string, 16)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m, bad := jsonrpc.Parse(body)
		if r.Method != http.MethodPost || err != nil || bad != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		asked <- m.Method()
		w.Header().Set("Content-Type", "application/json")
		switch m.Method() {
		case "initialize":
			_, _ = w.Write(jsonrpc.NewResult(m.ID(), []byte(`{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"w","version":"1"}}`)).Bytes())
		default:
			_, _ = w.Write(jsonrpc.NewError(m.ID(), -32601, "no", nil).Bytes())
		}
	}))
	defer web.Close()
	env := home(t, ``)
	for n, first := range []string{"server/discover", "initialize"} {
		p := start(t, env, "mcp", "connect", fmt.Sprint(web.URL, "/mcp?n=", n))
		p.ask(hello)
		if m := <-asked; m != first {
			t.Errorf("start %d begins with %s, want %s", n, m, first)
		}
		p.stdin.Close()
		p.exit()
		for len(asked) > 0 {
			<-asked
		}
	}
}
