package era

import (
	"errors"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// lanesMost is how many clients, told apart by program and capabilities, have
// sessions with a server of the initialize era at the same time.
const lanesMost = 8

// session is what a down lane keeps: one conversation with a server of the
// initialize era, held for clients that know nothing of it.
type session struct {
	key     string // program and capabilities it speaks for
	info    []byte
	needs   []byte // the capabilities, of which the server may make use
	welcome []byte // InitializeResult
	greeted bool
	served  bool // more than a discover
	used    time.Time
	waiting []jsonrpc.Message // until greeted
	calls   map[jsonrpc.ID]*downCall
	listens map[jsonrpc.ID]*listen
	follows map[string]int // resources subscribed to, and how many listens want them
	level   string         // what logging/setLevel said last
}

// downCall is one request of a client of 2026-07-28 under way in a session.
type downCall struct {
	lane  *lane
	id    jsonrpc.ID      // at the server: the first request's
	near  jsonrpc.ID      // at the client, "" while the client has been asked for input
	msg   jsonrpc.Message // as it goes to the server
	token []byte          // progress token at the server
	now   []byte          // and at the client
	level string          // of the log messages it asked for
	began uint64
	again bool // sent a second time after a lost session
	rounds
}

// busy tells whether anybody waits for something of the session.
func (s *session) busy() bool {
	return len(s.calls)+len(s.waiting)+len(s.listens) > 0
}

func (s *session) stopTimers() {
	for _, k := range s.calls {
		k.stopTimers()
	}
}

// removed tells whether 2026-07-28 knows a method no more.
func removed(method string) bool {
	switch method {
	case mcp.MethodInitialize, mcp.MethodPing, methodSetLevel, methodSubscribe, methodUnsubscribe,
		"tasks/get", "tasks/result", "tasks/list", "tasks/update", "tasks/cancel":
		return true
	}
	return false
}

// refuseMetaLocked answers a request whose _meta lacks what each must have.
func (c *conn) refuseMetaLocked(m jsonrpc.Message) bool {
	meta := m.Meta()
	lack := ""
	if _, ok := jsonrpc.String(member(meta, mcp.MetaVersion)); !ok {
		lack = mcp.MetaVersion
	} else if !isObject(member(meta, metaCapabilities)) {
		lack = metaCapabilities
	}
	if lack == "" {
		return false
	}
	c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: _meta has no "+lack, nil)
	return true
}

// refuseVersionLocked answers a request in a version that is not served.
func (c *conn) refuseVersionLocked(m jsonrpc.Message) bool {
	asked := member(m.Meta(), mcp.MetaVersion)
	if s, _ := jsonrpc.String(asked); s == mcp.V2026_07_28 {
		return false
	}
	data := withMissing([]byte(`{}`), pair{"supported", servedJSON()}, pair{"requested", asked})
	c.refuseLocked(m.ID(), codeVersion, "Unsupported protocol version", data)
	return true
}

// downRequestLocked takes a stateless request to a server of the initialize era.
func (c *conn) downRequestLocked(m jsonrpc.Message) {
	if c.refuseMetaLocked(m) || c.refuseVersionLocked(m) {
		return
	}
	if removed(m.Method()) {
		c.refuseLocked(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+m.Method(), nil)
		return
	}
	if p := m.Params(); asksForInput(m.Method()) {
		if state, ok := jsonrpc.Member(p, "requestState"); ok {
			c.resumeLocked(m, state)
			return
		}
	}
	l := c.downLaneLocked(m)
	if l == nil {
		c.failLocked(m.ID(), fault.New(fault.TooManyRequests, c.Server).With("%d clients use this server, the most there can be", lanesMost))
		return
	}
	l.used = time.Now()
	if !l.greeted {
		l.waiting = append(l.waiting, m)
		return
	}
	c.serveLocked(l, m)
}

// downLaneLocked finds or opens the session for who sent m.
func (c *conn) downLaneLocked(m jsonrpc.Message) *lane {
	needs, info := member(m.Meta(), metaCapabilities), member(m.Meta(), metaClientInfo)
	key := compact(needs) + "\n" + compact(info)
	if l := c.downs[key]; l != nil {
		return l
	}
	if len(c.downs) >= lanesMost && !c.retireOldestLocked() {
		return nil
	}
	l := c.openLocked(down)
	l.session = session{key: key, info: info, needs: needs, used: time.Now(),
		calls: map[jsonrpc.ID]*downCall{}, listens: map[jsonrpc.ID]*listen{}, follows: map[string]int{}}
	c.downs[key] = l
	c.greetServerLocked(l)
	return l
}

// retireOldestLocked ends the session that was not used for longest, if one is
// not in use.
func (c *conn) retireOldestLocked() bool {
	var oldest *lane
	for _, l := range c.downs {
		if !l.busy() && (oldest == nil || l.used.Before(oldest.used)) {
			oldest = l
		}
	}
	if oldest != nil {
		c.retireLocked(oldest)
	}
	return oldest != nil
}

// greetServerLocked opens a session by an initialize of ours, in the words of
// the client it is for.
func (c *conn) greetServerLocked(l *lane) {
	c.pumpLocked()
	_, _, version := c.Memory.know()
	if version == "" {
		version = mcp.LatestLegacy
	}
	info := l.info
	if info == nil {
		info = []byte(`{"name":"drawbridge","version":"unknown"}`)
	}
	params := withMissing([]byte(`{}`), pair{"protocolVersion", jsonrpc.Quote(version)}, pair{"capabilities", l.needs}, pair{"clientInfo", info})
	c.askLocked(l, mcp.MethodInitialize, params, func(m jsonrpc.Message, err error) { c.welcomedLocked(l, m, err) })
}

// welcomedLocked takes the server's answer to our initialize.
func (c *conn) welcomedLocked(l *lane, m jsonrpc.Message, err error) {
	waiting := l.waiting
	_, _, pinned := c.Memory.know()
	switch {
	case err == nil && m.Result() != nil:
		l.welcome, l.greeted, l.waiting = m.Result(), true, nil
		c.Memory.noteGreets(yes)
		c.sendLocked(l, jsonrpc.NewNotification(mcp.MethodInitialized, nil))
		for _, w := range waiting {
			c.serveLocked(l, w)
		}
	case err == nil && refusesEra(m) && pinned == "" && c.modern == nil:
		// It kept silent on server/discover and is of that era all the same.
		c.Memory.noteStateless(yes)
		delete(c.downs, l.key)
		l.role, l.session = modern, session{}
		c.modern = l
		for _, w := range waiting {
			c.sendLocked(l, w)
		}
	default:
		if err == nil {
			err = fault.New(fault.UpstreamError, c.Server).With("the server refused to open a session").
				Because(errors.New(text(m.Error(), "message")))
		}
		l.waiting = nil
		c.retireLocked(l)
		for _, w := range waiting {
			c.failLocked(w.ID(), err)
		}
	}
}

// serveLocked takes a request to an open session.
func (c *conn) serveLocked(l *lane, m jsonrpc.Message) {
	switch m.Method() {
	case mcp.MethodDiscover:
		c.toNearLocked(jsonrpc.NewResult(m.ID(), discovered(l.welcome)))
		return
	case methodListen:
		l.served = true
		c.listenLocked(l, m)
		return
	}
	l.served = true
	out := m
	if p := strip(m.Params()); len(p) != len(m.Params()) {
		var err error
		if out, err = m.WithParams(p); err != nil {
			c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, err.Error(), nil)
			return
		}
	}
	c.began++
	token := member(m.Meta(), "progressToken")
	k := &downCall{lane: l, id: m.ID(), near: m.ID(), msg: out, token: token, now: token, began: c.began,
		level: text(m.Meta(), metaLogLevel)}
	k.digest = digest(m)
	l.calls[k.id] = k
	if c.raiseLocked(l, k) {
		return
	}
	c.sendLocked(l, out)
}

