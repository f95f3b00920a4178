package upstream

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drawbridge/internal/jsonrpc"
)

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// usable is a list of two tools that may be used over HTTP, and bad of those
// that may not.
const usable = `{"name":"run","inputSchema":{"type":"object","properties":{
	"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"},"b":{"type":"boolean","x-mcp-header":"B"},
	"in":{"type":"object","properties":{"x":{"type":["string","null"],"x-mcp-header":"In-X"}}},"big":9007199254740993,"other":{"type":"string"}}}}, {"name":"plain","v":1.0}`

func bad() []string {
	var out []string
	for i, schema := range []string{
		`{"properties":{"a":{"type":"string","x-mcp-header":""}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":7}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"My Region"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"A:b"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"Région"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"a\tb"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb"}}}`,
		`{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"type":"null","x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"type":["string","integer"],"x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"A"}}}`,
		`{"properties":{"a":{"type":"string","x-mcp-header":"MyField"},"b":{"properties":{"c":{"type":"string","x-mcp-header":"myfield"}}}}}`,
		`{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}`,
		`{"oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}`,
		`{"if":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`,
		`{"$defs":{"a":{"type":"string","x-mcp-header":"A"}}}`,
		`{"type":"string","x-mcp-header":"A"}`,
		`{"properties":{"a":{"type":"number","x-mcp-heade\u0072":"A"}}}`,
	} {
		out = append(out, fmt.Sprintf(`{"name":"bad%d","inputSchema":%s}`, i, schema))
	}
	return out
}

// P3, protocol.md 2.6: a tool that cannot be used over HTTP is taken out, and
// nothing else of the list changes.
func TestToolsWithImpossibleHeadersAreLeftOut(t *testing.T) {
	f := newFake(t)
	named := `{"name":"data","inputSchema":{"properties":{"x-mcp-header":{"type":"number"}},"default":{"x-mcp-header":7}}}`
	f.hook = func(w http.ResponseWriter, _ *http.Request, m jsonrpc.Message) bool {
		reply(w, []byte(`{"v":1.0,"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{"tools":[`+usable+`,`+named+`,`+strings.Join(bad(), " , ")+`],"ttlMs":1.0}}`))
		return true
	}
	p := dialTo(t, f.URL)
	m := p.ok(1, "tools/list", `{`+modernMeta+`}`)
	if want := `{"v":1.0,"jsonrpc":"2.0","id":1,"result":{"tools":[` + usable + `,` + named + `],"ttlMs":1.0}}`; string(m.Bytes()) != want {
		t.Errorf("got\n%s, want\n%s", m.Bytes(), want)
	}
	// A session of before has no such headers.
	f.noID = true
	if m := p.ok(2, "tools/list", `{}`); !strings.Contains(string(m.Bytes()), "bad0") {
		t.Errorf("a list of before was changed: %s", m.Bytes())
	}
}

