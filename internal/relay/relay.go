// Package relay joins two conversations: a client's and a server's.
//
// It promises that every request gets one answer, whatever becomes of the
// other side; that messages are handed on as they came and in their order; that
// nothing waits behind a slow call; and that a server which went away and came
// back is given the client's own handshake again, without the client noticing.
// A request that may have taken effect is never sent twice. How the two sides
// are reached is left to packages upstream and downstream, what may pass to the
// Gate.
package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Options are what a relay is made of.
type Options struct {
	Server string // its name, for errors
	Log    *slog.Logger
	Dial   func(context.Context) (jsonrpc.Conn, error)
	Gate   Gate // nil lets everything pass

	// Reconnect reaches the server again after a loss, at the client's next
	// message. Without it a loss ends the relay.
	Reconnect bool
	// Eager reconnects at once after a loss, so that the server's own
	// notifications keep coming.
	Eager bool
	// Discover hands server/discover on. Otherwise it is answered as unknown,
	// because servers of the initialize era exit or fall silent on it.
	Discover bool

	Pending int           // most open requests each way; 0 is 256
	Limit   time.Duration // of one call; 0 is none
}

// Gate is where rules and records see what passes.
type Gate interface {
	// Admit is asked before a client's message goes to the server. An error
	// refuses it: a request is answered with the error, anything else dropped.
	Admit(ctx context.Context, m jsonrpc.Message) error
	// Release is given the answer to an admitted request and returns what the
	// client gets in its place.
	Release(ctx context.Context, request, answer jsonrpc.Message) (jsonrpc.Message, error)
}

// The time limits of a relay.
const (
	helloLimit     = 5 * time.Minute        // the client's initialize: a first start may download the server
	handshakeLimit = 30 * time.Second       // replayed initialize
	discoverLimit  = 2 * time.Second        // server/discover, before it is answered as unknown
	drainLimit     = 150 * time.Millisecond // what is under way, after the client left
	tellLimit      = 100 * time.Millisecond // and then to tell the server of the calls left open
	stopLimit      = 2 * time.Second        // pumps, after both sides were closed
	readLimit      = 100 * time.Millisecond // after them, the read of a client that cannot be woken
	retryFirst     = time.Second            // eager reconnection, doubled up to retryMost
	retryMost      = 2 * time.Minute
	retrySteady    = 10 * time.Second // a connection that held so long was no failure
)

const (
	keptCancelled = 256 // cancelled calls that are remembered for a late answer
	mostDeclined  = 16  // refusals under way to a server that asks too much
	readAhead     = 64  // messages of the client, so that its end is seen while a server reads nothing
)

