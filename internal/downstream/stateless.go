package downstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// stateless is the one conversation that all stateless requests of an address
// share, as the Conn that the relay holds.
//
// Clients know nothing of each other, so what they named alike is told apart
// here: every request has an id of our own while it is under way, which is its
// progress token too, and gets back what its client had written. Nothing else
// of a message changes. What belongs to a request is known by these names, or by
// the stream that it came on from the server; a log message without either goes
// to the only request that asked for any.
type stateless struct {
	inbox
	name string // the server's, for errors
	log  *slog.Logger
	end  func() // called once, when it is closed

	mu     sync.Mutex
	closed bool
	serial uint64
	open   map[jsonrpc.ID]*question // by our own ids
	seen   uint64                   // serial when tend last looked
	used   time.Time                // when tend last saw a request

	known toolHeaders
}

// shared is the kind of a stream that cannot be resumed.
const shared kind = "shared"

// question is one request and the POST that waits for its answer.
type question struct {
	id     jsonrpc.ID // as the client wrote it
	own    jsonrpc.ID
	token  []byte // the client's progress token, nil for none
	listen bool   // it asks for what changes, until it ends
	logs   bool   // it asks for log messages
	list   bool   // it asks for the whole list of tools

	json, events bool // forms of an answer that the client takes

	wake chan struct{}

	// The mutex of the conversation guards the rest.
	queue  []event
	size   int           // bytes of queue
	roomy  chan struct{} // closed when the queue was taken; nil while nobody waits
	answer jsonrpc.Message
	over   bool   // nothing will be added
	lost   bool   // the answer says that the conversation ended
	cut    func() // ends a write to the client; nil before there is a stream
}

// The limits of a stateless conversation.
const (
	mostQuestions = 250             // a few less than the relay takes
	queueBytes    = 4 << 20         // events that a client has yet to read; then Send waits
	queueLimit    = 5 * time.Second // for a client that does not read them
)

func newStateless(name string, log *slog.Logger) *stateless {
	return &stateless{inbox: newInbox(), name: name, log: log, open: map[jsonrpc.ID]*question{}, used: time.Now()}
}

func newQuestion(r *http.Request, m jsonrpc.Message) *question {
	q := &question{id: m.ID(), wake: make(chan struct{}, 1)}
	q.json, q.events = accepted(r.Header["Accept"])
	meta := m.Meta()
	q.token, _ = jsonrpc.Member(meta, "progressToken")
	_, q.logs = jsonrpc.Member(meta, mcp.MetaLogLevel)
	switch m.Method() {
	case mcp.MethodListen:
		q.listen, q.events = true, true // it has no other answer
	case mcp.MethodToolsList:
		_, paged := jsonrpc.Member(m.Params(), "cursor")
		q.list = !paged
	}
	return q
}

// enter gives the request its id of our own.
func (s *stateless) enter(q *question) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return io.ErrClosedPipe
	}
	if len(s.open) >= mostQuestions {
		return fmt.Errorf("%d requests are open, the most there can be", mostQuestions)
	}
	s.serial++
	q.own = jsonrpc.ID(`"c` + strconv.FormatUint(s.serial, 10) + `"`)
	if q.id == "" { // one of ours
		q.id = q.own
	}
	s.open[q.own] = q
	return nil
}

// rewritten is the request as it goes out. The error says that it became too
// long.
func (q *question) rewritten(m jsonrpc.Message) (jsonrpc.Message, error) {
	out := m.WithID(q.own)
	if q.token == nil {
		return out, nil
	}
	meta := jsonrpc.SetMember(m.Meta(), "progressToken", []byte(q.own))
	return out.WithParams(jsonrpc.SetMember(m.Params(), "_meta", meta))
}

// drop forgets a request; it is true when it had no answer yet.
func (s *stateless) drop(q *question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.open[q.own] == q
	if waiting {
		delete(s.open, q.own)
	}
	q.over = true
	q.takenLocked()
	return waiting
}

// take gives what there is for the client, and whether that is all.
func (s *stateless) take(q *question) (events []event, answer jsonrpc.Message, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, answer, over = q.queue, q.answer, q.over
	q.takenLocked()
	return events, answer, over
}

func (q *question) takenLocked() {
	q.queue, q.size = nil, 0
	if q.roomy != nil {
		close(q.roomy)
		q.roomy = nil
	}
}

func (q *question) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Send gives a message of the server to the request that it belongs to.
func (s *stateless) Send(ctx context.Context, m jsonrpc.Message) error {
	select {
	case <-s.done:
		return io.ErrClosedPipe
	default:
	}
	switch m.Kind() {
	case jsonrpc.Response:
		s.answered(m)
	case jsonrpc.Notification:
		return s.notified(ctx, m)
	case jsonrpc.Request:
		s.refused(ctx, m)
	default:
		panic("downstream: message of kind " + string(m.Kind()))
	}
	return nil
}

// refused answers a request of the server: stateless clients take none.
func (s *stateless) refused(ctx context.Context, m jsonrpc.Message) {
	ctx, cancel := context.WithTimeout(ctx, cancelLimit)
	defer cancel()
	err := s.put(ctx, jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+m.Method(), nil))
	s.log.Debug("request of the server refused", "server", s.name, "method", m.Method(), "err", err)
}

// answered ends a request.
func (s *stateless) answered(m jsonrpc.Message) {
	s.mu.Lock()
	q := s.open[jsonrpc.ID(m.IDBytes())]
	if q == nil {
		s.mu.Unlock()
		s.log.Debug("answer to no open request dropped", "server", s.name)
		return
	}
	delete(s.open, q.own)
	s.mu.Unlock()
	if q.list {
		s.known.learn(m)
	}
	out, err := q.restored(m)
	if err != nil {
		code, text, data := fault.New(fault.MessageTooLarge, s.name).Because(err).RPC()
		out = jsonrpc.NewError(q.id, code, text, data)
	}
	s.mu.Lock()
	q.answer, q.over = out, true
	s.mu.Unlock()
	q.signal()
}

