package downstream

import (
	"errors"
	"net/http"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// sse opens the stream of HTTP+SSE (2024-11-05), which is the session: it ends
// with the GET. The first event says where messages are posted to.
func (sv *server) sse(w http.ResponseWriter, r *http.Request, p passage) {
	if r.Method != http.MethodGet {
		// Clients that try streamable HTTP first take this as the sign to GET.
		no := sv.gate.badMethod()
		no.allow = http.MethodGet
		writeRefusal(w, no, "")
		return
	}
	s, no := sv.open(legacy, Client{Transport: "sse", Authorization: p.authorization})
	if no != nil {
		writeRefusal(w, no, "")
		return
	}
	defer s.Close()
	rd := &reader{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	s.gets = append(s.gets, rd)
	s.attachLocked(&s.main, rd)
	s.mu.Unlock()
	s.follow(r.Context(), w, rd, position{stream: &s.main, endpoint: p.prefix + "/message?sessionId=" + s.id}, sv.KeepAlive)
}

// message takes a message of HTTP+SSE; its answer goes out on the stream.
func (sv *server) message(w http.ResponseWriter, r *http.Request, p passage) {
	if r.Method != http.MethodPost {
		no := sv.gate.badMethod()
		no.allow = http.MethodPost
		writeRefusal(w, no, "")
		return
	}
	body, no := sv.body(w, r)
	if no != nil {
		writeRefusal(w, no, "")
		return
	}
	m, err := jsonrpc.Parse(body)
	s := sv.find(sessionIn(p.query), legacy)
	var bad *jsonrpc.RefusedError
	switch {
	case errors.As(err, &bad):
		sv.refuseMessage(w, s, bad)
	case s == nil:
		writeRefusal(w, noSession(sv.Name), idOf(m))
	case m.Kind() == jsonrpc.Request:
		sv.ask(w, r, s, m)
	default:
		sv.note(w, r, s, m)
	}
}

// ask hands a request on. The 202 goes out before the answer is waited for.
func (sv *server) ask(w http.ResponseWriter, r *http.Request, s *session, m jsonrpc.Message) {
	id := m.ID()
	x := &exchange{}
	if no := s.begin(x, id); no != nil {
		writeRefusal(w, no, id)
		return
	}
	s.era.note(m)
	if s.put(r.Context(), m) != nil {
		s.forget(x, id)
		writeRefusal(w, &refusal{status: http.StatusBadGateway, err: fault.New(fault.ConnectionLost, sv.Name)}, id)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// sessionIn reads the query that the endpoint event gave out.
func sessionIn(query string) string {
	for part := range strings.SplitSeq(query, "&") {
		if id, ok := strings.CutPrefix(part, "sessionId="); ok {
			return id
		}
	}
	return ""
}
