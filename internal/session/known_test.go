package session

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/era"
	"drawbridge/internal/jsonrpc"
)

// webServer is a server over HTTP that speaks what it is told to and writes down
// which methods it was asked for.
type webServer struct {
	*httptest.Server
	mu     sync.Mutex
	speaks string // era.Legacy or era.Modern
	asked  []string
}

func newWebServer(t *testing.T, speaks string) *webServer {
	t.Helper()
	w := &webServer{speaks: speaks}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m, bad := jsonrpc.Parse(body)
	if r.Method != http.MethodPost || err != nil || bad != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, m.Method())
	speaks := s.speaks
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case m.Kind() != jsonrpc.Request:
		w.WriteHeader(http.StatusAccepted)
	case speaks == era.Legacy && m.Method() == "initialize":
		_, _ = w.Write(jsonrpc.NewResult(m.ID(), []byte(`{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"w","version":"1"}}`)).Bytes())
	case speaks == era.Modern && m.Method() == "server/discover":
		_, _ = w.Write(jsonrpc.NewResult(m.ID(), []byte(`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}`)).Bytes())
	case speaks == era.Modern && m.Method() == "initialize":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(jsonrpc.NewError(m.ID(), -32022, "no", []byte(`{"supported":["2026-07-28"]}`)).Bytes())
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(jsonrpc.NewError(m.ID(), -32601, "no", nil).Bytes())
	}
}

func (s *webServer) become(speaks string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaks = speaks
}

// take gives what was asked for since the last take.
func (s *webServer) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.asked
	s.asked = nil
	return got
}

