package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// statusError is the cause of a fault that an HTTP status brought; package
// upstream decides by it whether the other transport is worth a try.
type statusError struct {
	code int
	rpc  bool // the body was a JSON-RPC message that answers the request
}

func (e *statusError) Error() string { return statusText(e.code) }

func statusText(code int) string {
	if t := http.StatusText(code); t != "" {
		return "HTTP " + strconv.Itoa(code) + " " + t
	}
	return "HTTP " + strconv.Itoa(code)
}

// notSent marks a cause by which nothing reached the server.
func notSent(err error) error { return fmt.Errorf("%w: %w", ErrNotSent, err) }

// refused are the ways the systems say that no one listens; the second is
// Windows' own number.
var refused = [...]error{syscall.ECONNREFUSED, syscall.Errno(10061)}

// wireFault says what broke below HTTP. ctx is the request's own.
func (l *link) wireFault(ctx context.Context, err error) error {
	var coded *fault.Error
	if errors.As(err, &coded) {
		return err
	}
	if ctx.Err() != nil {
		return l.endFault(ctx)
	}
	if reason, next := tlsReason(err, time.Now()); reason != "" {
		return l.detailed(l.coded(fault.TLSUntrusted, notSent(err), reason, next), err)
	}
	if e := l.proxyFault(err); e != nil {
		return e
	}
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		code := fault.NetworkUnavailable
		if errors.Is(err, refused[0]) || errors.Is(err, refused[1]) {
			code = fault.EndpointUnreachable
		}
		return l.detailed(l.coded(code, notSent(err), "", ""), op)
	case strings.HasSuffix(err.Error(), "TLS handshake timeout"):
		return l.detailed(l.coded(fault.NetworkUnavailable, notSent(err), "", ""), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return l.detailed(l.coded(fault.ConnectionLost, err, "", ""), errors.New("the server closed it"))
	default:
		return l.detailed(l.coded(fault.ConnectionLost, err, "", ""), err)
	}
}

// proxyFault says what broke on the way to a proxy, or what the proxy refused;
// nil when err is about something else.
func (l *link) proxyFault(err error) error {
	var (
		op    *net.OpError
		proxy *proxyError
	)
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return l.coded(fault.NetworkUnavailable, notSent(err), "the proxy on the way asks for a sign-in",
			"put its user and password into HTTPS_PROXY, or add the server to NO_PROXY")
	case errors.As(err, &proxy):
		return l.coded(fault.NetworkUnavailable, notSent(err), proxy.Error(), "check HTTPS_PROXY, or add the server to NO_PROXY")
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return l.detailed(l.coded(fault.NetworkUnavailable, notSent(err), "the proxy cannot be reached",
			"check HTTP_PROXY and HTTPS_PROXY"), op.Err)
	default:
		return nil
	}
}

// endFault says why a request's own context is over.
func (l *link) endFault(ctx context.Context) error {
	cause := context.Cause(ctx)
	var coded *fault.Error
	switch {
	case errors.As(cause, &coded):
		return coded
	case errors.Is(cause, context.DeadlineExceeded):
		return l.lateFault(l.limit)
	default:
		return l.coded(fault.RequestFailed, cause, "the request was ended before its answer came", "repeat it")
	}
}

func (l *link) lateFault(limit time.Duration) *fault.Error {
	return fault.New(fault.Timeout, l.name).With("no answer within %v", limit)
}

// coded makes an error; an empty text or step is the code's own.
func (l *link) coded(code fault.Code, cause error, text, next string) *fault.Error {
	return &fault.Error{Code: code, Subject: l.name, Text: text, Next: next, Err: cause}
}

// detailed adds the cause's text, without what is secret.
func (l *link) detailed(e *fault.Error, cause error) *fault.Error {
	e.Detail = l.scrub(cause.Error())
	return e
}

// protocolFault says that what came is not MCP as this package reads it.
func (l *link) protocolFault(cause error, format string, args ...any) *fault.Error {
	e := fault.New(fault.ProtocolError, l.name).With(format, args...)
	e.Err = cause
	if cause != nil {
		e.Detail = l.scrub(cause.Error())
	}
	return e
}

// tooLarge says that a message was over the limit.
func (l *link) tooLarge() *fault.Error {
	size := strconv.Itoa(l.max>>20) + " MiB"
	if l.max < 1<<20 {
		size = strconv.Itoa(l.max) + " bytes"
	}
	return fault.New(fault.MessageTooLarge, l.name).With("the server's message is larger than %s", size)
}

// refusal is an answer with a status that is not a success.
type refusal struct {
	status int
	head   http.Header
	body   []byte          // its beginning
	answer jsonrpc.Message // the body, if it is an error response
}

// readRefusal takes the status and the text of an answer.
func readRefusal(resp *http.Response) *refusal {
	r := &refusal{status: resp.StatusCode, head: resp.Header}
	if !isStream(resp) {
		r.body, _ = readSome(resp, 1<<20) // What came of it is enough to tell.
	}
	resp.Body.Close()
	if m, err := jsonrpc.Parse(r.body); err == nil && m.Kind() == jsonrpc.Response && m.Error() != nil {
		r.answer = m
	}
	return r
}

