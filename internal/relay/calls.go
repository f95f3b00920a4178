package relay

import (
	"context"
	"errors"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// failed takes the word that one request got no answer.
func (r *relay) failed(l *link, e *jsonrpc.CallError) {
	forgotten := errors.Is(e, upstream.ErrSessionLost)
	r.mu.Lock()
	if ch := l.own[e.ID]; ch != nil {
		delete(l.own, e.ID)
		r.mu.Unlock()
		ch <- outcome{err: e}
		return
	}
	if e.ID == "" {
		if forgotten && r.Reconnect && r.link == l && r.state == up {
			r.renewLocked(l)
		}
		r.mu.Unlock()
		return
	}
	c := r.open[e.ID]
	if c == nil || c.on != l {
		r.mu.Unlock()
		return
	}
	if forgotten && r.mayRepeat(c) {
		c.again, c.on, c.sending = true, nil, false
		if r.link == l && c.epoch == l.epoch {
			r.renewLocked(l)
		}
		r.forwardLocked(c.msg)
		return
	}
	delete(r.open, e.ID)
	r.settleLocked(e.ID, c)
	r.mu.Unlock()
	if !c.cancelled {
		r.refuse(e.ID, e.Err)
	}
}

// mayRepeat tells whether a request that nobody has read is sent again in a new
// session, or outside of all sessions if it is of 2026-07-28.
func (r *relay) mayRepeat(c *call) bool {
	if !r.Reconnect || c.again || c.cancelled || c.msg.Method() == mcp.MethodInitialize {
		return false
	}
	_, stateless := jsonrpc.Member(c.msg.Meta(), mcp.MetaVersion)
	return stateless || r.greeted
}

// spareLocked gives the calls on l that its end leaves to another connection.
func (r *relay) spareLocked(l *link, err error) (spared []jsonrpc.Message) {
	var end *upstream.EndError
	if !errors.As(err, &end) {
		return nil
	}
	for _, id := range end.Repeat {
		if c := r.open[id]; c != nil && c.on == l && r.mayRepeat(c) {
			c.again, c.on, c.sending = true, nil, false
			spared = append(spared, c.msg)
		}
	}
	return spared
}

// lost takes the end of a connection: what was sent on it and has no answer is
// answered, once.
func (r *relay) lost(l *link, err error) {
	l.conn.Close()
	r.mu.Lock()
	if !l.dead {
		l.dead, l.err = true, err
	}
	spared := r.spareLocked(l, err)
	dead := r.orphansLocked(l)
	withdrawn := r.withdrawLocked(l)
	for id, ch := range l.own {
		delete(l.own, id)
		ch <- outcome{err: err}
	}
	current := r.link == l && r.state == up
	if current {
		r.link, r.state = nil, down
		if time.Since(r.since) >= retrySteady {
			r.backoff = 0
		}
	}
	leaving := r.leaving || r.ctx.Err() != nil
	if current && r.eagerLocked() {
		r.connectLocked(nil, r.backoffLocked())
	}
	for _, m := range spared {
		r.queueLocked(m)
	}
	r.mu.Unlock()
	if leaving {
		return
	}
	r.Log.Info("connection to the server ended", "server", r.Server, "err", err, "open", len(dead))
	for _, c := range dead {
		if !c.cancelled {
			r.refuse(c.msg.ID(), r.lossOf(c, err))
		}
	}
	r.withdraw(withdrawn)
	if current && !r.Reconnect {
		r.stop(fault.Of(err, r.Server))
	}
}

// withdrawLocked forgets what the server asked the client on l.
func (r *relay) withdrawLocked(l *link) (ids []jsonrpc.ID) {
	for id, on := range r.asked {
		if on == l {
			delete(r.asked, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// withdraw tells the client that nobody waits for these answers any more.
func (r *relay) withdraw(ids []jsonrpc.ID) {
	for _, id := range ids {
		r.toClient(cancellation(id, "the connection to the server ended"))
	}
}

// orphansLocked removes the open calls that were sent on l. Those whose Send
// has not returned are left to it.
func (r *relay) orphansLocked(l *link) []*call {
	var dead []*call
	for id, c := range r.open {
		if c.on == l && !c.sending {
			delete(r.open, id)
			r.settleLocked(id, c)
			dead = append(dead, c)
		}
	}
	return dead
}

// lossOf is what a call under way at the loss is answered with. An initialize
// has no effect to doubt, so it gets the cause itself.
func (r *relay) lossOf(c *call, cause error) error {
	if c.msg.Method() == mcp.MethodInitialize {
		return cause
	}
	e := fault.New(fault.ConnectionLost, r.Server)
	var f *fault.Error
	if errors.As(cause, &f) {
		e.Detail = f.Headline()
		e.Err = cause
		return e
	}
	return e.Because(cause)
}

// expire answers a call whose time is up and tells the server.
func (r *relay) expire(id jsonrpc.ID, c *call, limit time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[id] != c || c.cancelled || r.leaving {
		return
	}
	delete(r.open, id)
	r.unqueueLocked(id)
	l, method := c.on, c.msg.Method()
	r.wg.Go(func() {
		if method == mcp.MethodDiscover {
			r.toClient(jsonrpc.NewError(id, jsonrpc.CodeMethodNotFound, "Method not found: "+method, nil))
		} else {
			r.refuse(id, fault.New(fault.Timeout, r.Server).With("no answer within %v", limit))
		}
		if l != nil && method != mcp.MethodInitialize { // which must not be cancelled
			r.tell(l, cancellation(id, "no answer in time"))
		}
	})
}

func cancellation(id jsonrpc.ID, reason string) jsonrpc.Message {
	return jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(id)+`,"reason":"`+reason+`"}`))
}

// cancelledID is the id that a notifications/cancelled names.
func cancelledID(m jsonrpc.Message) jsonrpc.ID {
	v, _ := jsonrpc.Member(m.Params(), "requestId")
	return jsonrpc.ID(v)
}

// cancelLocked notes a cancellation. It is true when the call was still
// waiting for a connection, so that the server need not hear of either.
func (r *relay) cancelLocked(m jsonrpc.Message) bool {
	id := cancelledID(m)
	c := r.open[id]
	if c == nil || c.cancelled {
		return false
	}
	if c.on == nil {
		delete(r.open, id)
		r.settleLocked(id, c)
		r.unqueueLocked(id)
		return true
	}
	c.cancelled = true
	r.cancelled = append(r.cancelled, id)
	if len(r.cancelled) > keptCancelled {
		oldest := r.cancelled[0]
		r.settleLocked(oldest, r.open[oldest])
		delete(r.open, oldest)
	}
	return false
}

func (r *relay) unqueueLocked(id jsonrpc.ID) {
	for i, m := range r.queue {
		if m.Kind() == jsonrpc.Request && m.ID() == id {
			r.queue = append(r.queue[:i:i], r.queue[i+1:]...)
			return
		}
	}
}

// leave ends the server's side after the client left: what is under way gets a
// moment, calls still open are cancelled, the session is closed.
func (r *relay) leave(handled <-chan struct{}) {
	r.drain(handled)
	r.mu.Lock()
	r.leaving = true
	l := r.link
	var rest []jsonrpc.ID
	for id, c := range r.open {
		if c.timer != nil {
			c.timer.Stop()
		}
		if c.on != nil && c.on == l && !c.cancelled && c.msg.Method() != mcp.MethodInitialize {
			rest = append(rest, id)
		}
	}
	r.mu.Unlock()
	if l == nil {
		return
	}
	// The relay's own context may be over; the server is told all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), tellLimit)
	defer cancel()
	for _, id := range rest {
		if l.conn.Send(ctx, cancellation(id, "the client left")) != nil {
			break
		}
	}
	l.conn.Close()
}

// drain waits a moment for what the client said last to be handled and for the
// answers to it.
func (r *relay) drain(handled <-chan struct{}) {
	end := time.NewTimer(drainLimit)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for busy := true; busy; {
		select {
		case <-handled:
			handled = nil // its turn is over, the calls' begins
		case <-tick.C:
		case <-end.C:
			return
		case <-r.ctx.Done():
			return
		}
		r.mu.Lock()
		busy = handled != nil || len(r.open) > len(r.cancelled)
		r.mu.Unlock()
	}
}
