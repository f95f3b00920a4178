package era

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// role is what a connection to the server is used for.
type role string

const (
	plain  role = "plain"  // the client's own initialize opened it; nothing is touched
	probe  role = "probe"  // it was asked which era it is of
	modern role = "modern" // stateless; nothing is touched for clients of that era
	down   role = "down"   // our initialize opened it, for clients of 2026-07-28
)

// lane is one connection to the server. The mutex of the conn guards it.
type lane struct {
	conn    jsonrpc.Conn // nil while it is dialled
	role    role
	retired bool // closed, or lost

	passes  atomic.Int32 // by role: which requests need no lock
	out     []jsonrpc.Message
	queued  atomic.Int32 // of out, and the one being written
	work    chan struct{}
	reader  atomic.Int32    // who reads it
	writing bool            // a Send has not returned
	unsent  jsonrpc.Message // its Send failed
	end     error           // why it ended, while that is not given out

	session // of a down lane
}

// Who reads a lane.
const (
	nobody int32 = iota
	byRecv       // the goroutine that calls Recv, while the lane is direct
	byPump       // a goroutine of the lane
)

// Which requests pass on a lane untouched.
const (
	passesNone int32 = iota
	passesGreeted
	passesStateless
)

// become gives a lane its role.
func (l *lane) become(r role) {
	l.role = r
	switch r {
	case plain:
		l.passes.Store(passesGreeted)
	case modern:
		l.passes.Store(passesStateless)
	case probe, down:
		l.passes.Store(passesNone)
	default:
		panic("era: role " + string(r))
	}
}

// claim takes the reading over for Recv.
func (l *lane) claim() bool {
	return l.reader.Load() == byRecv || l.reader.CompareAndSwap(nobody, byRecv)
}

// openLocked makes a lane on the connection at hand or on a new one.
func (c *conn) openLocked(r role) *lane {
	if l := c.unused; l != nil && r != modern {
		c.unused = nil
		l.become(r)
		return l
	}
	l := &lane{work: make(chan struct{}, 1)}
	l.become(r)
	c.lanes = append(c.lanes, l)
	if far := c.spare; far != nil {
		c.spare, l.conn = nil, far
		c.wg.Go(func() { c.write(l) })
		if r == down || c.up != nil { // to be translated
			l.reader.Store(byPump)
			c.wg.Go(func() { c.read(l) })
			return l
		}
		c.direct.Store(l)
		c.signal()
		return l
	}
	c.pumpLocked()
	c.wg.Go(func() { c.dial(l) })
	return l
}

func (c *conn) dial(l *lane) {
	far, err := c.Dial(c.life)
	if err != nil {
		c.bring(arrival{l, item{err: err}})
		return
	}
	c.mu.Lock()
	unwanted := l.retired || c.closed
	if !unwanted {
		l.conn = far
		c.wg.Go(func() { c.write(l) })
		l.reader.Store(byPump)
		c.wg.Go(func() { c.read(l) })
	}
	c.mu.Unlock()
	if unwanted {
		c.logClose(far)
	}
}

func (c *conn) logClose(far jsonrpc.Conn) {
	if err := far.Close(); err != nil {
		c.Log.Debug("connection not closed in order", "server", c.Server, "err", err)
	}
}

// pumpLocked ends the direct way: from now on lanes have readers of their own.
// When Recv waits on the lane at this moment, something harmless is asked, so
// that it comes back.
func (c *conn) pumpLocked() {
	l := c.direct.Load()
	if l == nil || c.undirectLocked() {
		return
	}
	switch l.role {
	case plain:
		c.askLocked(l, mcp.MethodPing, nil, func(jsonrpc.Message, error) {})
	case modern:
		c.askLocked(l, mcp.MethodDiscover, metaParams(nil), func(jsonrpc.Message, error) {})
	case probe, down: // an answer is on its way
	default:
		panic("era: role " + string(l.role))
	}
}

// undirectLocked ends the direct way; false when Recv waits on its lane, so that
// something has to come there first.
func (c *conn) undirectLocked() bool {
	l := c.direct.Load()
	if l == nil {
		return true
	}
	c.direct.Store(nil)
	if l.reader.CompareAndSwap(nobody, byPump) {
		c.wg.Go(func() { c.read(l) })
		return true
	}
	return c.receiving // then Recv hands the lane over when it is done
}

// handOver gives a lane that Recv has read a reader of its own.
func (c *conn) handOver(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.retired || c.closed || !l.reader.CompareAndSwap(byRecv, byPump) {
		return
	}
	c.wg.Go(func() { c.read(l) })
}

// read hands what comes on a lane to Recv.
func (c *conn) read(l *lane) {
	for {
		m, err := l.conn.Recv(c.life)
		if !c.bring(arrival{l, item{m, err}}) || (err != nil && !isOne(err)) {
			return
		}
	}
}

func (c *conn) bring(a arrival) bool {
	select {
	case c.in <- a:
		return true
	case <-c.life.Done():
		return false
	}
}

// isOne tells whether an error is about one message only.
func isOne(err error) bool {
	var failed *jsonrpc.CallError
	var refused *jsonrpc.RefusedError
	return errors.As(err, &failed) || errors.As(err, &refused)
}

// retireLocked closes a lane that nobody uses any more.
func (c *conn) retireLocked(l *lane) {
	if l.retired {
		return
	}
	l.retired = true
	l.stopTimers()
	c.forgetLocked(l)
	select {
	case l.work <- struct{}{}:
	default:
	}
	if far := l.conn; far != nil {
		c.wg.Go(func() { c.logClose(far) })
	}
}