// P3: arguments are repeated in the headers that the list asked for.
func TestArgumentsAreRepeatedInHeaders(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, _ *http.Request, m jsonrpc.Message) bool {
		if m.Method() == "tools/list" {
			reply(w, jsonrpc.NewResult(m.ID(), []byte(`{"tools":[`+usable+`]}`)).Bytes())
			return true
		}
		answer(w, m)
		return true
	}
	p := dialTo(t, f.URL)
	p.ok(1, "tools/list", `{`+modernMeta+`}`)
	f.await(t, "POST", "tools/list")
	for _, c := range []struct {
		args string
		want map[string]string
	}{
		{`{"region":"us-west1","n":42,"b":false,"in":{"x":"y"},"other":"z"}`, map[string]string{"Region": "us-west1", "N": "42", "B": "false", "In-X": "y"}},
		{`{"region":null,"in":{"x":null}}`, nil},
		{`{"in":7,"n":1.5}`, nil},
		{`{"n":42.0}`, map[string]string{"N": "42"}},
		{`{"n":9007199254740993}`, nil},
		{`{"region":""}`, map[string]string{"Region": "=?base64??="}},
		{`{"region":"us west 1"}`, map[string]string{"Region": "us west 1"}},
		{`{"region":" padded "}`, map[string]string{"Region": "=?base64?IHBhZGRlZCA=?="}},
		{`{"region":"\tindented"}`, map[string]string{"Region": "=?base64?CWluZGVudGVk?="}},
		{`{"region":"line1\r\nline2"}`, map[string]string{"Region": "=?base64?bGluZTENCmxpbmUy?="}},
		{`{"region":"Hello, 世界"}`, map[string]string{"Region": "=?base64?SGVsbG8sIOS4lueVjA==?="}},
		{`{"region":"=?base64?literal?="}`, map[string]string{"Region": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="}},
	} {
		p.ok(2, "tools/call", `{"name":"run","arguments":`+c.args+`,`+modernMeta+`}`)
		h := f.await(t, "POST", "tools/call").head
		got := 0
		for name, v := range h {
			if key, ok := strings.CutPrefix(name, "Mcp-Param-"); ok {
				if got++; len(v) != 1 || v[0] != c.want[key] {
					t.Errorf("%s: %s is %q, want %q", c.args, name, v, c.want[key])
				}
			}
		}
		if got != len(c.want) {
			t.Errorf("%s: %d headers, want %d", c.args, got, len(c.want))
		}
	}
}

// P3: a call refused for its headers is sent once more when the list asks for
// other ones, and only then.
func TestCallRefusedForItsHeadersIsSentOnceMore(t *testing.T) {
	for _, stream := range []bool{false, true} {
		f := newFake(t)
		name := "Region"
		f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
			switch {
			case m.Method() == "tools/list":
				page := `{"tools":[],"nextCursor":"c"}`
				if _, second := jsonrpc.Member(m.Params(), "cursor"); second {
					page = `{"tools":[{"name":"run","inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"` + name + `"}}}}]}`
				}
				answer := jsonrpc.NewResult(m.ID(), []byte(page)).Bytes()
				if !stream {
					reply(w, answer)
					break
				}
				streamHead(w)
				event(w, "", `{"jsonrpc":"2.0","method":"x/note"}`)
				event(w, "", string(answer))
			case r.Header.Get("Mcp-Param-Region") != "eu":
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write(jsonrpc.NewError(m.ID(), -32020, "Header mismatch", nil).Bytes())
			default:
				answer(w, m)
			}
			return true
		}
		p := dialTo(t, f.URL)
		call := `{"name":"run","arguments":{"a":"eu"},` + strings.TrimSuffix(modernMeta, "}") + `,"progressToken":1}}`
		p.ok(1, "tools/call", call)
		if n := f.count("POST", "tools/call"); n != 2 {
			t.Errorf("the call was posted %d times, want 2", n)
		}
		if list := f.await(t, "POST", "tools/list"); strings.Contains(list.body, "progressToken") || list.head.Get("Mcp-Method") != "tools/list" {
			t.Errorf("the list was asked for by %s with %v", list.body, list.head)
		}
		p.ok(2, "tools/call", call) // it is known now
		if n := f.count("POST", "tools/call"); n != 3 {
			t.Errorf("the second call made it %d posts, want 3", n)
		}
		// The same headers again would be refused again.
		name = "Zone"
		p.ok(3, "tools/call", call)
		m, err := p.call(4, "tools/call", strings.Replace(call, `"eu"`, `"us"`, 1))
		if err != nil || !strings.Contains(string(m.Error()), "-32020") {
			t.Errorf("got %s, %v", m.Bytes(), err)
		}
		m, err = p.call(5, "tools/call", strings.Replace(call, `"eu"`, `"us"`, 1))
		if err != nil || !strings.Contains(string(m.Error()), "-32020") {
			t.Errorf("got %s, %v", m.Bytes(), err)
		}
		if n := f.count("POST", "tools/call"); n != 3+1+2+1 {
			t.Errorf("%d posts, want 7", n)
		}
	}
}