// Run hands messages on until the client leaves (nil), ctx ends, or the server
// is lost for good. It closes both sides and returns when all it started has
// stopped.
func Run(ctx context.Context, client jsonrpc.Conn, o Options) error {
	if o.Pending == 0 {
		o.Pending = 256
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &relay{
		Options: o, client: client, ctx: ctx, stop: cancel,
		open: map[jsonrpc.ID]*call{}, asked: map[jsonrpc.ID]*link{}, kick: make(chan struct{}, 1),
		replay: replay{subs: map[string]jsonrpc.Message{}},
	}
	in, left, handled := make(chan jsonrpc.Message, readAhead), make(chan error, 1), make(chan struct{})
	go func() { defer close(left); left <- r.read(in) }()
	r.wg.Go(func() { defer close(handled); r.fromClient(in) })
	var err error
	select {
	case err = <-left:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	r.leave(handled)
	cancel(nil)
	client.Close()
	r.wait(left)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// wait waits for the pumps, with limits: a write to a client that stopped
// reading and a read of stdin cannot be woken on every system. The read has a
// short one, for a client that died while another process holds our stdin open
// must not keep us.
func (r *relay) wait(left <-chan error) {
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		r.Log.Debug("a pump did not stop in time", "server", r.Server)
	}
	limit.Reset(readLimit)
	for {
		select {
		case _, more := <-left:
			if more {
				continue
			}
		case <-limit.C:
			r.Log.Debug("the read of the client did not stop in time", "server", r.Server)
		}
		return
	}
}

// call is one request of the client that has no answer yet.
type call struct {
	msg       jsonrpc.Message
	on        *link // nil while it waits for a connection
	epoch     int   // of the link when it was sent
	again     bool  // sent a second time after the server forgot the session
	sending   bool  // its Send has not returned, so nobody knows yet whether it went out
	cancelled bool
	timer     *time.Timer
}

// state of the way to the server.
type state string

const (
	down       state = "down"
	connecting state = "connecting" // new messages wait in queue
	up         state = "up"
)

type relay struct {
	Options
	client jsonrpc.Conn
	ctx    context.Context // of Run; relay is the body of Run
	stop   context.CancelCauseFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	state     state // "" before the first message, like down
	link      *link // the connection in use while up or connecting
	queue     []jsonrpc.Message
	open      map[jsonrpc.ID]*call
	cancelled []jsonrpc.ID // open ones, oldest first
	asked     map[jsonrpc.ID]*link
	leaving   bool
	backoff   time.Duration // before the last eager reconnection
	since     time.Time     // when the state became up
	serial    int           // of the relay's own requests
	replay

	kick chan struct{} // holds one token when something was queued
}

// link is one connection to the server.
type link struct {
	conn      jsonrpc.Conn
	epoch     int            // of its session; what was sent in an earlier one was for that
	sends     sync.WaitGroup // of the session: a new one waits for them
	stale     bool           // the session was forgotten while the queue was being sent
	declining int            // refusals of the server's requests under way
	dead      bool           // the connection has ended
	err       error          // why

	own map[jsonrpc.ID]chan<- outcome // requests of the relay itself
}

type outcome struct {
	msg jsonrpc.Message
	err error
}

// read takes what the client says until it leaves.
func (r *relay) read(in chan<- jsonrpc.Message) error {
	defer close(in)
	for {
		m, err := r.client.Recv(r.ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			if r.ctx.Err() != nil {
				return context.Cause(r.ctx)
			}
			var refused *jsonrpc.RefusedError
			if errors.As(err, &refused) {
				continue // answered by downstream
			}
			return err
		}
		select {
		case in <- m:
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// fromClient is the pump from client to server.
func (r *relay) fromClient(in <-chan jsonrpc.Message) {
	for {
		select {
		case m, more := <-in:
			if !more {
				return
			}
			r.handle(m)
		case <-r.ctx.Done():
			return // read may be stuck in a read that cannot be woken
		}
	}
}

// handle takes one message of the client.
func (r *relay) handle(m jsonrpc.Message) {
	switch m.Kind() {
	case jsonrpc.Request:
		r.request(m)
	case jsonrpc.Notification:
		r.notification(m)
	case jsonrpc.Response:
		r.response(m)
	default:
		panic("relay: message of kind " + string(m.Kind()))
	}
}

// request takes a client's request: refused, queued or sent.
func (r *relay) request(m jsonrpc.Message) {
	method := m.Method()
	if method == mcp.MethodDiscover && !r.Discover {
		r.toClient(jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+method, nil))
		return
	}
	id := m.ID()
	if refusal := r.room(id); refusal != nil {
		r.refuse(id, refusal)
		return
	}
	if r.Gate != nil {
		if err := r.Gate.Admit(r.ctx, m); err != nil {
			r.refuse(id, err)
			return
		}
	}
	c, limit := &call{msg: m}, r.limitOf(method)
	r.mu.Lock()
	if old := r.open[id]; old != nil { // cancelled: its answer is no longer wanted
		r.settleLocked(id, old)
	}
	r.open[id] = c
	if limit > 0 {
		c.timer = time.AfterFunc(limit, func() { r.expire(id, c, limit) })
	}
	r.forwardLocked(m)
}

// limitOf is how long a request may take, 0 for as long as it wants.
func (r *relay) limitOf(method string) time.Duration {
	switch {
	case method == mcp.MethodDiscover:
		return discoverLimit
	case method == mcp.MethodInitialize && (r.Limit == 0 || r.Limit > helloLimit):
		return helloLimit
	case method == "subscriptions/listen": // open until the client ends it
		return 0
	default:
		return r.Limit
	}
}

// room tells why a request with this id cannot be taken now.
func (r *relay) room(id jsonrpc.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.open[id]; c != nil && !c.cancelled {
		return fault.New(fault.InvalidRequest, r.Server).With("the id %s is in use by a request that has no answer yet", fault.Excerpt(string(id)))
	}
	if len(r.open)-len(r.cancelled) >= r.Pending {
		return fault.New(fault.TooManyRequests, r.Server).With("%d requests are open, the most there can be", r.Pending)
	}
	return nil
}

// notification hands on what needs no answer.
func (r *relay) notification(m jsonrpc.Message) {
	if r.Gate != nil {
		if err := r.Gate.Admit(r.ctx, m); err != nil {
			r.Log.Debug("notification refused", "server", r.Server, "method", m.Method(), "err", err)
			return
		}
	}
	r.mu.Lock()
	if m.Method() == mcp.MethodCancelled && r.cancelLocked(m) {
		r.mu.Unlock()
		return
	}
	r.forwardLocked(m)
}

// response hands on the client's answer to a request of the server, if that
// request is still open.
func (r *relay) response(m jsonrpc.Message) {
	r.mu.Lock()
	l := r.asked[m.ID()]
	delete(r.asked, m.ID())
	r.mu.Unlock()
	if l == nil {
		r.Log.Debug("answer to no open request dropped", "server", r.Server)
		return
	}
	r.tell(l, m)
}

// forwardLocked sends m, or queues it and sees to a connection. It unlocks.
func (r *relay) forwardLocked(m jsonrpc.Message) {
	if r.state != up {
		if m.Kind() != jsonrpc.Request || r.open[m.ID()] != nil { // else its time was up
			r.queueLocked(m)
		}
		r.mu.Unlock()
		return
	}
	l := r.link
	l.sends.Add(1)
	again, err := r.deliverLocked(l, m)
	l.sends.Done()
	if err != nil {
		r.lost(l, err)
	}
	if again {
		r.mu.Lock()
		r.forwardLocked(m)
	}
}

// deliverLocked sends m in the session of l. It unlocks. A request whose Send
// failed was not read by anybody, for its last byte did not get through: again
// tells that it is to be sent over the next connection.
func (r *relay) deliverLocked(l *link, m jsonrpc.Message) (again bool, err error) {
	var c *call
	if m.Kind() == jsonrpc.Request {
		if c = r.open[m.ID()]; c == nil { // its time was up
			r.mu.Unlock()
			return false, nil
		}
		c.on, c.epoch, c.sending = l, l.epoch, true
	}
	r.rememberLocked(m)
	r.mu.Unlock()
	err = l.conn.Send(r.ctx, m)
	return c != nil && r.sent(l, m, err), err
}

// queueLocked keeps m for the next connection and sees to one. The requests
// are bounded by their table; too many notifications are dropped.
func (r *relay) queueLocked(m jsonrpc.Message) {
	if m.Kind() != jsonrpc.Request && len(r.queue) >= 2*r.Pending {
		r.Log.Warn("notification dropped, the server is not there", "server", r.Server, "method", m.Method())
		return
	}
	r.queue = append(r.queue, m)
	select {
	case r.kick <- struct{}{}:
	default: // there is a token
	}
	if r.state != connecting {
		r.connectLocked(nil, 0)
	}
}

// tell sends what is no request of the client.
func (r *relay) tell(l *link, m jsonrpc.Message) {
	if err := l.conn.Send(r.ctx, m); err != nil {
		r.lost(l, err)
	}
}

// sent takes the outcome of a request's Send. Until then the call is ours, even
// if the connection has ended meanwhile: the end may be seen before the Send
// that fails of it returns. again tells that it is to be sent once more.
func (r *relay) sent(l *link, m jsonrpc.Message, err error) (again bool) {
	r.mu.Lock()
	c := r.open[m.ID()]
	if c == nil || c.on != l || !c.sending {
		r.mu.Unlock()
		return false
	}
	c.sending = false
	if again = err != nil && r.mayRepeat(c); again {
		c.again, c.on = true, nil
	}
	late, cause := err == nil && l.dead, l.err
	if late {
		r.takeLocked(l, m.ID())
	}
	r.mu.Unlock()
	if late && !c.cancelled {
		r.refuse(m.ID(), r.lossOf(c, cause))
	}
	return again
}

func (r *relay) toClient(m jsonrpc.Message) {
	if err := r.client.Send(r.ctx, m); err != nil && r.ctx.Err() == nil {
		r.stop(context.Canceled) // the client is gone
	}
}

// refuse answers a request with an error of ours.
func (r *relay) refuse(id jsonrpc.ID, err error) {
	code, message, data := fault.Of(err, r.Server).RPC()
	r.toClient(jsonrpc.NewError(id, code, message, data))
}
