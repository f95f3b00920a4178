package era

import (
	"bytes"
	"errors"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// lanesMost is how many clients, told apart by program and capabilities, have
// sessions with a server of the initialize era at the same time.
const lanesMost = 8

// session is what a down lane keeps: one conversation with a server of the
// initialize era, held for clients that know nothing of it.
type session struct {
	speaker
	welcome []byte // InitializeResult
	greeted bool
	served  bool // more than a discover
	used    time.Time
	waiting []jsonrpc.Message // until greeted
	again   []*downCall       // to be sent once more when greeted
	calls   map[jsonrpc.ID]*downCall
	turns
	downTasks
	listens map[jsonrpc.ID]*listen
	follows map[string]int // resources subscribed to, and how many listens want them
	level   string         // what logging/setLevel said last
}

// speaker is who a session speaks for.
type speaker struct {
	key   string // tells it from others
	info  []byte
	needs []byte // the capabilities, of which the server may make use
}

// speakerOf reads who sent a request.
func speakerOf(m jsonrpc.Message) speaker {
	s := speaker{info: member(m.Meta(), metaClientInfo), needs: withoutTasks(member(m.Meta(), metaCapabilities))}
	s.key = compact(s.needs) + "\n" + compact(s.info)
	return s
}

// opensURLs tells whether a client can be asked to open a page.
func (s *speaker) opensURLs() bool { return member(s.needs, "elicitation", "url") != nil }

// downCall is one request of a client of 2026-07-28 under way in a session.
type downCall struct {
	lane  *lane
	id    jsonrpc.ID      // at the server, in all rounds
	near  jsonrpc.ID      // at the client, "" while the client has been asked for input
	msg   jsonrpc.Message // as it goes to the server
	token []byte          // progress token at the server
	now   []byte          // and at the client
	level string          // of the log messages it asked for

	sent    int  // how often the server got it
	again   bool // sent a second time after a lost session
	running bool // the server may ask within it
	doubted bool // and others wait for that
	doubt   *time.Timer
	next    func() // when it has its turn
	wait    *time.Timer
	late    bool // it has waited long enough for that
	rounds

	asTask   bool                             // the server was told to make a task of it
	declared bool                             // the client takes a task for an answer
	then     func(*downCall, jsonrpc.Message) // takes the server's answer, nil for the client
}

// busy tells whether anybody waits for something of the session.
func (s *session) busy() bool {
	return len(s.calls)+len(s.waiting)+len(s.again)+len(s.listens) > 0 || s.hasTasksOpen()
}

func (s *session) stopTimers() {
	for _, k := range s.calls {
		k.stopTimers()
	}
	s.turns.stopTimers()
	s.downTasks.stopTimers()
}

func (k *downCall) stopTimers() {
	k.rounds.stopTimers()
	for _, t := range [...]*time.Timer{k.doubt, k.wait} {
		if t != nil {
			t.Stop()
		}
	}
}

// removed tells whether 2026-07-28 knows a method no more.
func removed(method string) bool {
	switch method {
	case mcp.MethodInitialize, mcp.MethodPing, methodSetLevel, methodSubscribe, methodUnsubscribe,
		methodTaskResult, methodTaskList:
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

// downNotificationLocked takes a notification of a client of 2026-07-28 to a
// server of the initialize era: in the session of who sent it, where it says so,
// else in the one that was used last.
func (c *conn) downNotificationLocked(m jsonrpc.Message) {
	l := c.downs[speakerOf(m).key]
	for _, other := range c.downs {
		if l == nil || !isStateless(m) && other.used.After(l.used) {
			l = other
		}
	}
	if l.greeted {
		c.forwardNotificationLocked(l, m)
	} else {
		l.waiting = append(l.waiting, m)
	}
}

func (c *conn) forwardNotificationLocked(l *lane, m jsonrpc.Message) {
	if p := m.Params(); isObject(p) {
		// What cannot be built anew, as a vendor's params may hold a name twice,
		// goes as it came: servers of that era pass over the words of 2026-07-28.
		if out, err := m.WithParams(stripMeta(p)); err == nil {
			m = out
		}
	}
	c.sendLocked(l, m)
}

// downLaneLocked finds or opens the session for who sent m.
func (c *conn) downLaneLocked(m jsonrpc.Message) *lane {
	who := speakerOf(m)
	if l := c.laneOfTaskLocked(m, who); l != nil {
		return l
	}
	if l := c.downs[who.key]; l != nil {
		return l
	}
	if len(c.downs) >= lanesMost && !c.retireOldestLocked() {
		return nil
	}
	return c.openDownLocked(who)
}

func (c *conn) openDownLocked(who speaker) *lane {
	l := c.openLocked(down)
	l.session = session{speaker: who, used: time.Now(),
		calls: map[jsonrpc.ID]*downCall{}, listens: map[jsonrpc.ID]*listen{}, follows: map[string]int{}}
	c.downs[who.key] = l
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
	switch {
	case err == nil && m.Result() != nil:
		again := l.again
		l.welcome, l.greeted, l.waiting, l.again = m.Result(), true, nil, nil
		c.Memory.noteGreets(yes)
		c.sendLocked(l, jsonrpc.NewNotification(mcp.MethodInitialized, nil))
		c.relistenDownLocked(l)
		for _, k := range again {
			l.calls[k.id] = k
			c.beginLocked(k)
		}
		c.turnsLocked(l)
		for _, w := range waiting {
			c.serveLocked(l, w)
		}
	case err == nil && refusesEra(m) && !c.Memory.isSettled() && c.modern == nil && len(l.again)+len(l.listens) == 0:
		// It kept silent on server/discover and is of that era all the same, or
		// it was of the other long ago.
		c.Memory.noteStateless(yes)
		delete(c.downs, l.key)
		l.become(modern)
		l.session = session{}
		c.modern = l
		for _, w := range waiting {
			c.sendLocked(l, w)
		}
	default:
		if err == nil || aboutRequest(err) {
			c.Memory.forget()
		} else if fault.IsCode(err, fault.Timeout) {
			c.Memory.forgetGuess()
		}
		if err == nil {
			err = fault.New(fault.UpstreamError, c.Server).With("the server refused to open a session").
				Because(errors.New(text(m.Error(), "message")))
		}
		c.failSessionLocked(l, err)
		c.retireLocked(l)
	}
}

// serveLocked takes a message to an open session.
func (c *conn) serveLocked(l *lane, m jsonrpc.Message) {
	if m.Kind() == jsonrpc.Notification {
		c.forwardNotificationLocked(l, m)
		return
	}
	switch m.Method() {
	case mcp.MethodDiscover:
		c.toNearLocked(jsonrpc.NewResult(m.ID(), l.discovered()))
		return
	case methodListen:
		l.served = true
		c.listenLocked(l, m)
		return
	case methodTaskGet, methodTaskUpdate, methodTaskCancel:
		l.served = true
		c.taskRequestLocked(l, m)
		return
	}
	l.served = true
	k, err := c.enterLocked(l, m)
	if err != nil {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, err.Error(), nil)
		return
	}
	c.beginLocked(k)
}

// enterLocked makes a call of a request. What a client names anew while another
// call has the name still at the server, since its client was asked for input,
// gets another there.
func (c *conn) enterLocked(l *lane, m jsonrpc.Message) (*downCall, error) {
	k := &downCall{lane: l, id: m.ID(), near: m.ID(), token: member(m.Meta(), "progressToken"),
		level: text(m.Meta(), metaLogLevel), declared: declaresTasks(m)}
	k.now, k.digest = k.token, digest(m)
	params := strip(m.Params())
	if l.calls[k.id] != nil {
		k.id = c.newIDLocked()
	}
	if k.token != nil && l.hasToken(k.token) {
		k.token = []byte(c.newIDLocked())
		params = jsonrpc.SetMember(params, "_meta", jsonrpc.SetMember(member(params, "_meta"), "progressToken", k.token))
	}
	k.msg = m.WithID(k.id)
	if len(params) != len(m.Params()) {
		var err error
		if k.msg, err = k.msg.WithParams(params); err != nil {
			return nil, err
		}
	}
	l.calls[k.id] = k
	return k, nil
}

func (s *session) hasToken(token []byte) bool {
	for _, k := range s.calls {
		if bytes.Equal(k.token, token) {
			return true
		}
	}
	return false
}

// beginLocked has a call made, when it is its turn and the server logs what it
// asked for.
func (c *conn) beginLocked(k *downCall) {
	if k.msg.Method() == mcp.MethodToolsCall && k.lane.offersTasks() && !c.mayBeTaskLocked(k) {
		return
	}
	c.turnLocked(k, func() {
		k.sent++
		if !c.raiseLocked(k.lane, k) {
			c.sendLocked(k.lane, k.msg)
		}
	})
}

// discovered is the DiscoverResult made of an InitializeResult.
func (s *session) discovered() []byte {
	capabilities := member(s.welcome, "capabilities")
	if !isObject(capabilities) {
		capabilities = []byte(`{}`)
	}
	capabilities = jsonrpc.DeleteMember(capabilities, "tasks")
	if s.offersTasks() {
		capabilities = meta{capabilities: capabilities}.withTasks().capabilities
	}
	return withMissing([]byte(`{"resultType":"complete"}`),
		pair{"supportedVersions", servedJSON()},
		pair{"capabilities", capabilities},
		pair{"instructions", member(s.welcome, "instructions")},
		pair{"ttlMs", []byte(`60000`)},
		pair{"cacheScope", []byte(`"private"`)},
		pair{"_meta", serverMeta(s.welcome)})
}

// serverMeta is a _meta that names the server, nil when it has no name.
func serverMeta(welcome []byte) []byte {
	info := member(welcome, "serverInfo")
	if info == nil {
		return nil
	}
	return withMissing([]byte(`{}`), pair{metaServerInfo, info})
}

// downCancelLocked passes the client's cancellation of a call or a listen on.
func (c *conn) downCancelLocked(l *lane, id jsonrpc.ID, m jsonrpc.Message) bool {
	for i, w := range l.waiting {
		if w.ID() == id {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	for i, k := range l.again {
		if k.near == id {
			l.again = append(l.again[:i], l.again[i+1:]...)
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
	if k.sent > 0 {
		c.sendLocked(k.lane, why)
	}
	c.refuseInputsLocked(k, "the request it belongs to was cancelled")
	c.yieldLocked(k)
}

// refuseInputsLocked answers what the server asked within a call that has ended.
func (c *conn) refuseInputsLocked(k *downCall, why string) {
	for _, in := range k.inputs {
		if in.id != "" {
			c.refuseAskedLocked(k.lane, in.id, why)
		}
	}
	k.inputs = nil
}
