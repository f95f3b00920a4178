package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// endpointLimit is how long the first message waits for the stream to say
// where messages are posted.
const endpointLimit = 10 * time.Second

// legacy is a conversation over HTTP+SSE of 2024-11-05: one GET stream brings
// every message of the server, and is the session; each message of ours is a
// POST to the address that the stream's first event names.
type legacy struct {
	talk
	now *line // guarded by mu; nil before the first message and after a failed try
}

// line is one GET stream.
type line struct {
	ready chan struct{} // closed when to or err is set
	to    *url.URL
	err   error
	end   context.CancelCauseFunc

	posting int           // requests whose POST has no answer yet; guarded by talk.mu
	idle    chan struct{} // closed when there are none any more; nil while nobody waits for it
}

func newSSE(ctx context.Context, l *link) *legacy {
	c := &legacy{}
	c.init(ctx, l)
	c.carry = c.tell
	return c
}

// Transport tells that this is HTTP+SSE.
func (c *legacy) Transport() catalog.Transport { return catalog.SSE }

// Send starts a request and returns, or queues what is no request.
func (c *legacy) Send(ctx context.Context, m jsonrpc.Message) error {
	if m.Kind() == jsonrpc.Request {
		return c.begin(m, c.prepare, c.ask)
	}
	c.mu.Lock()
	if c.closed || c.end != nil {
		c.mu.Unlock()
		return io.ErrClosedPipe
	}
	at := &call{line: c.lineLocked(endpointLimit)}
	p := parcel{msg: m, post: func(m jsonrpc.Message) { c.bounded(at, m) }}
	if m.Kind() == jsonrpc.Notification {
		switch m.Method() {
		case mcp.MethodCancelled:
			c.mu.Unlock()
			c.cancelCall(m, at)
			return nil
		case mcp.MethodInitialized:
			p.done = c.openGateLocked()
		}
	}
	c.mu.Unlock()
	return c.enqueue(ctx, p)
}

func (c *legacy) prepare(k *call) {
	if k.method == mcp.MethodInitialize {
		c.gate = nil
	}
	k.line = c.lineLocked(endpointLimit)
	k.line.posting++
}

// lineLocked is the stream under way, or a new one.
func (c *legacy) lineLocked(limit time.Duration) *line {
	if c.now != nil {
		return c.now
	}
	ctx, cancel := context.WithCancelCause(c.life)
	n := &line{ready: make(chan struct{}), end: cancel}
	c.now = n
	c.tasks.Go(func() {
		defer cancel(nil)
		c.run(ctx, n, limit)
	})
	return n
}

// connect opens the stream and waits for its endpoint.
func (c *legacy) connect(limit time.Duration) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return io.ErrClosedPipe
	}
	n := c.lineLocked(limit)
	c.mu.Unlock()
	<-n.ready // Bounded by limit.
	return n.err
}

// run is the life of one stream. Before its endpoint is known a failure is
// that of the messages waiting for it; afterwards it ends the conversation.
func (c *legacy) run(ctx context.Context, n *line, limit time.Duration) {
	late := time.AfterFunc(limit, func() {
		n.end(c.coded(fault.Timeout, ErrNotSent, "the server's event stream did not begin within "+limit.String(), ""))
	})
	defer late.Stop()
	err := c.stream(ctx, n, func() bool { return late.Stop() })
	if n.to == nil {
		c.mu.Lock()
		if c.now == n {
			c.now = nil
		}
		c.mu.Unlock()
		n.err = err
		close(n.ready)
		return
	}
	c.settle(n)
	c.failAll(err, func(k *call) bool { return k.line == n })
	c.mu.Lock()
	dropped := c.now != n // By a POST that found the session gone.
	c.mu.Unlock()
	if !dropped && c.life.Err() == nil {
		c.finish(err)
	}
}

// settleLimit is how long a stream that ended waits for POSTs under way. They
// tell whether the server took their requests: one that was restarted says that
// it does not know the session, so they may be sent again.
const settleLimit = 500 * time.Millisecond

