package paths

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// server is an MCP server of one era behind one transport. Greeting is its own
// business; everything else is done by what the test puts into do.
type server struct {
	path
	t       *testing.T
	address string

	mu       sync.Mutex
	do       func(message, say)
	sessions map[string]*outbox
}

// message is what came, and say gives the client's side a message. What is no
// answer may go another way than the answer.
type (
	message struct {
		head
		body string
		gone <-chan struct{} // closed when nobody waits for the answer; nil where that is said in words
	}
	say func(m string)
)

// serve starts a server; it ends with the test.
func serve(t *testing.T, p path) *server {
	t.Helper()
	s := &server{path: p, t: t, sessions: map[string]*outbox{}, do: func(m message, say say) {
		if m.isRequest() {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"nothing is done here"}}`, m.ID))
		}
	}}
	if p.far == program {
		s.answerPrograms()
		return s
	}
	handler := http.HandlerFunc(s.streamable)
	if p.far == oldSSE {
		handler = s.overSSE
	}
	web := httptest.NewServer(handler)
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	s.address = web.URL
	return s
}

// does is what the server does from now on.
func (s *server) does(do func(message, say)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

const (
	vendorWords = `"capabilities":{"tools":{"listChanged":false},"logging":{},"x-vendor":{"n":9007199254740993}}`
	serverInfo  = `{"name":"far","version":"1","x-extra":1.0}`
)

// take does what there is to do about a message, and returns when that is done.
func (s *server) take(body string, gone <-chan struct{}, say say) {
	h, err := headOf(body)
	if err != nil {
		s.t.Errorf("the server got no message: %.300s: %v", body, err)
		return
	}
	stateless := strings.Contains(body, "io.modelcontextprotocol/protocolVersion")
	fail := func(code int, data string) {
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"not this era"%s}}`, h.ID, code, data))
	}
	switch {
	case h.Method == "initialize" && s.era == legacy:
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":%q,%s,"serverInfo":%s,"x-result":1.0}}`, h.ID, h.named("protocolVersion"), vendorWords, serverInfo))
	case h.Method == "server/discover" && s.era == modern:
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],%s,"_meta":{"io.modelcontextprotocol/serverInfo":%s},"x-result":1.0}}`, h.ID, vendorWords, serverInfo))
	case h.isRequest() && s.era == modern && !stateless:
		fail(-32022, `,"data":{"supported":["2026-07-28"]}`)
	case h.isRequest() && s.era == legacy && stateless:
		fail(-32601, "")
	case h.Method == "ping", h.Method == "logging/setLevel":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, h.ID))
	case h.Method == "tools/list":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, h.ID, s.listing()))
	case h.Method == "notifications/initialized":
	default:
		s.mu.Lock()
		do := s.do
		s.mu.Unlock()
		do(message{h, body, gone}, say)
	}
}

// listing is what tools/list gives.
func (s *server) listing() string {
	of := ""
	if s.era == modern {
		of = `"resultType":"complete","ttlMs":0,"cacheScope":"private",`
	}
	return `{` + of + `"tools":[{"name":"tell","inputSchema":{"type":"object","properties":{"n":{"const":9007199254740993}},"oneOf":[{"required":["n"]},{}]},"x-vendor":{"f":1.0}}],"x-list":1.0}`
}

// answerPrograms serves the processes that the bridge starts.
func (s *server) answerPrograms() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = ln.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.overStdio(c) })
		}
	})
	s.t.Cleanup(func() { ln.Close(); wg.Wait() })
}

func (s *server) overStdio(c net.Conn) {
	defer c.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	say := func(m string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(c, m+"\n") // a process that has ended hears nothing
	}
	r := bufio.NewReaderSize(c, 1<<20)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		wg.Go(func() { s.take(strings.TrimSuffix(line, "\n"), nil, say) })
	}
}

// outbox is what waits for an event stream that stays open.
type outbox struct {
	mu    sync.Mutex
	queue []string
	wake  chan struct{}
}

func (o *outbox) put(m string) {
	o.mu.Lock()
	o.queue = append(o.queue, m)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue = nil
	return q
}

// follow writes what is put into an outbox until the client is gone.
func (o *outbox) follow(w http.ResponseWriter, r *http.Request) {
	out := newEvents(w)
	out.flush()
	for {
		for _, m := range o.take() {
			out.say(m)
		}
		select {
		case <-o.wake:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *server) session(id string) *outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *server) newSession() (string, *outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, o := fmt.Sprint("s", len(s.sessions)), &outbox{wake: make(chan struct{}, 1)}
	s.sessions[id] = o
	return id, o
}

// events writes an event stream.
type events struct {
	w     http.ResponseWriter
	flush func()
}

func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	return &events{w, func() { _ = c.Flush() }} // fails on a client that is gone
}

func (e *events) say(m string) {
	fmt.Fprintf(e.w, "event: message\ndata: %s\n\n", m)
	e.flush()
}

// streamable serves streamable HTTP.
func (s *server) streamable(w http.ResponseWriter, r *http.Request) {
	of := s.session(r.Header.Get("Mcp-Session-Id"))
	switch {
	case r.Method == http.MethodDelete && of != nil:
		return
	case r.Method == http.MethodGet && of != nil:
		of.follow(w, r)
		return
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the bridge left
	}
	h, err := headOf(string(b))
	switch {
	case err != nil:
		s.t.Errorf("the server got %.300s: %v", b, err)
		return
	case !h.isRequest():
		w.WriteHeader(http.StatusAccepted)
		s.take(string(b), nil, func(m string) { s.t.Errorf("said outside a request: %s", m) })
		return
	case h.Method == "initialize" && s.era == legacy:
		id, o := s.newSession()
		w.Header().Set("Mcp-Session-Id", id)
		of = o
	}
	s.answer(w, r, string(b), of)
}

// answer writes the answer to a POST: as JSON, and what comes with it on the
// session's own stream, or all as events.
func (s *server) answer(w http.ResponseWriter, r *http.Request, body string, of *outbox) {
	if s.far == asSSE && !strings.Contains(body, `"server/discover"`) && !strings.Contains(body, `"initialize"`) {
		s.take(body, r.Context().Done(), newEvents(w).say)
		return
	}
	s.take(body, r.Context().Done(), func(m string) {
		h, err := headOf(m)
		if err == nil && h.Method != "" {
			if of == nil {
				s.t.Errorf("there is no stream for %s", m)
				return
			}
			of.put(m)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(m, `"code":-32022`):
			w.WriteHeader(http.StatusBadRequest)
		case strings.Contains(m, `"code":-32601`) && s.era == modern:
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, m) // a client that left hears nothing
	})
}

// overSSE serves HTTP+SSE: the session is the stream.
func (s *server) overSSE(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		id, o := s.newSession()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: endpoint\ndata: /message?session=%s\n\n", id)
		o.follow(w, r)
		return
	}
	o := s.session(r.URL.Query().Get("session"))
	b, err := io.ReadAll(r.Body)
	if err != nil || o == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	http.NewResponseController(w).Flush()
	s.take(string(b), nil, o.put)
}
