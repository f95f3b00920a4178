package upstream

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/sse"
)

const (
	resumePause  = 500 * time.Millisecond // before a stream is resumed, unless the server says another
	resumeFails  = 5                      // in a row, then the request is lost
	listenPause  = time.Second
	listenSteady = 10 * time.Second // a stream that lived so long was no failure
	leastPause   = 50 * time.Millisecond
)

// cursor is where in a stream the reader is.
type cursor struct {
	last  string        // id of the last event that had one
	retry time.Duration // what the server asked for
	named bool          // it did ask
	moved bool          // an event came since it was last cleared

	batches bool // the server may put messages into arrays
}

func (at *cursor) note(ev *sse.Event) {
	at.moved = true
	if ev.HasID {
		at.last = ev.ID
	}
	if ev.HasRetry {
		at.retry, at.named = min(ev.Retry, retryMost), true
	}
}

// pause is how long to wait before the stream is opened again: the server's
// own time or first, doubled with every failure, a little more or less.
func (at *cursor) pause(first time.Duration, fails int) time.Duration {
	if at.named {
		first = max(at.retry, leastPause)
	}
	d := min(first<<min(fails, 10), retryMost)
	return d - d/10 + rand.N(d/5+1)
}

// canResume tells whether there is a place to go on from.
func (at *cursor) canResume() bool { return at.last != "" && isHeaderValue(at.last) }

// resumeHeader asks for what comes after the cursor.
func (at *cursor) resumeHeader(h http.Header) http.Header {
	if !at.canResume() {
		return h
	}
	h = h.Clone()
	h.Set(mcp.HeaderLastEventID, at.last)
	return h
}

// readStream takes the answer to k from an event stream, which the server may
// end early to have it asked for again (SEP-1699). The stream is read to its
// end, so that the connection is used again.
func (c *streamable) readStream(ctx context.Context, k *call, resp *http.Response) {
	at := &cursor{batches: c.batches(k.visit)}
	answered := c.onAnswer(k, resp)
	err := c.events(k, resp, at, answered)
	for fails := 0; !c.isAnswered(k); {
		switch {
		case ctx.Err() != nil || !at.canResume() || k.modern != "" || fails > resumeFails:
			c.fail(k, c.streamFault(ctx, err))
			return
		}
		if !pause(ctx, at.pause(resumePause, fails)) {
			continue
		}
		at.moved = false
		var final bool
		if final, err = c.resume(ctx, k, at, answered); final {
			c.fail(k, c.streamFault(ctx, err))
			return
		}
		if fails++; at.moved || errors.Is(err, io.EOF) {
			fails = 0
		}
	}
}

// resume asks for the rest of k's stream. final says that it will not come.
func (c *streamable) resume(ctx context.Context, k *call, at *cursor, answered func(jsonrpc.Message)) (final bool, err error) {
	v := k.visit
	resp, err := c.do(ctx, http.MethodGet, v.to.Load(), at.resumeHeader(v.get), nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && isStream(resp) {
		return false, c.events(k, resp, at, answered)
	}
	if resp.StatusCode == http.StatusNotFound && v.id != "" {
		c.lose(v)
	}
	return !isPassing(resp.StatusCode), &statusError{resp.StatusCode, false}
}

// isPassing tells whether a status may be another soon. A server that has not
// noticed yet that the stream's last connection is gone says 409.
func isPassing(status int) bool {
	switch status {
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	default:
		return status >= 500
	}
}

// streamFault says that k's answer got lost with its stream.
func (c *streamable) streamFault(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) && ctx.Err() == nil {
		e := fault.New(fault.ConnectionLost, c.name)
		e.Err, e.Detail = err, "the server ended the stream without an answer"
		return e
	}
	return c.wireFault(ctx, err)
}

// events hands on what a stream holds, until it ends. k is nil for a stream
// that answers no call.
func (c *streamable) events(k *call, resp *http.Response, at *cursor, answered func(jsonrpc.Message)) error {
	r := c.read(resp, k != nil)
	var tail *time.Timer
	for {
		ev, err := r.next()
		var big *oversize
		switch {
		case errors.As(err, &big):
			if c.tooLong(k, big); big.final {
				return err
			}
			continue
		case err != nil:
			return err
		}
		at.note(&ev)
		if !isMessage(&ev) {
			continue
		}
		c.receive(k, ev.Data, at.batches, answered)
		if k != nil && tail == nil && c.isAnswered(k) {
			tail = time.AfterFunc(tailWait, func() { resp.Body.Close() })
			defer tail.Stop()
		}
	}
}

// startListening opens the stream of what the server says unasked.
func (c *streamable) startListening(v *visit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.now == v && v.greeted() && !v.listening {
		v.listening = true
		c.tasks.Go(func() { c.listen(v) })
	}
}

// listen keeps the GET stream of a session open. A server that has none
// answers 405, or 404 before there ever was one.
func (c *streamable) listen(v *visit) {
	at := &cursor{batches: c.batches(v)}
	opened := false
	for fails := 0; v.ctx.Err() == nil; fails++ {
		start := time.Now()
		at.moved = false
		status, err := c.listenOnce(v, at)
		if status == http.StatusOK {
			opened = true
		}
		switch {
		case v.ctx.Err() != nil:
			return
		case status == http.StatusNotFound && opened && v.id != "":
			c.lose(v)
			c.put(arrival{err: &jsonrpc.CallError{Err: c.lostFault("")}})
			return
		case status != 0 && status != http.StatusOK && !isPassing(status):
			c.log.Debug("the server has no stream of its own", "server", c.name, "status", status)
			return
		case at.moved || time.Since(start) > listenSteady:
			fails = 0
		}
		c.log.Debug("stream of the server ended", "server", c.name, "err", err)
		if !pause(v.ctx, at.pause(listenPause, fails)) {
			return
		}
	}
}

// listenOnce opens the GET stream and reads it to its end. status is 0 when
// there was no answer.
func (c *streamable) listenOnce(v *visit, at *cursor) (status int, err error) {
	resp, err := c.do(v.ctx, http.MethodGet, v.to.Load(), at.resumeHeader(v.get), nil)
	if err != nil {
		return 0, c.wireFault(v.ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, &statusError{resp.StatusCode, false}
	}
	if !isStream(resp) {
		return http.StatusMethodNotAllowed, errors.New("the answer is no event stream")
	}
	return http.StatusOK, c.events(nil, resp, at, nil)
}
