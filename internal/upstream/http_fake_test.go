package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

const patience = time.Minute // of a test for something that must happen

// fake is a streamable HTTP server with sessions. Its tools are methods:
// "echo" answers with its params, "hang" never, and hook may answer anything.
type fake struct {
	*httptest.Server
	hook    func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool // true: answered
	get     http.HandlerFunc                                                     // nil: 405
	version string
	noID    bool

	mu       sync.Mutex
	serial   int
	sessions map[string]bool
	seen     []seen
	arrived  chan seen
}

// seen is one request as the server got it.
type seen struct {
	http   string // the HTTP method
	method string // of the message
	id     string
	body   string
	head   http.Header
}

func newFake(t testing.TB) *fake {
	f := &fake{version: "2025-11-25", sessions: map[string]bool{}, arrived: make(chan seen, 100_000)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.stop)
	return f
}

func (f *fake) stop() {
	f.CloseClientConnections()
	f.Close()
}

func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = map[string]bool{}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, _ := jsonrpc.Parse(body)
	s := seen{r.Method, m.Method(), string(m.ID()), string(body), r.Header}
	f.mu.Lock()
	f.seen = append(f.seen, s)
	f.mu.Unlock()
	f.arrived <- s
	if r.Method == http.MethodGet {
		if f.get == nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		f.get(w, r)
		return
	}
	if r.Method == http.MethodDelete {
		return
	}
	if f.hook != nil && f.hook(w, r, m) {
		return
	}
	switch {
	case m.Method() == "initialize":
		f.welcome(w, m)
		return
	case !f.noID && !f.knows(r.Header.Get("Mcp-Session-Id")):
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(jsonrpc.NewError("null", -32001, "Session not found", nil).Bytes())
		return
	case m.Kind() != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	case m.Method() == "hang":
		<-r.Context().Done()
	default:
		answer(w, m)
	}
}

func (f *fake) knows(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions[id]
}

func (f *fake) welcome(w http.ResponseWriter, m jsonrpc.Message) {
	if !f.noID {
		f.mu.Lock()
		f.serial++
		id := "session-" + strconv.Itoa(f.serial)
		f.sessions[id] = true
		f.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
	}
	reply(w, jsonrpc.NewResult(m.ID(), []byte(`{"protocolVersion":"`+f.version+`","capabilities":{},"serverInfo":{"name":"fake","version":"1"}}`)).Bytes())
}

// count tells how many requests with this HTTP method and message method came.
func (f *fake) count(http, method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if s.http == http && s.method == method {
			n++
		}
	}
	return n
}

// await gives the next request that fits.
func (f *fake) await(t testing.TB, http, method string) seen {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case s := <-f.arrived:
			if s.http == http && s.method == method {
				return s
			}
		case <-limit:
			t.Fatalf("no %s %s reached the server", http, method)
		}
	}
}

func answer(w http.ResponseWriter, m jsonrpc.Message) {
	params := m.Params()
	if params == nil {
		params = []byte("{}")
	}
	reply(w, jsonrpc.NewResult(m.ID(), params).Bytes())
}

func reply(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func result(m jsonrpc.Message) string {
	return string(jsonrpc.NewResult(m.ID(), []byte(`{"ok":true}`)).Bytes())
}

// streamHead begins an event stream.
func streamHead(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
}

func event(w http.ResponseWriter, id, data string) {
	if id != "" {
		id = "id: " + id + "\n"
	}
	_, _ = io.WriteString(w, id+"data: "+data+"\n\n")
	w.(http.Flusher).Flush()
}

// hangUp cuts the connection without an answer, or in the middle of one.
func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// peer drives a Conn as a client would.
type peer struct {
	testing.TB
	jsonrpc.Conn
}

func options() Options {
	return Options{Log: slog.New(slog.DiscardHandler), Version: "1.2.3"}
}

func dial(t testing.TB, s catalog.Server, o Options) *peer {
	t.Helper()
	if s.Name == "" {
		s.Name = "demo"
	}
	c, err := Dial(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{t, c}
}

func dialTo(t testing.TB, url string) *peer {
	return dial(t, catalog.Server{Transport: catalog.HTTP, URL: url}, options())
}

func (p *peer) send(m jsonrpc.Message) {
	p.Helper()
	if err := p.Send(context.Background(), m); err != nil {
		p.Fatalf("send: %v", err)
	}
}

func (p *peer) request(id int, method, params string) {
	p.Helper()
	var b []byte
	if params != "" {
		b = []byte(params)
	}
	p.send(jsonrpc.NewRequest(jsonrpc.ID(strconv.Itoa(id)), method, b))
}

func (p *peer) notify(method, params string) {
	p.Helper()
	var b []byte
	if params != "" {
		b = []byte(params)
	}
	p.send(jsonrpc.NewNotification(method, b))
}

func (p *peer) next() (jsonrpc.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.Recv(ctx)
}

// message takes the next arrival, which must be a message.
func (p *peer) message() jsonrpc.Message {
	p.Helper()
	m, err := p.next()
	if err != nil {
		p.Fatalf("recv: %v", err)
	}
	return m
}

// failure takes the next arrival, which must be the failure of request id.
func (p *peer) failure(id int) error {
	p.Helper()
	m, err := p.next()
	var failed *jsonrpc.CallError
	if !errors.As(err, &failed) || failed.ID != jsonrpc.ID(strconv.Itoa(id)) {
		p.Fatalf("got %s, %v; want the failure of request %d", m.Bytes(), err, id)
	}
	return err
}

func (p *peer) call(id int, method, params string) (jsonrpc.Message, error) {
	p.Helper()
	p.request(id, method, params)
	return p.next()
}

// ok calls and wants a result.
func (p *peer) ok(id int, method, params string) jsonrpc.Message {
	p.Helper()
	m, err := p.call(id, method, params)
	if err != nil || string(m.ID()) != strconv.Itoa(id) || m.Result() == nil {
		p.Fatalf("%s: got %s, %v; want a result for %d", method, m.Bytes(), err, id)
	}
	return m
}

const helloParams = `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`

// greet does the handshake with request id 1.
func (p *peer) greet() {
	p.Helper()
	p.ok(1, "initialize", helloParams)
	p.notify("notifications/initialized", "")
}

func wantCode(t testing.TB, err error, code fault.Code) *fault.Error {
	t.Helper()
	e := fault.Of(err, "")
	if e == nil || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return e
}

// eventually polls until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// flat wants the number of goroutines back at or below before.
func flat(t testing.TB, before int) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-limit:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func contains(t testing.TB, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("got %q, want it to hold %q", text, part)
	}
}

func progress(token, n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d,"progress":%d}}`, token, n)
}
