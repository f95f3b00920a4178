package era

import (
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// A server of the initialize era asks the client in the middle of a call and
// does not say of which. A client of 2026-07-28 is asked by the answer to the
// very call, so whose question it is must be known, not guessed. Therefore calls
// that may ask take turns in a session:
//
//   - A call may ask if its method may and its client has declared something that
//     can be asked for. Every other call passes at once.
//   - Of a server that has asked something, one such call runs at a time. It has
//     its turn until it is answered or its client is asked, and takes another to
//     come back. What the server asks is of the call that has the turn.
//   - Nobody waits for ever: a server may take one call after another, and then
//     what has the turn ends only after the call that waits for it. So a call
//     goes on after turnLimit in any case, and one whose client is back after
//     doubtFor. Then several run.
//   - Of a server that never asked, calls of what was seen to end without asking
//     run together, and so does what ran for doubtFor. Of the others one runs at
//     a time. So a program that asks nothing is held up by the first call of each
//     tool only.
//   - When a server asks while several calls run, its question waits until one of
//     them is left, and is refused after riddleLimit.
//
// A question that names its call is not counted as asking: over HTTP it comes on
// the call's own stream, elsewhere it may name a task or repeat a progress token.
// So over HTTP calls take turns only with a server that asks elsewhere. A call that
// was cancelled, or whose client has yet to answer, is taken to ask nothing more.
type turns struct {
	queue   []*downCall // want a turn
	riddles []*riddle
}

const (
	doubtFor    = 5 * time.Second
	turnLimit   = 30 * time.Second // for a call that no client was asked about yet
	riddleLimit = 30 * time.Second
	quietMost   = 1000 // tools and prompts that are known not to ask
)

// riddle is a request of the server of which the call is not known.
type riddle struct {
	msg   jsonrpc.Message
	timer *time.Timer
}

func (t *turns) stopTimers() {
	for _, r := range t.riddles {
		r.timer.Stop()
	}
}

// mayAsk tells whether the server may ask this session's client within a call.
func (l *lane) mayAsk(method string) bool {
	if !asksForInput(method) {
		return false
	}
	for _, need := range [...]string{"elicitation", "sampling", "roots"} {
		if member(l.needs, need) != nil {
			return true
		}
	}
	return false
}

// subject is what is learned to be quiet: a tool, a prompt, or all resources.
func (k *downCall) subject() string {
	return k.msg.Method() + " " + text(k.msg.Params(), "name")
}

// turnLocked queues a call that may ask, for next to be done when it has its
// turn. Other calls have it at once.
func (c *conn) turnLocked(k *downCall, next func()) {
	if !k.lane.mayAsk(k.msg.Method()) {
		next()
		return
	}
	k.next, k.late = next, false
	k.lane.queue = append(k.lane.queue, k)
	c.turnsLocked(k.lane)
	if k.next == nil || k.lane.calls[k.id] != k {
		return
	}
	limit := turnLimit
	if k.held() {
		limit = doubtFor
	}
	k.wait = time.AfterFunc(limit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && k.lane.calls[k.id] == k && k.next != nil {
			k.late = true
			c.turnsLocked(k.lane)
		}
	})
}

// turnsLocked gives turns to those who may have one now.
func (c *conn) turnsLocked(l *lane) {
	if !l.greeted {
		return
	}
	c.solveLocked(l)
	asks := c.Memory.isAsking()
	running, doubted := 0, 0
	for _, k := range l.calls {
		if k.running {
			running++
		}
		if k.doubted {
			doubted++
		}
	}
	var left, begin []*downCall
	for _, k := range l.queue {
		quiet := !asks && (!c.Child || c.Memory.isQuiet(k.subject()))
		switch {
		case l.calls[k.id] != k: // it has ended
		case !k.late && (asks && running > 0 || !asks && !quiet && doubted > 0):
			left = append(left, k)
		default:
			k.running = true
			running++
			if !asks && !quiet {
				doubted++
				c.doubtLocked(k)
			}
			begin = append(begin, k)
		}
	}
	l.queue = left
	for _, k := range begin {
		if next := k.next; l.calls[k.id] == k {
			k.next = nil
			if k.wait != nil {
				k.wait.Stop()
			}
			next()
		}
	}
}

