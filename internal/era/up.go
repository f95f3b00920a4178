package era

import (
	"strconv"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// discoverLimit is how long a server that takes no initialize may take to answer
// server/discover.
const discoverLimit = 10 * time.Second

// up is a client's initialize conversation carried over to a stateless server.
type up struct {
	hello   jsonrpc.Message // the client's initialize
	refusal jsonrpc.Message // the server's own answer to it, if there was one
	meta    meta
	found   []byte // DiscoverResult, nil until there is one
	waiting []jsonrpc.Message
	calls   map[jsonrpc.ID]*upCall // by their id at the server
	asks    map[jsonrpc.ID]*upAsk  // requests made here in the server's name
	follow
}

// upCall is one request of the client under way.
type upCall struct {
	near   jsonrpc.ID
	id     jsonrpc.ID      // at the server: of this round; "" while the client is asked
	msg    jsonrpc.Message // as the client sent it
	method string

	round int
	left  int    // inputs the client has yet to give
	given []byte // inputResponses so far
	state []byte // requestState, nil without one
}

// startUpLocked carries a conversation over that opens with hello.
func (c *conn) startUpLocked(hello, refusal jsonrpc.Message) {
	if c.modern == nil {
		c.modern = c.openLocked(modern)
	}
	c.pumpLocked()
	c.up = &up{refusal: refusal, calls: map[jsonrpc.ID]*upCall{}, asks: map[jsonrpc.ID]*upAsk{}}
	c.upGreetLocked(hello)
}

// upGreetLocked takes an initialize: discover takes its place.
func (c *conn) upGreetLocked(m jsonrpc.Message) {
	u := c.up
	u.hello = m
	u.meta = inWordsOf(m)
	if found := c.ahead; found.Result() != nil { // only just asked, with these words
		c.discoveredLocked(found, nil)
		return
	}
	ask := jsonrpc.NewRequest(c.newIDLocked(), mcp.MethodDiscover, u.meta.into(nil))
	c.askWithinLocked(c.modern, ask, discoverLimit, func(m jsonrpc.Message, err error) {
		if c.up == u {
			c.discoveredLocked(m, err)
		}
	})
}

// inWordsOf is what an initialize says that each stateless request has to say.
func inWordsOf(m jsonrpc.Message) meta {
	return meta{clientInfo: member(m.Params(), "clientInfo"), capabilities: offered(member(m.Params(), "capabilities"))}
}

// offered are a client's capabilities in the words of 2026-07-28.
func offered(capabilities []byte) []byte {
	if !isObject(capabilities) {
		return nil
	}
	out := jsonrpc.DeleteMember(capabilities, "tasks")
	if roots := member(out, "roots"); isObject(roots) {
		if less := jsonrpc.DeleteMember(roots, "listChanged"); len(less) != len(roots) {
			out = jsonrpc.SetMember(out, "roots", less)
		}
	}
	return out
}

// discoveredLocked answers the client's initialize from the server's discovery.
func (c *conn) discoveredLocked(m jsonrpc.Message, err error) {
	u := c.up
	if err != nil || !hasVersion(m.Result(), "supportedVersions") {
		c.notDiscoveredLocked(m, err)
		return
	}
	c.Memory.noteStateless(yes)
	if u.refusal.Kind() != "" {
		c.Memory.noteGreets(no)
	}
	u.found = m.Result()
	c.toNearLocked(jsonrpc.NewResult(u.hello.ID(), welcome(u.hello.Params(), u.found, c.Server)))
	waiting := u.waiting
	u.waiting = nil
	for _, w := range waiting {
		c.upRequestLocked(w)
	}
}

// notDiscoveredLocked leaves the client with the server's own refusal, and the
// conversation as if nothing had been tried.
func (c *conn) notDiscoveredLocked(m jsonrpc.Message, err error) {
	u := c.up
	if u.refusal.Kind() == "" || u.found != nil {
		if err == nil {
			err = fault.New(fault.UpstreamError, c.Server).With("the server does not speak " + mcp.V2026_07_28)
		}
		c.failLocked(u.hello.ID(), err)
		for _, w := range u.waiting {
			c.failLocked(w.ID(), err)
		}
		u.waiting = nil
		return
	}
	l := c.modern
	c.up, c.modern, c.plain = nil, nil, l
	l.role = plain
	c.toNearLocked(u.refusal)
	for _, w := range u.waiting {
		c.sendLocked(l, w)
	}
}

// welcome is the InitializeResult made of a DiscoverResult.
func welcome(hello, found []byte, server string) []byte {
	version := member(hello, "protocolVersion")
	if v, _ := jsonrpc.String(version); !mcp.IsLegacy(v) {
		version = jsonrpc.Quote(mcp.LatestLegacy)
	}
	capabilities := member(found, "capabilities")
	if capabilities == nil {
		capabilities = []byte(`{}`)
	}
	info := member(found, "_meta", metaServerInfo)
	if info == nil {
		info = withMissing([]byte(`{}`), pair{"name", jsonrpc.Quote(server)}, pair{"version", []byte(`"unknown"`)})
	}
	return withMissing([]byte(`{}`), pair{"protocolVersion", version}, pair{"capabilities", capabilities},
		pair{"serverInfo", info}, pair{"instructions", member(found, "instructions")})
}

// upRequestLocked takes a request of the initialize era to a stateless server,
// or answers it here.
func (c *conn) upRequestLocked(m jsonrpc.Message) {
	u := c.up
	if m.Method() == mcp.MethodPing {
		c.toNearLocked(jsonrpc.NewResult(m.ID(), []byte(`{}`)))
		return
	}
	if u.found == nil {
		u.waiting = append(u.waiting, m)
		return
	}
	switch m.Method() {
	case methodSetLevel:
		u.meta.logLevel = member(m.Params(), "level")
		c.toNearLocked(jsonrpc.NewResult(m.ID(), []byte(`{}`)))
		return
	case methodSubscribe, methodUnsubscribe:
		c.followResourceLocked(m)
		return
	}
	if p := m.Params(); p != nil && !isObject(p) {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "params by position cannot carry _meta", nil)
		return
	}
	c.upSendLocked(&upCall{near: m.ID(), msg: m, method: m.Method()}, m.ID(), m.Params())
}

