package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

func dialAuto(t testing.TB, url string) *peer {
	return dial(t, catalog.Server{Transport: catalog.Auto, URL: url}, options())
}

func (p *peer) transport() catalog.Transport { return p.Conn.(Spoken).Transport() }

func TestAutoFindsStreamableHTTP(t *testing.T) {
	f := newFake(t)
	p := dialAuto(t, f.URL+"/mcp")
	if p.transport() != catalog.Auto {
		t.Errorf("Transport is %s before the first answer", p.transport())
	}
	p.greet()
	p.ok(2, "echo", "")
	if p.transport() != catalog.HTTP {
		t.Errorf("Transport is %s", p.transport())
	}
}

func TestAutoFallsBackToTheOldTransport(t *testing.T) {
	for _, status := range []int{400, 404, 405} {
		o := newOldServer()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/sse" {
				http.Error(w, "no POST here", status)
				return
			}
			o.ServeHTTP(w, r)
		}))
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		p := dialAuto(t, s.URL+"/sse")
		p.request(90, "server/discover", "") // Two before the decision.
		p.request(91, "vendor/x", "")
		got := map[jsonrpc.ID]bool{p.message().ID(): true, p.message().ID(): true}
		if !got["90"] || !got["91"] {
			t.Errorf("%d: answers %v", status, got)
		}
		p.greet()
		p.ok(2, "echo", "")
		if p.transport() != catalog.SSE {
			t.Errorf("%d: Transport is %s", status, p.transport())
		}
	}
}

func TestAutoReportsTheFirstError(t *testing.T) {
	for name, row := range map[string]struct {
		post, get int
		code      fault.Code
	}{
		"F-124 401":             {401, 200, fault.LoginRequired},
		"F-124 404 everywhere":  {404, 404, fault.EndpointNotMCP},
		"F-124 405, then 401":   {405, 401, fault.EndpointNotMCP},
		"F-124 400, web page":   {400, 200, fault.UpstreamError},
		"F-124 500":             {500, 200, fault.UpstreamError},
		"F-124 200 as web page": {200, 200, fault.EndpointNotMCP},
	} {
		t.Run(name, func(t *testing.T) {
			gets := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if r.Method == http.MethodGet {
					gets++
					w.WriteHeader(row.get)
				} else {
					w.WriteHeader(row.post)
				}
				_, _ = io.WriteString(w, "<html>page</html>")
			}))
			p := dialAuto(t, s.URL)
			p.request(1, "initialize", helloParams)
			wantCode(t, p.failure(1), row.code)
			if p.transport() != catalog.Auto {
				t.Errorf("Transport is %s", p.transport())
			}
			s.Close()
			if probed := gets > 0; probed != (row.post == 400 || row.post == 404 || row.post == 405) {
				t.Errorf("%d streams asked for", gets)
			}
		})
	}
}

func TestAutoTakesAJSONRPCErrorAsAnAnswer(t *testing.T) {
	for _, code := range []int{-32020, -32021, -32022, -32000} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				t.Error("a stream was asked for")
			}
			body, _ := io.ReadAll(r.Body)
			m, _ := jsonrpc.Parse(body)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(jsonrpc.NewError(m.ID(), code, "no", nil).Bytes())
		}))
		t.Cleanup(s.Close)
		p := dialAuto(t, s.URL)
		if m, err := p.call(1, "initialize", helloParams); err != nil || m.Error() == nil {
			t.Errorf("got %s, %v", m.Bytes(), err)
		}
		if p.transport() != catalog.HTTP {
			t.Errorf("Transport is %s", p.transport())
		}
	}
}

// The probe for the era before initialize does not settle the transport when
// the server refuses it in a way that could be either's.
func TestAutoAfterARefusedProbe(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() == "server/discover" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(jsonrpc.NewError("null", -32000, "Bad Request: Server not initialized", nil).Bytes())
		}
		return m.Method() == "server/discover"
	}
	p := dialAuto(t, f.URL)
	p.request(1, "server/discover", "")
	p.failure(1)
	p.greet()
	if p.transport() != catalog.HTTP {
		t.Errorf("Transport is %s", p.transport())
	}
}

// A server of the initialize era may refuse the probe in plain text and hold
// every GET open without a word: the probe's refusal asks for no event stream.
func TestAutoAsksForNoStreamOverARefusedProbe(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() == "server/discover" {
			http.Error(w, "no", http.StatusBadRequest)
		}
		return m.Method() == "server/discover"
	}
	streams := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.Header.Get("Mcp-Session-Id") == "" {
			streams <- struct{}{}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	p := dialAuto(t, s.URL)
	p.request(1, "server/discover", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`)
	wantCode(t, p.failure(1), fault.UpstreamError)
	p.greet()
	p.ok(2, "echo", "")
	if len(streams) > 0 || p.transport() != catalog.HTTP {
		t.Errorf("a stream was asked for: %v; Transport is %s", len(streams) > 0, p.transport())
	}
}

// A stateless client reaches a server of HTTP+SSE all the same.
func TestAutoFallsBackAfterARefusedProbe(t *testing.T) {
	o := newOldServer()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/sse" {
			http.Error(w, "no POST here", http.StatusNotFound)
			return
		}
		o.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	p := dialAuto(t, s.URL+"/sse")
	p.request(1, "server/discover", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`)
	p.failure(1)
	p.greet()
	p.ok(2, "echo", "")
	if p.transport() != catalog.SSE {
		t.Errorf("Transport is %s", p.transport())
	}
}
