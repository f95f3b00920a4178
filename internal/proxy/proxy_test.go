package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/demo"
	"drawbridge/internal/downstream"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/session"
)

// serveDemo makes the test binary the demo server on stdio.
const serveDemo = "DRAWBRIDGE_TEST_DEMO"

func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	if os.Getenv(serveDemo) != "" {
		log := slog.New(slog.DiscardHandler)
		if err := demo.Local("tester", "1").Serve(context.Background(), downstream.Stdio(os.Stdin, os.Stdout, 0, log)); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func demoServer(t *testing.T, name string) catalog.Server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Server{Name: name, Transport: catalog.Stdio, Command: self, Env: map[string]string{serveDemo: "1"}}
}

func options() session.Options {
	return session.Options{Log: slog.New(slog.DiscardHandler), Version: "test", Reconnect: true}
}

// initialize opens a session at url and returns the status and the body.
func initialize(t *testing.T, url string) (int, string) {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// F-127, S-06.
func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "::", "192.0.2.1", "example.com", "*"} {
		e, err := Listen(t.Context(), Config{Server: demoServer(t, "x"), Host: host, Session: options()})
		if !fault.IsCode(err, fault.BindRefused) {
			t.Errorf("Listen on %s: %v", host, err)
		}
		if e != nil {
			e.Close()
		}
	}
	for _, host := range []string{"", "localhost", "127.0.0.1"} {
		e, err := Listen(t.Context(), Config{Server: demoServer(t, "x"), Host: host, Session: options()})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.Addr(), "127.0.0.1:") {
			t.Errorf("host %q listens on %s", host, e.Addr())
		}
		e.Close()
	}
}

// F-148.
func TestBusyPortIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	_, err = Listen(t.Context(), Config{Server: demoServer(t, "x"), Port: port, Session: options()})
	if !fault.IsCode(err, fault.PortInUse) || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Fatalf("got %v", err)
	}
	if holder := platform.PortHolder(port); holder != "" && !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("the holder is known as %s but not named: %v", holder, err)
	}
}

// F-143, F-145.
func TestEndpointServesAndEnds(t *testing.T) {
	e, err := Listen(t.Context(), Config{Server: demoServer(t, "demo"), Session: options()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	if status, body := initialize(t, e.URL()); status != 200 || !strings.Contains(body, "drawbridge-demo") {
		t.Errorf("got %d %s", status, body)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run returned %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run goes on")
	}
}

// seen collects what Background tells.
type seen struct {
	mu   sync.Mutex
	news chan struct{}
	urls map[string]string
}

func (s *seen) changed(e *Endpoint, name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.urls[name] = "error: " + err.Error()
	} else {
		s.urls[name] = e.URL()
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *seen) url(t *testing.T, name string) string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		s.mu.Lock()
		u := s.urls[name]
		s.mu.Unlock()
		if u != "" {
			return u
		}
		select {
		case <-s.news:
		case <-limit:
			t.Fatalf("no word of %s", name)
		}
	}
}

// background runs a Background over dir and returns its news and what ends it.
func background(t *testing.T, dir string, servers chan []catalog.Server) (*seen, func()) {
	t.Helper()
	s := &seen{news: make(chan struct{}, 1), urls: map[string]string{}}
	b := Background{Places: OpenPlaces(dir), Session: options(), Log: slog.New(slog.DiscardHandler), Changed: s.changed}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, servers) }()
	end := sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return s, end
}

func TestBackgroundKeepsPortAndKeyAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	servers := make(chan []catalog.Server, 1)
	servers <- []catalog.Server{demoServer(t, "a"), demoServer(t, "b")}
	s, end := background(t, dir, servers)
	a, b := s.url(t, "a"), s.url(t, "b")
	if a == b {
		t.Fatalf("both endpoints are %s", a)
	}
	if status, body := initialize(t, a); status != 200 {
		t.Errorf("with its key: %d %s", status, body)
	}
	end()
	servers <- []catalog.Server{demoServer(t, "a"), demoServer(t, "b")}
	s, _ = background(t, dir, servers)
	if a2, b2 := s.url(t, "a"), s.url(t, "b"); a2 != a || b2 != b {
		t.Errorf("after a restart %s and %s, were %s and %s", a2, b2, a, b)
	}
	st, err := os.Stat(filepath.Join(dir, "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("endpoints.json is %v", st.Mode())
	}
}

// S-17: missing 403, wrong 404.
func TestBackgroundEndpointAsksForItsKey(t *testing.T) {
	servers := make(chan []catalog.Server, 1)
	servers <- []catalog.Server{demoServer(t, "a")}
	s, _ := background(t, t.TempDir(), servers)
	u := s.url(t, "a")
	base := u[:strings.Index(u[len("http://"):], "/")+len("http://")]
	if status, body := initialize(t, base+"/mcp"); status != 403 || !strings.Contains(body, string(fault.LocalToken)) {
		t.Errorf("without a key: %d %s", status, body)
	}
	if status, _ := initialize(t, base+"/"+newKey()+"/mcp"); status != 404 {
		t.Errorf("with a wrong key: %d", status)
	}
}

// S-19: a port that another program took is left to it, and the key with it.
func TestSquattedPortGetsAnotherPortAndKey(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := OpenPlaces(dir)
	old, err := p.Keyed(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Keep(t.Context(), "a", ln.Addr().(*net.TCPAddr).Port); err != nil {
		t.Fatal(err)
	}
	servers := make(chan []catalog.Server, 1)
	servers <- []catalog.Server{demoServer(t, "a")}
	s, _ := background(t, dir, servers)
	u := s.url(t, "a")
	if strings.Contains(u, ln.Addr().String()) || strings.Contains(u, old.Key) {
		t.Errorf("endpoint is %s, the taken address was %s and the key %s", u, ln.Addr(), old.Key)
	}
}

func TestBackgroundFollowsTheList(t *testing.T) {
	servers := make(chan []catalog.Server, 1)
	servers <- []catalog.Server{demoServer(t, "a")}
	s, _ := background(t, t.TempDir(), servers)
	a := s.url(t, "a")
	servers <- []catalog.Server{demoServer(t, "b")}
	b := s.url(t, "b")
	if status, _ := initialize(t, b); status != 200 {
		t.Errorf("the added server answers %d", status)
	}
	host := strings.Split(strings.TrimPrefix(a, "http://"), "/")[0]
	if c, err := net.Dial("tcp", host); err == nil {
		c.Close()
		t.Error("the removed server's port still accepts")
	}
}

func TestPlacesOfANewerVersionAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "endpoints.json")
	text := `{"version":99,"endpoints":{}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPlaces(dir).Keyed(t.Context(), "a"); !fault.IsCode(err, fault.StateNewer) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != text {
		t.Errorf("the file became %s", b)
	}
}

func TestPlacesSurviveManyWriters(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := OpenPlaces(dir).Keep(context.Background(), fmt.Sprint("s", i), 1000+i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 16 {
		p, err := OpenPlaces(dir).Of(fmt.Sprint("s", i))
		if err != nil || p.Port != 1000+i {
			t.Errorf("place %d is %+v, %v", i, p, err)
		}
	}
}
