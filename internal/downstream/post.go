package downstream

import (
	"errors"
	"net/http"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// accepted reads Accept headers: which forms of an answer the client takes.
// One that names neither gets JSON.
func accepted(headers []string) (json, events bool) {
	for _, h := range headers {
		h = strings.ToLower(h)
		events = events || strings.Contains(h, mcp.TypeEventStream)
		json = json || strings.Contains(h, mcp.TypeJSON) || strings.Contains(h, "*/*") || strings.Contains(h, "application/*")
	}
	return json || !events, events
}

// mcp serves streamable HTTP.
func (sv *server) mcp(w http.ResponseWriter, r *http.Request, p passage) {
	switch {
	case r.Method == http.MethodPost:
		sv.post(w, r, p)
	case isModernHead(r):
		no := sv.gate.refuse(http.StatusMethodNotAllowed, fault.InvalidRequest, "since "+mcp.V2026_07_28+" all is sent by POST")
		no.allow = http.MethodPost
		writeRefusal(w, no)
	case r.Method == http.MethodGet:
		sv.get(w, r)
	case r.Method == http.MethodDelete:
		sv.remove(w, r)
	default:
		panic("downstream: the gate let " + r.Method + " pass")
	}
}

// sessionOf finds the session that a request names. Both are nil when it names
// none.
func (sv *server) sessionOf(r *http.Request) (*session, *refusal) {
	ids := r.Header[mcp.HeaderSession]
	switch len(ids) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "there is more than one session id")
	}
	s := sv.find(ids[0], streamable)
	if s == nil {
		return nil, noSession(sv.Name)
	}
	return s, nil
}

// version refuses a protocol version that is unknown to sessions. The header may
// name another one than was agreed on: clients that were made for one version
// go on saying it (conformance 0.1.16, server-sse-multiple-streams). The session
// stays what it is. A request without the header is one of an older version.
func (sv *server) version(r *http.Request, s *session) *refusal {
	v := r.Header[mcp.HeaderVersion]
	agreed := s.era.agreed()
	if len(v) == 0 || agreed == "" || len(v) == 1 && (v[0] == agreed || mcp.IsLegacy(v[0])) {
		return nil
	}
	return sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "the protocol version is not one of a session")
}

// post takes a message.
func (sv *server) post(w http.ResponseWriter, r *http.Request, p passage) {
	body, no := sv.body(w, r)
	if no != nil {
		writeRefusal(w, no)
		return
	}
	m, err := jsonrpc.Parse(body)
	if err == nil && isModern(r, m) {
		sv.modern(w, r, p, m)
		return
	}
	s, no := sv.sessionOf(r)
	var bad *jsonrpc.RefusedError
	switch {
	case errors.As(err, &bad) && (s == nil || !bad.Batch || !s.era.batches()):
		sv.refuseMessage(w, s, bad)
		return
	case no == nil && s != nil && m.Method() != mcp.MethodInitialize:
		no = sv.version(r, s)
	}
	switch {
	case no != nil:
		writeRefusal(w, no.about(idOf(m)))
	case bad != nil:
		sv.batch(w, r, s, bad)
	case s == nil:
		sv.first(w, r, p, m)
	case m.Kind() == jsonrpc.Request:
		sv.request(w, r, s, m, newExchange(r))
	default:
		sv.note(w, r, s, m)
	}
}

// idOf is the id an error about m carries: an answer's id is not ours to use.
func idOf(m jsonrpc.Message) jsonrpc.ID {
	if m.Kind() != jsonrpc.Request {
		return ""
	}
	return m.ID()
}

// refuseMessage answers bytes that are no message. When they were meant as an
// answer, the server gets an error in its place.
func (sv *server) refuseMessage(w http.ResponseWriter, s *session, bad *jsonrpc.RefusedError) {
	err := describe(bad, sv.Name, sv.MaxBytes)
	if m := answerRefused(bad); s != nil && m.Kind() != "" {
		select {
		case s.in <- m:
		default: // the relay is far behind; the server's own limit ends its wait
		}
	}
	writeRefusal(w, &refusal{status: err.Status(), err: err, id: bad.ID})
}

