// Upstream is a raw net/http MCP server: the fastest thing a bridge can talk to,
// and a place to inject faults. One process serves every variant:
//
//	/mcp         streamable HTTP, sessions, JSON answers (SSE when a tool streams)
//	/mcps        the same with SSE answers always
//	/stateless   streamable HTTP without session ids
//	/sse         HTTP+SSE of 2024-11-05 (messages to /message)
//	/modern      2026-07-28 only: server/discover, per-request _meta, no initialize
//	/auth        401 with RFC 9728 metadata unless "Bearer good" is sent
//	/auth401     bare 401 without any hint
//	/slowinit    initialize takes 8 s
//	/html        200 text/html to everything
//	/_ctl/stats  counters; /_ctl/expire drops sessions; /_ctl/unauth?on=1 turns
//	             every POST into a 401; /_ctl/cutget closes the GET and SSE streams
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/build/bench/testserver"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "listen address; the chosen one is printed on stdout")
	flag.Parse()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	a := &app{sessions: map[string]*session{}, hits: map[string]int{}}
	a.srv.Name = "raw-upstream"
	mux := http.NewServeMux()
	a.routes(mux)
	a.authRoutes(mux, "http://"+ln.Addr().String())
	a.controlRoutes(mux)
	fmt.Println(ln.Addr().String())
	log.Fatal((&http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}).Serve(ln))
}

// app is the server with everything it remembers.
type app struct {
	srv     testserver.Server
	unauth  atomic.Bool
	eventID atomic.Int64

	mu       sync.Mutex
	sessions map[string]*session
	hits     map[string]int // calls of the "http" tool by key
}

func (a *app) routes(mux *http.ServeMux) {
	mux.HandleFunc("/mcp", a.streamable(variant{}))
	mux.HandleFunc("/mcps", a.streamable(variant{alwaysSSE: true}))
	mux.HandleFunc("/stateless", a.streamable(variant{stateless: true}))
	mux.HandleFunc("/slowinit", a.streamable(variant{initDelay: 8 * time.Second}))
	mux.HandleFunc("GET /sse", a.sseStream)
	mux.HandleFunc("/message", a.ssePost)
	mux.HandleFunc("POST /modern", a.modern)
	mux.HandleFunc("/html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Sign in to the corporate proxy</body></html>") // the client may have left
	})
}

// controlRoutes are the bench's own way in.
func (a *app) controlRoutes(mux *http.ServeMux) {
	mux.HandleFunc("/_ctl/stats", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(a.srv.C.JSON()) // the bench may have left
	})
	mux.HandleFunc("/_ctl/expire", func(http.ResponseWriter, *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sessions = map[string]*session{}
	})
	mux.HandleFunc("/_ctl/unauth", func(_ http.ResponseWriter, r *http.Request) { a.unauth.Store(r.FormValue("on") == "1") })
	mux.HandleFunc("/_ctl/cutget", func(http.ResponseWriter, *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, s := range a.sessions {
			s.cutStreams()
		}
	})
}

// session is a client's session and its streams.
type session struct {
	*testserver.Session

	mu     sync.Mutex
	stream chan []byte       // the standalone stream, nil when closed
	cut    chan struct{}     // closed to break the streams
	stored map[string][]byte // event id -> message waiting for a resume
}

func bareSession() *session {
	return &session{Session: testserver.NewSession(), stored: map[string][]byte{}, cut: make(chan struct{})}
}

func (a *app) newSession() *session {
	s := bareSession()
	s.Notify = s.notify
	a.mu.Lock()
	a.sessions[s.ID] = s
	a.mu.Unlock()
	return s
}

func (s *session) notify(b []byte) bool {
	s.mu.Lock()
	ch := s.stream
	s.mu.Unlock()
	if ch == nil {
		return false
	}
	select {
	case ch <- b:
		return true
	case <-time.After(time.Second):
		return false
	}
}

func (s *session) cutStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// attach makes ch the standalone stream and returns when to break it.
func (s *session) attach(ch chan []byte) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = ch
	return s.cut
}

func (s *session) detach(ch chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == ch {
		s.stream = nil
	}
}

func (a *app) find(id string) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[id]
}

func (a *app) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, id)
}

func (a *app) nextEvent() string { return strconv.FormatInt(a.eventID.Add(1), 10) }

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength <= 0 {
		return io.ReadAll(r.Body)
	}
	b := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, b)
	return b, err
}

// note records the headers a bridge is judged by.
func (a *app) note(r *http.Request) {
	for _, h := range []string{"Mcp-Protocol-Version", "User-Agent", "Accept", "Content-Type", "X-Test", "Mcp-Method", "Mcp-Name", "Cookie", "Authorization"} {
		if v := r.Header.Get(h); v != "" {
			a.srv.C.NoteHeader(h, v)
		}
	}
}