// upSendLocked sends a call, for the first time or with the input asked for.
func (c *conn) upSendLocked(k *upCall, id jsonrpc.ID, params []byte) {
	out, err := k.msg.WithID(id).WithParams(c.up.meta.into(params))
	if err != nil {
		c.refuseLocked(k.near, jsonrpc.CodeInvalidParams, err.Error(), nil)
		return
	}
	k.id = id
	c.up.calls[id] = k
	c.sendLocked(c.modern, out)
}

// upAnswerLocked takes an answer to a call that was carried over; false when it
// is to none.
func (c *conn) upAnswerLocked(m jsonrpc.Message) bool {
	u := c.up
	if c.listenEndedLocked(m.ID(), nil) {
		return true
	}
	k := u.calls[m.ID()]
	if k == nil {
		return false
	}
	delete(u.calls, k.id)
	k.id = ""
	if text(m.Result(), "resultType") == "input_required" {
		c.upInputsLocked(k, m.Result())
		return true
	}
	c.toNearLocked(k.greeted(m).WithID(k.near))
	return true
}

// upFailedLocked takes the word that a call got no answer.
func (c *conn) upFailedLocked(e *jsonrpc.CallError) bool {
	if c.listenEndedLocked(e.ID, e.Err) {
		return true
	}
	k := c.up.calls[e.ID]
	if k == nil {
		return false
	}
	delete(c.up.calls, e.ID)
	c.failLocked(k.near, e.Err)
	return true
}

// upSaysLocked takes what a stateless server says by itself; false leaves it to
// pass.
func (c *conn) upSaysLocked(m jsonrpc.Message) bool {
	if m.Kind() == jsonrpc.Request {
		out := jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+m.Method(), nil)
		if m.Method() == mcp.MethodPing {
			out = jsonrpc.NewResult(m.ID(), []byte(`{}`))
		}
		c.sendLocked(c.modern, out)
		return true
	}
	return c.listenSaysLocked(m)
}

// upCancelLocked passes a cancellation on, wherever the call is.
func (c *conn) upCancelLocked(near jsonrpc.ID, m jsonrpc.Message) bool {
	u := c.up
	for i, w := range u.waiting {
		if w.ID() == near {
			u.waiting = append(u.waiting[:i], u.waiting[i+1:]...)
			return true
		}
	}
	for id, k := range u.calls {
		if k.near == near {
			delete(u.calls, id)
			if id != near {
				m = jsonrpc.NewNotification(mcp.MethodCancelled, jsonrpc.SetMember(m.Params(), "requestId", []byte(id)))
			}
			c.sendLocked(c.modern, m)
			return true
		}
	}
	for _, a := range u.asks {
		if a.call.near == near {
			c.withdrawAsksLocked(a.call)
			return true
		}
	}
	return false
}

// greeted gives an answer the form that clients of the initialize era read.
func (k *upCall) greeted(m jsonrpc.Message) jsonrpc.Message {
	out, err := m, error(nil)
	switch {
	case m.Error() != nil && k.method == methodRead && codeOf(m.Error()) == "-32602" && member(m.Error(), "data", "uri") != nil:
		out, err = jsonrpc.Parse(jsonrpc.SetMember(m.Bytes(), "error", jsonrpc.SetMember(m.Error(), "code", []byte(strconv.Itoa(codeNotFound)))))
	case k.method == mcp.MethodToolsList && m.Result() != nil:
		if r := withoutOddSchemas(m.Result()); len(r) != len(m.Result()) {
			out, err = m.WithResult(r)
		}
	case k.method == mcp.MethodToolsCall && isObject(m.Result()):
		if v := member(m.Result(), "structuredContent"); v != nil && !isObject(v) {
			out, err = m.WithResult(jsonrpc.DeleteMember(m.Result(), "structuredContent"))
		}
	}
	if err != nil {
		return m // what got shorter is within every limit
	}
	return out
}

// withoutOddSchemas takes out of a listing the output schemas that are of no
// object: strict clients would lose all tools over one of them.
func withoutOddSchemas(result []byte) []byte {
	tools := member(result, "tools")
	if len(tools) == 0 || tools[0] != '[' {
		return result
	}
	out := make([]byte, 0, len(tools))
	at, odd := 0, false
	for tool := range jsonrpc.Elements(tools) {
		from := at
		if at == 0 {
			from = 1
		}
		for tools[from] == ' ' || tools[from] == '\t' || tools[from] == '\r' || tools[from] == '\n' || tools[from] == ',' {
			from++
		}
		out = append(out, tools[at:from]...)
		at = from + len(tool)
		if schema := member(tool, "outputSchema"); schema != nil && text(schema, "type") != "object" {
			tool, odd = jsonrpc.DeleteMember(tool, "outputSchema"), true
		}
		out = append(out, tool...)
	}
	if !odd {
		return result
	}
	return jsonrpc.SetMember(result, "tools", append(out, tools[at:]...))
}
