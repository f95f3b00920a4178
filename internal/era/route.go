package era

import (
	"errors"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// routeLocked takes a message of the client.
func (c *conn) routeLocked(m jsonrpc.Message) {
	switch m.Kind() {
	case jsonrpc.Request:
		if isStateless(m) {
			c.stateless = true
			c.routeStatelessLocked(m)
			return
		}
		c.routeGreetedLocked(m)
	case jsonrpc.Response:
		if c.up != nil && c.upInputLocked(m) {
			return
		}
		if c.plain != nil {
			c.sendLocked(c.plain, m)
		}
	case jsonrpc.Notification:
		c.routeNotificationLocked(m)
	default:
		panic("era: message of kind " + string(m.Kind()))
	}
}

func (c *conn) routeNotificationLocked(m jsonrpc.Message) {
	switch {
	case m.Method() == mcp.MethodCancelled && c.cancelLocked(m):
	case c.plain != nil && !isStateless(m):
		c.sendLocked(c.plain, m)
	case c.up != nil:
		c.upNotificationLocked(m)
	case len(c.downs) > 0:
		c.downNotificationLocked(m)
	case len(c.lanes) == 0 && !c.stateless:
		c.openPlainLocked()
		c.sendLocked(c.plain, m)
	case c.modern != nil:
		c.sendLocked(c.modern, m)
	}
}

// cancelLocked passes a cancellation to whoever has the request; false when
// nothing here knows it.
func (c *conn) cancelLocked(m jsonrpc.Message) bool {
	id := jsonrpc.ID(member(m.Params(), "requestId"))
	for i, h := range c.held {
		if h.Kind() == jsonrpc.Request && h.ID() == id {
			c.held = append(c.held[:i], c.held[i+1:]...)
			return true
		}
	}
	if c.up != nil && c.upCancelLocked(id, m) {
		return true
	}
	for _, l := range c.downs {
		if c.downCancelLocked(l, id, m) {
			return true
		}
	}
	if c.modern != nil {
		c.sendLocked(c.modern, m)
		return c.plain == nil
	}
	return false
}

// routeGreetedLocked takes a request of the initialize era.
func (c *conn) routeGreetedLocked(m jsonrpc.Message) {
	first := m.Method() == mcp.MethodInitialize
	switch {
	case c.probing != nil:
		c.held = append(c.held, m)
	case first:
		c.greetLocked(m)
	case c.plain != nil:
		c.sendLocked(c.plain, m)
	case c.up != nil:
		c.upRequestLocked(m)
	case c.stateless:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "params._meta has no "+mcp.MetaVersion, nil)
	default:
		c.openPlainLocked()
		c.sendLocked(c.plain, m)
	}
}

// greetLocked takes the client's initialize. A program gets it as it is, unless
// it is known to take none: that is cheapest and safest. Over HTTP a server that
// serves both eras is spoken to in the younger, so it is asked first.
func (c *conn) greetLocked(m jsonrpc.Message) {
	stateless, greets, pinned := c.Memory.know()
	switch {
	case c.up != nil:
		c.upGreetLocked(m)
		return
	case c.plain == nil && (greets == no || !c.Child && stateless == yes):
		c.startUpLocked(m, jsonrpc.Message{})
		return
	case c.plain == nil && stateless == unknown && (!c.Child || c.Memory.isLikelyModern()):
		c.probeLocked(m)
		return
	case c.plain == nil:
		c.retireIdleLocked()
		c.openPlainLocked()
	}
	c.hello = m
	c.watching.Store(true)
	if pinned != "" && text(m.Params(), "protocolVersion") != pinned {
		if out, err := m.WithParams(jsonrpc.SetMember(m.Params(), "protocolVersion", jsonrpc.Quote(pinned))); err == nil {
			m = out
		}
	}
	c.sendLocked(c.plain, m)
}

func (c *conn) openPlainLocked() { c.plain = c.openLocked(plain) }

