package downstream

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// session is one client's conversation over HTTP, as the Conn that the relay
// holds. Handlers put the client's messages into in and wait for answers;
// Send gives each answer to the handler that waits for it, and everything else
// to an event stream.
//
// A message goes out on one stream only. The answer to a request and what
// belongs to the request (its progress; what the server's transport says is about
// it; with one request open, anything a server may ask or log during a call) go
// to the request's own POST. What belongs to none goes to the client's GET, else
// to the youngest POST that takes events, else it waits for either.
type session struct {
	id   string
	kind kind
	name string // the server's, for errors
	log  *slog.Logger

	inbox
	end func() // called once, when it is closed

	era era

	mu      sync.Mutex
	closed  bool
	calls   map[jsonrpc.ID]*exchange // requests without an answer
	begun   uint64                   // exchanges so far
	opened  uint64                   // streams so far
	streams map[uint64]*stream       // those of POSTs, while something of them is kept
	main    stream                   // what belongs to no request
	gets    []*reader                // open GETs; the last one has the main stream
	active  bool                     // there was traffic since tend looked
	used    time.Time                // when tend last saw traffic
	store
}

// kind is how a session is held open.
type kind string

const (
	streamable kind = "streamable" // by its id
	legacy     kind = "legacy"     // HTTP+SSE: by its GET
)

// The limits of one session.
const (
	mostCalls  = 256              // requests without an answer
	mostGets   = 8                // open GETs
	slowAnswer = 10 * time.Second // then an answer becomes a stream with keep-alives
	forgetCall = 10 * time.Second // a cancelled request that the server does not answer
)

func newSession(k kind, name string, log *slog.Logger) *session {
	s := &session{
		id: rand.Text(), kind: k, name: name, log: log, inbox: newInbox(),
		calls: map[jsonrpc.ID]*exchange{}, streams: map[uint64]*stream{}, used: time.Now(),
	}
	return s
}

func (s *session) Send(ctx context.Context, m jsonrpc.Message) error {
	if err := s.room(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return io.ErrClosedPipe
	}
	if m.Kind() == jsonrpc.Response {
		s.answerLocked(m)
		return nil
	}
	st := s.routeLocked(m)
	s.appendLocked(st, m.OneLine())
	return nil
}

// answerLocked gives an answer to the exchange that waits for it.
func (s *session) answerLocked(m jsonrpc.Message) {
	s.era.answered(m)
	id := jsonrpc.ID(m.IDBytes())
	x, ok := s.calls[id]
	if !ok {
		if s.kind == legacy {
			s.appendLocked(&s.main, m.OneLine()) // an error without an id
			return
		}
		s.log.Debug("answer to no open request dropped", "server", s.name)
		return
	}
	delete(s.calls, id)
	s.active = true
	if s.kind == legacy {
		s.appendLocked(&s.main, m.OneLine())
		return
	}
	x.open--
	switch {
	case x.stream != nil:
		s.appendLocked(x.stream, m.OneLine())
		if x.open == 0 {
			s.endLocked(x.stream)
		}
	case x.left:
		s.log.Debug("answer dropped, its client's connection had ended", "server", s.name)
	default:
		if x.batch {
			x.answers = append(x.answers, m.OneLine()) // it may become an event
		} else {
			x.answers = append(x.answers, m.Bytes())
		}
		x.failed = m.Error() != nil
		if x.open == 0 {
			x.signal()
		}
	}
}

// routeLocked finds the stream for a message that is no answer.
func (s *session) routeLocked(m jsonrpc.Message) *stream {
	if s.kind == legacy {
		return &s.main
	}
	if x := s.relatedLocked(m); x != nil {
		return s.streamOfLocked(x)
	}
	if len(s.gets) == 0 {
		if x := s.youngestLocked(); x != nil {
			return s.streamOfLocked(x)
		}
	}
	return &s.main
}

// relatedLocked finds the exchange that a message belongs to.
func (s *session) relatedLocked(m jsonrpc.Message) *exchange {
	switch m.Method() {
	case mcp.MethodProgress:
		if token, ok := jsonrpc.Member(m.Params(), "progressToken"); ok {
			for _, x := range s.calls {
				if x.hasToken(token) && x.takesEvents() {
					return x
				}
			}
		}
	case mcp.MethodToolsChange, "notifications/prompts/list_changed", "notifications/resources/list_changed",
		"notifications/resources/updated", "notifications/elicitation/complete", "notifications/tasks/status":
		return nil // about the server, not about a request
	}
	if x := s.calls[m.About()]; x != nil && x.takesEvents() {
		return x
	}
	var only *exchange
	for _, x := range s.calls {
		if only != nil && x != only {
			return nil
		}
		only = x
	}
	if only == nil || !only.takesEvents() {
		return nil
	}
	return only
}

// youngestLocked is the last begun exchange that can carry events now.
func (s *session) youngestLocked() *exchange {
	var found *exchange
	for _, x := range s.calls {
		if x.takesEvents() && !x.left && (found == nil || x.number > found.number) {
			found = x
		}
	}
	return found
}

