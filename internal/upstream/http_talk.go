package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const (
	helloLimit  = 60 * time.Second // for the answer to initialize
	readyLimit  = 5 * time.Second  // requests wait so long for notifications/initialized
	tellLimit   = 30 * time.Second // for a notification or response to be accepted
	cancelPause = 30 * time.Second // a cancelled call may still answer
	byeLimit    = 500 * time.Millisecond
	lastWords   = 250 * time.Millisecond // part of byeLimit: what Close lets out first
)

// talk is the half of a conversation that both transports over HTTP have: the
// open requests, what waits for Recv, and the queue of what keeps its order.
type talk struct {
	*link

	// life ends with Close. It is kept because what Send starts outlives Send.
	life context.Context
	stop context.CancelFunc

	in   chan arrival
	over chan struct{} // closed when Recv has nothing more to wait for
	end  error         // set before over is closed

	// carry delivers a notification or response in the session of a call, and
	// returns when it is accepted or lost. The transport sets it.
	carry func(ctx context.Context, of *call, m jsonrpc.Message)

	out    outbox
	tasks  sync.WaitGroup
	urgent sync.WaitGroup // cancellations on their way, within tasks

	mu     sync.Mutex
	closed bool
	gone   chan struct{} // closed when Close has ended everything
	open   map[jsonrpc.ID]*call
	gate   chan struct{} // closed when notifications/initialized is answered; nil when nobody has to wait
}

// arrival is what Recv returns.
type arrival struct {
	msg jsonrpc.Message
	err error
}

// call is one open request.
type call struct {
	id     jsonrpc.ID
	method string
	modern string // the protocol version of its _meta
	cancel context.CancelCauseFunc
	gate   <-chan struct{}
	visit  *visit // streamable HTTP
	line   *line  // HTTP+SSE

	edit func(jsonrpc.Message) jsonrpc.Message // of the answer, before Recv gives it out; nil for none

	answered bool        // guarded by talk.mu
	timer    *time.Timer // the call's limit; nil without one
}

func (t *talk) init(ctx context.Context, l *link) {
	t.link = l
	t.life, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	t.in = make(chan arrival, 64)
	t.over = make(chan struct{})
	t.gone = make(chan struct{})
	t.open = map[jsonrpc.ID]*call{}
	t.out.init()
}

// Recv returns the next message of any of the server's streams.
func (t *talk) Recv(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case a := <-t.in:
		return a.msg, a.err
	default:
	}
	select {
	case a := <-t.in:
		return a.msg, a.err
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	case <-t.over:
	}
	select {
	case a := <-t.in: // What came before the end.
		return a.msg, a.err
	default:
		return jsonrpc.Message{}, t.end
	}
}

// put hands something to Recv; after the end it is dropped.
func (t *talk) put(a arrival) {
	if t.life.Err() != nil {
		return
	}
	select {
	case t.in <- a:
	case <-t.life.Done():
	}
}

// finish ends Recv, once. t.mu is not held.
func (t *talk) finish(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == nil {
		t.end = err
		close(t.over)
	}
}

