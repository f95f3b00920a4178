package upstream

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// streamable is a conversation over streamable HTTP, 2025-03-26 and later:
// every request is a POST of its own, and one GET carries what the server says
// unasked.
type streamable struct {
	talk
	now    *visit // guarded by mu
	params toolParams
}

// visit is one session, from an initialize to the next.
type visit struct {
	id      string // "" when the server gave none
	version string // as negotiated, "" before
	post    http.Header
	get     http.Header
	to      atomic.Pointer[url.URL] // where redirects within the origin led
	ctx     context.Context         // ends with the visit; its GET stream lives in it
	end     context.CancelFunc

	lost      atomic.Bool // the server does not know it any more
	listening bool        // guarded by talk.mu
}

func newStreamable(ctx context.Context, l *link) *streamable {
	c := &streamable{}
	c.init(ctx, l)
	c.carry = c.tell
	c.now = c.newVisit("", "", l.url)
	return c
}

// Transport tells that this is streamable HTTP.
func (c *streamable) Transport() catalog.Transport { return catalog.HTTP }

func (c *streamable) newVisit(id, version string, to *url.URL) *visit {
	v := &visit{id: id, version: version,
		post: c.postHeader(mcp.HeaderSession, id, mcp.HeaderVersion, version),
		get:  c.streamHeader(mcp.HeaderSession, id, mcp.HeaderVersion, version),
	}
	v.ctx, v.end = context.WithCancel(c.life)
	v.to.Store(to)
	return v
}

// greeted tells whether an initialize was answered in this visit.
func (v *visit) greeted() bool { return v.version != "" }

// Send starts a request and returns, or queues what is no request.
func (c *streamable) Send(ctx context.Context, m jsonrpc.Message) error {
	if m.Kind() == jsonrpc.Request {
		return c.begin(m, c.prepare, c.ask)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return io.ErrClosedPipe
	}
	at := &call{visit: c.now}
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

// prepare gives a request its session. An initialize begins a new one: what is
// under way in the old one goes on, its GET stream ends.
func (c *streamable) prepare(k *call) {
	if k.method == mcp.MethodInitialize && k.modern == "" {
		c.now.end()
		c.now = c.newVisit("", "", c.url)
		c.gate = nil
	}
	k.visit = c.now
}

// welcome takes the session from the answer to initialize.
func (c *streamable) welcome(k *call, resp *http.Response, m jsonrpc.Message) {
	value, _ := jsonrpc.Member(m.Result(), "protocolVersion")
	version, _ := jsonrpc.String(value)
	if version == "" || mcp.EncodeHeader(version) != version {
		return // An error, or nothing to go by: the other side judges it.
	}
	id := resp.Header.Get(mcp.HeaderSession)
	if id != "" && !isVisible(id) {
		c.log.Warn("session id with unusable characters ignored", "server", c.name)
		id = ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == k.visit { // Else another initialize came after.
		k.visit.end()
		c.now = c.newVisit(id, version, resp.Request.URL)
		if c.closed {
			c.now.end()
		}
	}
}

// lose marks a session as unknown to the server.
func (c *streamable) lose(v *visit) { v.lost.Store(true) }

// lostFault refuses a request unread for want of its session.
func (c *streamable) lostFault(detail string) error {
	return &fault.Error{Code: fault.SessionExpired, Subject: c.name, Detail: c.scrub(detail), Err: ErrSessionLost}
}

// tell posts a notification or a response.
func (c *streamable) tell(ctx context.Context, of *call, m jsonrpc.Message) {
	v := of.visit
	if v.lost.Load() {
		return // The server has forgotten what this is about.
	}
	resp, err := c.do(ctx, http.MethodPost, v.to.Load(), c.headerFor(v, m), m.Bytes())
	if err != nil {
		if c.life.Err() == nil {
			c.log.Warn("message not delivered", "server", c.name, "method", m.Method(), "err", c.wireFault(ctx, err))
		}
		return
	}
	if resp.StatusCode/100 == 2 {
		discard(resp)
		if m.Method() == mcp.MethodInitialized {
			c.startListening(v)
		}
		return
	}
	r := readRefusal(resp)
	if c.forgotten(v, r) {
		c.lose(v)
		c.log.Debug("the server does not know the session", "server", c.name, "method", m.Method())
		return
	}
	c.log.Warn("message not accepted", "server", c.name, "method", m.Method(), "err", c.refusalFault(r, ""))
}

// headerFor gives the headers that go with a message in a session.
func (c *streamable) headerFor(v *visit, m jsonrpc.Message) http.Header {
	if meta := m.Meta(); meta != nil {
		if value, ok := jsonrpc.Member(meta, mcp.MetaVersion); ok {
			version, _ := jsonrpc.String(value)
			return c.modernHeader(version, m)
		}
	}
	return v.post
}

// forgotten tells whether an answer means that the session is gone.
func (c *streamable) forgotten(v *visit, r *refusal) bool {
	if !v.greeted() {
		return false
	}
	if r.status == http.StatusNotFound && v.id != "" && r.code() != "-32601" {
		return true
	}
	return r.aboutSession()
}

// Close ends the session with the server and everything of this conversation.
func (c *streamable) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.gone
		return nil
	}
	c.closed = true
	v := c.now
	c.mu.Unlock()
	start := time.Now()
	c.flush()
	c.stop()
	c.finish(io.EOF)
	if v.id != "" && !v.lost.Load() {
		c.leave(v, byeLimit-time.Since(start))
	}
	c.tasks.Wait()
	c.hangUp()
	close(c.gone)
	return nil
}

// leave tells the server that the session is over.
func (c *streamable) leave(v *visit, limit time.Duration) {
	// The conversation's own context is over already.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.life), limit)
	defer cancel()
	resp, err := c.do(ctx, http.MethodDelete, v.to.Load(), v.get, nil)
	if err != nil {
		c.log.Debug("session not ended", "server", c.name, "err", c.wireFault(ctx, err))
		return
	}
	resp.Body.Close() // 405 is fine: the server ends sessions by itself.
}
