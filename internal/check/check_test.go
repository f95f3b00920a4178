package check_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/check"
	"drawbridge/internal/fault"
	"drawbridge/internal/mcptest"
	"drawbridge/internal/platform"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func quiet() check.Options {
	return check.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "1"}
}

// steps is the report in short: "connect ok", without the skipped ones.
func steps(r check.Report) []string {
	var out []string
	for _, s := range r.Steps {
		if s.Result != check.Skipped {
			out = append(out, s.Name+" "+string(s.Result))
		}
	}
	return out
}

func detail(r check.Report, name string) string {
	for _, s := range r.Steps {
		if s.Name == name {
			return s.Detail
		}
	}
	return "no such step"
}

var passed = []string{"address ok", "connect ok", "http ok", "transport ok", "initialize ok", "tools ok"}

// F-122, F-123, F-124.
func TestHealthyServersPass(t *testing.T) {
	tests := []struct {
		name  string
		srv   *mcptest.Server
		path  string
		by    catalog.Transport
		found catalog.Transport
		http  string
	}{
		{"streamable HTTP by itself", &mcptest.Server{}, "/mcp", catalog.Auto, catalog.HTTP, "200 application/json"},
		{"streamable HTTP as told", &mcptest.Server{}, "/mcp", catalog.HTTP, catalog.HTTP, "200 application/json"},
		{"streamable HTTP with events", &mcptest.Server{Events: true}, "/mcp", catalog.Auto, catalog.HTTP, "200 text/event-stream"},
		{"HTTP+SSE by itself", &mcptest.Server{}, "/sse", catalog.Auto, catalog.SSE, "200 text/event-stream"},
		{"HTTP+SSE as told", &mcptest.Server{}, "/sse", catalog.SSE, catalog.SSE, "200 text/event-stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ts := serve(t, tt.srv)
			var seen []string
			o := quiet()
			o.Step = func(s check.Step) { seen = append(seen, s.Name) }
			r := check.Run(t.Context(), catalog.Server{Transport: tt.by, URL: ts.URL + tt.path}, o)
			if r.Err != nil {
				t.Fatalf("%v\n%+v", r.Err, r.Steps)
			}
			if d := cmp.Diff(passed, steps(r)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"address", "connect", "tls", "http", "auth", "transport", "initialize", "tools"}, seen); d != "" {
				t.Error(d)
			}
			if r.Transport != tt.found || r.Tools != 2 || r.Server.Name != "fixture" {
				t.Errorf("found %s with %d tools at %q, want %s, 2, fixture", r.Transport, r.Tools, r.Server.Name, tt.found)
			}
			if got := detail(r, "http"); got != tt.http {
				t.Errorf("http: %q, want %q", got, tt.http)
			}
			if got := detail(r, "address"); got != ts.Listener.Addr().String() {
				t.Errorf("address: %q, want %q", got, ts.Listener.Addr())
			}
			if hint := strings.Contains(detail(r, "transport"), "streamable HTTP is better"); hint != (tt.found == catalog.SSE) {
				t.Errorf("F-013: transport says %q for %s", detail(r, "transport"), tt.found)
			}
			want := 1
			if tt.found == catalog.SSE {
				want = 0
			}
			if got := tt.srv.Deleted(); got != want {
				t.Errorf("%d sessions deleted, want %d", got, want)
			}
		})
	}
}

// serve serves both faces on one origin.
func serve(t *testing.T, s *mcptest.Server) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/mcp", s.Streamable())
	mux.Handle("/", s.SSE())
	ts := httptest.NewServer(mux)
	t.Cleanup(func() { ts.CloseClientConnections(); ts.Close() })
	return ts
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// F-115, F-122, F-124: one failing server for each step.
func TestFirstFailingStepIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.Handler
		path    string
		by      catalog.Transport
		step    string
		code    fault.Code
		says    string // in the step's detail
	}{
		{"401", answer(401, "text/plain", "no"), "/", catalog.Auto, "auth", fault.LoginRequired, "sign-in"},
		{"404", answer(404, "text/plain", "no"), "/", catalog.Auto, "http", fault.EndpointNotMCP, "404 text/plain"},
		{"500", answer(500, "text/html", "<p>"), "/", catalog.Auto, "http", fault.UpstreamError, "500 text/html"},
		{"a plain web page", answer(200, "text/html; charset=utf-8", "<p>"), "/", catalog.Auto, "transport", fault.EndpointNotMCP, "text/html"},
		{"HTTP+SSE taken for streamable HTTP", (&mcptest.Server{}).SSE(), "/sse", catalog.HTTP, "transport", fault.TransportMismatch, "speaks SSE"},
		{"streamable HTTP taken for HTTP+SSE", (&mcptest.Server{}).Streamable(), "/", catalog.SSE, "transport", fault.TransportMismatch, "speaks streamable HTTP"},
		{"an event stream of comments", (&mcptest.Server{Silent: true}).SSE(), "/sse", catalog.Auto, "transport", fault.Timeout, "no endpoint event within 3 s"},
		{"F-012 an endpoint elsewhere", (&mcptest.Server{Foreign: true}).SSE(), "/sse", catalog.Auto, "transport", fault.ProtocolError, ""},
		{"an answer without a version", (&mcptest.Server{Broken: "{}"}).Streamable(), "/", catalog.Auto, "initialize", fault.ProtocolError, "protocolVersion"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ts := httptest.NewServer(tt.handler)
			t.Cleanup(func() { ts.CloseClientConnections(); ts.Close() })
			expect(t, catalog.Server{Name: "srv", Transport: tt.by, URL: ts.URL + tt.path}, tt.step, tt.code, tt.says)
		})
	}
}

