// Package proxy keeps local endpoints: a loopback port in front of a server,
// reached by clients over streamable HTTP and HTTP+SSE.
//
// It promises that an endpoint listens on this computer only, keeps its port
// and its key across restarts, and gives every client a conversation with the
// server of its own. Which servers there are is left to package catalog.
package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"drawbridge/internal/catalog"
	"drawbridge/internal/downstream"
	"drawbridge/internal/era"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
	"drawbridge/internal/session"
)

// Config is one endpoint before it listens.
type Config struct {
	Server  catalog.Server
	Host    string // a loopback address; "" is 127.0.0.1
	Port    int    // 0 takes any free port
	Key     string // what clients must bring; "" asks for none
	Session session.Options
}

// Endpoint is a local address in front of one server.
type Endpoint struct {
	Name string
	cfg  Config
	ln   net.Listener
}

// Listen takes the port. An address that is not loopback is DB_BIND_REFUSED, a
// busy port DB_PORT_IN_USE.
func Listen(ctx context.Context, c Config) (*Endpoint, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	host := c.Host
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() || ip.Zone() != "" {
		return nil, fault.New(fault.BindRefused, c.Host)
	}
	if c.Port < 0 || c.Port > 65535 {
		return nil, fault.New(fault.UsageInvalid, c.Server.Name).With("there is no port %d", c.Port).Step("give a port from 1 to 65535")
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(ip, uint16(c.Port)).String())
	if err != nil {
		return nil, busy(c, err)
	}
	c.Session.Era = &era.Memory{}
	return &Endpoint{Name: c.Server.Name, cfg: c, ln: ln}, nil
}

func busy(c Config, err error) error {
	if !platform.IsAddrInUse(err) {
		return fmt.Errorf("listen on port %d: %w", c.Port, err)
	}
	e := fault.New(fault.PortInUse, c.Server.Name)
	if who := platform.PortHolder(c.Port); who != "" {
		e = e.With("port %d is in use by %s", c.Port, who)
	} else {
		e = e.With("port %d is in use", c.Port)
	}
	e.Err = err
	return e
}

// Addr is the address it listens on, host and port.
func (e *Endpoint) Addr() string { return e.ln.Addr().String() }

// Port is the port it listens on.
func (e *Endpoint) Port() int { return e.ln.Addr().(*net.TCPAddr).Port }

// URL is where clients that speak streamable HTTP connect.
func (e *Endpoint) URL() string { return e.base() + "/mcp" }

// SSEURL is where clients that speak HTTP+SSE connect.
func (e *Endpoint) SSEURL() string { return e.base() + "/sse" }

func (e *Endpoint) base() string { return Place{e.Port(), e.cfg.Key}.base(e.host()) }

func (e *Endpoint) host() string { return e.ln.Addr().(*net.TCPAddr).IP.String() }

// Run serves clients until ctx ends and returns when their conversations are
// over.
func (e *Endpoint) Run(ctx context.Context) error {
	h := downstream.HTTP{
		Name:     e.Name,
		Key:      e.cfg.Key,
		Log:      e.log(),
		MaxBytes: e.cfg.Session.MaxBytes,
		Serve:    e.serve,
	}
	return h.Run(ctx, e.ln)
}

// Close gives the port back; Run, if it goes on, ends.
func (e *Endpoint) Close() error { return e.ln.Close() }

func (e *Endpoint) log() *slog.Logger { return e.cfg.Session.Log }

func (e *Endpoint) serve(ctx context.Context, c jsonrpc.Conn, client downstream.Client) {
	o := e.cfg.Session
	o.Authorize = client.Authorization
	if err := session.Run(ctx, c, e.cfg.Server, o); err != nil && ctx.Err() == nil {
		e.log().Info("conversation ended", "server", e.Name, "err", err)
	}
}
