package testserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"drawbridge/build/bench/wire"
)

// Session is one client's state.
type Session struct {
	ID string

	// Notify sends a server message outside any request (GET stream, SSE
	// stream, stdout). It reports whether somebody was there to receive it.
	Notify func(message []byte) bool

	mu      sync.Mutex
	pending map[string]chan wire.Message  // our requests to the client
	cancel  map[string]context.CancelFunc // the client's calls under way
	nextID  int64
}

// NewSession makes a session with an id of its own.
func NewSession() *Session {
	return &Session{ID: rand.Text(), pending: map[string]chan wire.Message{}, cancel: map[string]context.CancelFunc{}}
}

// Response delivers a client's answer to a server's request.
func (s *Session) Response(m wire.Message) {
	s.mu.Lock()
	ch := s.pending[string(m.ID)]
	delete(s.pending, string(m.ID))
	s.mu.Unlock()
	if ch == nil {
		return
	}
	if own, err := wire.Scan(bytes.Clone(m.Raw)); err == nil { // the line's buffer is the transport's
		ch <- own
	}
}

// abort handles notifications/cancelled.
func (s *Session) abort(params []byte) {
	var p struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	s.mu.Lock()
	cancel := s.cancel[string(p.RequestID)]
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// begin makes a call cancellable until the returned function is called.
func (s *Session) begin(ctx context.Context, id []byte) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.cancel[string(id)] = cancel
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		delete(s.cancel, string(id))
		s.mu.Unlock()
		cancel()
	}
}

// ask sends a request to the client and describes its answer.
func (s *Session) ask(ctx context.Context, emit func([]byte) error, method, params string) string {
	s.mu.Lock()
	s.nextID++
	id := strconv.FormatInt(9000+s.nextID, 10)
	ch := make(chan wire.Message, 1)
	s.pending[id] = ch
	s.mu.Unlock()
	if err := emit([]byte(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`)); err != nil {
		return "emit failed: " + err.Error()
	}
	select {
	case m := <-ch:
		if m.Error != nil {
			return "client error: " + string(m.Error)
		}
		return "client result: " + string(m.Result)
	case <-ctx.Done():
		return "cancelled"
	case <-time.After(8 * time.Second):
		return "timeout waiting for the client"
	}
}