// forgetLocked takes a lane out of every table.
func (c *conn) forgetLocked(l *lane) {
	for i, other := range c.lanes {
		if other == l {
			c.lanes = append(c.lanes[:i], c.lanes[i+1:]...)
			break
		}
	}
	if c.unused == l {
		c.unused = nil
	}
	if c.plain == l {
		c.plain = nil
	}
	if c.modern == l {
		c.modern = nil
	}
	if c.downs[l.key] == l {
		delete(c.downs, l.key)
	}
	for id, e := range c.own {
		if e.lane == l {
			e.timer.Stop()
			delete(c.own, id)
		}
	}
}

// errand is a request of our own.
type errand struct {
	lane  *lane
	done  func(jsonrpc.Message, error) // called with mu held
	timer *time.Timer
}

// askLocked sends a request of our own; done gets the answer, with mu held.
func (c *conn) askLocked(l *lane, method string, params []byte, done func(jsonrpc.Message, error)) jsonrpc.ID {
	return c.askWithinLocked(l, jsonrpc.NewRequest(c.newIDLocked(), method, params), greetLimit, done)
}

func (c *conn) newIDLocked() jsonrpc.ID {
	c.serial++
	return jsonrpc.ID(`"drawbridge:era:` + strconv.Itoa(c.serial) + `"`)
}

func (c *conn) askWithinLocked(l *lane, m jsonrpc.Message, limit time.Duration, done func(jsonrpc.Message, error)) jsonrpc.ID {
	id := m.ID()
	e := &errand{lane: l, done: done}
	c.own[id] = e
	e.timer = time.AfterFunc(limit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.own[id] == e && !c.closed {
			delete(c.own, id)
			done(jsonrpc.Message{}, fault.New(fault.Timeout, c.Server).With("no answer to %s within %v", m.Method(), limit))
		}
	})
	c.sendLocked(l, m)
	return id
}

// answeredLocked tells whether an answer was to a request of our own.
func (c *conn) answeredLocked(l *lane, id jsonrpc.ID, m jsonrpc.Message, err error) bool {
	e := c.own[id]
	if e == nil || e.lane != l {
		return false
	}
	delete(c.own, id)
	e.timer.Stop()
	e.done(m, err)
	return true
}

// arrived handles what came from a server.
func (c *conn) arrived(a arrival) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.lane.retired || c.closed {
		return
	}
	c.receiving = true
	defer func() { c.receiving = false }()
	var failed *jsonrpc.CallError
	switch l := a.lane; {
	case errors.As(a.err, &failed):
		if !c.answeredLocked(l, failed.ID, jsonrpc.Message{}, failed.Err) {
			c.callFailedLocked(l, failed)
		}
	case a.err != nil && isOne(a.err):
		c.giveLocked(a.item)
	case a.err != nil:
		c.endedLocked(l, a.err)
	case a.msg.Kind() == jsonrpc.Response:
		if !c.answeredLocked(l, a.msg.ID(), a.msg, nil) {
			c.answerLocked(l, a.msg)
		}
	default:
		c.serverSaysLocked(l, a.msg)
	}
}

// answerLocked takes an answer to a request of the client.
func (c *conn) answerLocked(l *lane, m jsonrpc.Message) {
	switch l.role {
	case plain:
		c.plainAnswerLocked(l, m)
	case modern:
		if c.up != nil && c.upAnswerLocked(m) {
			return
		}
		c.toNearLocked(m)
	case down:
		c.downAnswerLocked(l, m)
	case probe:
		if p := c.probing; p != nil && p.lane == l && m.ID() == "null" && m.Error() != nil {
			c.answeredLocked(l, p.id, m, nil) // nothing else was asked (adcontextprotocol/adcp-client#2408)
			return
		}
		c.Log.Debug("answer to no open request dropped", "server", c.Server)
	default:
		panic("era: role " + string(l.role))
	}
}

// callFailedLocked takes the word that a request of the client got no answer.
func (c *conn) callFailedLocked(l *lane, e *jsonrpc.CallError) {
	switch l.role {
	case plain:
		c.plainFailedLocked(l, e)
	case modern:
		if c.up == nil || !c.upFailedLocked(e) {
			c.giveLocked(item{err: e})
		}
	case down:
		c.downFailedLocked(l, e)
	case probe:
	default:
		panic("era: role " + string(l.role))
	}
}

// serverSaysLocked takes what a server says by itself.
func (c *conn) serverSaysLocked(l *lane, m jsonrpc.Message) {
	switch l.role {
	case plain:
		c.toNearLocked(m)
	case modern:
		if c.up == nil || !c.upSaysLocked(m) {
			c.toNearLocked(m)
		}
	case down:
		c.downSaysLocked(l, m)
	case probe:
		if m.Kind() == jsonrpc.Request { // nobody said hello
			c.sendLocked(l, jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "not before initialize", nil))
		}
	default:
		panic("era: role " + string(l.role))
	}
}

// endedLocked takes the end of a connection. What the client's own handshake
// opened is the relay's to open again; what was opened here is opened here.
func (c *conn) endedLocked(l *lane, err error) {
	retire := func() {
		l.reader.Store(byPump) // it is read no more
		if c.direct.Load() == l {
			c.direct.Store(nil)
		}
		c.retireLocked(l)
	}
	switch l.role {
	case probe:
		retire()
		c.probeEndedLocked(err)
	case down:
		retire()
		c.downEndedLocked(l, err)
	case plain, modern:
		l.end = err
		if !l.writing {
			c.giveEndLocked(l)
			return
		}
		c.wg.Go(func() { c.closeSoon(l) })
	default:
		panic("era: role " + string(l.role))
	}
}