// first takes a message that names no session: an initialize opens one.
func (sv *server) first(w http.ResponseWriter, r *http.Request, p passage, m jsonrpc.Message) {
	if m.Kind() != jsonrpc.Request || m.Method() != mcp.MethodInitialize {
		writeRefusal(w, sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "the request names no session; initialize opens one").about(idOf(m)))
		return
	}
	s, no := sv.open(streamable, Client{Transport: "http", Authorization: p.authorization})
	if no != nil {
		writeRefusal(w, no.about(m.ID()))
		return
	}
	x := newExchange(r)
	x.first = true
	sv.request(w, r, s, m, x)
	if !s.joined(x) {
		s.Close() // nobody knows its id
	}
}

// joined tells whether the client of the initialize x has the session's
// id: it was sent with the answer, or with the header of a stream.
func (s *session) joined(x *exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.stream != nil || len(x.answers) > 0 && !x.failed
}

// request hands a request on and answers the POST.
func (sv *server) request(w http.ResponseWriter, r *http.Request, s *session, m jsonrpc.Message, x *exchange) {
	id := m.ID()
	x.carry(m)
	if no := s.begin(x, id); no != nil {
		writeRefusal(w, no.about(id))
		return
	}
	s.era.note(m)
	if s.put(r.Context(), m) != nil && r.Context().Err() != nil {
		s.forget(x, id) // the client left before anybody saw it
		return
	}
	s.await(w, r, x, sv.KeepAlive)
}

// note hands on what gets no answer.
func (sv *server) note(w http.ResponseWriter, r *http.Request, s *session, m jsonrpc.Message) {
	s.touch(m)
	if s.put(r.Context(), m) != nil {
		writeRefusal(w, noSession(sv.Name))
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// batch takes an array of messages, each by itself.
func (sv *server) batch(w http.ResponseWriter, r *http.Request, s *session, whole *jsonrpc.RefusedError) {
	parts, err := jsonrpc.Split(whole.Raw)
	if err != nil {
		var bad *jsonrpc.RefusedError
		errors.As(err, &bad)
		sv.refuseMessage(w, s, bad)
		return
	}
	x := newExchange(r)
	x.batch = true
	var ids []jsonrpc.ID
	var good []jsonrpc.Message
	seen := map[jsonrpc.ID]bool{}
	for _, part := range parts {
		m, bad := parsePart(part, seen)
		if bad != nil {
			code, text, data := describe(bad, sv.Name, sv.MaxBytes).RPC()
			x.answers = append(x.answers, jsonrpc.NewError(bad.ID, code, text, data).Bytes())
			if m = answerRefused(bad); m.Kind() == "" {
				continue
			}
		}
		if m.Kind() == jsonrpc.Request {
			ids = append(ids, m.ID())
			x.carry(m)
		}
		good = append(good, m)
	}
	if no := s.begin(x, ids...); no != nil {
		writeRefusal(w, no)
		return
	}
	for i, m := range good {
		if m.Kind() != jsonrpc.Request {
			s.touch(m)
		}
		if s.put(r.Context(), m) != nil && r.Context().Err() != nil {
			s.forgetAll(x, good[i:])
			break
		}
	}
	switch {
	case len(ids) > 0:
		s.await(w, r, x, sv.KeepAlive)
	case len(x.answers) > 0:
		s.writeAnswers(w, x)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// parsePart parses one message of a batch. An initialize may not be in one,
// and no id may be in it twice.
func parsePart(part []byte, seen map[jsonrpc.ID]bool) (jsonrpc.Message, *jsonrpc.RefusedError) {
	m, err := jsonrpc.Parse(part)
	var bad *jsonrpc.RefusedError
	if errors.As(err, &bad) {
		return jsonrpc.Message{}, bad
	}
	if m.Kind() != jsonrpc.Request {
		return m, nil
	}
	refused := func(why string) (jsonrpc.Message, *jsonrpc.RefusedError) {
		return jsonrpc.Message{}, &jsonrpc.RefusedError{Code: jsonrpc.CodeInvalidRequest, Reason: why, ID: m.ID()}
	}
	switch {
	case m.Method() == mcp.MethodInitialize:
		return refused("initialize in a batch")
	case seen[m.ID()]:
		return refused("the id is in the batch twice")
	}
	seen[m.ID()] = true
	return m, nil
}

func (s *session) forgetAll(x *exchange, ms []jsonrpc.Message) {
	for _, m := range ms {
		if m.Kind() == jsonrpc.Request {
			s.forget(x, m.ID())
		}
	}
}