// settle waits for the POSTs of requests on a stream that ended.
func (c *legacy) settle(n *line) {
	c.mu.Lock()
	if n.posting == 0 {
		c.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	n.idle = idle
	c.mu.Unlock()
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	select {
	case <-idle:
	case <-limit.C:
	case <-c.life.Done():
	}
}

// posted counts the end of a request's POST, which prepare had counted.
func (c *legacy) posted(n *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.posting--; n.posting == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// stream reads one GET stream to its end and says why it ended.
func (c *legacy) stream(ctx context.Context, n *line, begun func() bool) error {
	resp, err := c.do(ctx, http.MethodGet, c.url, c.streamHeader(), nil)
	if err != nil {
		return c.wireFault(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refusalFault(readRefusal(resp), "")
	}
	if !isStream(resp) {
		e := c.typeFault(resp)
		e.Code = fault.EndpointNotMCP
		return e
	}
	r := c.read(resp, false)
	for {
		ev, err := r.next()
		var big *oversize
		switch {
		case errors.As(err, &big) && !big.final:
			c.tooLong(nil, big)
		case errors.As(err, &big):
			return c.tooLarge()
		case err != nil:
			return c.streamEnd(ctx, n, err)
		case ev.Name == "endpoint" && n.to == nil:
			to, err := c.endpoint(resp.Request.URL, string(ev.Data))
			if err != nil {
				return err
			}
			if !begun() {
				return c.endFault(ctx) // The limit was first.
			}
			n.to = to
			close(n.ready)
		case n.to == nil && len(ev.Data) > 0:
			return c.coded(fault.EndpointNotMCP, nil, "the event stream does not begin with an endpoint event", "check the path, often `/sse`, or use `--transport auto`")
		case isMessage(&ev):
			// A batch is taken apart in any version, as from a program: dropped,
			// it would leave its calls without an answer.
			c.receive(nil, ev.Data, true, nil)
		}
	}
}

func (c *legacy) streamEnd(ctx context.Context, n *line, err error) error {
	if ctx.Err() == nil && n.to == nil {
		return c.coded(fault.EndpointNotMCP, err, "the event stream ended before its endpoint event", "")
	}
	if ctx.Err() == nil && errors.Is(err, io.EOF) {
		e := fault.New(fault.ConnectionLost, c.name)
		e.Err, e.Detail = err, "the server ended the event stream"
		return e
	}
	return c.wireFault(ctx, err)
}

// endpoint resolves the address for messages, which must be on the origin of
// the stream: it is told to us by the server, and gets our headers.
func (c *legacy) endpoint(base *url.URL, text string) (*url.URL, error) {
	to, err := base.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, c.protocolFault(nil, "the endpoint event holds no address")
	}
	if !sameOrigin(to, base) {
		return nil, c.protocolFault(nil, "the endpoint event names another origin, %s, which is not used", fault.Excerpt(origin(to)))
	}
	to.Fragment, to.RawFragment, to.User = "", "", nil
	return to, nil
}

// ask posts a request; its answer comes on the stream.
func (c *legacy) ask(ctx context.Context, k *call, m jsonrpc.Message) {
	defer c.posted(k.line)
	select {
	case <-k.line.ready:
	case <-ctx.Done():
		c.fail(k, c.endFault(ctx))
		return
	}
	if k.line.err != nil {
		c.fail(k, unsent(k.line.err))
		return
	}
	resp, err := c.do(ctx, http.MethodPost, k.line.to, c.postHeader(), m.Bytes())
	if err != nil && !c.isAnswered(k) && c.brokeHarmless(ctx, k, err) {
		resp, err = c.do(ctx, http.MethodPost, k.line.to, c.postHeader(), m.Bytes())
	}
	if err != nil {
		c.fail(k, c.wireFault(ctx, err))
		return
	}
	if resp.StatusCode/100 == 2 {
		discard(resp)
		return
	}
	r := readRefusal(resp)
	switch {
	case r.status == http.StatusNotFound || (r.status != http.StatusUnauthorized && r.aboutSession()):
		// The stream is left before the word is out: what is sent upon it must
		// find a new one.
		ours := c.take(k)
		c.drop(k.line)
		if ours {
			lost := &fault.Error{Code: fault.SessionExpired, Subject: c.name, Detail: c.scrub(r.says()), Err: ErrSessionLost}
			c.put(arrival{err: &jsonrpc.CallError{ID: k.id, Err: lost}})
		}
	case r.answers(k.id):
		if c.take(k) {
			c.put(arrival{msg: r.answer})
		}
	default:
		c.fail(k, c.refusalFault(r, k.id))
	}
}

// drop leaves a stream whose session the server does not know: the next
// message opens another.
func (c *legacy) drop(n *line) {
	c.mu.Lock()
	if c.now == n {
		c.now = nil
	}
	c.mu.Unlock()
	n.end(fault.New(fault.ConnectionLost, c.name))
}

// unsent gives the failure of a stream as that of a request waiting for it.
func unsent(err error) error {
	var e *fault.Error
	if errors.Is(err, ErrNotSent) || !errors.As(err, &e) {
		return err
	}
	of := *e
	of.Err = ErrNotSent
	if e.Err != nil {
		of.Err = notSent(e.Err)
	}
	return &of
}

// tell posts a notification or a response.
func (c *legacy) tell(ctx context.Context, of *call, m jsonrpc.Message) {
	select {
	case <-of.line.ready:
	case <-ctx.Done():
		return
	}
	if of.line.err != nil {
		return // The request that opened the stream was told.
	}
	resp, err := c.do(ctx, http.MethodPost, of.line.to, c.postHeader(), m.Bytes())
	if err != nil {
		if c.life.Err() == nil {
			c.log.Warn("message not delivered", "server", c.name, "method", m.Method(), "err", c.wireFault(ctx, err))
		}
		return
	}
	if resp.StatusCode/100 == 2 {
		discard(resp)
		return
	}
	r := readRefusal(resp)
	c.log.Warn("message not accepted", "server", c.name, "method", m.Method(), "err", c.refusalFault(r, ""))
	if r.status == http.StatusNotFound {
		c.drop(of.line)
	}
}

// Close ends the stream, which is the session, and all that is under way.
func (c *legacy) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.gone
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.flush()
	c.stop()
	c.finish(io.EOF)
	c.tasks.Wait()
	c.hangUp()
	close(c.gone)
	return nil
}
