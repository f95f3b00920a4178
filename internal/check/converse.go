package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/inspector"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// errNoEvent is why a conversation is given up whose event stream says nothing.
var errNoEvent = errors.New("no endpoint event")

// talk is one handshake over HTTP and what was seen of it.
type talk struct {
	insp    *inspector.Inspector
	welcome inspector.Welcome
	seen    []exchange
	spoken  catalog.Transport
	err     error
	took    time.Duration
	end     func()
}

// handshakeBy initializes s by the given transport. The caller calls end.
func (r *run) handshakeBy(ctx context.Context, by catalog.Transport) talk {
	s := r.server
	s.Transport, s.Timeout = by, 0
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{began: time.Now(), late: func() { cancel(errNoEvent) }}
	t := talk{spoken: by, end: func() { cancel(nil) }}
	conn, err := upstream.Dial(ctx, s, upstream.Options{Log: r.Log, Version: r.Version, Wrap: w.wrap, Patience: upstream.OwnEnd})
	if err != nil {
		t.err = err
		return t
	}
	t.insp = inspector.New(conn, s.Name, r.Version)
	t.end = func() { t.insp.Close(); cancel(nil) }
	t.welcome, t.err = t.insp.Initialize(ctx)
	t.took, t.seen = time.Since(w.began), w.end()
	if errors.Is(context.Cause(ctx), errNoEvent) && t.err != nil {
		t.err = fault.New(fault.Timeout, s.Name).With("no endpoint event within %d s", endpointLimit/time.Second)
	}
	return t
}

// handshake initializes the server, finding out the transport if it is not
// given: streamable HTTP first; where a POST is refused, HTTP+SSE (F-124).
func (r *run) handshake(ctx context.Context) talk {
	if r.server.Transport != catalog.Auto {
		return r.handshakeBy(ctx, r.server.Transport)
	}
	t := r.handshakeBy(ctx, catalog.HTTP)
	if n := len(t.seen); t.err == nil || n == 0 || !t.seen[n-1].refusesPost() {
		return t
	}
	old := r.handshakeBy(ctx, catalog.SSE)
	if e, ok := decisive(old); !ok || !e.stream() {
		old.end()
		return t
	}
	t.end()
	return old
}

// converse does the steps from http on.
func (r *run) converse(ctx context.Context) {
	t := r.handshake(ctx)
	defer t.end()
	if !r.webSteps(ctx, t) {
		return
	}
	r.report.Transport = t.spoken
	last := time.Duration(0)
	if n := len(t.seen); n > 0 {
		last = t.seen[n-1].took
	}
	if !r.add("initialize", describe(t.welcome), t.took-last, refused(t.err, r.server.Name)) {
		return
	}
	r.report.Server = t.welcome
	r.tools(ctx, t.insp)
}

// webSteps reports http, auth and transport out of what was seen.
func (r *run) webSteps(ctx context.Context, t talk) bool {
	e, ok := decisive(t)
	if !ok {
		return r.add("http", "", t.took, t.err)
	}
	seen := statusKind(e)
	if t.err != nil && !e.good() && !asksSignIn(t, e) {
		return r.refusedStatus(ctx, t, e)
	}
	if !r.add("http", seen, e.took, nil) || !r.auth(t, e) {
		return false
	}
	if err := r.transportFault(ctx, t, e); err != nil {
		return r.add("transport", "", t.took-e.took, err)
	}
	name := "Streamable HTTP"
	if t.spoken == catalog.SSE {
		name = "SSE (old transport; streamable HTTP is better)" // F-013
	}
	return r.add("transport", name, t.seen[len(t.seen)-1].took-e.took, nil)
}

// decisive is the exchange that tells most: the opened event stream of
// HTTP+SSE, else the answer to the first POST, else to the first request.
func decisive(t talk) (exchange, bool) {
	for _, e := range t.seen {
		if e.method == http.MethodGet && e.stream() && t.spoken != catalog.HTTP {
			return e, true
		}
	}
	for _, e := range t.seen {
		if e.method == http.MethodPost && t.spoken != catalog.SSE {
			return e, true
		}
	}
	if len(t.seen) > 0 {
		return t.seen[0], true
	}
	return exchange{}, false
}

// refusedStatus reports an HTTP answer that ends the check.
func (r *run) refusedStatus(ctx context.Context, t talk, e exchange) bool {
	if err := r.mismatch(ctx); err != nil {
		return r.add("http", statusKind(e), e.took, nil) && r.authSkipped() && r.add("transport", "", t.took-e.took, err)
	}
	err := t.err
	switch e.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		err = notMCP(e)
	}
	return r.add("http", statusKind(e), e.took, err)
}

