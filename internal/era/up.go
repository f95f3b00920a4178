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
	tasking
	follow
}

func (u *up) stopTimers() {
	u.tasking.stopTimers()
	u.follow.stopTimers()
}

// upCall is one request of the client under way.
type upCall struct {
	near   jsonrpc.ID
	id     jsonrpc.ID      // at the server: of this round; "" while the client is asked
	msg    jsonrpc.Message // as the client sent it
	method string
	params []byte // as the server got them last
	again  bool   // sent a second time, though not for input

	asTask []byte // what the client said of the task that it wants, nil for none
	tasks  bool   // the server is told that its answer may be one
	poll          // of a task
	round  int
	left   int    // inputs the client has yet to give
	given  []byte // inputResponses so far
	state  []byte // requestState, nil without one
}

// startUpLocked carries a conversation over that opens with hello.
func (c *conn) startUpLocked(hello, refusal jsonrpc.Message) {
	c.up = &up{refusal: refusal, calls: map[jsonrpc.ID]*upCall{}, asks: map[jsonrpc.ID]*upAsk{}}
	if c.modern == nil {
		c.modern = c.openLocked(modern)
	}
	c.undirectLocked() // the answer to our discover comes there in any case
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
	c.toNearLocked(jsonrpc.NewResult(u.hello.ID(), c.welcome(u)))
	waiting := u.waiting
	u.waiting = nil
	for _, w := range waiting {
		c.upRequestLocked(w)
	}
}

// notDiscoveredLocked leaves the client with the server's own refusal, and the
// conversation as if nothing had been tried. A server that was of this era long
// ago, and refused nothing yet, gets the client's initialize after all.
func (c *conn) notDiscoveredLocked(m jsonrpc.Message, err error) {
	u := c.up
	changed := u.refusal.Kind() == "" && !c.Memory.isSettled() && (err == nil || aboutRequest(err) || fault.IsCode(err, fault.Timeout))
	if u.found != nil || u.refusal.Kind() == "" && !changed {
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
	l.become(plain)
	if changed {
		c.Memory.forget()
		c.denied = true
		c.greetLocked(u.hello)
	} else {
		c.toNearLocked(u.refusal)
	}
	for _, w := range u.waiting {
		c.sendLocked(l, w)
	}
}

// welcome is the InitializeResult made of a DiscoverResult.
func (c *conn) welcome(u *up) []byte {
	version := member(u.hello.Params(), "protocolVersion")
	if v, _ := jsonrpc.String(version); !mcp.IsLegacy(v) {
		version = jsonrpc.Quote(mcp.LatestLegacy)
	}
	capabilities := member(u.found, "capabilities")
	if capabilities == nil {
		capabilities = []byte(`{}`)
	}
	if v, _ := jsonrpc.String(version); v == mcp.V2025_11_25 && u.hasTasks() {
		capabilities = withMissing(capabilities, pair{"tasks", []byte(`{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`)})
	}
	info := member(u.found, "_meta", metaServerInfo)
	if info == nil {
		info = withMissing([]byte(`{}`), pair{"name", jsonrpc.Quote(c.Server)}, pair{"version", []byte(`"unknown"`)})
	}
	return withMissing([]byte(`{}`), pair{"protocolVersion", version}, pair{"capabilities", capabilities},
		pair{"serverInfo", info}, pair{"instructions", member(u.found, "instructions")})
}

// upNotificationLocked takes a notification of the initialize era. Those of the
// specification mean nothing to a stateless server; others pass.
func (c *conn) upNotificationLocked(m jsonrpc.Message) {
	switch m.Method() {
	case mcp.MethodInitialized:
		c.upReadyLocked()
		return
	case mcp.MethodCancelled, mcp.MethodProgress, "notifications/roots/list_changed", "notifications/tasks/status":
		return
	}
	if p := m.Params(); c.up.found == nil || p != nil && !isObject(p) {
		return
	}
	if out, err := m.WithParams(c.up.meta.into(m.Params())); err == nil {
		c.sendLocked(c.modern, out)
	}
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
	case methodTaskGet, methodTaskResult, methodTaskList, methodTaskCancel:
		if u.hasTasks() {
			c.upTaskRequestLocked(m)
			return
		}
	}
	if p := m.Params(); p != nil && !isObject(p) {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "params by position cannot carry _meta", nil)
		return
	}
	k := &upCall{near: m.ID(), msg: m, method: m.Method()}
	if task := member(m.Params(), "task"); k.method == mcp.MethodToolsCall && isObject(task) && u.hasTasks() {
		if out, err := m.WithParams(jsonrpc.DeleteMember(m.Params(), "task")); err == nil {
			k.msg, k.asTask, k.tasks = out, task, true
		}
	}
	c.upSendLocked(k, m.ID(), k.msg.Params())
}

