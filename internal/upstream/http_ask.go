package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const (
	retryBudget = 10 * time.Second // for all waits of one reading request
	retryTimes  = 2
	tailWait    = 5 * time.Second // for a stream's end after the answer
)

// ask posts a request and sees to it that it is answered.
func (c *streamable) ask(ctx context.Context, k *call, m jsonrpc.Message) {
	if k.modern == "" && k.visit.lost.Load() {
		c.fail(k, c.lostFault(""))
		return
	}
	head := k.visit.post
	if k.modern != "" {
		head = c.modernHeader(k.modern, m)
	}
	if k.modern != "" && k.method == mcp.MethodToolsList {
		c.mu.Lock()
		k.edit = func(answer jsonrpc.Message) jsonrpc.Message { return c.listed(m, answer) }
		c.mu.Unlock()
	}
	resp, r, err := c.postAndLearn(ctx, k, head, m)
	if err != nil {
		c.fail(k, c.wireFault(ctx, err))
		return
	}
	defer resp.Body.Close()
	switch kind := mediaType(resp); {
	case r != nil:
		c.deny(k, r)
	case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusNoContent:
		c.fail(k, c.protocolFault(nil, "the server took the request with %s and gave no answer", statusText(resp.StatusCode)))
	case kind == mcp.TypeEventStream:
		c.readStream(ctx, k, resp)
	case kind == mcp.TypeJSON:
		c.readAnswer(ctx, k, resp)
	default:
		c.fail(k, c.typeFault(resp))
	}
}

// postAndLearn sends the request. One that the server refused unread because
// headers for its arguments are missing or wrong is sent once more if the
// server's tools, listed again, ask for others. The refusal is nil for none.
func (c *streamable) postAndLearn(ctx context.Context, k *call, head http.Header, m jsonrpc.Message) (*http.Response, *refusal, error) {
	for again := true; ; again = false {
		resp, err := c.post(ctx, k, head, m.Bytes())
		if err != nil || resp.StatusCode/100 == 2 {
			return resp, nil, err
		}
		r := readRefusal(resp)
		if !again || k.modern == "" || r.code() != strconv.Itoa(mcp.CodeHeaderMismatch) {
			return resp, r, nil
		}
		other, better := c.relist(ctx, k, m, head)
		if !better {
			return resp, r, nil
		}
		head = other
	}
}

// post sends the request. A harmless one is sent again when its connection
// broke, or when the server names a short wait; no other ever is.
func (c *streamable) post(ctx context.Context, k *call, head http.Header, body []byte) (*http.Response, error) {
	to := k.visit.to.Load()
	spent := time.Duration(0)
	for try := 0; ; try++ {
		resp, err := c.do(ctx, http.MethodPost, to, head, body)
		if err != nil {
			if try == 0 && c.brokeHarmless(ctx, k, err) {
				continue
			}
			return nil, err
		}
		c.moved(k.visit, to, resp.Request.URL)
		wait, again := c.again(k, resp, try)
		if !again || spent+wait > retryBudget {
			return resp, nil
		}
		discard(resp)
		spent += wait
		if !pause(ctx, wait) {
			return nil, context.Cause(ctx)
		}
	}
}

// moved keeps the address that a redirect within the origin led to, so that
// not every call is redirected.
func (c *streamable) moved(v *visit, from, to *url.URL) {
	if to != from {
		v.to.Store(to)
	}
}

// again tells whether and when a request that was not served may be repeated.
func (c *streamable) again(k *call, resp *http.Response, try int) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	if try >= retryTimes || !isHarmless(k.method) {
		return 0, false
	}
	wait, ok := retryAfter(resp.Header, time.Now())
	return max(wait, 250*time.Millisecond), ok
}

// pause waits; it is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deny answers a call that the server refused.
func (c *streamable) deny(k *call, r *refusal) {
	switch {
	case r.status == http.StatusUnauthorized:
		c.fail(k, c.refusalFault(r, k.id))
	case k.modern == "" && k.method != mcp.MethodInitialize && c.forgotten(k.visit, r):
		c.lose(k.visit)
		c.fail(k, c.lostFault(r.says()))
	case r.answers(k.id):
		if c.take(k) {
			c.put(arrival{msg: r.answer})
		}
	default:
		c.fail(k, c.refusalFault(r, k.id))
	}
}

// readAnswer takes an answer of one message.
func (c *streamable) readAnswer(ctx context.Context, k *call, resp *http.Response) {
	body, err := readBody(resp, c.max)
	switch {
	case errors.Is(err, errTooLong):
		c.fail(k, c.tooLarge())
	case err != nil:
		c.fail(k, c.wireFault(ctx, err))
	case len(body) == 0:
		c.fail(k, c.protocolFault(nil, "the server took the request with %s and gave no answer", statusText(resp.StatusCode)))
	default:
		c.receive(k, body, c.batches(k.visit), c.onAnswer(k, resp))
		if !c.isAnswered(k) { // Nothing more comes.
			c.fail(k, c.protocolFault(nil, "the server's answer is to no request of this client"))
		}
	}
}

// batches tells whether a server may put messages into arrays.
func (c *streamable) batches(v *visit) bool { return v.version == mcp.V2025_03_26 }

// onAnswer is what happens before the answer to k is given out.
func (c *streamable) onAnswer(k *call, resp *http.Response) func(jsonrpc.Message) {
	if k.method != mcp.MethodInitialize || k.modern != "" {
		return nil
	}
	return func(m jsonrpc.Message) { c.welcome(k, resp, m) }
}