// discovered is the DiscoverResult made of an InitializeResult.
func discovered(welcome []byte) []byte {
	capabilities := member(welcome, "capabilities")
	if !isObject(capabilities) {
		capabilities = []byte(`{}`)
	}
	return withMissing([]byte(`{"resultType":"complete"}`),
		pair{"supportedVersions", servedJSON()},
		pair{"capabilities", jsonrpc.DeleteMember(capabilities, "tasks")},
		pair{"instructions", member(welcome, "instructions")},
		pair{"ttlMs", []byte(`60000`)},
		pair{"cacheScope", []byte(`"private"`)},
		pair{"_meta", serverMeta(welcome)})
}

// serverMeta is a _meta that names the server, nil when it has no name.
func serverMeta(welcome []byte) []byte {
	info := member(welcome, "serverInfo")
	if info == nil {
		return nil
	}
	return withMissing([]byte(`{}`), pair{metaServerInfo, info})
}

// downAnswerLocked takes the server's answer to a client's request.
func (c *conn) downAnswerLocked(l *lane, m jsonrpc.Message) {
	k := l.calls[m.ID()]
	if k == nil {
		c.Log.Debug("answer to no open request dropped", "server", c.Server, "id", string(m.ID()))
		return
	}
	if codeOf(m.Error()) == "-32042" && c.openURLLocked(k, m) {
		return
	}
	c.finishLocked(k, item{msg: m})
}

// finishLocked answers a call, or keeps the answer for a client that was asked
// for input meanwhile.
func (c *conn) finishLocked(k *downCall, i item) {
	if k.near == "" {
		k.final = &i
		return
	}
	delete(k.lane.calls, k.id)
	c.unsealLocked(k)
	if i.err != nil {
		c.failLocked(k.near, i.err)
		return
	}
	c.toNearLocked(k.stateless(i.msg).WithID(k.near))
}