// upSendLocked sends a call, for the first time or with the input asked for.
func (c *conn) upSendLocked(k *upCall, id jsonrpc.ID, params []byte) {
	said := c.up.meta
	if k.tasks {
		said = said.withTasks()
	}
	out, err := k.msg.WithID(id).WithParams(said.into(params))
	if err != nil {
		c.refuseLocked(k.near, jsonrpc.CodeInvalidParams, err.Error(), nil)
		return
	}
	k.id, k.params = id, params
	c.up.calls[id] = k
	c.sendLocked(c.modern, out)
}

// upAgainLocked sends a call once more as it was, under a new id.
func (c *conn) upAgainLocked(k *upCall) {
	delete(c.up.calls, k.id)
	k.again = true
	c.upSendLocked(k, c.newIDLocked(), k.params)
}

// repeatable are the calls that may be sent over another connection when this
// one is lost.
func (u *up) repeatable() (ids []jsonrpc.ID) {
	for _, m := range u.waiting {
		ids = append(ids, m.ID())
	}
	for _, k := range u.calls {
		if mcp.OnlyReads(k.method) && k.round == 0 {
			ids = append(ids, k.near)
		}
	}
	for _, k := range u.polls {
		if !k.insisted {
			ids = append(ids, k.near)
		}
	}
	return ids
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
	switch codeOf(m.Error()) {
	case "-32022":
		if c.upVersionLocked(k, m.Error()) {
			return true
		}
	case "-32021":
		if c.upInsistsLocked(k, m.Error()) {
			return true
		}
	}
	delete(u.calls, k.id)
	k.id = ""
	if text(m.Result(), "resultType") == "input_required" {
		c.upInputsLocked(k, m.Result())
		return true
	}
	if k.tasks && c.upTaskedLocked(k, m.Result()) {
		return true
	}
	c.toNearLocked(c.greeted(k, m).WithID(k.near))
	return true
}

// upVersionLocked chooses a version again for a call that the server refused
// unread over it. There is one choice; a server that does not offer it any more
// is another than it was.
func (c *conn) upVersionLocked(k *upCall, failed []byte) bool {
	if !hasVersion(member(failed, "data"), "supported") {
		c.Memory.forget()
		return false
	}
	if k.again {
		return false
	}
	c.upAgainLocked(k)
	return true
}

// upFailedLocked takes the word that a call got no answer. One that only reads
// is sent again when its connection broke.
func (c *conn) upFailedLocked(e *jsonrpc.CallError) bool {
	if c.listenEndedLocked(e.ID, e.Err) {
		return true
	}
	k := c.up.calls[e.ID]
	if k == nil {
		return false
	}
	if fault.IsCode(e.Err, fault.ConnectionLost) && mcp.OnlyReads(k.method) && !k.again {
		c.upAgainLocked(k)
		return true
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
	if c.listenSaysLocked(m) {
		return true
	}
	k := c.up.calls[m.About()]
	if k == nil {
		return false
	}
	c.toNearLocked(m.WithAbout(k.near)) // which is not its id at the server in later rounds
	return true
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
	if k := u.polls[near]; k != nil {
		c.cancelPollLocked(k)
		return true
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
func (c *conn) greeted(k *upCall, m jsonrpc.Message) jsonrpc.Message {
	out, err := m, error(nil)
	switch {
	case m.Error() != nil && k.method == mcp.MethodRead && codeOf(m.Error()) == "-32602" && member(m.Error(), "data", "uri") != nil:
		out, err = jsonrpc.Parse(jsonrpc.SetMember(m.Bytes(), "error", jsonrpc.SetMember(m.Error(), "code", []byte(strconv.Itoa(codeNotFound)))))
	case k.method == mcp.MethodToolsList && m.Result() != nil:
		if r := c.withoutOddSchemas(m.Result()); len(r) != len(m.Result()) {
			out, err = m.WithResult(r)
		}
	case k.method == mcp.MethodToolsCall && isObject(m.Result()):
		if r := c.withoutOddContent(m.Result()); len(r) != len(m.Result()) {
			out, err = m.WithResult(r)
		}
	}
	if err != nil {
		return m // what got shorter is within every limit
	}
	return out
}

// withoutOddContent takes structured content out of a tool's result that is no
// object: the schema of the initialize era knows none. The text stays.
func (c *conn) withoutOddContent(result []byte) []byte {
	if v := member(result, "structuredContent"); v == nil || isObject(v) {
		return result
	}
	c.Log.Info("structured content left out, clients of this protocol take objects only", "server", c.Server)
	return jsonrpc.DeleteMember(result, "structuredContent")
}

// withoutOddSchemas takes out of a listing the output schemas that are of no
// object: strict clients would lose all tools over one of them.
func (c *conn) withoutOddSchemas(result []byte) []byte {
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
			c.Log.Info("output schema left out, clients of this protocol take those of objects only", "server", c.Server, "tool", fault.Excerpt(text(tool, "name")))
			tool, odd = jsonrpc.DeleteMember(tool, "outputSchema"), true
		}
		out = append(out, tool...)
	}
	if !odd {
		return result
	}
	return jsonrpc.SetMember(result, "tools", append(out, tools[at:]...))
}
