package downstream

import (
	"net/http"
	"strconv"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/mcp"
)

// get opens a stream of the session, or takes a broken one up again. A second
// GET takes the main stream over; the first stays open and gets it back when
// the second ends, so a client that lost a connection without our noticing is
// not turned away, and no message goes out twice.
func (sv *server) get(w http.ResponseWriter, r *http.Request) {
	s, no := sv.sessionOf(r)
	switch {
	case no != nil:
	case s == nil:
		no = sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "the request names no session; initialize opens one")
	case !takesStream(r.Header["Accept"]):
		no = sv.gate.refuse(http.StatusNotAcceptable, fault.InvalidRequest, "the client has to accept "+mcp.TypeEventStream)
	default:
		no = sv.version(r, s)
	}
	if no != nil {
		writeRefusal(w, no)
		return
	}
	rd := &reader{wake: make(chan struct{}, 1)}
	at, no := s.resume(r.Header[mcp.HeaderLastEventID], rd)
	if no != nil {
		writeRefusal(w, no)
		return
	}
	s.follow(r.Context(), w, rd, at, sv.KeepAlive)
}

func takesStream(headers []string) bool {
	for _, h := range headers {
		h = strings.ToLower(h)
		if strings.Contains(h, mcp.TypeEventStream) || strings.Contains(h, "*/*") || strings.Contains(h, "text/*") {
			return true
		}
	}
	return len(headers) == 0
}

// resume attaches a GET to the stream that it asks for.
func (s *session) resume(last []string, r *reader) (position, *refusal) {
	bad := func(why string) (position, *refusal) {
		return position{}, &refusal{status: http.StatusBadRequest, err: fault.New(fault.InvalidRequest, s.name).With("%s", why)}
	}
	var stream, number uint64
	if len(last) > 0 {
		var ok bool
		if stream, number, ok = parseEventID(last); !ok {
			return bad("Last-Event-ID is not an id of this address")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return position{}, s.gone()
	}
	st := &s.main
	if stream == 0 {
		if len(s.gets) >= mostGets {
			return position{}, &refusal{status: http.StatusTooManyRequests, err: fault.New(fault.TooManyRequests, s.name).
				With("%d streams are open, the most there can be", mostGets)}
		}
		s.gets = append(s.gets, r)
	} else if st = s.streams[stream]; st == nil {
		return bad("the stream is not kept any more")
	}
	s.attachLocked(st, r)
	return position{stream: st, from: min(number, st.last), known: len(last) > 0}, nil
}

// parseEventID reads "stream-event".
func parseEventID(last []string) (stream, number uint64, ok bool) {
	a, b, found := strings.Cut(last[0], "-")
	stream, err1 := strconv.ParseUint(a, 10, 64)
	number, err2 := strconv.ParseUint(b, 10, 64)
	return stream, number, found && len(last) == 1 && err1 == nil && err2 == nil
}

// remove ends a session at the client's wish.
func (sv *server) remove(w http.ResponseWriter, r *http.Request) {
	s, no := sv.sessionOf(r)
	if s == nil && no == nil {
		no = sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "the request names no session")
	}
	if no == nil {
		no = sv.version(r, s)
	}
	if no != nil {
		writeRefusal(w, no)
		return
	}
	s.Close()
	w.WriteHeader(http.StatusNoContent)
}