// greet opens a conversation as a process of its own would, and ends it.
func greet(t *testing.T, s catalog.Server, known *Known) {
	t.Helper()
	near, far := jsonrpc.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(t.Context(), near, s, Options{Log: slog.New(slog.DiscardHandler), Known: known}) }()
	if err := far.Send(t.Context(), parse(t, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if m, err := far.Recv(ctx); err != nil || m.Result() == nil {
		t.Errorf("initialize is answered with %s, %v", m.Bytes(), err)
	}
	far.Close()
	<-done
}

// P7, 3.7: what was found out is known to the next process.
func TestLaterProcessAsksNoMore(t *testing.T) {
	for _, transport := range []catalog.Transport{catalog.HTTP, catalog.Auto} {
		known := OpenKnown(t.TempDir())
		srv := newWebServer(t, era.Legacy)
		s := catalog.Server{Name: "srv", Transport: transport, URL: srv.URL + "/mcp?key=one"}
		greet(t, s, known)
		if got := srv.take(); got[0] != "server/discover" {
			t.Errorf("%s: at first the server is asked for %v", transport, got)
		}
		s.URL = srv.URL + "/mcp?key=two"
		greet(t, s, known)
		if got := srv.take(); got[0] != "initialize" {
			t.Errorf("%s: later the server is asked for %v", transport, got)
		}
		s.Protocol = era.Auto
		greet(t, s, known)
		if got := srv.take(); got[0] != "initialize" {
			t.Errorf("%s: with protocol auto the server is asked for %v", transport, got)
		}
		s.URL = srv.URL + "/other"
		greet(t, s, known)
		if got := srv.take(); got[0] != "server/discover" {
			t.Errorf("%s: another server is asked for %v", transport, got)
		}
		text, err := os.ReadFile(known.path)
		if err != nil || strings.Contains(string(text), "mcp") || strings.Contains(string(text), "127.0.0.1") {
			t.Errorf("the file holds %s, %v", text, err)
		}
	}
}

// 3.7: the assumption fails, so the server is asked again.
func TestServerThatChangedItsEraIsReached(t *testing.T) {
	known := OpenKnown(t.TempDir())
	srv := newWebServer(t, era.Legacy)
	s := catalog.Server{Name: "srv", Transport: catalog.HTTP, URL: srv.URL}
	greet(t, s, known)
	srv.take()
	srv.become(era.Modern)
	greet(t, s, known)
	if got := srv.take(); !slices.Equal(got[:2], []string{"initialize", "server/discover"}) {
		t.Errorf("after the change the server is asked for %v", got)
	}
	srv.become(era.Legacy)
	greet(t, s, known)
	if got := srv.take(); !slices.Equal(got[:2], []string{"server/discover", "initialize"}) {
		t.Errorf("after the change back the server is asked for %v", got)
	}
	greet(t, s, known)
	if got := srv.take(); got[0] != "initialize" {
		t.Errorf("then the server is asked for %v", got)
	}
}

func TestKnownIsForgottenAfterADay(t *testing.T) {
	k := OpenKnown(t.TempDir())
	now := time.Now()
	keep := func(key, found string, at time.Time) {
		t.Helper()
		if err := k.keep(key, found, at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(key, found string, at time.Time) {
		t.Helper()
		if got, err := k.recall(key, at); got != found || err != nil {
			t.Errorf("%s: got %q, %v, want %q", key, got, err, found)
		}
	}
	keep("a", era.Legacy, now)
	keep("b", era.Modern, now)
	want("a", era.Legacy, now.Add(knownFor-time.Second))
	want("b", era.Modern, now)
	want("c", "", now)
	want("a", "", now.Add(knownFor))
	want("a", "", now.Add(-time.Hour)) // the clock was wrong
	keep("a", era.Legacy, now.Add(time.Hour))
	want("a", "", now.Add(knownFor)) // to find it again adds no day
	keep("a", era.Legacy, now.Add(knownFor))
	want("a", era.Legacy, now.Add(knownFor+time.Hour))
	keep("b", "", now)
	want("b", "", now)
	for i := range knownMost + 5 {
		keep(hash(string(rune('0'+i))), era.Legacy, now)
	}
	if lines, err := k.read(); len(lines) != knownMost || err != nil {
		t.Errorf("%d lines are kept, %v", len(lines), err)
	}
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	k := OpenKnown(filepath.Join(t.TempDir(), "state"))
	if err := k.keep("a", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(k.path)); !os.IsNotExist(err) {
		t.Errorf("a folder was made for nothing: %v", err)
	}
	if err := k.keep("a", era.Legacy, time.Now()); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.keep("a", era.Legacy, time.Now()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(k.path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced, %v", err)
	}
}

func TestDamagedFileIsNoFileAndANewerOneIsLeftAlone(t *testing.T) {
	now := time.Now()
	for _, text := range []string{"", "\x00\xff\n\n", "drawbridge eras x\na legacy 1\n", strings.Repeat("x", knownBytes+1), "drawbridge eras 1", "drawbridge eras 1\na legacy\na b c\n"} {
		k := OpenKnown(t.TempDir())
		if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := k.recall("a", now); got != "" || err != nil {
			t.Errorf("%.20q: got %q, %v", text, got, err)
		}
		if err := k.keep("a", era.Modern, now); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
		if got, err := k.recall("a", now); got != era.Modern || err != nil {
			t.Errorf("%.20q: then got %q, %v", text, got, err)
		}
	}
	k := OpenKnown(t.TempDir())
	newer := "drawbridge eras 2\nsomething else\n"
	if err := os.WriteFile(k.path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.keep("a", era.Modern, now); err == nil {
		t.Error("a newer file is written to")
	}
	if text, err := os.ReadFile(k.path); string(text) != newer || err != nil {
		t.Errorf("the newer file became %q, %v", text, err)
	}
}

func TestKeyIsThatOfTheProgramAndItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	base := catalog.Server{Transport: catalog.Stdio, Command: file, Args: []string{"a", "b"}, Env: map[string]string{"X": "secret"}}
	key := func(change func(*catalog.Server)) string {
		t.Helper()
		s := base
		change(&s)
		k, err := keyOf(s)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	same := key(func(*catalog.Server) {})
	if again := key(func(s *catalog.Server) { s.Name = "another" }); again != same {
		t.Error("the same program has two keys")
	}
	for name, change := range map[string]func(*catalog.Server){
		"arguments":   func(s *catalog.Server) { s.Args = []string{"ab"} },
		"environment": func(s *catalog.Server) { s.Env = map[string]string{"X": "other"} },
		"folder":      func(s *catalog.Server) { s.Dir = t.TempDir() },
		"file": func(*catalog.Server) {
			if err := os.WriteFile(file, []byte("#!/bin/sh\nexit\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if key(change) == same {
			t.Errorf("another %s, and the same key", name)
		}
	}
	if _, err := keyOf(catalog.Server{Transport: catalog.Stdio, Command: "no-such-program-anywhere"}); err == nil {
		t.Error("a program that is not there has a key")
	}
}

func BenchmarkRecall(b *testing.B) {
	k := OpenKnown(b.TempDir())
	s := catalog.Server{Transport: catalog.HTTP, URL: "http://127.0.0.1:1/mcp"}
	for i := range knownMost {
		if err := k.keep(hash(string(rune('0'+i))), era.Legacy, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		key, err := keyOf(s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.recall(key, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever the file holds, it is read as something or nothing, and can be
// written again unless it is of a newer program.
func FuzzKnown(f *testing.F) {
	f.Add([]byte("drawbridge eras 1\na legacy 1795219200\nb modern 1\n"))
	f.Add([]byte("drawbridge eras 2\n"))
	f.Add([]byte("\n\x00a legacy 1"))
	k := OpenKnown(f.TempDir())
	now := time.Unix(1795219201, 0)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(k.path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, newer := k.recall("a", now)
		if got != "" && got != era.Legacy && got != era.Modern {
			t.Errorf("recalled %q", got)
		}
		if err := k.keep("a", era.Modern, now); (err != nil) != (newer != nil) {
			t.Errorf("read: %v, written: %v", newer, err)
		}
		if got, err := k.recall("a", now); newer == nil && (got != era.Modern || err != nil) {
			t.Errorf("then recalled %q, %v", got, err)
		}
	})
}
