package era

import (
	"bytes"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// downSaysLocked takes what a server of the initialize era says by itself.
func (c *conn) downSaysLocked(l *lane, m jsonrpc.Message) {
	if m.Kind() == jsonrpc.Request {
		c.downAskedLocked(l, m)
		return
	}
	switch m.Method() {
	case mcp.MethodProgress:
		c.progressLocked(l, m)
	case methodLog:
		c.logLocked(l, m)
	case mcp.MethodToolsChange, methodPrompts, methodResources, methodUpdated:
		c.changedLocked(l, m)
	case mcp.MethodCancelled:
		c.withdrawnLocked(l, jsonrpc.ID(member(m.Params(), "requestId")))
	case methodTaskStatus:
		c.taskStatusLocked(l, m)
	case "notifications/elicitation/complete": // not in 2026-07-28
	default:
		if k := l.calls[m.About()]; k != nil {
			c.deliverLocked(k, m)
			return
		}
		c.toNearLocked(m.WithAbout(""))
	}
}

// deliverLocked gives a call's notification to its client, or keeps it until
// the client is back.
func (c *conn) deliverLocked(k *downCall, m jsonrpc.Message) {
	if k.near != "" {
		if out, ok := k.retold(m); ok {
			c.toNearLocked(out.WithAbout(k.near))
		}
		return
	}
	c.keepLocked(k, m)
}

// progressLocked passes progress on under the token that the client's present
// request has.
func (c *conn) progressLocked(l *lane, m jsonrpc.Message) {
	token := member(m.Params(), "progressToken")
	for _, k := range l.calls {
		if k.token == nil || !bytes.Equal(k.token, token) {
			continue
		}
		c.deliverLocked(k, m)
		return
	}
	c.Log.Debug("progress of no open request dropped", "server", c.Server)
}

// retold gives a notification the token of the client's present request; it is
// not ok when that asked for none.
func (k *downCall) retold(m jsonrpc.Message) (jsonrpc.Message, bool) {
	if m.Method() != mcp.MethodProgress || bytes.Equal(k.token, k.now) {
		return m, true
	}
	if k.now == nil {
		return m, false
	}
	out, err := m.WithParams(jsonrpc.SetMember(m.Params(), "progressToken", k.now))
	return out, err == nil
}

// levels are those of log messages, most verbose first.
var levels = map[string]int{"debug": 1, "info": 2, "notice": 3, "warning": 4, "error": 5, "critical": 6, "alert": 7, "emergency": 8}

// raiseLocked has the server log what a call asked for, before the call. False
// says that there is nothing to do first.
func (c *conn) raiseLocked(l *lane, k *downCall) bool {
	want, known := levels[k.level]
	if !known || member(l.welcome, "capabilities", "logging") == nil {
		return false
	}
	if now, set := levels[l.level]; set && now <= want {
		return false
	}
	l.level = k.level
	sent := k.sent
	params := withMissing([]byte(`{}`), pair{"level", jsonrpc.Quote(k.level)})
	c.askLocked(l, methodSetLevel, params, func(m jsonrpc.Message, err error) {
		if err != nil || m.Error() != nil {
			c.Log.Debug("server sets no log level", "server", c.Server, "err", err)
		}
		if l.calls[k.id] == k && k.sent == sent {
			c.sendLocked(l, k.msg)
		}
	})
	return true
}

// logLocked gives a log message to the call on whose stream it came, else to the
// one call that asked for such; of several it cannot be told whose it is.
func (c *conn) logLocked(l *lane, m jsonrpc.Message) {
	of := l.calls[m.About()]
	for _, k := range l.calls {
		if _, asked := levels[k.level]; !asked || m.About() != "" {
			continue
		}
		if of != nil {
			return
		}
		of = k
	}
	if of == nil {
		return
	}
	level, known := levels[text(m.Params(), "level")]
	if want, asked := levels[of.level]; asked && (!known || level >= want) {
		c.deliverLocked(of, m)
	}
}

// listen is an open subscriptions/listen of a client.
type listen struct {
	msg   jsonrpc.Message
	kinds map[string]bool // methods of the notifications it gets
	uris  map[string]bool // resources it follows
	tasks map[string]bool // tasks it follows
	acked bool
	left  int // subscriptions without an answer
	times int // how often a session was opened anew meanwhile
}

// The members of notifications in subscriptions/listen, and what they bring.
var listenKinds = []struct{ member, capability, method string }{
	{"toolsListChanged", "tools", mcp.MethodToolsChange},
	{"promptsListChanged", "prompts", methodPrompts},
	{"resourcesListChanged", "resources", methodResources},
}

// listenLocked opens a listen: what the server has is acknowledged, once the
// resources wanted are subscribed to.
func (c *conn) listenLocked(l *lane, m jsonrpc.Message) {
	wanted := member(m.Params(), "notifications")
	if !isObject(wanted) {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: no notifications", nil)
		return
	}
	tasks, ok := c.tasksOfLocked(l, m)
	if !ok {
		return
	}
	s := &listen{msg: m, kinds: map[string]bool{}, uris: map[string]bool{}, tasks: tasks}
	l.listens[m.ID()] = s
	for _, k := range listenKinds {
		if string(member(wanted, k.member)) == "true" && string(member(l.welcome, "capabilities", k.capability, "listChanged")) == "true" {
			s.kinds[k.method] = true
		}
	}
	uris := member(wanted, "resourceSubscriptions")
	if len(uris) > 0 && uris[0] == '[' && string(member(l.welcome, "capabilities", "resources", "subscribe")) == "true" {
		for v := range jsonrpc.Elements(uris) {
			if uri, ok := jsonrpc.String(v); ok && !s.uris[uri] {
				s.uris[uri] = true
				c.followLocked(l, s, uri)
			}
		}
	}
	c.acknowledgeLocked(l, s)
}

// followLocked subscribes to a resource, once for all listens that want it.
func (c *conn) followLocked(l *lane, s *listen, uri string) {
	l.follows[uri]++
	if l.follows[uri] > 1 {
		return
	}
	s.left++
	times := s.times
	params := withMissing([]byte(`{}`), pair{"uri", jsonrpc.Quote(uri)})
	c.askLocked(l, methodSubscribe, params, func(m jsonrpc.Message, err error) {
		if s.times != times {
			return
		}
		s.left--
		if err != nil || m.Error() != nil {
			delete(s.uris, uri)
			delete(l.follows, uri)
		}
		c.acknowledgeLocked(l, s)
	})
}

// acknowledgeLocked tells the client what it will get, when that is known.
func (c *conn) acknowledgeLocked(l *lane, s *listen) {
	id := s.msg.ID()
	if s.acked || s.left > 0 || l.listens[id] != s {
		return
	}
	s.acked = true
	got := []byte(`{}`)
	for _, k := range listenKinds {
		if s.kinds[k.method] {
			got = withMissing(got, pair{k.member, []byte("true")})
		}
	}
	for _, o := range [...]struct {
		member string
		kept   map[string]bool
	}{{"resourceSubscriptions", s.uris}, {"taskIds", s.tasks}} {
		if len(o.kept) > 0 {
			wanted := member(s.msg.Params(), "notifications", o.member)
			got = withMissing(got, pair{o.member, jsonrpc.DeleteElements(wanted, func(_ int, v []byte) bool {
				one, _ := jsonrpc.String(v)
				return o.kept[one]
			})})
		}
	}
	c.toNearLocked(jsonrpc.NewNotification(methodAcknowledged,
		withMissing([]byte(`{}`), pair{"_meta", subscriptionMeta(nil, id)}, pair{"notifications", got})))
}

func subscriptionMeta(meta []byte, id jsonrpc.ID) []byte {
	return jsonrpc.SetMember(meta, metaSubscription, []byte(id))
}

// changedLocked gives a change to every listen that wants it.
func (c *conn) changedLocked(l *lane, m jsonrpc.Message) {
	if m.Method() == mcp.MethodToolsChange {
		l.forgetTools()
	}
	uri := text(m.Params(), "uri")
	for id, s := range l.listens {
		if !s.acked || !(s.kinds[m.Method()] || m.Method() == methodUpdated && s.uris[uri]) {
			continue
		}
		c.tellListenLocked(id, m)
	}
}

// unlistenLocked ends a listen and the subscriptions that only it wanted.
func (c *conn) unlistenLocked(l *lane, id jsonrpc.ID) {
	s := l.listens[id]
	delete(l.listens, id)
	for uri := range s.uris {
		if l.follows[uri]--; l.follows[uri] > 0 {
			continue
		}
		delete(l.follows, uri)
		params := withMissing([]byte(`{}`), pair{"uri", jsonrpc.Quote(uri)})
		c.askLocked(l, methodUnsubscribe, params, func(jsonrpc.Message, error) {})
	}
}