// says is the server's own text: of its JSON-RPC error, else the body's.
func (r *refusal) says() string {
	if v, ok := jsonrpc.Member(r.answer.Error(), "message"); ok {
		s, _ := jsonrpc.String(v)
		return s
	}
	return plainText(r.head.Get("Content-Type"), r.body)
}

// answers tells whether the body is the error answer to this request.
func (r *refusal) answers(id jsonrpc.ID) bool { return id != "" && r.answer.ID() == id }

// code is that of the JSON-RPC error, "" without one.
func (r *refusal) code() string {
	v, _ := jsonrpc.Member(r.answer.Error(), "code")
	return string(v)
}

// aboutSession tells whether the server refused because it does not know the
// session. The specification says 404; servers say 400 too, with an error
// text that names the session, or that nobody initialized.
func (r *refusal) aboutSession() bool {
	if r.status != http.StatusNotFound && r.status != http.StatusBadRequest {
		return false
	}
	switch r.code() {
	case "-32601", "-32602", "-32700", "-32020", "-32021", "-32022":
		return false // A word about the message, not the session.
	}
	text := strings.ToLower(r.says())
	return len(text) < 400 && (strings.Contains(text, "session") || strings.Contains(text, "not initialized"))
}

// refusalFault gives the coded form of a refusal that is not about the session.
func (l *link) refusalFault(r *refusal, id jsonrpc.ID) *fault.Error {
	e := &fault.Error{Code: fault.UpstreamError, Subject: l.name, Detail: l.scrub(r.says()),
		Text: "the server answered " + statusText(r.status),
		Err:  &statusError{r.status, r.answers(id)}}
	switch r.status {
	case http.StatusUnauthorized:
		e.Code, e.Text = fault.LoginRequired, ""
	case http.StatusForbidden:
		e.Next = "ask the server's operator for access"
		if strings.Contains(r.head.Get("Www-Authenticate"), "insufficient_scope") {
			e.Code, e.Text, e.Next = fault.LoginRequired, "the sign-in does not cover this request", ""
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		e.Code = fault.EndpointNotMCP
		e.Text = "something answers there with " + statusText(r.status) + ", but it does not speak MCP"
	case http.StatusProxyAuthRequired:
		e.Code, e.Text, e.Next = fault.NetworkUnavailable, "the proxy on the way asks for a sign-in",
			"put its user and password into HTTP_PROXY, or add the server to NO_PROXY"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		e.Code = fault.Timeout
	case http.StatusRequestEntityTooLarge:
		e.Code, e.Next = fault.MessageTooLarge, "send less data in one call"
		e.Text = "the message is larger than the server takes (" + statusText(r.status) + ")"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Retry = true
		if d, ok := retryAfter(r.head, time.Now()); ok {
			e.Text += "; it asks to wait " + d.Round(time.Second).String()
			e.Next = "repeat after that"
		}
	}
	return e
}

// retryMost is the longest wait taken over from a Retry-After or retry field.
const retryMost = 30 * time.Second

// retryAfter reads the header, in seconds or as a date, into 0 … retryMost.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), retryMost), true
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n != n {
		return 0, false
	}
	return time.Duration(min(max(n, 0), retryMost.Seconds()) * float64(time.Second)), true
}

// typeFault says that an answer with a good status is of no type MCP knows.
func (l *link) typeFault(resp *http.Response) *fault.Error {
	kind := mediaType(resp)
	body, _ := readSome(resp, 4<<10)
	code, named := fault.ProtocolError, kind
	if kind == "text/html" || kind == "application/xhtml+xml" {
		code = fault.EndpointNotMCP // A sign-in page of the network, or a web site.
	}
	if named == "" {
		named = "no content type"
	}
	e := fault.New(code, l.name).With("the answer is %s with %s, not MCP", fault.Excerpt(named), statusText(resp.StatusCode))
	e.Detail = l.scrub(plainText(kind, body))
	e.Err = &statusError{resp.StatusCode, false}
	return e
}

// mediaType is the content type without parameters, in lower case.
func mediaType(resp *http.Response) string {
	t, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if t = strings.TrimSpace(t); t == mcp.TypeJSON || t == mcp.TypeEventStream {
		return t
	}
	return strings.ToLower(t)
}

func isStream(resp *http.Response) bool { return mediaType(resp) == mcp.TypeEventStream }

// scrub takes out of a foreign text what this side sent as a secret.
func (l *link) scrub(s string) string {
	for _, h := range l.hidden {
		s = strings.ReplaceAll(s, h, "…")
	}
	return fault.Excerpt(s)
}

// plainText is the readable part of a body: of a web page without its tags.
func plainText(contentType string, body []byte) string {
	if len(body) > 4<<10 {
		body = body[:4<<10]
	}
	if !strings.Contains(strings.ToLower(contentType), "html") {
		return string(body)
	}
	var b strings.Builder
	tag := false
	for _, r := range string(body) {
		switch {
		case r == '<':
			tag = true
		case r == '>' && tag:
			tag = false
			b.WriteByte(' ')
		case !tag:
			b.WriteRune(r)
		}
	}
	return b.String()
}
