package upstream

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// oldServer speaks HTTP+SSE on every path: GET is a stream, POST a message.
type oldServer struct {
	endpoint string // "" is the usual one
	prelude  string // written before the endpoint event
	onPost   func(w http.ResponseWriter, m jsonrpc.Message) bool

	mu     sync.Mutex
	serial int
	lines  map[string]*oldLine
	seen   []string
	opened chan struct{}
}

type oldLine struct {
	out chan string
	cut chan struct{}
}

func newOldServer() *oldServer {
	return &oldServer{lines: map[string]*oldLine{}, opened: make(chan struct{}, 1000)}
}

func serveOld(t testing.TB, o *oldServer) string {
	s := httptest.NewServer(o)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func (o *oldServer) count(method string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, s := range o.seen {
		if s == method {
			n++
		}
	}
	return n
}

func (o *oldServer) cutAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, l := range o.lines {
		close(l.cut)
		delete(o.lines, id)
	}
}

// say sends text on every stream.
func (o *oldServer) say(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lines {
		l.out <- text
	}
}

func (o *oldServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet:
		o.stream(w, r)
	case r.URL.Query().Get("s") == "":
		http.Error(w, "Cannot POST "+r.URL.Path, http.StatusNotFound)
	default:
		o.post(w, r)
	}
}

func (o *oldServer) stream(w http.ResponseWriter, r *http.Request) {
	l := &oldLine{make(chan string, 1000), make(chan struct{})}
	o.mu.Lock()
	o.serial++
	id := strconv.Itoa(o.serial)
	o.lines[id] = l
	o.mu.Unlock()
	streamHead(w)
	endpoint := o.endpoint
	if endpoint == "" {
		endpoint = "/message?s=" + id
	}
	_, _ = io.WriteString(w, o.prelude+"event: endpoint\ndata: "+endpoint+"\n\n")
	w.(http.Flusher).Flush()
	o.opened <- struct{}{}
	for {
		select {
		case s := <-l.out:
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
		case <-l.cut:
			hangUp(w)
		case <-r.Context().Done():
			return
		}
	}
}

func (o *oldServer) post(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, _ := jsonrpc.Parse(body)
	o.mu.Lock()
	o.seen = append(o.seen, m.Method())
	l := o.lines[r.URL.Query().Get("s")]
	o.mu.Unlock()
	if o.onPost != nil && o.onPost(w, m) {
		return
	}
	if l == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if m.Kind() != jsonrpc.Request || m.Method() == "hang" {
		return
	}
	l.out <- "event: message\ndata: " + result(m) + "\n\n"
}

func dialOld(t testing.TB, url string) *peer {
	return dial(t, catalog.Server{Transport: catalog.SSE, URL: url}, options())
}

// F-012: the stream is at the address, messages go where it says.
func TestOldTransport(t *testing.T) {
	o := newOldServer()
	before := runtime.NumGoroutine()
	s := httptest.NewServer(o)
	p := dialOld(t, s.URL+"/deep/sse")
	if got := p.Conn.(Spoken).Transport(); got != catalog.SSE {
		t.Errorf("Transport is %s", got)
	}
	p.greet()
	for i := range 100 {
		p.request(10+i, "echo", "")
	}
	for range 100 {
		p.message()
	}
	o.say("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n")
	if m := p.message(); m.Method() != "ping" {
		t.Errorf("got %s", m.Bytes())
	}
	p.send(jsonrpc.NewResult("1", []byte(`{}`)))
	o.say("data: [{\"jsonrpc\":\"2.0\",\"method\":\"x/one\"}, {\"jsonrpc\":\"2.0\",\"method\":\"x/two\"}]\n\n") // W-09
	for _, want := range []string{"x/one", "x/two"} {
		if m := p.message(); m.Method() != want {
			t.Errorf("of a batch came %s, want %s", m.Bytes(), want)
		}
	}
	p.request(200, "hang", "")
	eventually(t, "the request is there", func() bool { return o.count("hang") == 1 })
	p.Close()
	if _, err := p.next(); err != io.EOF {
		t.Errorf("Recv ended with %v", err)
	}
	s.CloseClientConnections()
	s.Close()
	flat(t, before)
}

func TestEndpointEvents(t *testing.T) {
	for name, row := range map[string]struct {
		endpoint, prelude string
		code              fault.Code
		part              string
	}{
		"F-012 other host":    {"http://evil.test/x?token=s3cret", "", fault.ProtocolError, "http://evil.test"},
		"F-012 other scheme":  {"https://HOST/x", "", fault.ProtocolError, "https://127.0.0.1"},
		"F-012 two slashes":   {"//evil.test/x", "", fault.ProtocolError, "http://evil.test"},
		"F-012 no address":    {"http://%zz", "", fault.ProtocolError, "no address"},
		"F-012 file":          {"file:///etc/passwd", "", fault.ProtocolError, "file://"},
		"relative":            {"message?s=1", "", "", ""},
		"absolute":            {"http://HOST/message?s=1", "", "", ""},
		"comments before":     {"", ": hello\n\nretry: 5\n\n", "", ""},
		"a message before it": {"", "data: {}\n\n", fault.EndpointNotMCP, "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOldServer()
			url := serveOld(t, o)
			o.endpoint = strings.ReplaceAll(row.endpoint, "HOST", strings.TrimPrefix(url, "http://"))
			o.prelude = row.prelude
			p := dialOld(t, url+"/sse")
			if row.code == "" {
				p.greet()
				return
			}
			p.request(1, "initialize", helloParams)
			e := wantCode(t, p.failure(1), row.code)
			contains(t, e.Error(), row.part)
			if strings.Contains(e.Error(), "s3cret") {
				t.Errorf("the error shows the address: %v", e)
			}
		})
	}
}