// begin opens a request, or says that the conversation is over. prepare is
// called with t.mu held, run in a goroutine of the call.
func (t *talk) begin(m jsonrpc.Message, prepare func(*call), run func(context.Context, *call, jsonrpc.Message)) error {
	k := &call{id: m.ID(), method: m.Method()}
	if meta := m.Meta(); meta != nil {
		if v, ok := jsonrpc.Member(meta, mcp.MetaVersion); ok {
			k.modern, _ = jsonrpc.String(v)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.end != nil {
		return io.ErrClosedPipe
	}
	prepare(k)
	k.gate = t.gate
	ctx, cancel := context.WithCancelCause(t.life)
	k.cancel = cancel
	if old := t.open[k.id]; old != nil {
		t.takeLocked(old) // cancelled: what becomes of it is no news of k
	}
	t.open[k.id] = k
	if limit := t.limitOf(k); limit > 0 {
		k.timer = time.AfterFunc(limit, func() { t.expire(k, limit) })
	}
	t.tasks.Go(func() { t.attend(ctx, k, m, run) })
	return nil
}

// attend is the life of one request's goroutine.
func (t *talk) attend(ctx context.Context, k *call, m jsonrpc.Message, run func(context.Context, *call, jsonrpc.Message)) {
	defer k.cancel(nil)
	if k.gate != nil {
		t.wait(ctx, k.gate)
	}
	run(ctx, k, m)
}

// limitOf is how long a call may take, 0 for as long as it wants.
func (t *talk) limitOf(k *call) time.Duration {
	if k.method == "subscriptions/listen" {
		return 0 // open until the client ends it
	}
	if k.method == mcp.MethodInitialize && (t.limit == 0 || t.limit > helloLimit) {
		return helloLimit
	}
	return t.limit
}

// wait lets notifications/initialized go first, within readyLimit.
func (t *talk) wait(ctx context.Context, gate <-chan struct{}) {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case <-gate:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// expire ends a call whose time is up and has the server told.
func (t *talk) expire(k *call, limit time.Duration) {
	if !t.take(k) {
		return
	}
	if k.modern == "" && k.method != mcp.MethodInitialize {
		t.hurry(k, jsonrpc.NewNotification(mcp.MethodCancelled,
			[]byte(`{"requestId":`+string(k.id)+`,"reason":"no answer in time"}`)))
	}
	late := t.lateFault(limit)
	t.put(arrival{err: &jsonrpc.CallError{ID: k.id, Err: late}})
	k.cancel(late)
}

// cancelCall passes a notifications/cancelled on, ahead of all that waits.
// Since 2026-07-28 the server is told by the end of the request's connection;
// before, a connection that ends is no cancellation, and an answer may still
// come. current is where the message goes when its request is not open.
func (t *talk) cancelCall(m jsonrpc.Message, current *call) {
	k := t.find(cancelledID(m))
	if k == nil {
		t.hurry(current, m)
		return
	}
	gone := t.coded(fault.RequestFailed, context.Canceled, "the request was cancelled", "repeat it")
	if k.modern != "" {
		t.fail(k, gone)
		k.cancel(gone)
		return
	}
	t.hurry(k, m)
	time.AfterFunc(cancelPause, func() {
		t.fail(k, gone)
		k.cancel(gone)
	})
}

// hurry sends m at once, past the queue.
func (t *talk) hurry(of *call, m jsonrpc.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.end != nil {
		return
	}
	t.urgent.Add(1)
	t.tasks.Go(func() {
		defer t.urgent.Done()
		t.bounded(of, m)
	})
}

// bounded carries m within tellLimit.
func (t *talk) bounded(of *call, m jsonrpc.Message) {
	ctx, cancel := context.WithTimeout(t.life, tellLimit)
	defer cancel()
	t.carry(ctx, of, m)
}

// take claims the right to answer a call; it is true once.
func (t *talk) take(k *call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takeLocked(k)
}

func (t *talk) takeLocked(k *call) bool {
	if k.answered {
		return false
	}
	k.answered = true
	if k.timer != nil {
		k.timer.Stop()
	}
	if t.open[k.id] == k {
		delete(t.open, k.id)
	}
	return true
}

// find gives the open call with this id, nil if there is none.
func (t *talk) find(id jsonrpc.ID) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[id]
}

// isAnswered tells whether nothing more is owed to the caller.
func (t *talk) isAnswered(k *call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return k.answered
}

// fail answers a call with an error, unless it has its answer.
func (t *talk) fail(k *call, err error) {
	if t.take(k) {
		t.put(arrival{err: &jsonrpc.CallError{ID: k.id, Err: err}})
	}
}

// failAll does the same with every open call for which pick is true.
func (t *talk) failAll(err error, pick func(*call) bool) {
	t.mu.Lock()
	var lost []*call
	for _, k := range t.open {
		if pick(k) && t.takeLocked(k) {
			lost = append(lost, k)
		}
	}
	t.mu.Unlock()
	for _, k := range lost {
		t.put(arrival{err: &jsonrpc.CallError{ID: k.id, Err: err}})
	}
}

// receive takes the bytes of one message that came in answer to k, or on a
// stream of no call. batches tells whether the server may send them in arrays;
// answered, if not nil, sees the answer to k before Recv gives it out.
func (t *talk) receive(k *call, raw []byte, batches bool, answered func(jsonrpc.Message)) {
	m, err := jsonrpc.Parse(raw)
	var bad *jsonrpc.RefusedError
	switch {
	case err == nil:
		t.route(k, m, answered)
	case errors.As(err, &bad) && bad.Batch && batches:
		parts, err := jsonrpc.Split(raw)
		if err != nil {
			t.refused(k, err)
		}
		for _, p := range parts {
			t.receive(k, p, false, answered)
		}
	default:
		t.refused(k, err)
	}
}

// refused deals with a message that did not pass the scan: the call that it
// answers, or may have answered, gets an error in its place.
func (t *talk) refused(k *call, err error) {
	var bad *jsonrpc.RefusedError
	if errors.As(err, &bad) {
		if of := t.find(bad.Reply); of != nil {
			k = of
		} else if bad.ID != "" {
			k = nil // A request of the server: the other side refuses it.
		}
	}
	if k == nil || t.isAnswered(k) {
		t.put(arrival{err: err})
		return
	}
	t.fail(k, t.protocolFault(err, "the server sent a message that is not valid MCP"))
}

// route hands a message to Recv, an answer only to an open call and once.
func (t *talk) route(k *call, m jsonrpc.Message, answered func(jsonrpc.Message)) {
	if m.Kind() != jsonrpc.Response {
		if k != nil {
			m = m.WithAbout(k.id)
		}
		t.put(arrival{msg: m})
		return
	}
	of := k
	if k == nil || string(m.IDBytes()) != string(k.id) {
		of = t.find(m.ID())
	}
	if of == nil {
		t.stray(k, m)
		return
	}
	if of == k && answered != nil {
		answered(m)
	}
	if t.take(of) {
		if of.edit != nil {
			m = of.edit(m)
		}
		t.put(arrival{msg: m})
	}
}

// stray deals with an answer to no open call. When it came for k nothing else
// will: servers in JavaScript damage ids above 2^53, and an error answer with
// a null id is about the request itself.
func (t *talk) stray(k *call, m jsonrpc.Message) {
	if k == nil || t.isAnswered(k) {
		t.log.Debug("answer to no open request dropped", "server", t.name, "id", fault.Excerpt(string(m.ID())))
		return
	}
	if v, ok := jsonrpc.Member(m.Error(), "message"); ok && m.ID() == "null" {
		text, _ := jsonrpc.String(v)
		e := fault.New(fault.UpstreamError, t.name).With("the server could not read the request")
		e.Detail = t.scrub(text)
		t.fail(k, e)
		return
	}
	t.fail(k, t.protocolFault(nil, "the server answered with the id %s in place of %s",
		fault.Excerpt(string(m.ID())), fault.Excerpt(string(k.id))))
}

// cancelledID gives the id that a notifications/cancelled names.
func cancelledID(m jsonrpc.Message) jsonrpc.ID {
	v, _ := jsonrpc.Member(m.Params(), "requestId")
	return jsonrpc.ID(v)
}

// openGateLocked makes the requests that follow wait until the returned
// function is called.
func (t *talk) openGateLocked() (pass func()) {
	gate := make(chan struct{})
	t.gate = gate
	return func() {
		t.mu.Lock()
		if t.gate == gate {
			t.gate = nil
		}
		t.mu.Unlock()
		close(gate)
	}
}

// flush lets what was sent last reach the server, for a moment.
func (t *talk) flush() {
	done := make(chan struct{})
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	queued := make(chan struct{})
	if !t.out.last(func() { close(queued) }) {
		close(queued)
	}
	t.tasks.Go(func() { // Ends soon: Close ends life, with it every POST.
		t.urgent.Wait()
		<-queued
		close(done)
	})
	select {
	case <-done:
	case <-limit.C:
	}
}
