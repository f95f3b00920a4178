package era

import (
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// sendLocked queues a message for the server. One that asks and asks and reads
// nothing loses the connection.
func (c *conn) sendLocked(l *lane, m jsonrpc.Message) {
	l.out = append(l.out, m)
	l.queued.Add(1)
	if len(l.out) == outMost && l.conn != nil {
		c.Log.Info("the server reads nothing; connection given up", "server", c.Server, "waiting", outMost)
		c.wg.Go(func() { c.logClose(l.conn) })
	}
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// write sends what is queued, in order.
func (c *conn) write(l *lane) {
	for {
		c.mu.Lock()
		c.writtenLocked(l)
		var m jsonrpc.Message
		if len(l.out) > 0 {
			m = l.out[0]
			l.out = l.out[1:]
			l.writing = true
		}
		ended := l.retired
		c.mu.Unlock()
		if ended {
			return
		}
		if m.Kind() == "" {
			select {
			case <-l.work:
				continue
			case <-c.life.Done():
				return
			}
		}
		err := l.conn.Send(c.life, m)
		l.queued.Add(-1)
		select {
		case c.written <- struct{}{}:
		default:
		}
		if err != nil {
			c.broken(l, m, err)
			return
		}
	}
}

// writtenLocked takes the return of a Send. The end of its connection may be
// waiting for that.
func (c *conn) writtenLocked(l *lane) {
	l.writing = false
	if l.end != nil && !l.retired && !c.closed {
		c.giveEndLocked(l)
	}
}

// noticeLimit is how long the reader of a lane that takes nothing any more has
// to see why, and its writer.
const noticeLimit = time.Second

// broken sees to it that a lane whose writing failed ends. A message whose Send
// failed was read by nobody, for its last byte did not get through.
func (c *conn) broken(l *lane, m jsonrpc.Message, err error) {
	c.Log.Debug("message not delivered", "server", c.Server, "err", err)
	c.mu.Lock()
	l.unsent = m
	c.writtenLocked(l)
	c.mu.Unlock()
	c.closeSoon(l)
}

// closeSoon closes a lane that does not end by itself.
func (c *conn) closeSoon(l *lane) {
	t := time.NewTimer(noticeLimit)
	defer t.Stop()
	select {
	case <-t.C:
		c.logClose(l.conn)
	case <-c.life.Done():
	}
}

// giveEndLocked gives out the end of a connection that the relay is to open
// again, with the requests that may be sent over the next.
func (c *conn) giveEndLocked(l *lane) {
	err := l.end
	l.end = nil
	if ids := c.repeatableLocked(l); len(ids) > 0 {
		err = &upstream.EndError{Err: err, Repeat: ids}
	}
	c.giveLocked(item{err: err})
}

// repeatableLocked are the client's requests of which nothing reached the server
// on this lane, and those that only read.
func (c *conn) repeatableLocked(l *lane) (ids []jsonrpc.ID) {
	for _, m := range append([]jsonrpc.Message{l.unsent}, l.out...) {
		switch {
		case m.Kind() != jsonrpc.Request || c.own[m.ID()] != nil:
		case l.role == plain || c.up == nil:
			ids = append(ids, m.ID())
		case c.up.calls[m.ID()] != nil && c.up.calls[m.ID()].round == 0:
			ids = append(ids, c.up.calls[m.ID()].near)
		}
	}
	if c.up != nil && l.role == modern {
		ids = append(ids, c.up.repeatable()...)
	}
	for _, m := range c.held {
		if m.Kind() == jsonrpc.Request {
			ids = append(ids, m.ID())
		}
	}
	return ids
}
