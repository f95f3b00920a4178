package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"syscall"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/upstream"
)

// remote checks a server reached by URL.
func (r *run) remote(ctx context.Context) {
	var to place
	if !r.timed("address", func() (detail string, err error) {
		to, detail, err = r.address(ctx)
		return detail, err
	}) {
		return
	}
	var conn net.Conn
	if !r.timed("connect", func() (_ string, err error) {
		conn, err = dial(ctx, to)
		return plain(err), unreachable(err)
	}) {
		return
	}
	defer conn.Close()
	switch {
	case to.url.Scheme != "https":
		r.skip("tls", "not https")
	case to.proxy != "":
		r.skip("tls", "inside the proxy's tunnel")
	default:
		if !r.timed("tls", func() (string, error) { return r.encrypt(ctx, conn, to.url.Hostname()) }) {
			return
		}
	}
	conn.Close()
	r.converse(ctx)
}

// place is where the first connection goes.
type place struct {
	url   *url.URL
	proxy string // its address, when one is configured in the environment
	ips   []netip.Addr
	port  string
}

func (r *run) address(ctx context.Context) (place, string, error) {
	u, err := url.Parse(r.server.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return place{}, "not an http:// or https:// address", fault.New(fault.URLInvalid, "")
	}
	to, target := place{url: u}, u
	p, err := upstream.Proxy(u)
	if err != nil {
		return place{}, "", fmt.Errorf("the proxy in the environment: %w", err)
	}
	if p != nil {
		to.proxy, target = p.Host, p
	}
	to.port = target.Port()
	if to.port == "" {
		to.port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[target.Scheme]
	}
	if to.port == "" {
		to.port = "80"
	}
	to.ips, err = resolve(ctx, target.Hostname())
	if err != nil {
		return place{}, plain(err), unreachable(err)
	}
	detail := net.JoinHostPort(to.ips[0].String(), to.port)
	if target.Hostname() != to.ips[0].String() {
		detail += ", " + target.Hostname()
	}
	if to.proxy != "" {
		detail += ", the proxy of the environment"
	}
	return to, detail, nil
}

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(ips) == 0 {
		err = errors.New("unknown host")
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}

// dial tries the addresses one after the other within one limit.
func dial(ctx context.Context, to place) (conn net.Conn, err error) {
	limit := time.Now().Add(connectLimit)
	for n, ip := range to.ips {
		d := net.Dialer{Timeout: time.Until(limit) / time.Duration(len(to.ips)-n)}
		if conn, err = d.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), to.port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func unreachable(err error) error {
	if err == nil {
		return nil
	}
	e := fault.New(fault.EndpointUnreachable, "")
	e.Err = err
	return e
}

// plain is the innermost cause of a network error, in few words; "" for none.
func plain(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	var sys *os.SyscallError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns) && dns.IsNotFound:
		return "unknown host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %d s", connectLimit/time.Second)
	case errors.As(err, &sys):
		return sys.Err.Error()
	default:
		return fault.Excerpt(err.Error())
	}
}

func (r *run) encrypt(ctx context.Context, conn net.Conn, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	cfg, err := upstream.TLSConfig(r.server)
	if err != nil {
		return "", err
	}
	cfg.ServerName, cfg.NextProtos = host, []string{"h2", "http/1.1"}
	c := tls.Client(conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		return "", untrusted(err)
	}
	state := c.ConnectionState()
	return tls.VersionName(state.Version) + ", certificate valid until " + state.PeerCertificates[0].NotAfter.Format(time.DateOnly), nil
}

func untrusted(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "").With("no TLS answer within %d s", connectLimit/time.Second)
	}
	if e := upstream.TLSFault("", err); e != nil {
		return e
	}
	return fault.New(fault.NetworkUnavailable, "").With("the connection broke in the TLS handshake").Because(err)
}

// shown is an address without user, query and fragment.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the address"
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	return u.String()
}
