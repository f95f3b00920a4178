//go:build e2e

package e2e

import (
	"path/filepath"
	"strconv"
	"testing"

	"drawbridge/build/bench/client"
)

// mode is one way the everything server is reached.
type mode struct {
	arg    string // of the server
	listed string // Type in mcp ls
	path   string // of its address; "" for stdio
}

var modes = []mode{
	{"stdio", "stdio", ""},
	{"sse", "SSE", "/sse"},
	{"streamableHttp", "Streamable HTTP", "/mcp"},
}

// everything is the server in one mode on one rig.
type everything struct {
	*rig
	mode
	port int
	proc *process // nil for stdio, where every client starts its own
}

func everythingScript() string {
	return filepath.Join(fixture.npm, "@modelcontextprotocol", "server-everything", "dist", "index.js")
}

// newEverything starts the server, unless clients start it.
func newEverything(t *testing.T, m mode) *everything {
	t.Helper()
	e := &everything{rig: newRig(t), mode: m}
	if m.path != "" {
		e.port = e.freePort()
		e.serve()
	}
	return e
}

// serve starts the server, again on the same port after a kill.
func (e *everything) serve() {
	e.t.Helper()
	e.proc = e.start([]string{"PORT=" + strconv.Itoa(e.port)}, nil, fixture.node, everythingScript(), e.arg)
	e.awaitPort(e.proc, e.port)
}

func (e *everything) url() string {
	return "http://127.0.0.1:" + strconv.Itoa(e.port) + e.path
}

// add remembers the server as a user would, with the check.
func (e *everything) add() {
	e.t.Helper()
	if e.path == "" {
		e.helper("mcp", "add", "everything", "--", fixture.node, everythingScript(), e.arg)
		return
	}
	e.helper("mcp", "add", "everything", e.url())
}

// direct is a conversation with the server without us.
func (e *everything) direct() *conversation {
	e.t.Helper()
	switch e.arg {
	case "stdio":
		return e.converseStdio(e.stdio(fixture.node, everythingScript(), "stdio"))
	case "sse":
		return e.converseSSE(e.url())
	default:
		return e.converseHTTP(e.url())
	}
}

// faces are the ways a client reaches the server through us.
var faces = []struct {
	name string
	open func(*everything) *conversation
}{
	{"mcp connect", func(e *everything) *conversation { return e.converseStdio(e.connect("everything")) }},
	{"proxy mcp over streamable HTTP", func(e *everything) *conversation { return e.converseHTTP(e.proxy("everything") + "/mcp") }},
	{"proxy mcp over HTTP+SSE", func(e *everything) *conversation { return e.converseSSE(e.proxy("everything") + "/sse") }},
}

func (r *rig) converseStdio(c *client.Stdio) *conversation {
	r.t.Helper()
	v := &conversation{rig: r, caller: c}
	c.OnRequest, c.OnNotification = v.answer, v.note
	v.open(func() ([]byte, error) {
		m, err := c.Init(startLimit, protocol)
		return m.Raw, err
	})
	return v
}

func (r *rig) converseHTTP(url string) *conversation {
	r.t.Helper()
	c := client.NewHTTP(url)
	r.t.Cleanup(c.Close)
	return r.converseOver(c)
}

func (r *rig) converseSSE(url string) *conversation {
	r.t.Helper()
	ctx, cancel := r.limited()
	defer cancel()
	c, err := client.OpenSSE(ctx, url)
	r.must(err, "open the stream of %s", url)
	r.t.Cleanup(c.Close)
	return r.converseOver(c)
}

func (r *rig) converseOver(c *client.HTTP) *conversation {
	r.t.Helper()
	v := &conversation{rig: r, caller: c}
	c.OnRequest, c.OnNotification = v.answer, v.note
	v.open(func() ([]byte, error) {
		m, err := c.Init(startLimit, protocol)
		return m.Raw, err
	})
	return v
}
