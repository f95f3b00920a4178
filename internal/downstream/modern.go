package downstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// isModern tells whether a message is one of the stateless versions. Its own
// _meta says so, or a header does; headers that came with 2026-07-28 mean
// nothing beside an older version.
func isModern(r *http.Request, m jsonrpc.Message) bool {
	_, session := r.Header[mcp.HeaderSession]
	versions := r.Header[mcp.HeaderVersion]
	if meta := m.Meta(); meta != nil && m.Kind() != jsonrpc.Response {
		if v, ok := jsonrpc.Member(meta, mcp.MetaVersion); ok {
			text, _ := jsonrpc.String(v)
			return !session || !mcp.IsLegacy(text)
		}
	}
	switch {
	case len(versions) > 0:
		return slices.Contains(versions, mcp.V2026_07_28) ||
			!session && m.Method() != mcp.MethodInitialize && !mcp.IsLegacy(versions[0])
	case session:
		return false
	default:
		return len(r.Header[mcp.HeaderMethod]) > 0 || m.Method() == mcp.MethodDiscover
	}
}

// isModernHead tells the same of a request without a body.
func isModernHead(r *http.Request) bool {
	if len(r.Header[mcp.HeaderSession]) > 0 {
		return false
	}
	if v := r.Header[mcp.HeaderVersion]; len(v) > 0 {
		return slices.Contains(v, mcp.V2026_07_28)
	}
	return len(r.Header[mcp.HeaderMethod]) > 0
}

// modern takes a message of the stateless versions.
func (sv *server) modern(w http.ResponseWriter, r *http.Request, p passage, m jsonrpc.Message) {
	switch m.Kind() {
	case jsonrpc.Request:
		if no := sv.askModern(w, r, p, m); no != nil {
			writeRefusal(w, no.about(m.ID()))
		}
	case jsonrpc.Notification:
		if no := sv.noteModern(r, p, m); no != nil {
			writeRefusal(w, no)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		writeRefusal(w, sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "since "+mcp.V2026_07_28+" clients send no answers"))
	}
}

// noteModern hands on what gets no answer. What names a request is not handed
// on: the names are ours there, and ending the POST is how a request is
// cancelled.
func (sv *server) noteModern(r *http.Request, p passage, m jsonrpc.Message) *refusal {
	switch m.Method() {
	case mcp.MethodCancelled, mcp.MethodProgress, mcp.MethodInitialized, "notifications/roots/list_changed":
		return nil
	}
	s, no := sv.conversation(p)
	if no != nil {
		return no
	}
	if s.put(r.Context(), m) != nil {
		return sv.broken()
	}
	return nil
}

// broken refuses what met the end of the conversation.
func (sv *server) broken() *refusal {
	return &refusal{status: http.StatusBadGateway, err: fault.New(fault.ConnectionLost, sv.Name)}
}

// askModern hands a request on and answers the POST, or says why not.
func (sv *server) askModern(w http.ResponseWriter, r *http.Request, p passage, m jsonrpc.Message) *refusal {
	if no := sv.gate.modern(r.Header, m); no != nil {
		return no
	}
	q := newQuestion(r, m)
	s, no := sv.enterModern(p, q)
	if no != nil {
		return no
	}
	if m.Method() == mcp.MethodToolsCall {
		if no := sv.gate.params(r, m, s.schemas(m)); no != nil {
			s.drop(q)
			return no
		}
	}
	out, large := q.rewritten(m)
	if large != nil {
		s.drop(q)
		return sv.tooLarge()
	}
	if s.put(r.Context(), out) != nil {
		s.drop(q)
		return sv.broken()
	}
	s.serve(w, r, q, sv.KeepAlive)
	return nil
}

// enterModern enters a request into the conversation, a new one if that which
// there was has just ended.
func (sv *server) enterModern(p passage, q *question) (*stateless, *refusal) {
	const tries = 3
	for range tries {
		s, no := sv.conversation(p)
		if no != nil {
			return nil, no
		}
		switch err := s.enter(q); {
		case err == nil:
			return s, nil
		case !errors.Is(err, io.ErrClosedPipe):
			return nil, &refusal{status: http.StatusTooManyRequests, err: fault.New(fault.TooManyRequests, sv.Name).Because(err)}
		}
	}
	return nil, sv.broken()
}