// W-04: the loss of the stream answers every call, and ends the conversation.
func TestOldStreamLost(t *testing.T) {
	o := newOldServer()
	p := dialOld(t, serveOld(t, o))
	p.greet()
	for i := range 5 {
		p.request(10+i, "hang", "")
	}
	eventually(t, "the calls are there", func() bool { return o.count("hang") == 5 })
	o.cutAll()
	for range 5 {
		_, err := p.next()
		var failed *jsonrpc.CallError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v, want the failure of a call", err)
		}
		wantCode(t, err, fault.ConnectionLost)
	}
	_, err := p.next()
	var failed *jsonrpc.CallError
	if errors.As(err, &failed) {
		t.Fatalf("a sixth failure: %v", err)
	}
	wantCode(t, err, fault.ConnectionLost)
	if p.Send(t.Context(), jsonrpc.NewRequest("2", "ping", nil)) == nil {
		t.Error("Send worked after the end")
	}
}

// S-65: an event over the limit costs its own call only; one that never ends
// is cut off.
func TestEventsOverTheLimit(t *testing.T) {
	o := newOldServer()
	url := serveOld(t, o)
	opt := options()
	opt.MaxBytes = 100_000
	p := dial(t, catalog.Server{Transport: catalog.SSE, URL: url}, opt)
	p.greet()
	p.request(2, "hang", "")
	p.request(3, "hang", "")
	eventually(t, "the calls are there", func() bool { return o.count("hang") == 2 })
	o.say(`data: {"jsonrpc":"2.0","id":2,"result":"` + strings.Repeat("x", 150_000) + "\"}\n\n")
	wantCode(t, p.failure(2), fault.MessageTooLarge)
	p.ok(4, "echo", "")
	for range 6 {
		o.say("data: " + strings.Repeat("x", 90_000))
	}
	wantCode(t, p.failure(3), fault.MessageTooLarge)
	_, err := p.next()
	wantCode(t, err, fault.MessageTooLarge)
}

func TestOldPostRefused(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		code   fault.Code
		lost   bool
	}{
		"404": {404, fault.SessionExpired, true},
		"401": {401, fault.LoginRequired, false},
		"500": {500, fault.UpstreamError, false},
		"cut": {0, fault.ConnectionLost, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOldServer()
			var done atomic.Bool
			o.onPost = func(w http.ResponseWriter, m jsonrpc.Message) bool {
				if m.Method() != "tools/call" || done.Swap(true) {
					return false
				}
				if row.status == 0 {
					hangUp(w)
				}
				http.Error(w, "no", row.status)
				return true
			}
			p := dialOld(t, serveOld(t, o))
			p.greet()
			p.request(2, "tools/call", "")
			err := p.failure(2)
			wantCode(t, err, row.code)
			if errors.Is(err, ErrSessionLost) != row.lost {
				t.Errorf("session lost is %v", !row.lost)
			}
			p.greet() // On the same Conn, whether a new stream is needed or not.
			p.ok(3, "tools/call", "")
		})
	}
}

func TestNoStreamThere(t *testing.T) {
	for name, row := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		code   fault.Code
	}{
		"401":        {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, fault.LoginRequired},
		"404":        {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, fault.EndpointNotMCP},
		"web page":   {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>hi</html>") }, fault.EndpointNotMCP},
		"JSON":       {func(w http.ResponseWriter, r *http.Request) { reply(w, []byte(`{}`)) }, fault.EndpointNotMCP},
		"ends early": {func(w http.ResponseWriter, r *http.Request) { streamHead(w) }, fault.EndpointNotMCP},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(row.answer))
			t.Cleanup(s.Close)
			p := dialOld(t, s.URL)
			p.request(1, "initialize", helloParams)
			err := p.failure(1)
			wantCode(t, err, row.code)
			if !errors.Is(err, ErrNotSent) {
				t.Errorf("%v does not tell that nothing was sent", err)
			}
			p.request(2, "initialize", helloParams)
			p.failure(2)
		})
	}
}

// F-123.
func TestEndpointEventIsWaitedForWithinALimit(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streamHead(w)
		<-r.Context().Done()
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	l, err := newLink(catalog.Server{Name: "demo", URL: s.URL}, options())
	if err != nil {
		t.Fatal(err)
	}
	c := newSSE(t.Context(), l)
	t.Cleanup(func() { c.Close() })
	err = c.connect(50 * time.Millisecond)
	wantCode(t, err, fault.Timeout)
}
