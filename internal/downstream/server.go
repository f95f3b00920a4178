package downstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// server is one Run of an HTTP.
type server struct {
	HTTP
	gate  *gate
	start func(jsonrpc.Conn, Client) // runs Serve; a closure over Run's context
	wg    sync.WaitGroup             // the Serve calls

	mu        sync.Mutex
	closing   bool
	sessions  map[string]*session
	stateless map[string]*stateless // by the client's own Authorization header
	refused   time.Time             // when a refusal was last logged
	silent    int                   // refusals since
}

func newServer(ctx context.Context, h *HTTP, addr net.Addr) *server {
	sv := &server{HTTP: *h, gate: newGate(h, addr), sessions: map[string]*session{}, stateless: map[string]*stateless{}}
	sv.start = func(c jsonrpc.Conn, info Client) {
		sv.wg.Go(func() {
			defer c.Close()
			h.Serve(ctx, c, info)
		})
	}
	if sv.MaxBytes == 0 {
		sv.MaxBytes = jsonrpc.MaxBytes
	}
	if sv.Idle == 0 {
		sv.Idle = 30 * time.Minute
	}
	if sv.Sessions == 0 {
		sv.Sessions = 1000
	}
	if sv.KeepAlive == 0 {
		sv.KeepAlive = 15 * time.Second
	}
	return sv
}

type connKey struct{}

// ServeHTTP is the one handler: the gate, then the route.
func (sv *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close") // see framing
	}
	c, _ := r.Context().Value(connKey{}).(*wireConn)
	p, no := sv.gate.check(r, c)
	if no != nil {
		sv.noteRefusal(r, no)
		w.Header().Set("Connection", "close")
		writeRefusal(w, no)
		return
	}
	switch p.route {
	case routeMCP:
		sv.mcp(w, r, p)
	case routeSSE:
		sv.sse(w, r, p)
	case routeMessage:
		sv.message(w, r, p)
	default:
		panic("downstream: unknown route " + string(p.route))
	}
}

// noteRefusal logs what the gate refused, at most once a second: a page can
// send a lot. The path is left out, it may hold a key.
func (sv *server) noteRefusal(r *http.Request, no *refusal) {
	now := time.Now()
	sv.mu.Lock()
	sv.silent++
	n := sv.silent
	if now.Sub(sv.refused) < time.Second {
		sv.mu.Unlock()
		return
	}
	sv.refused, sv.silent = now, 0
	sv.mu.Unlock()
	sv.Log.Warn("request refused at the local address", "server", sv.Name, "status", no.status, "reason", no.err.Headline(),
		"host", fault.Excerpt(r.Host), "origin", fault.Excerpt(r.Header.Get("Origin")), "count", n)
}

// open makes a session and starts its conversation.
func (sv *server) open(k kind, info Client) (*session, *refusal) {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if no := sv.fullLocked(); no != nil {
		return nil, no
	}
	s := newSession(k, sv.Name, sv.Log)
	s.end = func() {
		sv.mu.Lock()
		defer sv.mu.Unlock()
		delete(sv.sessions, s.id)
	}
	sv.sessions[s.id] = s
	sv.start(s, info)
	return s, nil
}

// fullLocked refuses one more session.
func (sv *server) fullLocked() *refusal {
	n := len(sv.sessions) + len(sv.stateless)
	if !sv.closing && n < sv.Sessions {
		return nil
	}
	return &refusal{status: http.StatusServiceUnavailable, err: fault.New(fault.TooManyRequests, sv.Name).
		With("%d sessions are open, the most there can be", n).Step("close other clients of this address")}
}

// find gives the session of this id, if it is of this kind.
func (sv *server) find(id string, k kind) *session {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if s := sv.sessions[id]; s != nil && s.kind == k {
		return s
	}
	return nil
}

func (sv *server) all() []*session {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	out := make([]*session, 0, len(sv.sessions))
	for _, s := range sv.sessions {
		out = append(out, s)
	}
	return out
}

// tend does what time brings.
func (sv *server) tend(now time.Time) {
	for _, s := range sv.all() {
		s.tend(now)
		if s.kind == streamable && s.idle(now.Add(-sv.Idle)) {
			sv.Log.Debug("idle session ended", "server", sv.Name)
			s.Close()
		}
	}
	for _, s := range sv.allStateless() {
		if s.idle(now, sv.Idle) {
			sv.Log.Debug("idle stateless conversation ended", "server", sv.Name)
			s.Close()
		}
	}
}

// closeAll ends all sessions and lets none be opened.
func (sv *server) closeAll() {
	sv.mu.Lock()
	sv.closing = true
	sv.mu.Unlock()
	for _, s := range sv.all() {
		s.Close()
	}
	for _, s := range sv.allStateless() {
		s.Close()
	}
}

// readAhead is how much memory a body gets before any of it is there.
const readAhead = 4 << 20

// body reads the body of a POST.
func (sv *server) body(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	n := r.ContentLength
	var b []byte
	var err error
	switch {
	case n > int64(sv.MaxBytes):
		return nil, sv.tooLarge()
	case n >= 0 && n <= readAhead:
		b = make([]byte, n)
		_, err = io.ReadFull(r.Body, b)
	case n >= 0:
		b, err = io.ReadAll(r.Body)
	default:
		ctl := http.NewResponseController(w)
		_ = ctl.SetReadDeadline(time.Now().Add(bodyLimit)) // fails only on a connection that is gone
		b, err = io.ReadAll(io.LimitReader(r.Body, int64(sv.MaxBytes)+1))
		_ = ctl.SetReadDeadline(time.Time{})
	}
	switch {
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, sv.gate.refuse(http.StatusBadRequest, fault.InvalidRequest, "the body broke off or is malformed")
	case len(b) > sv.MaxBytes:
		return nil, sv.tooLarge()
	default:
		return b, nil
	}
}

func (sv *server) tooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, err: fault.New(fault.MessageTooLarge, sv.Name).
		With("the message is larger than %s", sizeText(sv.MaxBytes))}
}

func sizeText(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n) + " bytes"
}

// about says which request is refused.
func (no *refusal) about(id jsonrpc.ID) *refusal {
	no.id = id
	return no
}

// errorOrigin says that the error was made here, not by the server.
const errorOrigin = "gateway"

// writeRefusal answers with an error as JSON-RPC. Without an id the member is
// left out: the request was not read.
func writeRefusal(w http.ResponseWriter, no *refusal) {
	code, text, data := no.err.RPC()
	if no.code != 0 {
		code = no.code
	}
	for _, m := range no.data {
		data = jsonrpc.SetMember(data, m.name, m.value)
	}
	var body []byte
	if no.id != "" {
		body = jsonrpc.NewError(no.id, code, text, data).Bytes()
	} else {
		body = append(strconv.AppendInt([]byte(`{"jsonrpc":"2.0","error":{"code":`), int64(code), 10), `,"message":`...)
		body = append(append(body, jsonrpc.Quote(text)...), `,"data":`...)
		body = append(append(body, data...), "}}"...)
	}
	h := w.Header()
	h.Set("Content-Type", mcp.TypeJSON)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set(mcp.HeaderErrorOrigin, errorOrigin)
	if no.allow != "" {
		h.Set("Allow", no.allow)
	}
	w.WriteHeader(no.status)
	_, _ = w.Write(body) // a client that left is gone with its request
}
