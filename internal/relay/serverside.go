package relay

import (
	"errors"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// fromServer is the pump from one connection to the client.
func (r *relay) fromServer(l *link) {
	for {
		m, err := l.conn.Recv(r.ctx)
		var failed *jsonrpc.CallError
		var refused *jsonrpc.RefusedError
		switch {
		case errors.As(err, &failed):
			r.failed(l, failed)
		case errors.As(err, &refused):
			r.Log.Warn("message of the server dropped", "server", r.Server, "reason", refused.Reason)
			if refused.ID != "" {
				r.decline(l, refused.ID, fault.New(fault.InvalidRequest, r.Server).Because(refused))
			}
		case err != nil:
			r.lost(l, err)
			return
		case m.Kind() == jsonrpc.Response:
			r.answer(l, m)
		case m.Kind() == jsonrpc.Request:
			r.ask(l, m)
		default:
			if m.Method() == mcp.MethodCancelled {
				r.takenBack(l, m)
			}
			r.toClient(m)
		}
	}
}

// answer takes the server's answer to a request.
func (r *relay) answer(l *link, m jsonrpc.Message) {
	id := m.ID()
	r.mu.Lock()
	if ch := l.own[id]; ch != nil {
		delete(l.own, id)
		r.mu.Unlock()
		ch <- outcome{msg: m}
		return
	}
	c := r.takeLocked(l, id)
	if c == nil {
		r.mu.Unlock()
		if id == "" || id == "null" { // about bytes that the server could not read
			r.toClient(m)
			return
		}
		r.Log.Debug("answer to no open request dropped", "server", r.Server, "id", string(id))
		return
	}
	r.noteLocked(c.msg, m)
	r.mu.Unlock()
	if r.Gate != nil {
		out, err := r.Gate.Release(r.ctx, c.msg, m)
		if err != nil {
			r.refuse(id, err)
			return
		}
		m = out
	}
	r.toClient(m)
}

// takeLocked removes the open request id that was sent on l.
func (r *relay) takeLocked(l *link, id jsonrpc.ID) *call {
	c := r.open[id]
	if c == nil || c.on != l {
		return nil
	}
	delete(r.open, id)
	r.settleLocked(id, c)
	return c
}

// settleLocked ends what goes with a call that is no longer open.
func (r *relay) settleLocked(id jsonrpc.ID, c *call) {
	if c.timer != nil {
		c.timer.Stop()
	}
	if !c.cancelled {
		return
	}
	for i, k := range r.cancelled {
		if k == id {
			r.cancelled = append(r.cancelled[:i], r.cancelled[i+1:]...)
			return
		}
	}
}

// ask hands on a request of the server.
func (r *relay) ask(l *link, m jsonrpc.Message) {
	id := m.ID()
	r.mu.Lock()
	full := len(r.asked) >= r.Pending
	if !full {
		r.asked[id] = l
	}
	r.mu.Unlock()
	if full {
		r.decline(l, id, fault.New(fault.TooManyRequests, r.Server))
		return
	}
	r.toClient(m)
}

// decline refuses a request of the server. It does not wait for a server that
// does not read, for then nobody would read what the server says.
func (r *relay) decline(l *link, id jsonrpc.ID, why *fault.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.declining == mostDeclined {
		r.Log.Warn("request of the server dropped, it reads no answers", "server", r.Server)
		return
	}
	l.declining++
	r.wg.Go(func() {
		code, message, data := why.RPC()
		r.tell(l, jsonrpc.NewError(id, code, message, data))
		r.mu.Lock()
		l.declining--
		r.mu.Unlock()
	})
}

// takenBack forgets a request that the server cancelled.
func (r *relay) takenBack(l *link, m jsonrpc.Message) {
	id := cancelledID(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked[id] == l {
		delete(r.asked, id)
	}
}
