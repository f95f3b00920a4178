package relay

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// replay is what a new session is told so that it equals the lost one.
type replay struct {
	hello   jsonrpc.Message // the client's initialize
	welcome jsonrpc.Message // the server's answer to it
	greeted bool            // welcome is a result
	ready   bool            // the client sent notifications/initialized
	level   jsonrpc.Message // its last logging/setLevel
	subs    map[string]jsonrpc.Message
}

// rememberLocked keeps what makes up the session's state, of what is being
// sent. What waits in the queue is not told twice.
func (r *relay) rememberLocked(m jsonrpc.Message) {
	switch method := m.Method(); method {
	case mcp.MethodInitialized:
		r.ready = true
	case "logging/setLevel":
		r.level = m
	case "resources/subscribe", "resources/unsubscribe":
		uri, _ := jsonrpc.Member(m.Params(), "uri")
		if method == "resources/subscribe" && len(r.subs) < 1000 {
			r.subs[string(uri)] = m
		} else {
			delete(r.subs, string(uri))
		}
	}
}

// noteLocked keeps an initialize and its result. One that is refused changes
// nothing; a later one begins a new session.
func (r *relay) noteLocked(request, answer jsonrpc.Message) {
	if request.Method() != mcp.MethodInitialize || answer.Result() == nil {
		return
	}
	if r.greeted {
		r.replay = replay{subs: map[string]jsonrpc.Message{}}
	}
	r.hello, r.welcome, r.greeted = request, answer, true
}

// greetsItselfLocked tells whether the client's own initialize waits.
func (r *relay) greetsItselfLocked() bool {
	return slices.ContainsFunc(r.queue, func(m jsonrpc.Message) bool { return m.Method() == mcp.MethodInitialize })
}

// eagerLocked tells whether a lost server is reached again at once.
func (r *relay) eagerLocked() bool { return r.Eager && r.Reconnect && r.greeted && !r.leaving }

// backoffLocked is the pause before the next eager try.
func (r *relay) backoffLocked() time.Duration {
	r.backoff = min(max(2*r.backoff, retryFirst), retryMost)
	return r.backoff
}

// connectLocked starts connecting: anew, or by a new session on l. What comes
// meanwhile is queued.
func (r *relay) connectLocked(l *link, after time.Duration) {
	if r.leaving {
		return
	}
	r.state, r.link = connecting, l
	r.wg.Go(func() { r.connect(l, after) })
}

// renewLocked sees to a new session on l. While the queue is being sent, who
// sends it does.
func (r *relay) renewLocked(l *link) {
	l.epoch++
	if r.state == up {
		r.connectLocked(l, 0)
	} else {
		l.stale = true
	}
}

// connect brings the relay to up, or back to down with the queue refused.
func (r *relay) connect(l *link, pause time.Duration) {
	for {
		if !r.pause(pause) {
			return
		}
		err := r.establish(l)
		if err == nil || r.ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, errStale):
			r.mu.Lock()
			l, pause = r.link, 0
			r.mu.Unlock()
			continue
		case errors.Is(err, errUnread):
			l, pause = nil, 0
			continue
		}
		r.Log.Info("server not reached", "server", r.Server, "err", err)
		r.refuseQueue(err)
		r.mu.Lock()
		if r.link != nil && !r.Reconnect {
			r.stop(fault.Of(err, r.Server)) // there was a connection, so this is its loss
		}
		again := r.eagerLocked()
		if !again && len(r.queue) == 0 {
			r.state, r.link = down, nil
			r.mu.Unlock()
			return
		}
		l, pause = nil, 0
		if again {
			pause = r.backoffLocked()
		}
		r.mu.Unlock()
	}
}

// pause waits, shorter when a message of the client is waiting. It is false at
// the relay's end.
func (r *relay) pause(d time.Duration) bool {
	if d == 0 {
		return r.ctx.Err() == nil
	}
	end := time.NewTimer(d + rand.N(d/5+1))
	defer end.Stop()
	for {
		r.mu.Lock()
		waiting := len(r.queue) > 0
		r.mu.Unlock()
		if waiting {
			return true
		}
		select {
		case <-end.C:
			return true
		case <-r.kick:
		case <-r.ctx.Done():
			return false
		}
	}
}

