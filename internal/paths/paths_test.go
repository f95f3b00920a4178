package paths

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/downstream"
	"drawbridge/internal/mcp"
	"drawbridge/internal/proxy"
	"drawbridge/internal/session"
)

// face is how a client speaks to us.
type face string

const (
	stdioFace face = "stdio"
	httpFace  face = "http"
	sseFace   face = "http+sse" // of 2024-11-05
)

// far is how a server is reached.
type far string

const (
	program far = "stdio"       // a process of its own
	asJSON  far = "http json"   // streamable HTTP, answers are JSON
	asSSE   far = "http events" // streamable HTTP, answers are event streams
	oldSSE  far = "http+sse"    // of 2024-11-05
)

// era is what a server speaks.
type era string

const (
	legacy era = "legacy"
	modern era = "modern"
)

// path is one way through Drawbridge.
type path struct {
	face    face
	version string // of the client
	far     far
	era     era // of the server
}

func (p path) String() string {
	return fmt.Sprintf("%s %s to %s %s", p.face, p.version, p.far, p.era)
}

// fromModern tells whether the client is of 2026-07-28.
func (p path) fromModern() bool { return p.version == mcp.V2026_07_28 }

// translated tells whether client and server are of two eras.
func (p path) translated() bool { return p.fromModern() != (p.era == modern) }

// all is the table of the paths. Of HTTP+SSE there is one version on both sides,
// and streamable HTTP is met in every version: clients of 2024-11-05 in the field
// use it too.
func all() []path {
	clients := []path{{face: sseFace, version: mcp.V2024_11_05}}
	for _, f := range []face{stdioFace, httpFace} {
		for _, v := range []string{mcp.V2024_11_05, mcp.V2025_03_26, mcp.V2025_06_18, mcp.V2025_11_25, mcp.V2026_07_28} {
			clients = append(clients, path{face: f, version: v})
		}
	}
	servers := []path{
		{far: program, era: legacy}, {far: asJSON, era: legacy}, {far: asSSE, era: legacy}, {far: oldSSE, era: legacy},
		{far: program, era: modern}, {far: asJSON, era: modern}, {far: asSSE, era: modern},
	}
	var list []path
	for _, c := range clients {
		for _, s := range servers {
			list = append(list, path{face: c.face, version: c.version, far: s.far, era: s.era})
		}
	}
	return list
}

// each runs a test on every path.
func each(t *testing.T, test func(*testing.T, path)) {
	for _, p := range all() {
		t.Run(strings.ReplaceAll(p.String(), " ", "_"), func(t *testing.T) { test(t, p) })
	}
}

// tooLong is how long a test waits before it says that something hangs.
const tooLong = time.Minute

// line is a path in use: a client, Drawbridge, and a server.
type line struct {
	path
	t      *testing.T
	client client
	heard  chan heard // what reached the client
	server *server
}

// heard is one message that reached the client. Those of one stream came in this
// order; of two streams nobody can tell.
type heard struct {
	stream string // id of the request whose POST it came on, else ""
	body   string
	line   bool  // it came on one line, as an event or on stdout
	err    error // the stream broke
}

// open puts a line together and lets its ends greet each other.
func open(t *testing.T, p path) *line {
	t.Helper()
	l := &line{path: p, t: t, heard: make(chan heard, 1024), server: serve(t, p)}
	run := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the clean-up
	o := session.Options{Log: slog.New(slog.DiscardHandler), Version: "test", Reconnect: true}
	if p.face == stdioFace {
		inRead, inWrite := pipe(t)
		outRead, outWrite := pipe(t)
		go func() {
			run <- session.Run(ctx, downstream.Stdio(inRead, outWrite, 0, o.Log), l.server.entry(), o)
			outWrite.Close()
		}()
		l.client = newStdioClient(inWrite, outRead, l.heard)
	} else {
		e, err := proxy.Listen(ctx, proxy.Config{Server: l.server.entry(), Session: o})
		if err != nil {
			t.Fatal(err)
		}
		go func() { run <- e.Run(ctx) }()
		if p.face == httpFace {
			l.client = newWebClient(e.URL(), p.version, l.heard)
		} else {
			l.client = newOldClient(t, e.SSEURL(), l.heard)
		}
	}
	t.Cleanup(func() {
		if err := l.client.close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
		if p.face != stdioFace {
			cancel() // an endpoint runs until it is told to end
		}
		select {
		case err := <-run:
			if err != nil {
				t.Errorf("the bridge ended with %v", err)
			}
		case <-time.After(tooLong):
			t.Error("the bridge does not end")
		}
		cancel()
	})
	l.greet()
	return l
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// offers are the capabilities of every client.
const offers = `{"sampling":{},"elicitation":{},"x-vendor":{"n":9007199254740993}}`

// words are the members of _meta by which a client of 2026-07-28 says who it is.
const words = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + offers + `,"io.modelcontextprotocol/clientInfo":{"name":"path","version":"1","x-extra":1.0}`

// hello is how the client opens.
func (p path) hello() string {
	if p.fromModern() {
		return `{"jsonrpc":"2.0","id":"hello","method":"server/discover","params":{"_meta":{` + words + `}}}`
	}
	return `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"` + p.version + `","capabilities":` + offers + `,"clientInfo":{"name":"path","version":"1","x-extra":1.0}}}`
}

func (l *line) greet() {
	l.t.Helper()
	l.send(l.hello())
	if got := l.next(); !strings.Contains(got.body, `"id":"hello","result":`) {
		l.t.Fatalf("%s was answered with %s", l.hello(), got.body)
	}
	if !l.fromModern() {
		l.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
}

// meta gives the members of a request's _meta, with those that the era wants.
func (p path) meta(members string) string {
	if !p.fromModern() {
		return members
	}
	if members == "" {
		return words
	}
	return members + "," + words
}

func (l *line) send(m string) {
	l.t.Helper()
	if err := l.client.send(m); err != nil {
		l.t.Fatalf("send %.200s: %v", m, err)
	}
}

// next is what the client hears next.
func (l *line) next() heard {
	l.t.Helper()
	select {
	case h := <-l.heard:
		if h.err != nil {
			l.t.Fatalf("the client's stream %s broke: %v", h.stream, h.err)
		}
		return h
	case <-time.After(tooLong):
		l.t.Fatal("the client hears nothing")
		panic("unreachable")
	}
}

// entry is the server as the catalog has it.
func (s *server) entry() catalog.Server {
	e := catalog.Server{Name: "srv"}
	switch s.far {
	case program:
		self, err := os.Executable()
		if err != nil {
			s.t.Fatal(err)
		}
		e.Transport, e.Command, e.Args = catalog.Stdio, self, []string{"server", s.address}
		e.Env = map[string]string{"GORACE": "atexit_sleep_ms=0"} // or every process lingers for a second
	case asJSON, asSSE:
		e.Transport, e.URL = catalog.HTTP, s.address
	case oldSSE:
		e.Transport, e.URL = catalog.SSE, s.address+"/sse"
	default:
		panic("paths: server over " + string(s.far))
	}
	return e
}