// retireIdleLocked ends what a client opened with a probe that it gave up.
func (c *conn) retireIdleLocked() {
	if !c.Child {
		return
	}
	for _, l := range append([]*lane(nil), c.lanes...) {
		if l.role == down && !l.busy() && !l.served {
			c.retireLocked(l)
		}
	}
}

// plainAnswerLocked judges the answer to the client's initialize: passed on, or
// that of a server which is of the other era.
func (c *conn) plainAnswerLocked(l *lane, m jsonrpc.Message) {
	if c.hello.Kind() == "" || m.ID() != c.hello.ID() {
		c.toNearLocked(m)
		return
	}
	hello := c.hello
	c.hello = jsonrpc.Message{}
	c.watching.Store(false)
	if !refusesEra(m) || !c.mayBeModern() {
		if m.Error() == nil {
			c.Memory.noteGreets(yes)
		}
		c.toNearLocked(m)
		return
	}
	c.becomeUpLocked(l, hello, m)
}

// plainFailedLocked passes the failure of a call on, after a try in the other
// era when it was initialize that the server's web face refused.
func (c *conn) plainFailedLocked(l *lane, e *jsonrpc.CallError) {
	if c.hello.Kind() == "" || e.ID != c.hello.ID() {
		c.giveLocked(item{err: e})
		return
	}
	hello := c.hello
	c.hello = jsonrpc.Message{}
	c.watching.Store(false)
	if !c.mayBeModern() || !aboutRequest(e.Err) {
		c.giveLocked(item{err: e})
		return
	}
	code, words, data := fault.Of(e.Err, c.Server).RPC()
	c.becomeUpLocked(l, hello, jsonrpc.NewError(e.ID, code, words, data))
}

// mayBeModern tells whether a server that refuses initialize can be of the other
// era: not when the user said no, or the server just did. What was found out
// earlier, or guessed from silence, is no reason.
func (c *conn) mayBeModern() bool { return !c.denied && !c.Memory.isSettled() }

// becomeUpLocked goes over to the stateless era on a lane that has refused
// initialize.
func (c *conn) becomeUpLocked(l *lane, hello, refusal jsonrpc.Message) {
	c.Log.Info("server speaks the stateless protocol only, carrying the conversation over", "server", c.Server)
	c.pumpLocked()
	l.become(modern)
	c.plain, c.modern = nil, l
	c.startUpLocked(hello, refusal)
}

// aboutRequest tells whether a failure says that this request was not
// understood, and not that the server is out of reach or wants a sign-in.
func aboutRequest(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return false
	}
	switch f.Code {
	case fault.UpstreamError, fault.EndpointNotMCP, fault.ProtocolError, fault.SessionExpired:
		return true
	}
	return false
}

// refusesEra tells whether an answer to initialize is a modern server's.
func refusesEra(m jsonrpc.Message) bool {
	switch codeOf(m.Error()) {
	case "-32020", "-32021", "-32022", "-32601":
		return true
	}
	return false
}

// routeStatelessLocked takes a request of 2026-07-28.
func (c *conn) routeStatelessLocked(m jsonrpc.Message) {
	if c.modern != nil {
		c.sendLocked(c.modern, m)
		return
	}
	stateless, _, _ := c.Memory.know()
	switch {
	case c.probing != nil:
		c.held = append(c.held, m)
	case stateless == yes:
		c.modern = c.openLocked(modern)
		c.sendLocked(c.modern, m)
	case stateless == no:
		c.downRequestLocked(m)
	case c.refuseMetaLocked(m):
	default:
		c.probeLocked(m)
	}
}

// probing is a server asked which era it is of.
type probing struct {
	lane   *lane
	id     jsonrpc.ID      // of the request it was asked with
	theirs jsonrpc.Message // that request, if it is the client's
	timer  *time.Timer
}