func notMCP(e exchange) error {
	f := fault.New(fault.EndpointNotMCP, "")
	f.Detail = statusKind(e)
	return f
}

func asksSignIn(t talk, e exchange) bool {
	return t.err != nil && (e.status == http.StatusUnauthorized || fault.IsCode(t.err, fault.LoginRequired))
}

// auth tells whether the server wants a sign-in (F-124: that is not a failure
// to connect).
func (r *run) auth(t talk, e exchange) bool {
	if asksSignIn(t, e) {
		err := t.err
		if !fault.IsCode(err, fault.LoginRequired) {
			f := fault.New(fault.LoginRequired, "")
			f.Err = err
			err = f
		}
		return r.add("auth", "the server asks for a sign-in", 0, err)
	}
	for k := range r.server.Headers {
		if http.CanonicalHeaderKey(k) == "Authorization" {
			return r.add("auth", "the Authorization header was accepted", 0, nil)
		}
	}
	return r.authSkipped()
}

func (r *run) authSkipped() bool { r.skip("auth", "not asked for"); return true }

// transportFault is why what answers is not the transport it should be.
func (r *run) transportFault(ctx context.Context, t talk, e exchange) error {
	if t.err == nil {
		return nil
	}
	posted := false // a message reached the endpoint of HTTP+SSE
	for _, x := range t.seen {
		posted = posted || (x.method == http.MethodPost && !x.refusesPost())
	}
	switch {
	case e.method == http.MethodGet && e.stream() && posted:
		return nil // the transport works; initialize failed
	case e.method == http.MethodGet && e.stream():
		return either(r.mismatch(ctx), t.err)
	case fault.IsCode(t.err, fault.TransportMismatch), fault.IsCode(t.err, fault.EndpointNotMCP):
		return either(r.mismatch(ctx), t.err)
	case e.status != http.StatusAccepted && e.kind != mcp.TypeJSON && e.kind != mcp.TypeEventStream:
		return either(r.mismatch(ctx), notMCP(e))
	default:
		return nil
	}
}

// either is the first error, or the second if there is none.
func either(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// mismatch tries the transport the server is not registered with, and tells if
// it speaks that one.
func (r *run) mismatch(ctx context.Context) error {
	var other catalog.Transport
	switch r.server.Transport {
	case catalog.HTTP:
		other = catalog.SSE
	case catalog.SSE:
		other = catalog.HTTP
	default:
		return nil
	}
	t := r.handshakeBy(ctx, other)
	defer t.end()
	if t.err != nil {
		return nil
	}
	return fault.New(fault.TransportMismatch, "").
		With("the server speaks %s, not %s", r.label(other), r.label(r.server.Transport)).
		Step(fmt.Sprintf("use `--transport %s`", other))
}

func (r *run) label(t catalog.Transport) string {
	if t == catalog.SSE {
		return "SSE"
	}
	return "streamable HTTP"
}

// statusKind is like "200 text/event-stream".
func statusKind(e exchange) string {
	if e.kind == "" {
		return strconv.Itoa(e.status)
	}
	return strconv.Itoa(e.status) + " " + fault.Excerpt(e.kind)
}

// refused turns the server's refusal of a request into a fault.
func refused(err error, server string) error {
	var r *inspector.Refusal
	if !errors.As(err, &r) {
		return err
	}
	return fault.New(fault.UpstreamError, server).With("the server refused the handshake").Because(err)
}

func describe(w inspector.Welcome) string {
	if w.Protocol == "" {
		return ""
	}
	name := w.Name
	if name == "" {
		name = "a server without a name"
	}
	return fault.Excerpt(name+" "+w.Version) + ", protocol " + fault.Excerpt(w.Protocol)
}

func (r *run) tools(ctx context.Context, i *inspector.Inspector) bool {
	if !r.report.Server.HasTools {
		return r.add("tools", "0, the server offers none", 0, nil)
	}
	return r.timed("tools", func() (string, error) {
		list, err := i.Tools(ctx)
		var refusal *inspector.Refusal
		if errors.As(err, &refusal) {
			err = fault.New(fault.UpstreamError, "").With("the server does not list its tools").Because(err)
		}
		if err != nil {
			return "", err
		}
		r.report.Tools = len(list)
		return strconv.Itoa(len(list)), nil
	})
}
