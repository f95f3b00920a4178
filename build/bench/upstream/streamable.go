package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"drawbridge/build/bench/testserver"
	"drawbridge/build/bench/wire"
)

// variant is one behaviour of streamable HTTP.
type variant struct {
	alwaysSSE, stateless bool
	initDelay            time.Duration
}

func (a *app) streamable(v variant) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.note(r)
		if a.unauth.Load() {
			a.refuse(w)
			return
		}
		id := r.Header.Get("Mcp-Session-Id")
		switch r.Method {
		case http.MethodGet:
			a.getStream(w, r, v, id)
		case http.MethodDelete:
			a.srv.C.Deletes.Add(1)
			a.forget(id)
		case http.MethodPost:
			a.post(w, r, v, id)
		default:
			http.Error(w, "method", http.StatusMethodNotAllowed)
		}
	}
}

// refuse answers as if the token had expired.
func (a *app) refuse(w http.ResponseWriter) {
	a.srv.C.Unauth.Add(1)
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	http.Error(w, "token expired", http.StatusUnauthorized)
}

func (a *app) post(w http.ResponseWriter, r *http.Request, v variant, id string) {
	body, err := readBody(r)
	if err != nil {
		return
	}
	m, err := wire.Scan(body)
	if err != nil {
		writeError(w, http.StatusBadRequest, wire.Error(nil, -32700, "parse error: "+err.Error()))
		return
	}
	s := a.sessionOf(w, m, v, id)
	if s == nil {
		return
	}
	if !m.IsRequest() {
		if m.IsNotification() {
			a.srv.Notification(s.Session, m)
		} else {
			s.Response(m)
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if m.Method == "tools/call" {
		switch testserver.Tool(m.Params) {
		case "http":
			status, body := a.fault(m)
			writeFault(w, status, body)
			return
		case "drop":
			a.drop(w, s, m)
			return
		}
	}
	a.answer(w, r, v, s, m)
}

func writeError(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// sessionOf finds or makes the session; without one it answers and returns nil.
func (a *app) sessionOf(w http.ResponseWriter, m wire.Message, v variant, id string) *session {
	switch {
	case m.Method == "initialize":
		time.Sleep(v.initDelay)
		s := a.newSession()
		if !v.stateless {
			w.Header().Set("Mcp-Session-Id", s.ID)
		}
		return s
	case v.stateless:
		return bareSession()
	case id == "":
		writeError(w, http.StatusBadRequest, wire.Error(m.ID, -32000, "Bad Request: Mcp-Session-Id header is required"))
		return nil
	}
	s := a.find(id)
	if s == nil {
		writeError(w, http.StatusNotFound, wire.Error(m.ID, -32001, "Session not found"))
	}
	return s
}

// answer runs a request; its answer is a stream as soon as the tool emits.
func (a *app) answer(w http.ResponseWriter, r *http.Request, v variant, s *session, m wire.Message) {
	var mu sync.Mutex
	streaming := false
	writeLocked := func(b []byte) error {
		if !streaming {
			streaming = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-cache")
			w.WriteHeader(http.StatusOK)
		}
		return wire.WriteEvent(w, wire.Event{ID: a.nextEvent(), Name: "message", Data: b})
	}
	emit := func(b []byte) error {
		mu.Lock()
		defer mu.Unlock()
		return writeLocked(b)
	}
	out := a.srv.Handle(r.Context(), s.Session, m, emit)
	mu.Lock()
	defer mu.Unlock()
	if v.alwaysSSE || streaming {
		_ = writeLocked(out) // the client may have left
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // as above
}

// fault runs the "http" tool: the first times calls with a key get its status
// (0 cuts the connection), the others an answer.
func (a *app) fault(m wire.Message) (status int, body []byte) {
	var arg struct {
		Status, Times int
		Key, Body     string
	}
	if err := json.Unmarshal(testserver.Arguments(m.Params), &arg); err != nil {
		return http.StatusBadRequest, wire.Error(m.ID, -32602, err.Error())
	}
	a.mu.Lock()
	a.hits[arg.Key]++
	n := a.hits[arg.Key]
	a.mu.Unlock()
	if n > arg.Times {
		return http.StatusOK, wire.Result(m.ID, fmt.Sprintf(`{"content":[{"type":"text","text":"ok after %d"}]}`, n))
	}
	if arg.Status == 0 {
		panic(http.ErrAbortHandler) // net/http cuts the connection
	}
	return arg.Status, []byte(arg.Body)
}

func writeFault(w http.ResponseWriter, status int, body []byte) {
	switch status {
	case http.StatusOK:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client may have left
		return
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, string(body), status)
}

// drop starts an SSE answer, sends a priming event with an id, then cuts the
// connection. The answer waits for a GET with Last-Event-ID.
func (a *app) drop(w http.ResponseWriter, s *session, m wire.Message) {
	id := a.nextEvent()
	s.mu.Lock()
	s.stored[id] = wire.Result(m.ID, `{"content":[{"type":"text","text":"resumed"}]}`)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "id: "+id+"\nretry: 200\ndata: \n\n") // the client may have left
	_ = wire.WriteEvent(w, wire.Event{ID: id, Name: "message", Data: []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"about to drop"}}`)})
	if string(wire.Get(testserver.Arguments(m.Params), "clean")) == "true" {
		return // SEP-1699: the server ends the stream and lets the client poll
	}
	panic(http.ErrAbortHandler)
}

func (a *app) getStream(w http.ResponseWriter, r *http.Request, v variant, id string) {
	s := a.find(id)
	if v.stateless {
		http.Error(w, "no stream", http.StatusMethodNotAllowed)
		return
	}
	if s == nil {
		http.Error(w, "Session not found", http.StatusNotFound)
		return
	}
	a.srv.C.GetStreams.Add(1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	if last := r.Header.Get("Last-Event-ID"); last != "" && a.resume(w, s, last) {
		return
	}
	ch := make(chan []byte)
	cut := s.attach(ch)
	defer s.detach(ch)
	for {
		select {
		case b := <-ch:
			if wire.WriteEvent(w, wire.Event{ID: a.nextEvent(), Name: "message", Data: b}) != nil {
				return
			}
		case <-cut:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

// resume sends what waits behind an event id.
func (a *app) resume(w http.ResponseWriter, s *session, last string) bool {
	a.srv.C.Resumes.Add(1)
	s.mu.Lock()
	b := s.stored[last]
	delete(s.stored, last)
	s.mu.Unlock()
	if b == nil {
		return false
	}
	_ = wire.WriteEvent(w, wire.Event{ID: last + "r", Name: "message", Data: b}) // the client may have left
	return true
}