// conversation gives the one that all stateless requests share. A server may
// get the client's own Authorization header, so clients that send different
// ones have nothing in common.
func (sv *server) conversation(p passage) (*stateless, *refusal) {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if s := sv.stateless[p.authorization]; s != nil {
		return s, nil
	}
	if no := sv.fullLocked(); no != nil {
		return nil, no
	}
	s := newStateless(sv.Name, sv.Log)
	s.end = func() {
		sv.mu.Lock()
		defer sv.mu.Unlock()
		if sv.stateless[p.authorization] == s {
			delete(sv.stateless, p.authorization)
		}
	}
	sv.stateless[p.authorization] = s
	sv.start(s, Client{Transport: "http", Authorization: p.authorization})
	return s, nil
}

func (sv *server) allStateless() []*stateless {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	out := make([]*stateless, 0, len(sv.stateless))
	for _, s := range sv.stateless {
		out = append(out, s)
	}
	return out
}

// serve answers a POST: with JSON when the answer comes first, else with an
// event stream that ends after the answer. A client that leaves has cancelled
// its request.
func (s *stateless) serve(w http.ResponseWriter, r *http.Request, q *question, keepAlive time.Duration) {
	defer s.leave(r.Context(), q)
	var out *eventWriter
	timer := time.NewTimer(slowAnswer)
	defer timer.Stop()
	for {
		timed := false
		select {
		case <-q.wake:
		case <-timer.C:
			timed = true
		case <-r.Context().Done():
			return
		}
		events, answer, over := s.take(q)
		if out == nil && answer.Kind() != "" && len(events) == 0 && q.asJSON(answer) {
			writeAnswer(w, q, answer)
			return
		}
		if out == nil && q.events && (timed || len(events) > 0 || answer.Kind() != "") {
			out = newEventWriter(w, 0, shared)
			s.streams(q, out)
			if out.open(0, false, "") != nil {
				return
			}
			timed = false
		}
		if answer.Kind() != "" {
			events = append(events, event{data: answer.OneLine()})
		}
		switch {
		case out == nil:
		case len(events) > 0 && out.write(events) != nil:
			return
		case timed && out.comment() != nil:
			return
		}
		if over {
			return
		}
		if out != nil {
			timer.Reset(keepAlive)
		}
	}
}

// streams lets a write to a client that does not read be ended.
func (s *stateless) streams(q *question, out *eventWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.cut = func() { _ = out.ctl.SetWriteDeadline(time.Now()) } // fails only on a connection that is gone
}

// asJSON tells whether an answer that came first goes out as JSON.
func (q *question) asJSON(answer jsonrpc.Message) bool {
	return q.json || statusOf(answer) != http.StatusOK
}

// writeAnswer answers with JSON.
func writeAnswer(w http.ResponseWriter, q *question, answer jsonrpc.Message) {
	body := answer.Bytes()
	h := w.Header()
	h["Content-Type"] = typeJSON
	if len(body) > selfCounted {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	status := statusOf(answer)
	if q.lost {
		h.Set(mcp.HeaderErrorOrigin, errorOrigin)
		status = http.StatusBadGateway
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
	}
	_, _ = w.Write(body) // a client that left is gone with its request
}

// statusOf is the HTTP status of an answer, which depends on the codes of the
// specification alone.
func statusOf(answer jsonrpc.Message) int {
	failed := answer.Error()
	if failed == nil {
		return http.StatusOK
	}
	code, _ := jsonrpc.Member(failed, "code")
	switch n, _ := strconv.Atoi(string(code)); n {
	case jsonrpc.CodeMethodNotFound:
		return http.StatusNotFound
	case mcp.CodeHeaderMismatch, mcp.CodeMissingCapability, mcp.CodeUnsupportedVersion:
		return http.StatusBadRequest
	default:
		return http.StatusOK
	}
}

// leave takes a request out of the conversation. One without its answer is
// cancelled: nobody would get the answer.
func (s *stateless) leave(ctx context.Context, q *question) {
	if !s.drop(q) {
		return
	}
	// The request's context may be over, that is why.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
	defer cancel()
	note := jsonrpc.NewNotification(mcp.MethodCancelled,
		[]byte(`{"requestId":`+string(q.own)+`,"reason":"the client ended its connection"}`))
	if err := s.put(ctx, note); err != nil {
		s.log.Debug("cancellation not handed on", "server", s.name, "err", err)
	}
}

// cancelLimit is how long a cancellation has to be taken by a busy relay.
const cancelLimit = 5 * time.Second
