package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

const (
	dialLimit = 10 * time.Second // TCP, and TLS again
	idleLimit = 90 * time.Second
	maxHops   = 5 // redirects followed for one request

	silenceLimit = 30 * time.Second // for what was sent to be acknowledged
)

// newTransport makes the pool of connections of one conversation. There is no
// limit on waiting for an answer: a call may take minutes.
func newTransport(s *sockets, conf *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            s.dial,
		TLSClientConfig:        conf,
		Proxy:                  environmentProxy,
		OnProxyConnectResponse: checkProxy,
		TLSHandshakeTimeout:    dialLimit,
		IdleConnTimeout:        idleLimit,
		MaxIdleConnsPerHost:    128, // The default of 2 costs half the throughput at 8 in flight.
		MaxResponseHeaderBytes: 1 << 20,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// environmentProxy is the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY ask
// for; never for this machine, whatever they say.
func environmentProxy(r *http.Request) (*url.URL, error) {
	host := strings.TrimSuffix(r.URL.Hostname(), ".")
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return nil, nil
	}
	if host = strings.ToLower(host); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// proxyError says that the proxy did not open the way to the server.
type proxyError struct{ status int }

func (e *proxyError) Error() string { return "the proxy answered " + statusText(e.status) }

func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{resp.StatusCode}
}

// sockets are the open connections of one link. The pool closes idle ones
// only; closing these ends half-made ones too, so that nothing stays behind.
type sockets struct {
	dialer net.Dialer
	mu     sync.Mutex
	open   map[*socket]struct{} // nil after closeAll
}

type socket struct {
	net.Conn
	of *sockets
}

func newSockets() *sockets {
	return &sockets{
		open: map[*socket]struct{}{},
		// A peer that is gone without a word is noticed in 15 + 3·5 seconds when
		// nothing is under way, else by limitSilence.
		dialer: net.Dialer{Timeout: dialLimit, Control: limitSilence, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}},
	}
}

// limitSilence sets silenceLimit on a new connection.
func limitSilence(_, _ string, c syscall.RawConn) error {
	_ = platform.LimitSilence(c, silenceLimit) // A system without it has a longer limit of its own.
	return nil
}

func (s *sockets) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := s.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &socket{conn, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	s.open[c] = struct{}{}
	return c, nil
}

func (c *socket) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (s *sockets) closeAll() {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		c.Conn.Close()
	}
}

// hangUp closes every connection of the link, which cannot be used any more.
func (l *link) hangUp() {
	l.pool.CloseIdleConnections()
	l.sockets.closeAll()
}

// do makes one HTTP request and gives the answer's head. Redirects within the
// origin are followed where the method stays the same.
//
// net/http repeats a request by itself in two cases (Transport.RoundTrip,
// shouldRetryRequest): nothing of it was written to a reused connection that
// turned out dead, or an HTTP/2 server said that it did not process it; and
// any failure on a reused connection if the request is "replayable", which a
// POST is only with an Idempotency-Key header and GetBody. The first is safe
// and needs GetBody; the second must not happen to a tool call, so with that
// header there is no GetBody.
func (l *link) do(ctx context.Context, method string, to *url.URL, head http.Header, body []byte) (*http.Response, error) {
	for hop := 0; ; hop++ {
		req := l.blank.WithContext(ctx)
		req.Method, req.URL, req.Header = method, to, head
		if body != nil {
			// A type that net/http knows is written together with the headers.
			req.Body = io.NopCloser(bytes.NewReader(body))
			req.ContentLength = int64(len(body))
			if !l.replayable {
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			}
		}
		resp, err := l.web.RoundTrip(req)
		if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 || resp.StatusCode == http.StatusNotModified {
			if err == nil {
				resp.Request = req // Also behind a wrapper; its URL is where the redirects led.
			}
			return resp, err
		}
		next, err := l.redirected(req, resp, hop)
		discard(resp)
		if err != nil {
			return nil, err
		}
		to = next
	}
}

// redirected gives the address that a 3xx answer names, if it may be used.
func (l *link) redirected(req *http.Request, resp *http.Response, hop int) (*url.URL, error) {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.EndpointNotMCP, l.name).With(format, args...).
			Step("add the server again with its new address, if you trust it")
	}
	next, err := resp.Location()
	if err != nil {
		return nil, refuse("the server answered %s without a usable address", statusText(resp.StatusCode))
	}
	next = req.URL.ResolveReference(next)
	next.Fragment, next.RawFragment = "", ""
	switch {
	case !sameOrigin(next, req.URL):
		return nil, refuse("the server redirects to another origin, %s, which is not followed", fault.Excerpt(origin(next)))
	case hop >= maxHops:
		return nil, refuse("the server redirects more than %d times", maxHops)
	case resp.StatusCode == http.StatusTemporaryRedirect, resp.StatusCode == http.StatusPermanentRedirect:
		return next, nil
	case req.Method == http.MethodGet:
		return next, nil
	default:
		return nil, refuse("the server answers a POST with %s to the path %s", statusText(resp.StatusCode), fault.Excerpt(next.Path))
	}
}

// origin is scheme, host and port, and nothing that could be a secret.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" || (port == "80" && u.Scheme == "http") || (port == "443" && u.Scheme == "https") {
		return strings.ToLower(u.Scheme + "://" + u.Hostname())
	}
	return strings.ToLower(u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port))
}

func sameOrigin(a, b *url.URL) bool { return origin(a) == origin(b) && b.Host != "" }

const (
	spareBytes  = 64 << 10        // of an answer nobody needs, read so that the connection is used again
	excerptWait = 5 * time.Second // for the body of a refusal
)

// discard ends an answer whose body does not matter.
func discard(resp *http.Response) {
	if resp.ContentLength != 0 && !isStream(resp) {
		_, _ = readSome(resp, spareBytes) // Only the connection's reuse depends on it.
	}
	resp.Body.Close()
}

// readSome reads at most n bytes of a body and does not wait for ever. What
// came before an error is returned with it.
func readSome(resp *http.Response, n int64) ([]byte, error) {
	if resp.ContentLength == 0 {
		return nil, nil
	}
	limit := time.AfterFunc(excerptWait, func() { resp.Body.Close() })
	defer limit.Stop()
	return io.ReadAll(io.LimitReader(resp.Body, n))
}

var errTooLong = errors.New("longer than the limit")

// readBody reads the whole body, into one exact buffer where the length is
// told, and gives errTooLong past max bytes.
func readBody(resp *http.Response, max int) ([]byte, error) {
	n := resp.ContentLength
	if n > int64(max) {
		return nil, errTooLong
	}
	if n >= 0 {
		b := make([]byte, n)
		_, err := io.ReadFull(resp.Body, b) // The last Read says EOF too, which frees the connection.
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, int64(max)+1))
	if len(b) > max {
		return nil, errTooLong
	}
	return b, err
}