// restored is an answer as the client gets it. The error says that it became
// too long.
func (q *question) restored(m jsonrpc.Message) (jsonrpc.Message, error) {
	out := m.WithID(q.id)
	if !q.listen || m.Meta() == nil {
		return out, nil
	}
	meta, ok := q.resubscribed(m.Meta())
	if !ok {
		return out, nil
	}
	return out.WithResult(jsonrpc.SetMember(m.Result(), "_meta", meta))
}

// resubscribed puts the client's id back into what names its listen.
func (q *question) resubscribed(meta []byte) ([]byte, bool) {
	id, ok := jsonrpc.Member(meta, mcp.MetaSubscription)
	if !ok || !bytes.Equal(id, []byte(q.own)) {
		return nil, false
	}
	return jsonrpc.SetMember(meta, mcp.MetaSubscription, []byte(q.id)), true
}

// notified finds the request that a notification belongs to.
func (s *stateless) notified(ctx context.Context, m jsonrpc.Message) error {
	if m.Method() == mcp.MethodToolsChange {
		s.known.forget()
	}
	q, params := s.related(m)
	if q == nil || !q.events {
		s.log.Debug("notification of no open request dropped", "server", s.name, "method", m.Method())
		return nil
	}
	if params != nil {
		out, err := m.WithParams(params)
		if err != nil {
			s.log.Warn("notification dropped", "server", s.name, "method", m.Method(), "err", err)
			return nil
		}
		m = out
	}
	return s.deliver(ctx, q, m, m.Method() == mcp.MethodCancelled)
}

// related gives the request that a notification belongs to, nil for none, and
// its params with the client's own names, nil where there is none in them.
func (s *stateless) related(m jsonrpc.Message) (*question, []byte) {
	switch m.Method() {
	case mcp.MethodProgress:
		return s.renamed(m, "progressToken", func(q *question) []byte { return q.token })
	case mcp.MethodCancelled: // a server ends a listen so
		return s.renamed(m, "requestId", func(q *question) []byte {
			if !q.listen {
				return nil
			}
			return []byte(q.id)
		})
	}
	id, ok := jsonrpc.Member(m.Meta(), mcp.MetaSubscription)
	if !ok {
		logs := m.Method() == mcp.MethodLog
		if q := s.find([]byte(m.About())); q != nil && (q.logs || !logs) {
			return q, nil
		}
		return s.only(logs), nil
	}
	q := s.find(id)
	if q == nil {
		return nil, nil
	}
	meta, _ := q.resubscribed(m.Meta())
	return q, jsonrpc.SetMember(m.Params(), "_meta", meta)
}

// renamed finds the request that a member of params names.
func (s *stateless) renamed(m jsonrpc.Message, by string, name func(*question) []byte) (*question, []byte) {
	own, _ := jsonrpc.Member(m.Params(), by)
	q := s.find(own)
	if q == nil || name(q) == nil {
		return nil, nil
	}
	return q, jsonrpc.SetMember(m.Params(), by, name(q))
}

func (s *stateless) find(own []byte) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[jsonrpc.ID(own)]
}

// only is the request that something without a name must belong to: the one
// that is open and no listen; of log messages, the one that asked for any.
func (s *stateless) only(logs bool) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *question
	for _, q := range s.open {
		if q.listen || logs && !q.logs {
			continue
		}
		if found != nil {
			return nil
		}
		found = q
	}
	return found
}

// deliver puts a message into the stream of a request. One client that does not
// read holds the others up for a moment only, then it loses its request.
func (s *stateless) deliver(ctx context.Context, q *question, m jsonrpc.Message, last bool) error {
	if !s.room(ctx, q) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.log.Warn("request dropped, its client does not read", "server", s.name)
		s.mu.Lock()
		q.over = true // it is open still, so leave cancels it
		if q.cut != nil {
			q.cut()
		}
		s.mu.Unlock()
		q.signal()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.over {
		return nil
	}
	data := m.OneLine()
	q.queue = append(q.queue, event{data: data})
	q.size += len(data)
	if last {
		delete(s.open, q.own)
		q.over = true
	}
	q.signal()
	return nil
}

// room waits while a client is too far behind; false says that it stays so.
func (s *stateless) room(ctx context.Context, q *question) bool {
	s.mu.Lock()
	if q.size <= queueBytes || q.over {
		s.mu.Unlock()
		return true
	}
	if q.roomy == nil {
		q.roomy = make(chan struct{})
	}
	roomy := q.roomy
	s.mu.Unlock()
	limit := time.NewTimer(queueLimit)
	defer limit.Stop()
	select {
	case <-roomy:
		return true
	case <-s.done:
		return true // and it is over
	case <-limit.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// Close ends the conversation: what waits for an answer gets an error.
func (s *stateless) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	code, text, data := fault.New(fault.ConnectionLost, s.name).RPC()
	for _, q := range s.open {
		q.answer, q.over, q.lost = jsonrpc.NewError(q.id, code, text, data), true, true
		q.signal()
	}
	clear(s.open)
	close(s.done)
	s.mu.Unlock()
	s.end()
	return nil
}

// idle tells whether no request was open for so long.
func (s *stateless) idle(now time.Time, limit time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 || s.serial != s.seen {
		s.used, s.seen = now, s.serial
	}
	return now.Sub(s.used) >= limit
}
