package downstream

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// exchange is one POST that carries requests, until all have their answers. It
// is answered with JSON when its answers come first, or with an event stream
// when something else does, or the answer takes long. The session's mutex
// guards it.
type exchange struct {
	reader           // its connection
	number uint64    // counted over the session
	tokens [][]byte  // progress tokens of its requests
	since  time.Time // when tend first saw it

	events bool // the client takes an event stream
	json   bool // the client takes JSON
	batch  bool // the answer is an array
	first  bool // it is the initialize that opened the session

	open      int       // requests without an answer
	answers   [][]byte  // until it becomes a stream
	room      [1][]byte // for the usual one
	failed    bool      // the last answer is an error
	stream    *stream   // once it is one
	left      bool      // the connection is gone
	status    int       // of the answer, 0 is 200
	cancelled []cancelled
}

type cancelled struct {
	id jsonrpc.ID
	at time.Time // when tend first saw it
}

func newExchange(r *http.Request) *exchange {
	x := &exchange{reader: reader{wake: make(chan struct{}, 1)}}
	x.answers = x.room[:0]
	x.json, x.events = accepted(r.Header["Accept"])
	return x
}

// carry notes what a request's answer will need.
func (x *exchange) carry(m jsonrpc.Message) {
	if meta := m.Meta(); meta != nil {
		if token, ok := jsonrpc.Member(meta, "progressToken"); ok {
			x.tokens = append(x.tokens, token)
		}
	}
}

func (x *exchange) hasToken(token []byte) bool {
	for _, t := range x.tokens {
		if bytes.Equal(t, token) {
			return true
		}
	}
	return false
}

// takesEvents tells whether something may be sent before the answer.
func (x *exchange) takesEvents() bool { return x.events && (x.stream != nil || !x.left) }

// await answers a POST whose requests are under way.
func (s *session) await(w http.ResponseWriter, r *http.Request, x *exchange, keepAlive time.Duration) {
	select {
	case <-x.wake:
	case <-r.Context().Done():
	}
	s.mu.Lock()
	st, done := x.stream, x.open == 0
	if st == nil && !done {
		x.left = true // and it is not cancelled: only a notification does that
	}
	s.mu.Unlock()
	switch {
	case st != nil:
		if x.first {
			w.Header().Set(mcp.HeaderSession, s.id)
		}
		s.follow(r.Context(), w, &x.reader, position{stream: st, known: true}, keepAlive)
		s.mu.Lock()
		x.left = true
		s.mu.Unlock()
	case done:
		s.writeAnswers(w, x)
	}
}

// writeAnswers answers with JSON.
func (s *session) writeAnswers(w http.ResponseWriter, x *exchange) {
	body := x.answers[0]
	if x.batch {
		body = append(append([]byte{'['}, bytes.Join(x.answers, []byte{','})...), ']')
	}
	h := w.Header()
	h["Content-Type"] = typeJSON
	if len(body) > selfCounted {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	if x.first && !x.failed {
		h.Set(mcp.HeaderSession, s.id)
	}
	if x.status != 0 {
		h.Set(mcp.HeaderErrorOrigin, errorOrigin)
		w.WriteHeader(x.status)
	}
	_, _ = w.Write(body) // a client that left is gone with its request
}

// selfCounted is the size of a body up to which net/http finds the length by
// itself, without an allocation.
const selfCounted = 2000

// typeJSON is shared by all answers; headers are not changed in place.
var typeJSON = []string{mcp.TypeJSON}

// position is where a connection begins to read a stream.
type position struct {
	stream *stream
	from   uint64 // the last event the client has
	known  bool   // from counts; else it begins with what was never sent

	endpoint string // where messages are posted to, the first event of HTTP+SSE
}

// follow writes a stream to its client until it ends, another connection takes
// it over, or the client is gone.
func (s *session) follow(ctx context.Context, w http.ResponseWriter, r *reader, at position, keepAlive time.Duration) {
	st := at.stream
	defer s.depart(st, r)
	out := newEventWriter(w, st.number, s.kind)
	id, wanted := s.priming(at)
	if out.open(id, wanted, at.endpoint) != nil {
		return
	}
	s.mu.Lock()
	r.limit = func(t time.Time) { _ = out.ctl.SetWriteDeadline(t) } // fails only on a connection that is gone
	s.mu.Unlock()
	quiet := time.NewTimer(keepAlive)
	defer quiet.Stop()
	for {
		events, more := s.next(&at, r)
		if len(events) > 0 {
			err := out.write(events)
			at.from = events[len(events)-1].number
			s.wrote(st, r, at.from, err)
			if err != nil {
				return
			}
			quiet.Reset(keepAlive)
			continue
		}
		if !more {
			return
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		case <-quiet.C:
			if out.comment() != nil {
				return
			}
			quiet.Reset(keepAlive)
		}
	}
}

// takeoverLimit is how long a connection may go on writing what it has begun with
// when another has taken its stream over.
const takeoverLimit = time.Second

// wrote ends the write that next began.
func (s *session) wrote(st *stream, r *reader, number uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.busy--
	r.busy = false
	if r.hurried {
		r.hurried = false
		r.limit(time.Time{})
	}
	if err == nil {
		s.wroteLocked(st, number)
	}
	if st.reader != r && st.reader != nil {
		st.reader.signal() // it waits to know what was written
	}
}

// next gives the events to write now; more is false when there will be none. What
// another connection is writing at this moment is waited for, or it would go out
// twice.
func (s *session) next(at *position, r *reader) (events []event, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := at.stream
	if st.reader != r {
		at.known = false
		return nil, st == &s.main && !st.ended // a younger GET has the stream
	}
	if !at.known && st.busy > 0 {
		return nil, true
	}
	if !at.known {
		at.from, at.known = st.sent(), true
	}
	if events = st.after(at.from); len(events) > 0 {
		st.busy++
		r.busy = true
	}
	return events, len(events) > 0 || !st.ended
}

// priming is the id that a client may come back with before the first event.
// Clients know it since 2025-11-25 (SEP-1699).
func (s *session) priming(at position) (id uint64, wanted bool) {
	if s.kind != streamable || s.era.agreed() < mcp.V2025_11_25 {
		return 0, false
	}
	if at.known {
		return at.from, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return at.stream.sent(), true
}

// sent is the number of the last event that was written.
func (st *stream) sent() uint64 {
	if st.unsent == 0 {
		return st.last
	}
	return st.events[len(st.events)-st.unsent].number - 1
}

// depart ends a connection's turn at a stream. An older GET that is still open
// gets the main stream back.
func (s *session) depart(st *stream, r *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range s.gets {
		if g == r {
			s.gets = append(s.gets[:i], s.gets[i+1:]...)
			break
		}
	}
	if st == &s.main && st.reader == r && len(s.gets) > 0 {
		s.attachLocked(st, s.gets[len(s.gets)-1])
		return
	}
	s.detachLocked(st, r)
}