// streamOfLocked is the stream that the exchange is answered as, from now on.
func (s *session) streamOfLocked(x *exchange) *stream {
	if x.stream == nil {
		s.opened++
		x.stream = &stream{number: s.opened, reader: &x.reader}
		s.streams[s.opened] = x.stream
		for _, b := range x.answers { // of a batch, already there
			s.appendLocked(x.stream, b)
		}
		x.answers = nil
		x.signal()
	}
	return x.stream
}

// begin enters the requests ids into the table, all of them or none.
func (s *session) begin(x *exchange, ids ...jsonrpc.ID) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.gone()
	}
	for _, id := range ids {
		if s.calls[id] != nil {
			return &refusal{status: 400, err: fault.New(fault.InvalidRequest, s.name).
				With("the id %s is in use by a request that has no answer yet", fault.Excerpt(string(id)))}
		}
	}
	if len(s.calls)+len(ids) > mostCalls {
		return &refusal{status: 429, err: fault.New(fault.TooManyRequests, s.name).
			With("%d requests are open, the most there can be", mostCalls)}
	}
	s.begun++
	x.number, x.open, s.active = s.begun, len(ids), true
	if len(ids) == 0 {
		return nil // it is answered at once, so nothing may wait for its stream
	}
	for _, id := range ids {
		s.calls[id] = x
	}
	if x.events && !x.json {
		s.streamOfLocked(x)
	}
	if x.events && s.main.unsent > 0 && len(s.gets) == 0 {
		s.moveLocked(s.streamOfLocked(x))
	}
	return nil
}

// forget takes requests out of the table that never reached the relay.
func (s *session) forget(x *exchange, ids ...jsonrpc.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.calls[id] == x {
			delete(s.calls, id)
			x.open--
		}
	}
	if st := x.stream; st != nil && x.open == 0 { // nobody is going to write it
		s.endLocked(st)
		s.detachLocked(st, &x.reader)
	}
}

// touch notes traffic, and a cancellation in it: the server need not answer a
// cancelled request, so the table must not wait for it for ever.
func (s *session) touch(m jsonrpc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = true
	if m.Kind() != jsonrpc.Notification || m.Method() != mcp.MethodCancelled {
		return
	}
	id, _ := jsonrpc.Member(m.Params(), "requestId")
	if x := s.calls[jsonrpc.ID(id)]; x != nil {
		x.cancelled = append(x.cancelled, cancelled{id: jsonrpc.ID(id)})
	}
}

// gone refuses a request to a session that is not there (any more); clients
// initialize again on a 404.
func (s *session) gone() *refusal { return noSession(s.name) }

func noSession(name string) *refusal {
	return &refusal{status: 404, err: fault.New(fault.SessionExpired, name).
		With("this session is not known here; it has ended or expired").Step("let the client initialize again")}
}

// Close ends the session: what waits for an answer gets an error, streams end
// after what they hold, and Recv gives io.EOF.
func (s *session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	code, text, data := fault.New(fault.ConnectionLost, s.name).RPC()
	for id, x := range s.calls {
		x.status = 502
		s.answerLocked(jsonrpc.NewError(id, code, text, data))
	}
	s.closed = true
	s.endLocked(&s.main)
	close(s.done)
	s.mu.Unlock()
	s.end()
	return nil
}

// idle tells whether nothing has happened since then and nobody waits. A
// request whose client left may be answered any time, or never.
func (s *session) idle(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active || len(s.gets) > 0 || s.used.After(since) {
		return false
	}
	for _, x := range s.calls {
		if !x.left {
			return false
		}
	}
	for _, st := range s.streams {
		if st.reader != nil {
			return false
		}
	}
	return true
}

// tend does what time brings: slow answers become streams, cancelled requests
// and old streams are forgotten. The time of what happens is taken here, not
// where it happens: that would cost a call as much as all else of it.
func (s *session) tend(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		s.active, s.used = false, now
	}
	for _, x := range s.calls {
		if x.since.IsZero() {
			x.since = now
		}
		if x.events && !x.left && x.stream == nil && now.Sub(x.since) >= slowAnswer {
			s.streamOfLocked(x)
		}
		s.forgetCancelledLocked(x, now)
	}
	s.expireLocked(now)
}

// forgetCancelledLocked ends what an exchange still waits for though it was
// cancelled.
func (s *session) forgetCancelledLocked(x *exchange, now time.Time) {
	for i := range x.cancelled {
		if x.cancelled[i].at.IsZero() {
			x.cancelled[i].at = now
		}
	}
	for len(x.cancelled) > 0 && now.Sub(x.cancelled[0].at) >= forgetCall {
		id := x.cancelled[0].id
		x.cancelled = x.cancelled[1:]
		if s.calls[id] != x {
			continue
		}
		if s.kind == legacy {
			delete(s.calls, id)
			continue
		}
		code, text, data := fault.New(fault.RequestFailed, s.name).With("the request was cancelled").RPC()
		s.answerLocked(jsonrpc.NewError(id, code, text, data))
	}
}
