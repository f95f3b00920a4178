package downstream

import (
	"context"
	"io"
	"slices"
	"time"
)

// stream is one sequence of server-sent events of a session. Its events are
// numbered from 1; the id of an event on the wire is "stream-event". What was
// written is kept for a client whose connection broke, within the limits of
// the session's store. The session's mutex guards it.
type stream struct {
	number uint64
	last   uint64    // number of the youngest event
	events []event   // oldest first: written ones, then unsent ones
	unsent int       // how many of the last events were not written yet
	bytes  int       // of the unsent ones
	reader *reader   // the connection that writes it now, nil for none
	busy   int       // connections that are writing events of it: this one, and one before
	ended  bool      // nothing will be added
	until  time.Time // then it is forgotten; set when tend saw that it ended
}

type event struct {
	number  uint64
	data    []byte // one line
	written bool
}

// reader is one connection's place at a stream.
type reader struct {
	wake    chan struct{}
	busy    bool            // it is writing
	limit   func(time.Time) // sets when that has to be over; nil before there was a write
	hurried bool            // such a limit is set
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// The bounds of what a session keeps.
const (
	backlogBytes = 4 << 20 // unsent on open streams; then Send waits
	heldBytes    = 8 << 20 // unsent while no stream is open; then the oldest is dropped
	heldEvents   = 1000
	keptBytes    = 4 << 20 // written, for a client that comes back
	keptEvents   = 1000
	keptFor      = 5 * time.Minute // a stream that ended
)

// store counts what a session keeps, over all its streams.
type store struct {
	backlog int           // bytes
	roomy   chan struct{} // closed when the backlog shrinks; nil while nobody waits

	held, heldCount int
	dropped         int

	kept  int
	queue []written // what is kept, oldest first
}

type written struct {
	stream *stream
	number uint64
	size   int
}

// room waits while readers are too far behind.
func (s *session) room(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.backlog <= backlogBytes || s.closed {
			s.mu.Unlock()
			return nil
		}
		if s.roomy == nil {
			s.roomy = make(chan struct{})
		}
		roomy := s.roomy
		s.mu.Unlock()
		select {
		case <-roomy:
		case <-s.done:
			return io.ErrClosedPipe
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lessLocked takes n bytes off the backlog.
func (s *session) lessLocked(n int) {
	s.backlog -= n
	if s.roomy != nil {
		close(s.roomy)
		s.roomy = nil
	}
}

// appendLocked adds an event to a stream.
func (s *session) appendLocked(st *stream, data []byte) {
	st.last++
	st.events = append(st.events, event{number: st.last, data: data})
	st.unsent++
	st.bytes += len(data)
	if st.reader != nil {
		s.backlog += len(data)
		st.reader.signal()
		return
	}
	s.held += len(data)
	s.heldCount++
	s.trimLocked(st)
}

// trimLocked drops the oldest unsent events of a stream that nobody reads,
// while the session holds too much.
func (s *session) trimLocked(st *stream) {
	for st.unsent > 0 && (s.held > heldBytes || s.heldCount > heldEvents) {
		i := len(st.events) - st.unsent
		n := len(st.events[i].data)
		st.events = slices.Delete(st.events, i, i+1)
		st.unsent--
		st.bytes -= n
		s.held -= n
		s.heldCount--
		if s.dropped++; s.dropped == 1 || s.dropped%heldEvents == 0 {
			s.log.Warn("messages dropped, the client reads no stream", "server", s.name, "dropped", s.dropped)
		}
	}
}

// moveLocked gives what waits for any stream to the end of st.
func (s *session) moveLocked(st *stream) {
	from := len(s.main.events) - s.main.unsent
	for _, e := range s.main.events[from:] {
		s.held -= len(e.data)
		s.heldCount--
		s.appendLocked(st, e.data)
	}
	s.main.events = slices.Delete(s.main.events, from, len(s.main.events))
	s.main.unsent, s.main.bytes = 0, 0
}

// attachLocked makes r the connection that writes st; one that did before
// finds out when it looks next.
func (s *session) attachLocked(st *stream, r *reader) {
	before := st.reader
	st.reader = r
	if before == nil {
		s.held -= st.bytes
		s.heldCount -= st.unsent
		s.backlog += st.bytes
	} else {
		before.signal()
		if before.busy {
			before.limit(time.Now().Add(takeoverLimit))
			before.hurried = true
		}
	}
	r.signal()
}

// detachLocked ends r's turn, if it is still r's.
func (s *session) detachLocked(st *stream, r *reader) {
	if st.reader != r {
		return
	}
	st.reader = nil
	s.held += st.bytes
	s.heldCount += st.unsent
	s.lessLocked(st.bytes)
	s.trimLocked(st)
	s.active = true
	s.dropLocked(st)
}

// endLocked says that nothing will be added.
func (s *session) endLocked(st *stream) {
	st.ended = true
	if st.reader != nil {
		st.reader.signal()
	}
	for _, r := range s.gets {
		if st == &s.main {
			r.signal()
		}
	}
}

// after gives the events behind a number, some of them if there are many.
func (st *stream) after(number uint64) []event {
	const most = 128
	i, _ := slices.BinarySearchFunc(st.events, number+1, func(e event, n uint64) int {
		switch {
		case e.number < n:
			return -1
		case e.number > n:
			return 1
		default:
			return 0
		}
	})
	size, j := 0, i
	for j < len(st.events) && j-i < most && size < backlogBytes {
		size += len(st.events[j].data)
		j++
	}
	return slices.Clone(st.events[i:j])
}

// wroteLocked notes that the events up to a number are written, and keeps
// them. A session of HTTP+SSE cannot be resumed, so it keeps nothing.
func (s *session) wroteLocked(st *stream, number uint64) {
	for i := len(st.events) - st.unsent; i < len(st.events) && st.events[i].number <= number; i++ {
		e := &st.events[i]
		e.written = true
		st.unsent--
		st.bytes -= len(e.data)
		if st.reader != nil {
			s.lessLocked(len(e.data))
		} else {
			s.held -= len(e.data)
			s.heldCount--
		}
		s.kept += len(e.data)
		s.queue = append(s.queue, written{st, e.number, len(e.data)})
	}
	bytes, events := keptBytes, keptEvents
	if s.kind == legacy {
		bytes, events = 0, 0
	}
	for len(s.queue) > 0 && (s.kept > bytes || len(s.queue) > events) {
		w := s.queue[0]
		s.queue[0] = written{}
		s.queue = s.queue[1:]
		s.kept -= w.size
		if len(w.stream.events) > 0 && w.stream.events[0].number == w.number {
			w.stream.events[0] = event{}
			w.stream.events = w.stream.events[1:]
		}
		s.dropLocked(w.stream)
	}
}

// dropLocked forgets a stream of which nothing is left to give.
func (s *session) dropLocked(st *stream) {
	if st != &s.main && st.ended && st.reader == nil && len(st.events) == 0 {
		delete(s.streams, st.number)
	}
}

// expireLocked forgets streams that ended long ago.
func (s *session) expireLocked(now time.Time) {
	for n, st := range s.streams {
		if st.ended && st.until.IsZero() {
			st.until = now.Add(keptFor)
		}
		if !st.ended || st.reader != nil || now.Before(st.until) {
			continue
		}
		s.held -= st.bytes
		s.heldCount -= st.unsent
		delete(s.streams, n)
		s.queue = slices.DeleteFunc(s.queue, func(w written) bool {
			if w.stream == st {
				s.kept -= w.size
			}
			return w.stream == st
		})
	}
}