// establish reaches the server, repeats the handshake if there was one, and
// sends what waits.
func (r *relay) establish(l *link) error {
	if l == nil {
		conn, err := r.Dial(r.ctx)
		if err != nil {
			return err
		}
		l = &link{conn: conn, own: map[jsonrpc.ID]chan<- outcome{}}
		r.mu.Lock()
		r.link = l
		r.mu.Unlock()
		r.wg.Go(func() {
			wake := context.AfterFunc(r.ctx, func() { conn.Close() })
			defer wake()
			defer conn.Close()
			r.fromServer(l)
		})
	} else {
		l.sends.Wait()
	}
	r.mu.Lock()
	replayed := r.greeted && !r.greetsItselfLocked()
	withdrawn := r.withdrawLocked(l) // asked in the session before
	r.mu.Unlock()
	r.withdraw(withdrawn)
	changed := false
	if replayed {
		var err error
		if changed, err = r.handshake(l); err != nil {
			l.conn.Close()
			return err
		}
	}
	if err := r.flush(l); err != nil {
		if !errors.Is(err, errStale) {
			l.conn.Close()
		}
		return err
	}
	if changed {
		r.toClient(jsonrpc.NewNotification(mcp.MethodToolsChange, nil))
	}
	return nil
}

// handshake gives a new session the client's own initialize and what followed
// it. It tells whether the server is another version of itself.
func (r *relay) handshake(l *link) (changed bool, err error) {
	r.mu.Lock()
	hello, old, ready, level := r.hello, r.welcome, r.ready, r.level
	subs := make([]jsonrpc.Message, 0, len(r.subs))
	for _, m := range r.subs {
		subs = append(subs, m)
	}
	r.mu.Unlock()
	fresh, err := r.own(l, mcp.MethodInitialize, hello.Params())
	if err != nil {
		return false, err
	}
	if fresh.Result() == nil {
		return false, fault.New(fault.SessionExpired, r.Server).Because(&remoteError{fresh.Error()})
	}
	if changed, err = r.compare(old.Result(), fresh.Result()); err != nil {
		return false, err
	}
	if ready {
		if err := l.conn.Send(r.ctx, jsonrpc.NewNotification(mcp.MethodInitialized, nil)); err != nil {
			return false, err
		}
	}
	if level.Kind() != "" {
		subs = append(subs, level)
	}
	for _, m := range subs {
		_, err := r.own(l, m.Method(), m.Params())
		var one *jsonrpc.CallError
		if err != nil && !errors.As(err, &one) { // one that fails alone is as if the server had refused it
			return false, err
		}
	}
	return changed, nil
}

// remoteError shows a JSON-RPC error object as a cause.
type remoteError struct{ object []byte }

func (e *remoteError) Error() string {
	v, _ := jsonrpc.Member(e.object, "message")
	s, _ := jsonrpc.String(v)
	return s
}

// compare refuses another server under the same name.
func (r *relay) compare(old, fresh []byte) (changed bool, err error) {
	member := func(object []byte, path ...string) []byte {
		for _, p := range path {
			object, _ = jsonrpc.Member(object, p)
		}
		return object
	}
	same := func(path ...string) bool { return bytes.Equal(member(old, path...), member(fresh, path...)) }
	if !same("serverInfo", "name") || !same("protocolVersion") {
		return false, fault.New(fault.ServerChanged, r.Server)
	}
	if same("serverInfo", "version") {
		return false, nil
	}
	if !same("capabilities") {
		return false, fault.New(fault.ServerChanged, r.Server).With("the server came back with other capabilities")
	}
	return true, nil
}