// doubtLocked holds up others while nothing is known of what k calls.
func (c *conn) doubtLocked(k *downCall) {
	k.doubted = true
	k.doubt = time.AfterFunc(doubtFor, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && k.lane.calls[k.id] == k && k.doubted {
			k.doubted = false
			c.turnsLocked(k.lane)
		}
	})
}

// yieldLocked ends the turn of a call, if it has one.
func (c *conn) yieldLocked(k *downCall) {
	if !k.running {
		return
	}
	k.running, k.doubted = false, false
	if k.doubt != nil {
		k.doubt.Stop()
	}
	c.turnsLocked(k.lane)
}

// needOf is the capability without which a server must not make a request.
func needOf(method string) string {
	switch method {
	case methodElicit:
		return "elicitation"
	case methodSample:
		return "sampling"
	case methodRoots:
		return "roots"
	}
	return ""
}

// downAskedLocked takes a request of the server.
func (c *conn) downAskedLocked(l *lane, m jsonrpc.Message) {
	need := needOf(m.Method())
	switch {
	case m.Method() == mcp.MethodPing:
		c.sendLocked(l, jsonrpc.NewResult(m.ID(), []byte(`{}`)))
		return
	case need == "" || member(l.needs, need) == nil:
		c.sendLocked(l, jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+m.Method(), nil))
		return
	case need == "elicitation" && text(m.Params(), "mode") == "url" && !l.opensURLs():
		c.sendLocked(l, jsonrpc.NewError(m.ID(), jsonrpc.CodeInvalidParams, "the client does not open pages", nil))
		return
	case !l.roomFor(m):
		c.refuseAskedLocked(l, m.ID(), "too many requests for input are open")
		return
	}
	if task := text(m.Meta(), metaTask, "taskId"); task != "" {
		c.taskAskedLocked(l, task, newInput(m))
		return
	}
	if k := l.namedBy(m); k != nil {
		c.inputLocked(k, newInput(m))
		return
	}
	c.Memory.noteAsking()
	r := &riddle{msg: m}
	r.timer = time.AfterFunc(riddleLimit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && !l.retired && l.forgetRiddle(m.ID()) {
			c.refuseAskedLocked(l, m.ID(), "several calls are open, and the request does not say to which it belongs")
		}
	})
	l.riddles = append(l.riddles, r)
	c.solveLocked(l)
}

// namedBy is the call on whose stream a request of the server came, or whose
// progress token it repeats.
func (l *lane) namedBy(m jsonrpc.Message) *downCall {
	if k := l.calls[m.About()]; k != nil && k.sent > 0 && asksForInput(k.msg.Method()) {
		return k
	}
	token := string(member(m.Meta(), "progressToken"))
	for _, k := range l.calls {
		if token != "" && string(k.token) == token && k.sent > 0 && asksForInput(k.msg.Method()) {
			return k
		}
	}
	return nil
}

// refuseAskedLocked answers a request of the server that reaches nobody.
func (c *conn) refuseAskedLocked(l *lane, id jsonrpc.ID, why string) {
	c.Log.Info("question of the server refused", "server", c.Server, "reason", why)
	c.sendLocked(l, jsonrpc.NewError(id, jsonrpc.CodeInternalError, why, nil))
}

func (l *lane) forgetRiddle(id jsonrpc.ID) bool {
	for i, r := range l.riddles {
		if r.msg.ID() == id {
			r.timer.Stop()
			l.riddles = append(l.riddles[:i], l.riddles[i+1:]...)
			return true
		}
	}
	return false
}

// solveLocked gives the server's questions to the call they belong to, once only
// one can have asked: of those that run, or of those whose clients were asked
// already when none runs.
func (c *conn) solveLocked(l *lane) {
	if len(l.riddles) == 0 {
		return
	}
	var running, held *downCall
	runs, holds := 0, 0
	for _, k := range l.calls {
		switch {
		case k.running:
			running = k
			runs++
		case k.held() && asksForInput(k.msg.Method()):
			held = k
			holds++
		}
	}
	k := running
	if runs == 0 && holds == 1 {
		k, runs = held, 1
	}
	if runs > 1 {
		return
	}
	riddles := l.riddles
	l.riddles = nil
	for _, r := range riddles {
		r.timer.Stop()
		if k == nil || runs != 1 {
			c.refuseAskedLocked(l, r.msg.ID(), "no call is open to which the request can belong")
			continue
		}
		c.inputLocked(k, newInput(r.msg))
	}
}
