package check

import (
	"mime"
	"net/http"
	"sync"
	"time"

	"drawbridge/internal/mcp"
)

// exchange is one HTTP request and the head of its answer.
type exchange struct {
	method string
	status int
	kind   string // media type of the answer
	took   time.Duration
}

func (e exchange) stream() bool { return e.status == http.StatusOK && e.kind == mcp.TypeEventStream }
func (e exchange) good() bool   { return e.status >= 200 && e.status < 300 }

// refusesPost tells whether the answer is what an HTTP+SSE server gives to a
// POST (MCP 2025-11-25, Transports, Backwards Compatibility).
func (e exchange) refusesPost() bool {
	return e.method == http.MethodPost && (e.status == 400 || e.status == 404 || e.status == 405)
}

// watch sees the exchanges of one conversation up to the end of its handshake.
type watch struct {
	began time.Time
	late  func() // called when an event stream stays without its first event

	mu    sync.Mutex
	seen  []exchange
	timer *time.Timer // runs from an event stream to the first POST after it
	quiet bool        // the handshake is over
}

func (w *watch) wrap(next http.RoundTripper) http.RoundTripper { return &watched{w, next} }

type watched struct {
	*watch
	next http.RoundTripper
}

func (t *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		t.disarm()
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind = "" // none, or none that can be read
	}
	t.note(exchange{req.Method, resp.StatusCode, kind, time.Since(t.began)})
	return resp, nil
}

func (w *watch) note(e exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quiet {
		return
	}
	w.seen = append(w.seen, e)
	if e.method == http.MethodGet && e.stream() && w.timer == nil {
		w.timer = time.AfterFunc(endpointLimit, w.late)
	}
}

func (w *watch) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// end stops watching and gives what was seen.
func (w *watch) end() []exchange {
	w.disarm()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet = true
	return w.seen
}