// probeLocked asks the server what it speaks: with the client's own discover if
// that is what it begins with, else with one of ours.
func (c *conn) probeLocked(m jsonrpc.Message) {
	l := c.openLocked(probe)
	p := &probing{lane: l}
	c.probing = p
	c.watching.Store(true)
	limit := remoteProbe
	if c.Child {
		limit = childProbe
	}
	ask := m
	if m.Method() == mcp.MethodDiscover && text(m.Meta(), mcp.MetaVersion) == mcp.V2026_07_28 {
		p.theirs = m
	} else {
		c.held = append(c.held, m)
		params := metaParams(m.Meta())
		if m.Method() == mcp.MethodInitialize {
			params = inWordsOf(m).into(nil)
		}
		ask = jsonrpc.NewRequest(c.newIDLocked(), mcp.MethodDiscover, params)
	}
	p.id = ask.ID()
	// errands end at greetLimit; a probe ends before, but its late answer is
	// still known and dropped.
	c.askWithinLocked(l, ask, greetLimit, func(m jsonrpc.Message, err error) {
		switch {
		case c.probing == p:
			c.probedLocked(m, err)
		case err == nil && isModernAnswer(m):
			c.Memory.noteLate()
		}
	})
	p.timer = time.AfterFunc(limit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.probing == p && !c.closed {
			c.Log.Debug("no answer to server/discover, going on with initialize", "server", c.Server)
			c.decideLegacyLocked(l)
		}
	})
}

// probedLocked judges the answer to the probe.
func (c *conn) probedLocked(m jsonrpc.Message, err error) {
	p := c.probing
	switch {
	case err != nil && !aboutRequest(err):
		c.giveUpProbeLocked(err)
	case err == nil && isModernAnswer(m):
		c.probing = nil
		p.timer.Stop()
		c.Memory.noteStateless(yes)
		p.lane.become(modern)
		c.modern = p.lane
		if p.theirs.Kind() != "" {
			c.toNearLocked(m)
		} else {
			c.ahead = m
		}
		c.releaseLocked()
		c.ahead = jsonrpc.Message{}
	default:
		c.denied = true
		c.decideLegacyLocked(p.lane)
	}
}

// isModernAnswer tells whether an answer to server/discover comes from a server
// that serves 2026-07-28.
func isModernAnswer(m jsonrpc.Message) bool {
	if m.Result() != nil {
		return hasVersion(m.Result(), "supportedVersions")
	}
	switch codeOf(m.Error()) {
	case "-32020", "-32021":
		return true
	case "-32022":
		return hasVersion(member(m.Error(), "data"), "supported")
	}
	return false
}

// giveUpProbeLocked answers what waits for the server's era with why it could
// not be found out. Nothing is remembered.
func (c *conn) giveUpProbeLocked(err error) {
	p := c.probing
	c.probing = nil
	p.timer.Stop()
	defer c.watchLocked()
	c.retireLocked(p.lane)
	held := c.held
	c.held = nil
	if p.theirs.Kind() != "" {
		c.failLocked(p.theirs.ID(), err)
	}
	for _, m := range held {
		if m.Kind() == jsonrpc.Request {
			c.failLocked(m.ID(), err)
		}
	}
}

// decideLegacyLocked goes on with initialize on the lane that was probed.
func (c *conn) decideLegacyLocked(l *lane) {
	p := c.probing
	c.probing = nil
	p.timer.Stop()
	c.Memory.noteStateless(no)
	if p.theirs.Kind() != "" {
		c.held = append([]jsonrpc.Message{p.theirs}, c.held...)
	}
	c.unused = l
	c.releaseLocked()
}

// probeEndedLocked takes the end of a connection that was being probed: a
// program that ends on server/discover is started again and never probed again.
func (c *conn) probeEndedLocked(err error) {
	if c.probing == nil {
		return
	}
	if !c.Child {
		c.giveUpProbeLocked(err)
		return
	}
	c.Log.Debug("the server program ended on server/discover, starting it again", "server", c.Server)
	c.decideLegacyLocked(nil)
}

// releaseLocked routes what waited for the server's era. Nothing that comes after
// goes past it.
func (c *conn) releaseLocked() {
	held := c.held
	c.held = nil
	for _, m := range held {
		c.routeLocked(m)
	}
	c.watchLocked()
}

// watchLocked sees to it that answers which decide something are looked at.
func (c *conn) watchLocked() { c.watching.Store(c.probing != nil || c.hello.Kind() != "") }
