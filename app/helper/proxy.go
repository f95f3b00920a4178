package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/proxy"
	"drawbridge/internal/session"
)

// sseDefaultPort is where clients of the older transport look first (F-127).
const sseDefaultPort = 8000

// endpoint is what the flags of `proxy mcp` say.
type endpoint struct {
	target
	command []string
	as      face
	port    int
	host    string
	token   bool
}

func (a *app) proxyCommand() *cobra.Command {
	var e endpoint
	c := &cobra.Command{
		Use:   "mcp NAME|URL | mcp -- COMMAND [ARG…]",
		Short: "Serve one MCP server on a local port until interrupted",
		Long: "Serves a server to MCP clients of this computer: streamable HTTP at / and /mcp, HTTP+SSE at /sse.\n" +
			"Each client gets a conversation of its own; a command is started once a client. It runs until\n" +
			"interrupted. To share a server in a team, use a gateway.",
		Args:              func(c *cobra.Command, args []string) error { return e.take(c, args) },
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.serve(c.Context(), e, c.Flags().Changed("port"))
		},
	}
	e.flags(c)
	c.Flags().Var(&e.as, "as", "http or sse: which transport the clients speak; both are served, sse takes port 8000 by default")
	c.Flags().IntVarP(&e.port, "port", "p", 0, "listen on this port (default: a free one, the same again next time)")
	c.Flags().StringVar(&e.host, "host", "127.0.0.1", "listen on this loopback address")
	c.Flags().BoolVar(&e.token, "local-token", false, "ask clients for a key, which the printed address holds")
	return c
}

// take reads the arguments: a name or a URL, or a command behind --.
func (e *endpoint) take(c *cobra.Command, args []string) error {
	at := c.ArgsLenAtDash()
	switch {
	case at > 0, at < 0 && len(args) > 1:
		return usage(c, "give one name, one URL, or a command behind --")
	case len(args) == 0:
		return usage(c, "the server's name or URL, or a command behind --, is missing")
	case at == 0:
		e.command = args
	default:
		e.name = args[0]
	}
	return nil
}

func (a *app) serve(ctx context.Context, e endpoint, portGiven bool) error {
	s, err := a.served(e)
	if err != nil {
		return err
	}
	dirs, err := platform.OurDirs()
	if err != nil {
		return err
	}
	places := proxy.OpenPlaces(dirs.State)
	conf := proxy.Config{Server: s, Host: e.host, Port: e.port,
		Session: session.Options{Log: a.log(slog.LevelWarn), Version: version, Reconnect: true, Known: session.OpenKnown(dirs.State)}}
	if e.token {
		place, err := places.Keyed(ctx, s.Name)
		if err != nil {
			return err
		}
		conf.Key = place.Key
	}
	var p *proxy.Endpoint
	switch {
	case portGiven:
		p, err = proxy.Listen(ctx, conf)
	case e.as == "sse":
		conf.Port = sseDefaultPort
		p, err = proxy.Listen(ctx, conf)
	default:
		p, err = listenAgain(ctx, conf, places)
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if err := a.announce(p, e); err != nil {
		return err
	}
	return p.Run(ctx)
}

// listenAgain listens where this server was served last, or on a free port,
// which is remembered if there was none before.
func listenAgain(ctx context.Context, conf proxy.Config, places *proxy.Places) (*proxy.Endpoint, error) {
	last, err := places.Of(conf.Server.Name)
	if err != nil {
		return nil, err
	}
	conf.Port = last.Port
	p, err := proxy.Listen(ctx, conf)
	if last.Port != 0 && fault.IsCode(err, fault.PortInUse) {
		// Perhaps `drawbridge up` has it, which is to find it again.
		conf.Port = 0
		return proxy.Listen(ctx, conf)
	}
	if err != nil {
		return nil, err
	}
	if last.Port == 0 {
		if err := places.Keep(ctx, conf.Server.Name, p.Port()); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (a *app) announce(p *proxy.Endpoint, e endpoint) error {
	if _, err := fmt.Fprintf(a.stdout, "Proxy for %s listening on %s\n", p.Name, p.Addr()); err != nil || !e.token {
		return err
	}
	url := p.URL()
	if e.as == "sse" {
		url = p.SSEURL()
	}
	_, err := fmt.Fprintf(a.stdout, "Address with its key: %s\n", url)
	return err
}

// served is the server behind the endpoint. One that is not in the catalog is
// named after its host or its program.
func (a *app) served(e endpoint) (catalog.Server, error) {
	if e.command != nil {
		name := filepath.Base(e.command[0])
		name = strings.TrimSuffix(name, filepath.Ext(name))
		return catalog.Server{Name: name, Transport: catalog.Stdio, Command: e.command[0], Args: e.command[1:]}, nil
	}
	s, err := a.find(e.target)
	if err == nil && e.isAddress() {
		s.Name = hostOf(s.URL)
	}
	return s, err
}

// face is the value of --as.
type face string

// Set takes the value of the flag.
func (f *face) Set(s string) error {
	if s != "http" && s != "sse" {
		return fmt.Errorf("clients are served as http or as sse")
	}
	*f = face(s)
	return nil
}

func (f *face) String() string { return string(*f) }

// Type names the value in the help text.
func (f *face) Type() string { return "TRANSPORT" }
