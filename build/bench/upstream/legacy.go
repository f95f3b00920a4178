package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"drawbridge/build/bench/testserver"
	"drawbridge/build/bench/wire"
)

// sseStream is the event stream of HTTP+SSE; its end is the session's.
func (a *app) sseStream(w http.ResponseWriter, r *http.Request) {
	a.note(r)
	s := a.newSession()
	defer a.forget(s.ID)
	ch := make(chan []byte, 64)
	cut := s.attach(ch)
	a.srv.C.GetStreams.Add(1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if wire.WriteEvent(w, wire.Event{Name: "endpoint", Data: []byte("/message?sessionId=" + s.ID)}) != nil {
		return
	}
	for {
		select {
		case b := <-ch:
			if wire.WriteEvent(w, wire.Event{Name: "message", Data: b}) != nil {
				return
			}
		case <-cut:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

// ssePost takes a message of HTTP+SSE; answers go out on the stream.
func (a *app) ssePost(w http.ResponseWriter, r *http.Request) {
	a.note(r)
	s := a.find(r.URL.Query().Get("sessionId"))
	if s == nil {
		http.Error(w, "Session not found", http.StatusNotFound)
		return
	}
	if a.unauth.Load() {
		a.refuse(w)
		return
	}
	body, err := readBody(r)
	if err != nil {
		return
	}
	m, err := wire.Scan(body)
	switch {
	case err != nil:
		http.Error(w, "parse error", http.StatusBadRequest)
		return
	case m.IsNotification():
		a.srv.Notification(s.Session, m)
	case !m.IsRequest():
		s.Response(m)
	case m.Method == "tools/call" && testserver.Tool(m.Params) == "http":
		a.sseFault(w, s, m)
		return
	default:
		go func() { _ = s.push(a.srv.Handle(context.Background(), s.Session, m, s.push)) }() // ends with the tool; a gone stream has no reader
	}
	w.WriteHeader(http.StatusAccepted)
}

// push puts a message on the event stream.
func (s *session) push(b []byte) error {
	s.mu.Lock()
	ch := s.stream
	s.mu.Unlock()
	select {
	case ch <- b:
		return nil
	case <-time.After(10 * time.Second):
		return errors.New("nobody reads the stream")
	}
}

// sseFault gives a fault to the POST, the tool's answer to the stream.
func (a *app) sseFault(w http.ResponseWriter, s *session, m wire.Message) {
	status, body := a.fault(m)
	if status != http.StatusOK {
		writeFault(w, status, body)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_ = s.push(body) // a gone stream has no reader
}
