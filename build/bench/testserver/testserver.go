// Package testserver is the MCP server behind the bridges of the bench, whatever
// the transport: a handful of tools that exercise everything a bridge must carry.
//
// It promises that the measured tool, echo, decodes nothing. It leaves sessions,
// streams and faults of HTTP to its callers.
package testserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"drawbridge/build/bench/wire"
)

// Server handles requests whatever the transport.
type Server struct {
	Name string
	C    Counters
}

const toolSchema = `{"type":"object","properties":{"text":{"type":"string"}},"additionalProperties":true}`

var toolNames = []string{"echo", "mirror", "sleep", "progress", "sample", "elicit", "roots", "notify", "big", "stats", "drop", "http", "crash"}

// toolsList is the tools/list result. It carries fields that a typed bridge may lose.
func toolsList() string {
	var b strings.Builder
	b.WriteString(`{"tools":[`)
	for i, n := range toolNames {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":%q,"title":"T %s","description":"bench tool %s","inputSchema":%s,"annotations":{"readOnlyHint":true},"x-bench":{"keep":9007199254740993},"_meta":{"bench/keep":"yes"}}`, n, n, n, toolSchema)
	}
	b.WriteString(`]}`)
	return b.String()
}

// initResult answers initialize with the version the client asked for.
func initResult(params []byte, name string) string {
	version := strings.Trim(string(wire.Get(params, "protocolVersion")), `"`)
	if version == "" || version > "2025-11-25" {
		version = "2025-11-25"
	}
	return `{"protocolVersion":"` + version + `","capabilities":{"tools":{"listChanged":true},"logging":{},"experimental":{"bench/x":{"n":1}}},` +
		`"serverInfo":{"name":"` + name + `","title":"Bench","version":"1.0.0"},"instructions":"bench instructions"}`
}

// Handle answers one request; emit sends a message on the request's own stream
// before the answer.
func (s *Server) Handle(ctx context.Context, sess *Session, m wire.Message, emit func([]byte) error) []byte {
	switch m.Method {
	case "initialize":
		s.C.noteInit(m.Params)
		return wire.Result(m.ID, initResult(m.Params, s.Name))
	case "ping", "logging/setLevel":
		return wire.Result(m.ID, `{}`)
	case "tools/list":
		return wire.Result(m.ID, toolsList())
	case "prompts/list":
		return wire.Result(m.ID, `{"prompts":[]}`)
	case "resources/list":
		return wire.Result(m.ID, `{"resources":[]}`)
	case "resources/templates/list":
		return wire.Result(m.ID, `{"resourceTemplates":[]}`)
	case "tools/call":
		s.C.Calls.Add(1)
		ctx, end := sess.begin(ctx, m.ID)
		defer end()
		return s.call(ctx, sess, m, emit)
	}
	if !strings.HasPrefix(m.Method, "x/") {
		return wire.Error(m.ID, -32601, "method not found: "+m.Method)
	}
	params := "null"
	if m.Params != nil {
		params = string(m.Params)
	}
	return wire.Result(m.ID, `{"method":"`+m.Method+`","params":`+params+`}`)
}

// Notification handles a client's notification.
func (s *Server) Notification(sess *Session, m wire.Message) {
	switch m.Method {
	case "notifications/initialized":
		s.C.Initialized.Add(1)
	case "notifications/cancelled":
		s.C.CancelNotif.Add(1)
		sess.abort(m.Params)
	}
}

// Tool returns the tool's name in tools/call params.
func Tool(params []byte) string { return strings.Trim(string(wire.Get(params, "name")), `"`) }

// Arguments returns the raw arguments of tools/call params.
func Arguments(params []byte) []byte {
	if a := wire.Get(params, "arguments"); a != nil {
		return a
	}
	return []byte("{}")
}

// text is an answer with one raw JSON string as its text.
func text(id []byte, raw string) []byte {
	return wire.Result(id, `{"content":[{"type":"text","text":`+raw+`}]}`)
}

func (s *Server) call(ctx context.Context, sess *Session, m wire.Message, emit func([]byte) error) []byte {
	name, args := Tool(m.Params), Arguments(m.Params)
	ask := func(method, params string) []byte { return text(m.ID, wire.Quote(sess.ask(ctx, emit, method, params))) }
	switch name {
	case "echo": // the measured path: nothing is decoded
		t := wire.Get(args, "text")
		if t == nil {
			t = []byte(`""`)
		}
		return text(m.ID, string(t))
	case "mirror":
		return wire.Result(m.ID, `{"content":[{"type":"text","text":`+wire.Quote(string(args))+`}],"structuredContent":`+string(args)+`,"x-bench":{"keep":9007199254740993},"_meta":{"bench/keep":"yes"}}`)
	case "sleep", "progress", "big":
		return s.paced(ctx, name, m, emit)
	case "sample":
		return ask("sampling/createMessage", `{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":10}`)
	case "elicit":
		return ask("elicitation/create", `{"message":"name?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}`)
	case "roots":
		return ask("roots/list", `{}`)
	case "notify":
		got := sess.Notify != nil && sess.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
		return text(m.ID, fmt.Sprintf(`"delivered=%v"`, got))
	case "stats":
		return text(m.ID, wire.Quote(string(s.C.JSON())))
	default:
		return wire.Error(m.ID, -32602, "unknown tool "+name)
	}
}

// paced runs the tools that take numbers: how long, how often, how much.
func (s *Server) paced(ctx context.Context, name string, m wire.Message, emit func([]byte) error) []byte {
	var a struct{ MS, N, Bytes int }
	if err := json.Unmarshal(Arguments(m.Params), &a); err != nil {
		return wire.Error(m.ID, -32602, "arguments: "+err.Error())
	}
	pause := time.Duration(a.MS) * time.Millisecond
	switch name {
	case "big":
		return text(m.ID, `"`+strings.Repeat("x", a.Bytes)+`"`)
	case "progress":
		token := wire.Get(wire.Get(m.Params, "_meta"), "progressToken")
		for i := 1; i <= a.N; i++ {
			if token != nil {
				_ = emit(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"total":%d,"message":"step %d"}}`, token, i, a.N, i))
			}
			time.Sleep(pause)
		}
		return text(m.ID, `"progressed"`)
	}
	select {
	case <-time.After(pause):
		return text(m.ID, `"slept"`)
	case <-ctx.Done():
		s.C.CancelCtx.Add(1)
		return text(m.ID, `"cancelled"`)
	}
}
