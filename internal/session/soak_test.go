package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// S-49: three thousand calls over HTTP to a server that forgets sessions, cuts
// connections, answers in either form, late or only after a cancellation:
// every call that was not cancelled is answered once, none is carried out twice,
// and nothing is left.
func TestSoakOverHTTP(t *testing.T) {
	before := runtime.NumGoroutine()
	s := &shaky{t: t, sessions: map[string]bool{}, done: map[string]int{}}
	srv := httptest.NewServer(s)
	near, far := jsonrpc.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), near, catalog.Server{Name: "srv", Transport: catalog.HTTP, URL: srv.URL},
			Options{Log: slog.New(slog.DiscardHandler), Reconnect: true})
	}()
	tell := func(m string) {
		if err := far.Send(t.Context(), parse(t, m)); err != nil {
			t.Error(err)
		}
	}
	hear := func() jsonrpc.Message {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m, err := far.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tell(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if m := hear(); m.Result() == nil {
		t.Fatalf("initialize was answered %s", m.Bytes())
	}
	tell(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	open, answered, results, given := map[string]bool{}, map[string]bool{}, 0, 0
	take := func() {
		m := hear()
		id := strings.Trim(string(m.ID()), `"`)
		switch {
		case m.Kind() != jsonrpc.Response:
			return
		case answered[id]:
			t.Errorf("%s was answered twice, now with %s", id, m.Bytes())
		case m.Result() != nil:
			results++
		}
		answered[id] = true
		delete(open, id)
	}
	const calls = 3000
	for i := range calls {
		for len(open) >= 16 {
			take()
		}
		id := fmt.Sprint("c", i)
		tell(`{"jsonrpc":"2.0","id":"` + id + `","method":"tools/call","params":{"name":"a"}}`)
		if rand.IntN(30) == 0 {
			tell(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"` + id + `"}}`)
			given++
			continue
		}
		open[id] = true
	}
	for len(open) > 0 {
		take()
	}
	far.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	srv.Close()
	t.Logf("%d results of %d, %d cancelled, %d sessions", results, calls, given, s.serial)
	if results < calls*8/10 || s.serial < 5 {
		t.Error("that was too quiet to prove anything, or too much was lost")
	}
	flat(t, before)
}

// flat wants the number of goroutines back at or below before.
func flat(t *testing.T, before int) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-limit:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// shaky is a streamable HTTP server that does not keep well.
type shaky struct {
	t *testing.T

	mu       sync.Mutex
	serial   int
	sessions map[string]bool
	done     map[string]int // calls carried out
}

func (s *shaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, err := jsonrpc.Parse(body)
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case err != nil:
		s.t.Errorf("server got %q: %v", body, err)
	case m.Method() == mcp.MethodInitialize:
		s.welcome(w, m)
	case !s.knows(r):
		w.WriteHeader(http.StatusNotFound)
	case m.Kind() != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	default:
		s.call(w, r, m)
	}
}

func (s *shaky) welcome(w http.ResponseWriter, m jsonrpc.Message) {
	s.mu.Lock()
	s.serial++
	id := fmt.Sprint("session-", s.serial)
	s.sessions = map[string]bool{id: true}
	s.mu.Unlock()
	w.Header().Set(mcp.HeaderSession, id)
	s.say(w, mcp.TypeJSON, jsonrpc.NewResult(m.ID(), []byte(`{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)).Bytes())
}

// knows tells whether the session is known, and forgets all now and then.
func (s *shaky) knows(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rand.IntN(100) == 0 {
		s.sessions = map[string]bool{}
	}
	return s.sessions[r.Header.Get(mcp.HeaderSession)]
}

func (s *shaky) call(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
	id := string(m.ID())
	s.mu.Lock()
	if s.done[id]++; s.done[id] > 1 {
		s.t.Errorf("%s was carried out %d times", id, s.done[id])
	}
	s.mu.Unlock()
	answer := jsonrpc.NewResult(m.ID(), []byte(`{}`)).Bytes()
	switch n := rand.IntN(200); {
	case n < 2:
		panic(http.ErrAbortHandler)
	case n < 60:
		s.say(w, mcp.TypeEventStream, fmt.Appendf(nil, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\ndata: %s\n\n", answer))
	case n < 70:
		select {
		case <-time.After(5 * time.Millisecond):
			s.say(w, mcp.TypeJSON, answer)
		case <-r.Context().Done():
		}
	default:
		s.say(w, mcp.TypeJSON, answer)
	}
}

func (s *shaky) say(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(body) // a client that left hears nothing
}
