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
		ch <- outcome{err: e.Err}
		return
	}
	if e.ID == "" {
		if forgotten && r.Reconnect {
			if r.link == l && r.state == up {
				r.connectLocked(l, 0)
			}
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
		c.again, c.on = true, nil
		if r.link == l && r.state == up && c.epoch == l.epoch {
			r.connectLocked(l, 0)
		}
		r.forwardLocked(c.msg)
		return
	}
	delete(r.open, e.ID)
	r.settleLocked(e.ID, c)
	r.mu.Unlock()
	r.refuse(e.ID, e.Err)
}

// mayRepeat tells whether a request that the server refused unread is sent
// again in a new session.
func (r *relay) mayRepeat(c *call) bool {
	return r.Reconnect && r.greeted && !c.again && !c.cancelled && c.msg.Method() != mcp.MethodInitialize
}

// lost takes the end of a connection: what was sent on it and has no answer is
// answered, once.
func (r *relay) lost(l *link, err error) {
	l.conn.Close()
	r.mu.Lock()
	if !l.dead {
		l.dead, l.err = true, err
	}
	dead := r.orphansLocked(l)
	var withdrawn []jsonrpc.ID
	for id, on := range r.asked {
		if on == l {
			delete(r.asked, id)
			withdrawn = append(withdrawn, id)
		}
	}
	for id, ch := range l.own {
		delete(l.own, id)
		ch <- outcome{err: err}
	}
	current := r.link == l && r.state == up
	if current {
		r.link, r.state = nil, down
	}
	leaving := r.leaving || r.ctx.Err() != nil
	if current && r.Reconnect && r.Eager && r.greeted && !leaving {
		r.connectLocked(nil, retryFirst)
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
	for _, id := range withdrawn {
		r.toClient(jsonrpc.NewNotification(mcp.MethodCancelled,
			[]byte(`{"requestId":`+string(id)+`,"reason":"the connection to the server ended"}`)))
	}
	if current && !r.Reconnect {
		r.stop(fault.Of(err, r.Server))
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
	if r.open[id] != c || c.cancelled {
		r.mu.Unlock()
		return
	}
	delete(r.open, id)
	r.unqueueLocked(id)
	l := c.on
	r.mu.Unlock()
	if c.msg.Method() == mcp.MethodDiscover {
		r.toClient(jsonrpc.NewError(id, jsonrpc.CodeMethodNotFound, "Method not found: "+mcp.MethodDiscover, nil))
	} else {
		r.refuse(id, fault.New(fault.Timeout, r.Server).With("no answer within %v", limit))
	}
	if l != nil {
		r.send(l, cancellation(id, "no answer in time"))
	}
}

func cancellation(id jsonrpc.ID, reason string) jsonrpc.Message {
	return jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(id)+`,"reason":"`+reason+`"}`))
}

// cancelLocked notes a cancellation. It is true when the call was still
// waiting for a connection, so that the server need not hear of either.
func (r *relay) cancelLocked(m jsonrpc.Message) bool {
	v, _ := jsonrpc.Member(m.Params(), "requestId")
	id := jsonrpc.ID(v)
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
		delete(r.open, r.cancelled[0])
		r.cancelled = r.cancelled[1:]
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

// leave ends the server's side after the client left: calls about to be
// answered get a moment, the rest are cancelled, the session is closed.
func (r *relay) leave() {
	r.mu.Lock()
	r.leaving = true
	l, busy := r.link, len(r.open) > len(r.cancelled)
	r.mu.Unlock()
	if l == nil {
		return
	}
	if busy && r.ctx.Err() == nil {
		r.drain()
	}
	r.mu.Lock()
	var rest []jsonrpc.ID
	for id, c := range r.open {
		if c.on == l && !c.cancelled && c.msg.Method() != mcp.MethodInitialize {
			rest = append(rest, id)
		}
	}
	r.mu.Unlock()
	// The relay's own context may be over; the server is told all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), drainLimit)
	defer cancel()
	for _, id := range rest {
		if l.conn.Send(ctx, cancellation(id, "the client left")) != nil {
			break
		}
	}
	l.conn.Close()
}

// drain waits a moment for the open calls' answers.
func (r *relay) drain() {
	end := time.NewTimer(drainLimit)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-end.C:
			return
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		done := len(r.open) <= len(r.cancelled)
		r.mu.Unlock()
		if done {
			return
		}
	}
}
