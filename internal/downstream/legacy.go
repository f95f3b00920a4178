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
		writeRefusal(w, no)
		return
	}
	s, no := sv.open(legacy, Client{Transport: "sse", Authorization: p.authorization})
	if no != nil {
		writeRefusal(w, no)
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
		writeRefusal(w, no)
		return
	}
	body, no := sv.body(w, r)
	if no != nil {
		writeRefusal(w, no)
		return
	}
	m, err := jsonrpc.Parse(body)
	s := sv.find(sessionIn(p.query), legacy)
	var bad *jsonrpc.RefusedError
	switch {
	case errors.As(err, &bad) && s != nil && bad.Batch && s.era.batches():
		sv.askAll(w, r, s, bad)
	case bad != nil:
		sv.refuseMessage(w, s, bad)
	case s == nil:
		writeRefusal(w, noSession(sv.Name).about(idOf(m)))
	case m.Kind() == jsonrpc.Request:
		sv.ask(w, r, s, m)
	default:
		sv.note(w, r, s, m)
	}
}

// ask hands a request on. The 202 goes out before the answer is waited for.
func (sv *server) ask(w http.ResponseWriter, r *http.Request, s *session, m jsonrpc.Message) {
	if no := sv.enter(r, s, m); no != nil {
		writeRefusal(w, no)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// enter puts a request into the table and hands it on.
func (sv *server) enter(r *http.Request, s *session, m jsonrpc.Message) *refusal {
	id := m.ID()
	x := &exchange{}
	if no := s.begin(x, id); no != nil {
		no.id = id
		return no
	}
	s.era.note(m)
	if s.put(r.Context(), m) != nil {
		s.forget(x, id)
		return &refusal{status: http.StatusBadGateway, err: fault.New(fault.ConnectionLost, sv.Name), id: id}
	}
	return nil
}

// askAll hands on the messages of a batch, each by itself. Errors go to the
// stream like answers, since the POST can be answered once only.
func (sv *server) askAll(w http.ResponseWriter, r *http.Request, s *session, whole *jsonrpc.RefusedError) {
	parts, err := jsonrpc.Split(whole.Raw)
	var bad *jsonrpc.RefusedError
	if errors.As(err, &bad) {
		sv.refuseMessage(w, s, bad)
		return
	}
	seen := map[jsonrpc.ID]bool{}
	for _, part := range parts {
		if no := sv.askPart(r, s, part, seen); no != nil {
			code, text, data := no.err.RPC()
			if s.Send(r.Context(), jsonrpc.NewError(no.id, code, text, data)) != nil {
				break // the session is over
			}
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

func (sv *server) askPart(r *http.Request, s *session, part []byte, seen map[jsonrpc.ID]bool) *refusal {
	m, bad := parsePart(part, seen)
	if bad != nil {
		return &refusal{err: describe(bad, sv.Name, sv.MaxBytes), id: bad.ID}
	}
	if m.Kind() != jsonrpc.Request {
		s.touch(m)
		_ = s.put(r.Context(), m) // it fails with the session, which tells of itself
		return nil
	}
	return sv.enter(r, s, m)
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