// stateless gives an answer the form of 2026-07-28.
func (k *downCall) stateless(m jsonrpc.Message) jsonrpc.Message {
	out, err := m, error(nil)
	if m.Error() != nil {
		if codeOf(m.Error()) == "-32002" {
			out, err = jsonrpc.Parse(jsonrpc.SetMember(m.Bytes(), "error", k.notFound(m.Error())))
		}
	} else if isObject(m.Result()) {
		out, err = m.WithResult(k.complete(m.Result()))
	}
	if err != nil {
		return m // only a message at the limit of size cannot be added to
	}
	return out
}

// complete adds what every result since 2026-07-28 says of itself.
func (k *downCall) complete(result []byte) []byte {
	name := serverMeta(k.lane.welcome)
	if old := member(result, "_meta"); isObject(old) && name != nil {
		if named := withMissing(old, pair{metaServerInfo, member(name, metaServerInfo)}); len(named) != len(old) {
			result = jsonrpc.SetMember(result, "_meta", named)
		}
	}
	add := []pair{{"resultType", []byte(`"complete"`)}, {"_meta", name}}
	if cacheable(k.msg.Method()) {
		add = append(add, pair{"ttlMs", []byte(`0`)}, pair{"cacheScope", []byte(`"private"`)})
	}
	return withMissing(result, add...)
}

// cacheable tells whether the results of a method say how long they hold.
func cacheable(method string) bool {
	switch method {
	case mcp.MethodToolsList, "prompts/list", "resources/list", "resources/templates/list", methodRead:
		return true
	}
	return false
}

// notFound gives the error for a missing resource its newer code.
func (k *downCall) notFound(failed []byte) []byte {
	failed = jsonrpc.SetMember(failed, "code", []byte("-32602"))
	uri := member(k.msg.Params(), "uri")
	if data := member(failed, "data"); isObject(data) {
		return jsonrpc.SetMember(failed, "data", withMissing(data, pair{"uri", uri}))
	}
	if member(failed, "data") != nil || uri == nil {
		return failed
	}
	return withMissing(failed, pair{"data", withMissing([]byte(`{}`), pair{"uri", uri})})
}

// downFailedLocked takes the word that a request got no answer. One that the
// server refused because it does not know the session any more is sent again
// in a new one, once.
func (c *conn) downFailedLocked(l *lane, e *jsonrpc.CallError) {
	lost := errors.Is(e.Err, upstream.ErrSessionLost)
	k := l.calls[e.ID]
	if k == nil {
		if lost && e.ID == "" && l.greeted {
			c.regreetLocked(l)
		}
		return
	}
	if !lost || k.again || k.held() {
		c.finishLocked(k, item{err: e.Err})
		return
	}
	k.again = true
	if l.greeted {
		c.regreetLocked(l)
	}
	l.waiting = append(l.waiting, k.asked())
	delete(l.calls, k.id)
}

// asked is the call as the client would send it again.
func (k *downCall) asked() jsonrpc.Message { return k.msg.WithID(k.near) }

func (c *conn) regreetLocked(l *lane) {
	l.greeted, l.level = false, ""
	c.greetServerLocked(l)
	for uri := range l.follows {
		l.follows[uri] = 0
	}
	for _, s := range l.listens {
		l.waiting = append(l.waiting, s.msg)
	}
	l.listens = map[jsonrpc.ID]*listen{}
}

// downEndedLocked answers for a session whose connection ended. The next
// request opens another.
func (c *conn) downEndedLocked(l *lane, err error) {
	c.Log.Info("connection to the server ended", "server", c.Server, "err", err, "open", len(l.calls))
	for _, m := range l.waiting {
		c.failLocked(m.ID(), err)
	}
	lost := fault.New(fault.ConnectionLost, c.Server).Because(err)
	for _, k := range l.calls {
		c.finishLocked(k, item{err: lost})
		delete(l.calls, k.id)
		if k.near == "" {
			c.unsealLocked(k)
		}
	}
	for id := range l.listens {
		c.failLocked(id, lost)
	}
}

// downCancelLocked passes the client's cancellation of a call or a listen on.
func (c *conn) downCancelLocked(l *lane, id jsonrpc.ID, m jsonrpc.Message) bool {
	for i, w := range l.waiting {
		if w.ID() == id {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	if s := l.listens[id]; s != nil {
		c.unlistenLocked(l, id)
		return true
	}
	for _, k := range l.calls {
		if k.near != id {
			continue
		}
		if k.id != id {
			m = jsonrpc.NewNotification(mcp.MethodCancelled, jsonrpc.SetMember(m.Params(), "requestId", []byte(k.id)))
		}
		c.dropLocked(k, m)
		return true
	}
	return false
}

// dropLocked ends a call that nobody waits for.
func (c *conn) dropLocked(k *downCall, why jsonrpc.Message) {
	delete(k.lane.calls, k.id)
	c.unsealLocked(k)
	c.sendLocked(k.lane, why)
	for _, in := range k.inputs {
		if in.id != "" {
			c.sendLocked(k.lane, jsonrpc.NewError(in.id, jsonrpc.CodeInternalError, "the request it belongs to was cancelled", nil))
		}
	}
}
