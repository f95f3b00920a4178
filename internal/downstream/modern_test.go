package downstream

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// meta is what every stateless request says.
const meta = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`

// ask is the body of a stateless request; params go before _meta, more into it.
func ask(id, method, params, more string) string {
	if params != "" {
		params += ","
	}
	if more != "" {
		more = "," + more
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + params + `"_meta":{` + meta + more + `}}}`
}

// says are the headers that go with it.
func says(method string, kv ...string) head {
	return head{mcp.HeaderVersion: mcp.V2026_07_28, mcp.HeaderMethod: method}.with(kv...)
}

// modernServer answers in the way of 2026-07-28: tools/list with the tools of
// list, all else with its params; and counts what it was asked.
type modernServer struct {
	list   atomic.Pointer[string]
	lists  atomic.Int32
	opened atomic.Int32
}

func (s *modernServer) serve(ctx context.Context, c jsonrpc.Conn, info Client) {
	if s.opened.Add(1); info.Transport != "http" {
		panic("transport " + info.Transport)
	}
	for {
		m, err := c.Recv(ctx)
		if err != nil {
			return
		}
		if m.Kind() != jsonrpc.Request {
			continue
		}
		answer := echoed(m)
		switch list := s.list.Load(); {
		case m.Method() == mcp.MethodToolsList && list != nil:
			s.lists.Add(1)
			answer = jsonrpc.NewResult(m.ID(), []byte(`{"resultType":"complete","tools":[`+*list+`]}`))
		case strings.HasPrefix(m.Method(), "fail/"):
			code, _ := strconv.Atoi(strings.TrimPrefix(m.Method(), "fail/"))
			answer = jsonrpc.NewError(m.ID(), code, "no", []byte(`{"n":9007199254740993}`))
		}
		if c.Send(ctx, answer) != nil {
			return
		}
	}
}

func (s *modernServer) tools(list string) { s.list.Store(&list) }

// P2, S-71, protocol.md 2.6: what a stateless request has to say, and say twice.
func TestStatelessRequestIsChecked(t *testing.T) {
	sv := &modernServer{}
	sv.tools(`{"name":"echo","inputSchema":{"type":"object"}}`)
	f := start(t, &HTTP{Serve: sv.serve})
	list := ask("7", "tools/list", "", "")
	listed := says("tools/list")
	called := ask("7", "tools/call", `"name":"echo"`, "")
	read := func(uri string) string { return ask("7", "resources/read", `"uri":"`+uri+`"`, "") }
	without := func(key string) string {
		return strings.Replace(list, key, "x/y", 1)
	}
	legacy := f.session("2025-06-18")
	for _, c := range []struct {
		name, body string
		h          head
		status     int
		want       string
	}{
		{"as it should be", list, listed, 200, `"result"`},
		{"blanks around values", list, listed.with(mcp.HeaderMethod, "  tools/list \t"), 200, `"result"`},
		{"an unknown session and event are ignored", list, listed.with(mcp.HeaderSession, "nope", mcp.HeaderLastEventID, "9-9"), 200, `"result"`},
		{"a session of before is ignored", list, listed.with(mcp.HeaderSession, legacy[mcp.HeaderSession]), 200, `"result"`},

		{"no _meta", `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}`, listed, 400, `-32602`},
		{"no params", `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, listed, 400, `-32602`},
		{"no _meta and no version, but a method", `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, listed.with(mcp.HeaderVersion, ""), 400, `-32602`},
		{"discover without _meta", `{"jsonrpc":"2.0","id":7,"method":"server/discover"}`, nil, 400, `-32602`},
		{"no version in _meta", without("io.modelcontextprotocol/protocolVersion"), listed, 400, `-32602`},
		{"a version that is no text", strings.Replace(list, `"2026-07-28"`, `7`, 1), listed, 400, `-32602`},
		{"no capabilities", without("io.modelcontextprotocol/clientCapabilities"), listed, 400, `-32602`},
		{"capabilities that are none", strings.Replace(list, `clientCapabilities":{}`, `clientCapabilities":true`, 1), listed, 400, `-32602`},

		{"no version header", list, listed.with(mcp.HeaderVersion, ""), 400, `-32020`},
		{"an older version header", list, listed.with(mcp.HeaderVersion, "2025-11-25"), 400, `-32020`},
		{"an older version header and its session", list, listed.with(mcp.HeaderVersion, "2025-06-18", mcp.HeaderSession, legacy[mcp.HeaderSession]), 400, `-32020`},
		{"another version in _meta", strings.Replace(list, "2026-07-28", "2027-01-01", 1), listed, 400, `-32020`},
		{"no method header", list, listed.with(mcp.HeaderMethod, ""), 400, `-32020`},
		{"another method", list, says("prompts/list"), 400, `-32020`},
		{"the method in capitals", list, says("TOOLS/LIST"), 400, `-32020`},

		{"version of tomorrow", strings.Replace(list, "2026-07-28", "v999.0.0", 1), listed.with(mcp.HeaderVersion, "v999.0.0"), 400, `"supported":["2026-07-28"],"requested":"v999.0.0"`},
		{"version of before", strings.Replace(list, "2026-07-28", "2025-11-25", 1), listed.with(mcp.HeaderVersion, "2025-11-25"), 400, `-32022`},

		{"a name", called, says("tools/call", mcp.HeaderName, "echo"), 200, `"result"`},
		{"a name in blanks", called, says("tools/call", mcp.HeaderName, "  echo "), 200, `"result"`},
		{"a name in Base64", called, says("tools/call", mcp.HeaderName, "=?base64?ZWNobw==?="), 200, `"result"`},
		{"no name", called, says("tools/call"), 400, `-32020`},
		{"another name", called, says("tools/call", mcp.HeaderName, "other"), 400, `-32020`},
		{"a name in capitals", called, says("tools/call", mcp.HeaderName, "ECHO"), 400, `-32020`},
		{"bad Base64", called, says("tools/call", mcp.HeaderName, "=?base64?ZWNobw?="), 400, `-32020`},
		{"a name of bytes", read("file:///é"), says("resources/read", mcp.HeaderName, "file:///é"), 400, `-32020`},
		{"a name of bytes in Base64", read("file:///é"), says("resources/read", mcp.HeaderName, mcp.EncodeHeader("file:///é")), 200, `"result"`},
		{"a name, escaped in the body", read(`file:\/\/\/a`), says("resources/read", mcp.HeaderName, "file:///a"), 200, `"result"`},
		{"a name the body has not", ask("7", "prompts/get", "", ""), says("prompts/get", mcp.HeaderName, "p"), 400, `-32020`},
		{"no name anywhere is the server's to refuse", ask("7", "prompts/get", "", ""), says("prompts/get"), 200, `"result"`},
		{"a task", ask("7", "tasks/get", `"taskId":"t"`, ""), says("tasks/get", mcp.HeaderName, "u"), 400, `-32020`},

		{"initialize with headers", initialize("2025-11-25"), says("initialize"), 404, `-32601`},
		{"initialize with _meta", ask("0", "initialize", "", ""), nil, 404, `-32601`},
		{"ping", ask("0", "ping", "", ""), says("ping"), 404, `-32601`},
		{"setLevel", ask("0", "logging/setLevel", "", ""), says("logging/setLevel"), 404, `-32601`},
		{"subscribe", ask("0", "resources/subscribe", "", ""), says("resources/subscribe"), 404, `-32601`},
		{"unsubscribe", ask("0", "resources/unsubscribe", "", ""), says("resources/unsubscribe"), 404, `-32601`},

		{"the server's unknown method", ask("7", "fail/-32601", "", ""), says("fail/-32601"), 404, `9007199254740993`},
		{"the server's -32020", ask("7", "fail/-32020", "", ""), says("fail/-32020"), 400, `-32020`},
		{"the server's -32021", ask("7", "fail/-32021", "", ""), says("fail/-32021"), 400, `-32021`},
		{"the server's -32022", ask("7", "fail/-32022", "", ""), says("fail/-32022"), 400, `-32022`},
		{"the server's -32602", ask("7", "fail/-32602", "", ""), says("fail/-32602"), 200, `-32602`},
		{"the server's own", ask("7", "fail/-1", "", ""), says("fail/-1"), 200, `-1`},

		{"an answer", `{"jsonrpc":"2.0","id":7,"result":{}}`, says("x"), 400, `-32600`},
		{"a batch", "[" + list + "]", listed, 400, `-32600`},
		{"no JSON", `{`, listed, 400, `-32700`},
		{"not JSON by its type", list, listed.with("Content-Type", "text/plain"), 415, `-32600`},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := f.do("POST", "/mcp", c.body, c.h)
			b := f.text(resp)
			if resp.StatusCode != c.status || !strings.Contains(b, c.want) {
				t.Fatalf("got %d %s, want %d with %s", resp.StatusCode, b, c.status, c.want)
			}
			if resp.Header.Get(mcp.HeaderSession) != "" {
				t.Error("a session id was given out")
			}
			if id := c.body[max(strings.Index(c.body, `"id":`), 0):]; c.status != 415 && strings.HasPrefix(c.body, `{"jsonrpc":"2.0","id":7,"method"`) && !strings.Contains(b, id[:6]) {
				t.Errorf("the answer has not the request's id: %s", b)
			}
		})
	}
	if n := sv.opened.Load(); n != 2 { // one is the session of before
		t.Errorf("%d conversations were opened, want one for all stateless requests", n-1)
	}
	if resp := f.do("POST", "/mcp", call(9, ""), legacy); resp.StatusCode != 200 {
		t.Errorf("the session of before did not survive: %d", resp.StatusCode)
	}
}

// S-71: two headers of one name are refused, whichever comes first.
func TestRepeatedHeadersAreRefused(t *testing.T) {
	sv := &modernServer{}
	f := start(t, &HTTP{Serve: sv.serve})
	body := ask("7", "tools/call", `"name":"echo"`, "")
	for _, twice := range []string{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "mcp-name: echo", "Mcp-Name: other", "Mcp-Method: tools/list", "MCP-PROTOCOL-VERSION: 2025-11-25"} {
		for _, first := range []bool{true, false} {
			lines := []string{"Mcp-Method: tools/call", "Mcp-Name: echo", "MCP-Protocol-Version: 2026-07-28"}
			if first {
				lines = append([]string{twice}, lines...)
			} else {
				lines = append(lines, twice)
			}
			resp, b := f.raw("POST /mcp HTTP/1.1\r\nHost: " + f.addr + "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
				strconv.Itoa(len(body)) + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
			if resp.StatusCode != 400 || !strings.Contains(b, `"code":-32020`) || !strings.Contains(b, `"id":7`) {
				t.Errorf("%s (first %v): got %d %s", twice, first, resp.StatusCode, b)
			}
		}
	}
}

// S-71: beside an older version such headers mean nothing.
func TestHeadersOfAnotherEraMeanNothing(t *testing.T) {
	f := start(t, &HTTP{})
	h := f.session("2025-06-18").with(mcp.HeaderMethod, "prompts/list", mcp.HeaderName, "other", "Mcp-Param-X", "y")
	if resp := f.do("POST", "/mcp", call(1, ""), h); resp.StatusCode != 200 {
		t.Errorf("a call in a session: %d %s", resp.StatusCode, f.text(resp))
	}
	resp := f.do("POST", "/mcp", initialize("2025-06-18"), head{mcp.HeaderVersion: "2025-06-18", mcp.HeaderMethod: "ping"})
	if resp.StatusCode != 200 || resp.Header.Get(mcp.HeaderSession) == "" {
		t.Errorf("initialize: %d %s", resp.StatusCode, f.text(resp))
	}
}

// P2: only a POST is modern; a session's GET and DELETE stay as they are.
func TestStatelessGETAndDELETEAreNotAllowed(t *testing.T) {
	f := start(t, &HTTP{})
	for _, method := range []string{"GET", "DELETE"} {
		for _, h := range []head{says("x"), {mcp.HeaderVersion: mcp.V2026_07_28}, {mcp.HeaderMethod: "x"}} {
			resp := f.do(method, "/mcp", "", h.with("Accept", "text/event-stream"))
			if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
				t.Errorf("%s %v: got %d, Allow %q", method, h, resp.StatusCode, resp.Header.Get("Allow"))
			}
		}
	}
	h := f.session("2025-06-18")
	if resp := f.do("DELETE", "/mcp", "", h); resp.StatusCode != 204 {
		t.Errorf("a session's DELETE: %d", resp.StatusCode)
	}
}

// P3: Mcp-Param-… are compared with the arguments, by the server's schema.
func TestHeadersOfArgumentsAreCompared(t *testing.T) {
	sv := &modernServer{}
	sv.tools(`{"name":"plain"},{"name":"echo","inputSchema":{"type":"object","properties":{
		"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"},
		"b":{"type":"boolean","x-mcp-header":"B"},"in":{"type":"object","properties":{"x":{"type":["string","null"],"x-mcp-header":"In-X"}}}}}},
		{"name":"bad","inputSchema":{"properties":{"x":{"type":"number","x-mcp-header":"X"}}}}`)
	f := start(t, &HTTP{Serve: sv.serve})
	for _, c := range []struct {
		tool, args string
		h          []string
		ok         bool
	}{
		{"echo", `{"region":"Hello"}`, []string{"Mcp-Param-Region", "Hello"}, true},
		{"echo", `{"region":"Hello"}`, []string{"mcp-param-REGION", "Hello"}, true},
		{"echo", `{"region":"Hello"}`, []string{"Mcp-Param-Region", "=?base64?SGVsbG8=?="}, true},
		{"echo", `{"region":"Hello"}`, []string{"Mcp-Param-Region", "=?base64?SGVsbG8?="}, false},
		{"echo", `{"region":"Hello"}`, []string{"Mcp-Param-Region", "=?base64?SGVs!!!bG8=?="}, false},
		{"echo", `{"region":"Hello"}`, []string{"Mcp-Param-Region", "=?BASE64?SGVsbG8=?="}, false},
		{"echo", `{"region":"SGVsbG8="}`, []string{"Mcp-Param-Region", "SGVsbG8="}, true},
		{"echo", `{"region":"=?base64?SGVsbG8="}`, []string{"Mcp-Param-Region", "=?base64?SGVsbG8="}, true},
		{"echo", `{"region":"hello"}`, []string{"Mcp-Param-Region", "Hello"}, false},
		{"echo", `{"region":"Hello"}`, nil, false},
		{"echo", `{"region":"é"}`, []string{"Mcp-Param-Region", "é"}, false},
		{"echo", `{"region":"é"}`, []string{"Mcp-Param-Region", mcp.EncodeHeader("é")}, true},
		{"echo", `{"region":null}`, nil, true},
		{"echo", `{"region":null}`, []string{"Mcp-Param-Region", "null"}, false},
		{"echo", `{}`, nil, true},
		{"echo", `{}`, []string{"Mcp-Param-Region", "x"}, false},
		{"echo", `{"region":"a","region":"b"}`, []string{"Mcp-Param-Region", "a"}, false},
		{"echo", `{"region":"a","Region":"b"}`, []string{"Mcp-Param-Region", "a"}, false},
		{"echo", `{"n":42}`, []string{"Mcp-Param-N", "42.0"}, true},
		{"echo", `{"n":42.0}`, []string{"Mcp-Param-N", "42"}, true},
		{"echo", `{"n":4.2e1}`, []string{"Mcp-Param-N", "42"}, true},
		{"echo", `{"n":42}`, []string{"Mcp-Param-N", "43"}, false},
		{"echo", `{"n":42}`, []string{"Mcp-Param-N", "0x2a"}, false},
		{"echo", `{"n":9007199254740993}`, []string{"Mcp-Param-N", "9007199254740992"}, false},
		{"echo", `{"n":1.5}`, []string{"Mcp-Param-N", "1"}, false},
		{"echo", `{"b":false}`, []string{"Mcp-Param-B", "false"}, true},
		{"echo", `{"b":false}`, []string{"Mcp-Param-B", "False"}, false},
		{"echo", `{"in":{"x":"y"}}`, []string{"Mcp-Param-In-X", "y"}, true},
		{"echo", `{"in":{"x":"y"}}`, nil, false},
		{"echo", `{"in":7}`, nil, true},
		{"plain", `{"region":"a"}`, []string{"Mcp-Param-Region", "b"}, true},
		{"bad", `{"x":1}`, []string{"Mcp-Param-X", "2"}, true},
		{"echo", `{"x":1}`, []string{"Mcp-Param-Unknown", "2"}, true},
	} {
		body := ask("7", "tools/call", `"name":"`+c.tool+`","arguments":`+c.args, "")
		resp := f.do("POST", "/mcp", body, says("tools/call", mcp.HeaderName, c.tool).with(c.h...))
		b := f.text(resp)
		switch {
		case c.ok && (resp.StatusCode != 200 || !strings.Contains(b, c.args)):
			t.Errorf("%s %s %q: got %d %s", c.tool, c.args, c.h, resp.StatusCode, b)
		case !c.ok && (resp.StatusCode != 400 || !strings.Contains(b, `"id":7,"error":{"code":-32020`)):
			t.Errorf("%s %s %q: got %d %s, want a mismatch", c.tool, c.args, c.h, resp.StatusCode, b)
		}
	}
	if n := sv.lists.Load(); n < 1 || n > 5 {
		t.Errorf("the tools were asked for %d times", n)
	}
}

// P3: a schema that changed is seen before a call is refused, or at the
// server's word.
func TestChangedSchemaIsAskedForAgain(t *testing.T) {
	var k toolHeaders
	p := []mcp.Param{{Header: "Mcp-Param-X", Path: []string{"x"}}}
	if _, stale := k.get("a", false); !stale {
		t.Error("nothing is known, and nobody is asked")
	}
	k.set(map[string][]mcp.Param{"a": p, "b": nil})
	for _, c := range []struct {
		tool  string
		fresh bool
		age   time.Duration
		stale bool
	}{
		{"a", false, time.Hour, false},
		{"b", false, time.Hour, false},
		{"a", true, 0, false},
		{"a", true, 2 * time.Second, true},
		{"c", false, 2 * time.Second, false},
		{"c", false, 20 * time.Second, true},
	} {
		k.at = time.Now().Add(-c.age)
		if _, stale := k.get(c.tool, c.fresh); stale != c.stale {
			t.Errorf("%s, fresh %v, after %v: stale %v", c.tool, c.fresh, c.age, stale)
		}
	}
	k.forget()
	if list, stale := k.get("a", false); !stale || list != nil {
		t.Errorf("after a change: %v, stale %v", list, stale)
	}
	k.failed, k.at = true, time.Now().Add(-30*time.Second)
	if _, stale := k.get("a", true); stale {
		t.Error("a list that could not be had is asked for again at once")
	}

	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	body := ask("7", "tools/call", `"name":"echo","arguments":{"x":"y"}`, `"progressToken":5,"io.modelcontextprotocol/logLevel":"debug"`)
	for i, c := range []struct {
		header, schema string
		status         int
	}{{"Mcp-Param-X", "X", 200}, {"Mcp-Param-Y", "Y", 200}, {"Mcp-Param-X", "Y", 400}} {
		done := f.begin(body, says("tools/call", mcp.HeaderName, "echo", c.header, "y"))
		if i == 0 {
			st.conns <- st.next(t)
		}
		conn := <-st.conns
		st.conns <- conn
		m := conn.recv(t)
		if want := `{"_meta":{` + meta + `}}`; m.Method() != mcp.MethodToolsList || string(m.Params()) != want {
			t.Fatalf("asked %s, want tools/list with %s", m.Bytes(), want)
		}
		conn.send(t, jsonrpc.NewResult(m.ID(), []byte(`{"tools":[],"nextCursor":"c"}`)))
		m = conn.recv(t)
		if want := `{"_meta":{` + meta + `},"cursor":"c"}`; string(m.Params()) != want {
			t.Fatalf("asked for the second page by %s, want %s", m.Params(), want)
		}
		conn.send(t, jsonrpc.NewResult(m.ID(), []byte(`{"tools":[{"name":"echo","inputSchema":{"properties":{"x":{"type":"string","x-mcp-header":"`+c.schema+`"}}}}]}`)))
		if c.status == 200 {
			conn.reply(t)
		}
		if resp := <-done; resp.StatusCode != c.status {
			t.Errorf("call %d: got %d %s, want %d", i, resp.StatusCode, f.text(resp), c.status)
		}
		conn.send(t, jsonrpc.NewNotification(mcp.MethodToolsChange, nil))
	}
}

func TestServerWithoutToolsIsNotAskedForThemAgain(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h := says("tools/call", mcp.HeaderName, "echo", "Mcp-Param-X", "y")
	done := f.begin(ask("7", "tools/call", `"name":"echo"`, ""), h)
	c := st.next(t)
	m := c.recv(t)
	c.send(t, jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "no", nil))
	c.reply(t)
	if resp := <-done; resp.StatusCode != 200 {
		t.Errorf("got %d %s", resp.StatusCode, f.text(resp))
	}
	done = f.begin(ask("8", "tools/call", `"name":"echo"`, ""), h)
	if m := c.reply(t); m.Method() != mcp.MethodToolsCall {
		t.Errorf("the server was asked for %s", m.Method())
	}
	<-done
}
