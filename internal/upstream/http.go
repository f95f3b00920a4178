package upstream

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Spoken is what a Conn over HTTP also is: it tells the transport that the
// server turned out to speak, catalog.Auto while that is not known.
type Spoken interface{ Transport() catalog.Transport }

func dialHTTP(ctx context.Context, s catalog.Server, o Options) (jsonrpc.Conn, error) {
	l, err := newLink(s, o)
	if err != nil {
		return nil, err
	}
	switch s.Transport {
	case catalog.SSE:
		return newSSE(ctx, l), nil
	case catalog.Auto:
		old, err := newLink(s, o)
		if err != nil {
			return nil, err
		}
		return newAuto(ctx, l, old), nil
	default:
		return newStreamable(ctx, l), nil
	}
}

// link is the way to one server: where it is, what every request carries, and
// the connections, which no other conversation shares.
type link struct {
	name       string
	log        *slog.Logger
	max        int           // bytes of one message
	limit      time.Duration // of one call; 0 is none
	url        *url.URL
	head       http.Header // of every request; never changed after newLink
	blank      *http.Request
	replayable bool     // a static header would make net/http repeat a POST
	hidden     []string // header values that no error may show

	web     http.RoundTripper
	pool    *http.Transport
	sockets *sockets
}

func newLink(s catalog.Server, o Options) (*link, error) {
	u, err := parseURL(s)
	if err != nil {
		return nil, err
	}
	l := &link{name: s.Name, log: o.Log, max: o.MaxBytes, limit: time.Duration(s.Timeout), url: u}
	if l.max == 0 {
		l.max = jsonrpc.MaxBytes
	}
	if err := l.setHeaders(s, o.Version); err != nil {
		return nil, err
	}
	conf, err := tlsConfig(s)
	if err != nil {
		return nil, err
	}
	l.sockets = newSockets()
	l.pool = newTransport(l.sockets, conf)
	l.web = l.pool
	if o.Wrap != nil {
		l.web = o.Wrap(l.pool)
	}
	return l, nil
}

// parseURL takes the server's address without a fragment or a user's name.
func parseURL(s catalog.Server) (*url.URL, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fault.New(fault.URLInvalid, s.Name) // The text may hold a secret: it is not shown.
	}
	bare := *u
	bare.Fragment, bare.RawFragment, bare.User = "", "", nil
	return &bare, nil
}

// setHeaders makes the headers of every request out of the configured ones.
func (l *link) setHeaders(s catalog.Server, version string) error {
	if version == "" {
		version = "dev"
	}
	l.head = http.Header{"User-Agent": {"drawbridge/" + version}}
	l.blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if u, err := url.Parse(s.URL); err == nil && u.User != nil {
		password, _ := u.User.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		l.head.Set("Authorization", "Basic "+basic)
		l.hide(basic)
		l.hide(password)
	}
	for k, v := range s.Headers {
		v = strings.Trim(v, " \t")
		if !isToken(k) || !isHeaderValue(v) {
			return fault.New(fault.HeaderInvalid, s.Name).With("the header %q cannot be sent", fault.Excerpt(k)).
				Step("write its name without spaces and its value on one line")
		}
		l.hide(v)
		if _, secret, ok := strings.Cut(v, " "); ok {
			l.hide(secret) // Behind "Bearer".
		}
		if strings.EqualFold(k, "Host") {
			l.blank.Host = v
			continue
		}
		l.head.Set(k, v)
	}
	l.replayable = l.head.Get("Idempotency-Key") != "" || l.head.Get("X-Idempotency-Key") != ""
	return nil
}

func (l *link) hide(secret string) {
	if len(secret) >= 6 {
		l.hidden = append(l.hidden, secret)
	}
}

// header gives the fixed headers and these, in pairs of name and value. Empty
// values are left out. The result is shared by requests and never changed.
func (l *link) header(pairs ...string) http.Header {
	h := make(http.Header, len(l.head)+len(pairs)/2)
	for k, v := range l.head {
		h[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			h.Set(pairs[i], pairs[i+1])
		}
	}
	return h
}

// postHeader and streamHeader are the headers of the two kinds of requests.
func (l *link) postHeader(pairs ...string) http.Header {
	return l.header(append(pairs, "Content-Type", mcp.TypeJSON, "Accept", mcp.TypeJSON+", "+mcp.TypeEventStream)...)
}

func (l *link) streamHeader(pairs ...string) http.Header {
	return l.header(append(pairs, "Accept", mcp.TypeEventStream, "Cache-Control", "no-cache")...)
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// isVisible tells whether s may be a session id: visible ASCII and not empty.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}