// expect runs a check that fails at the step.
func expect(t *testing.T, s catalog.Server, step string, code fault.Code, says string) check.Report {
	t.Helper()
	began := time.Now()
	r := check.Run(t.Context(), s, quiet())
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the check took %v, its limit is 10 s", took)
	}
	if r.Err == nil || r.Err.Code != code {
		t.Fatalf("error = %v, want %s\n%+v", r.Err, code, r.Steps)
	}
	got := steps(r)
	if len(got) == 0 || got[len(got)-1] != step+" FAIL" {
		t.Errorf("steps = %v, want the last to be %s FAIL", got, step)
	}
	if !strings.Contains(detail(r, step), says) {
		t.Errorf("%s says %q, want %q in it", step, detail(r, step), says)
	}
	if r.Err.NextStep() == "" {
		t.Error("the error has no next step")
	}
	return r
}

func TestAddressThatIsNoneFailsFirst(t *testing.T) {
	for _, url := range []string{"ftp://127.0.0.1/", "http://", "http:///x", "://", "http://[::1"} {
		expect(t, catalog.Server{Name: "srv", Transport: catalog.Auto, URL: url}, "address", fault.URLInvalid, "")
	}
	expect(t, catalog.Server{Name: "srv", Transport: catalog.Auto, URL: "http://no-such-host.invalid/"}, "address", fault.EndpointUnreachable, "")
}

func TestPortNobodyListensOnFailsConnect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://me:secret@" + ln.Addr().String() + "/sse?key=secret"
	ln.Close()
	r := expect(t, catalog.Server{Transport: catalog.SSE, URL: url}, "connect", fault.EndpointUnreachable, "connection refused")
	if strings.Contains(r.Err.Error(), "secret") {
		t.Errorf("the error holds a secret: %v", r.Err)
	}
	if len(r.Steps) != 8 || r.Steps[7].Result != check.Skipped {
		t.Errorf("steps = %+v, want all eight, the rest skipped", r.Steps)
	}
}

func TestServerThatSaysNothingTimesOut(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the limit of ten seconds")
	}
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	expect(t, catalog.Server{Name: "srv", Transport: catalog.Auto, URL: "http://" + ln.Addr().String()}, "http", fault.Timeout, "10 s")
}

func TestWhatIsNotHTTPFailsHTTP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 mail.test ESMTP\r\n")
			c.Close()
		}
	}()
	r := check.Run(t.Context(), catalog.Server{Name: "srv", Transport: catalog.Auto, URL: "http://" + ln.Addr().String()}, quiet())
	if got := steps(r); r.Err == nil || got[len(got)-1] != "http FAIL" {
		t.Errorf("steps = %v, %v, want http FAIL", got, r.Err)
	}
}

// S-59.
func TestCertificatesAreChecked(t *testing.T) {
	ts := httptest.NewUnstartedServer((&mcptest.Server{}).Streamable())
	ts.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)
	ts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	ts.StartTLS()
	defer ts.Close()
	s := catalog.Server{Name: "srv", Transport: catalog.Auto, URL: ts.URL}
	expect(t, s, "tls", fault.TLSUntrusted, "not trusted")

	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ts.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s.TLS = &catalog.TLS{CA: ca}
	r := check.Run(t.Context(), s, quiet())
	want := []string{"address ok", "connect ok", "tls ok", "http ok", "transport ok", "initialize ok", "tools ok"}
	if d := cmp.Diff(want, steps(r)); d != "" || r.Err != nil {
		t.Errorf("with its authority: %v %s", r.Err, d)
	}
	s.URL = "https://" + strings.Replace(ts.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	expect(t, s, "tls", fault.TLSUntrusted, "another host")

	plain := httptest.NewServer((&mcptest.Server{}).Streamable())
	defer plain.Close()
	s.URL = "https://" + plain.Listener.Addr().String()
	expect(t, s, "tls", fault.TLSUntrusted, "does not encrypt")
}

func TestAuthorizationHeaderThatWorksIsSaid(t *testing.T) {
	ts := serve(t, &mcptest.Server{})
	r := check.Run(t.Context(), catalog.Server{Name: "srv", Transport: catalog.Auto, URL: ts.URL + "/mcp",
		Headers: map[string]string{"authorization": "Bearer x"}}, quiet())
	if r.Err != nil || !strings.Contains(detail(r, "auth"), "accepted") {
		t.Errorf("auth = %q, %v", detail(r, "auth"), r.Err)
	}
}
