package upstream

import (
	"errors"
	"io"
	"net/http"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/sse"
)

// An event over the limit may go on for so long, and for so many times the
// limit, before its stream is closed.
const (
	skipLimit = 30 * time.Second
	skipTimes = 4
)

// reading takes the events of one answer. Of an event over the limit only
// whose it was is kept, so that its request can be told.
type reading struct {
	events *sse.Reader
	body   io.Closer
	max    int
	alone  bool // the stream is of one request, which such an event ends

	over  *jsonrpc.IDFinder // of the event being skipped
	left  int
	timer *time.Timer
}

// oversize says that an event was too long, and which request it was or
// answered as far as that can be told.
type oversize struct {
	request, reply jsonrpc.ID
	final          bool // it never ended, or nobody else waits: the stream was closed
}

func (e *oversize) Error() string { return "an event is longer than the limit" }

func (l *link) read(resp *http.Response, alone bool) *reading {
	r := &reading{events: sse.NewReader(resp.Body, l.max), body: resp.Body, max: l.max, alone: alone}
	r.events.Spill = r.spill
	return r
}

func (r *reading) spill(part []byte) {
	if r.over == nil {
		r.over, r.left = &jsonrpc.IDFinder{}, skipTimes*r.max
		r.timer = time.AfterFunc(skipLimit, func() { r.body.Close() })
	}
	_, _ = r.over.Write(part) // It never fails.
	if r.left -= len(part); r.alone || r.left < 0 {
		r.body.Close()
	}
}

// next returns the next event, an *oversize, or the stream's end.
func (r *reading) next() (sse.Event, error) {
	ev, err := r.events.Next()
	if r.over == nil {
		return ev, err
	}
	var size *sse.SizeError
	e := &oversize{final: !errors.As(err, &size)}
	e.request, e.reply = r.over.IDs()
	r.timer.Stop()
	r.over = nil
	return sse.Event{}, e
}

// isMessage tells whether an event carries a message. One without data is a
// place to resume from; other names are not the specification's.
func isMessage(ev *sse.Event) bool { return len(ev.Data) > 0 && ev.Name == "" }

// tooLong answers the request of an event that was too long, or has the other
// side told that something was missed.
func (t *talk) tooLong(k *call, e *oversize) {
	if of := t.find(e.reply); of != nil {
		k = of
	}
	if k != nil {
		t.fail(k, t.tooLarge())
		return
	}
	t.put(arrival{err: &jsonrpc.RefusedError{Code: jsonrpc.CodeInvalidRequest, Reason: e.Error(), ID: e.request, Reply: e.reply, Size: true}})
}
