package era

import (
	"errors"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// downFailedLocked takes the word that a request got no answer. One that the
// server refused unread because it does not know the session any more is sent
// again in a new one, once.
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
	if l.greeted {
		c.regreetLocked(l)
	}
	k.repeatIn(l)
}

// repeatIn has a call sent once more, when l is greeted.
func (k *downCall) repeatIn(l *lane) {
	k.stopTimers()
	delete(k.lane.calls, k.id)
	k.lane, k.again, k.running, k.doubted = l, true, false, false
	l.again = append(l.again, k)
}

// regreetLocked opens a session anew on a connection that is as it was.
func (c *conn) regreetLocked(l *lane) {
	l.greeted, l.level = false, ""
	l.forgetTools()
	l.turns.stopTimers()
	l.riddles = nil // nobody waits for the answers
	c.greetServerLocked(l)
}

// downEndedLocked takes the end of a session's connection. Requests that only
// read, or were never sent, go over the next, and so do listens; other calls may
// have taken effect.
func (c *conn) downEndedLocked(l *lane, err error) {
	c.Log.Info("connection to the server ended", "server", c.Server, "err", err, "open", len(l.calls))
	if !l.greeted {
		if l.conn != nil { // it was reached
			c.Memory.forgetGuess()
		}
		c.failSessionLocked(l, err)
		return
	}
	var again []*downCall
	for _, k := range l.calls {
		if !k.again && !k.held() && (k.sent == 0 || mcp.OnlyReads(k.msg.Method())) {
			again = append(again, k)
		}
	}
	if len(again)+len(l.listens) > 0 && len(c.downs) < lanesMost {
		next := c.openDownLocked(l.speaker)
		for _, k := range again {
			k.repeatIn(next)
		}
		next.listens, l.listens = l.listens, nil
	}
	c.failSessionLocked(l, fault.New(fault.ConnectionLost, c.Server).Because(err))
}

// failSessionLocked answers all that waits for something of a session.
func (c *conn) failSessionLocked(l *lane, err error) {
	for _, m := range l.waiting {
		if m.Kind() == jsonrpc.Request {
			c.failLocked(m.ID(), err)
		}
	}
	for _, k := range l.again {
		c.failLocked(k.near, err)
	}
	l.waiting, l.again, l.queue, l.greeted = nil, nil, nil, false
	for _, k := range l.calls {
		if k.near == "" {
			delete(l.calls, k.id)
			c.unsealLocked(k) // its client learns it when it is back
			continue
		}
		c.finishLocked(k, item{err: err})
	}
	for id := range l.listens {
		c.failLocked(id, err)
	}
	l.listens = nil
}

// relistenDownLocked subscribes anew for the listens that a session before this
// one had, and tells them what they may have missed.
func (c *conn) relistenDownLocked(l *lane) {
	l.follows = map[string]int{}
	for id, s := range l.listens {
		s.times++
		s.left = 0
		for uri := range s.uris {
			c.followLocked(l, s, uri)
		}
		if !s.acked {
			c.acknowledgeLocked(l, s)
			continue
		}
		for method := range s.kinds {
			c.tellListenLocked(id, jsonrpc.NewNotification(method, nil))
		}
		for uri := range s.uris {
			about := withMissing([]byte(`{}`), pair{"uri", jsonrpc.Quote(uri)})
			c.tellListenLocked(id, jsonrpc.NewNotification(methodUpdated, about))
		}
	}
}

// tellListenLocked gives a listen a notification.
func (c *conn) tellListenLocked(id jsonrpc.ID, m jsonrpc.Message) {
	if out, err := m.WithParams(jsonrpc.SetMember(m.Params(), "_meta", subscriptionMeta(m.Meta(), id))); err == nil {
		c.toNearLocked(out)
	}
}
