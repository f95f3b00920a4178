package downstream

import (
	"net/http"
	"strconv"

	"drawbridge/internal/mcp"
	"drawbridge/internal/sse"
)

// eventWriter writes events to one response; those that are there together go
// out together.
type eventWriter struct {
	w      http.ResponseWriter
	ctl    *http.ResponseController
	stream string // first part of an event's id; "" for a stream without ids
	buf    []byte
	err    error // the first one
}

func newEventWriter(w http.ResponseWriter, stream uint64, k kind) *eventWriter {
	e := &eventWriter{w: w, ctl: http.NewResponseController(w)}
	if k == streamable {
		e.stream = strconv.FormatUint(stream, 10) + "-"
	}
	return e
}

// open sends the header and what goes before the first message: an event with
// nothing but an id if one is wanted, or the endpoint of HTTP+SSE.
func (e *eventWriter) open(id uint64, wanted bool, endpoint string) error {
	h := e.w.Header()
	h.Set("Content-Type", mcp.TypeEventStream)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	e.w.WriteHeader(http.StatusOK)
	if wanted {
		e.add(e.id(id), "", nil)
	}
	if endpoint != "" {
		e.add("", "endpoint", []byte(endpoint))
	}
	return e.flush()
}

func (e *eventWriter) id(number uint64) string {
	if e.stream == "" {
		return ""
	}
	return e.stream + strconv.FormatUint(number, 10)
}

const (
	largeEvent = 64 << 10  // from here a copy costs more than a write of its own
	mostSpare  = 256 << 10 // of a buffer that is kept for the next events
)

func (e *eventWriter) write(events []event) error {
	for _, ev := range events {
		if len(ev.data) <= largeEvent {
			e.add(e.id(ev.number), "message", ev.data)
			continue
		}
		e.put()
		if e.err == nil {
			e.err = sse.WriteEvent(e.w, e.id(ev.number), "message", ev.data)
		}
	}
	return e.flush()
}

// comment is written on a quiet stream: it finds a client that is gone, and
// keeps one that counts the seconds.
func (e *eventWriter) comment() error {
	if e.err == nil {
		e.err = sse.WriteComment(e.w, "keep-alive")
	}
	return e.flush()
}

func (e *eventWriter) add(id, name string, data []byte) {
	if e.err == nil {
		e.buf, e.err = sse.AppendEvent(e.buf, id, name, data)
	}
}

func (e *eventWriter) put() {
	if len(e.buf) > 0 && e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
	if cap(e.buf) > mostSpare {
		e.buf = nil // a stream may be quiet for hours
	}
}

func (e *eventWriter) flush() error {
	e.put()
	if e.err == nil {
		e.err = e.ctl.Flush()
	}
	return e.err
}