// own sends a request of the relay itself and waits for its answer.
func (r *relay) own(l *link, method string, params []byte) (jsonrpc.Message, error) {
	ch := make(chan outcome, 1)
	r.mu.Lock()
	if l.dead {
		r.mu.Unlock()
		return jsonrpc.Message{}, fault.New(fault.ConnectionLost, r.Server).With("the connection broke at once")
	}
	r.serial++
	id := jsonrpc.ID(`"drawbridge:` + strconv.Itoa(r.serial) + `"`)
	l.own[id] = ch
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, handshakeLimit)
	defer cancel()
	if err := l.conn.Send(ctx, jsonrpc.NewRequest(id, method, params)); err != nil {
		return jsonrpc.Message{}, err
	}
	select {
	case o := <-ch:
		return o.msg, o.err
	case <-ctx.Done():
		r.mu.Lock()
		delete(l.own, id)
		r.mu.Unlock()
		if r.ctx.Err() != nil {
			return jsonrpc.Message{}, r.ctx.Err()
		}
		return jsonrpc.Message{}, fault.New(fault.Timeout, r.Server).With("no answer to %s within %v", method, handshakeLimit)
	}
}

// What flush does not go on from, though the queue is not lost.
var (
	errUnread = errors.New("the connection broke before all was sent")      // the queue goes over another
	errStale  = errors.New("the session was forgotten before all was sent") // the connection takes another
)

// flush sends what waited, in order, and then lets the pump send by itself.
func (r *relay) flush(l *link) error {
	for {
		r.mu.Lock()
		if l.dead {
			err := l.err
			r.mu.Unlock()
			return r.unread(err)
		}
		if l.stale {
			l.stale = false
			r.mu.Unlock()
			return errStale
		}
		if len(r.queue) == 0 {
			r.queue = nil
			r.state, r.since = up, time.Now()
			r.mu.Unlock()
			return nil
		}
		m := r.queue[0]
		r.queue = r.queue[1:]
		again, err := r.deliverLocked(l, m)
		if err == nil {
			continue
		}
		r.orphan(l, err)
		if again {
			return r.unread(err, m)
		}
		return r.unread(err)
	}
}

// unread sees to what waits when a connection breaks, after first: nobody has
// read it, so it waits for another connection, each request once. Without a
// request that may the error is err itself, and the queue is as it was.
func (r *relay) unread(err error, first ...jsonrpc.Message) error {
	r.mu.Lock()
	kept, spared := first, len(first) > 0
	var refused []jsonrpc.ID
	for _, m := range r.queue {
		c := r.open[m.ID()]
		switch {
		case m.Kind() != jsonrpc.Request:
			kept = append(kept, m)
		case c != nil && r.mayRepeat(c):
			spared, c.again = true, true
			kept = append(kept, m)
		case c != nil && c.on == nil:
			refused = append(refused, m.ID())
		}
	}
	if !spared {
		r.mu.Unlock()
		return err
	}
	r.queue = kept
	for _, id := range refused {
		r.settleLocked(id, r.open[id])
		delete(r.open, id)
	}
	r.mu.Unlock()
	for _, id := range refused {
		r.refuse(id, r.unsent(err))
	}
	return errUnread
}

// unsent is what a call that waited is answered with. It was sent to nobody, so
// the word of a lost connection, that it may have taken effect, is not for it.
func (r *relay) unsent(err error) error {
	r.mu.Lock()
	greeted := r.greeted
	r.mu.Unlock()
	if greeted && fault.IsCode(err, fault.ConnectionLost) {
		return fault.New(fault.SessionExpired, r.Server).Because(err)
	}
	return err
}

// orphan answers what was sent on a connection that broke while flushing.
func (r *relay) orphan(l *link, err error) {
	r.mu.Lock()
	dead := r.orphansLocked(l)
	r.mu.Unlock()
	for _, c := range dead {
		if !c.cancelled {
			r.refuse(c.msg.ID(), r.lossOf(c, err))
		}
	}
}

// refuseQueue answers what waits for a connection that did not come about.
func (r *relay) refuseQueue(err error) {
	r.mu.Lock()
	queue := r.queue
	r.queue = nil
	var ids []jsonrpc.ID
	for _, m := range queue {
		if m.Kind() != jsonrpc.Request {
			continue
		}
		id := m.ID()
		if c := r.open[id]; c != nil && c.on == nil {
			delete(r.open, id)
			r.settleLocked(id, c)
			ids = append(ids, id)
		}
	}
	r.mu.Unlock()
	for _, id := range ids {
		r.refuse(id, r.unsent(err))
	}
}
