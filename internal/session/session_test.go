package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
	"drawbridge/internal/upstream"
)

func parse(t *testing.T, s string) jsonrpc.Message {
	t.Helper()
	m, err := jsonrpc.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// S-05, S-69.
func TestGateAdmitsAndRefusesByName(t *testing.T) {
	g, err := newGate(catalog.Server{Name: "srv", Tools: &catalog.Tools{Allow: []string{"get_*"}, Deny: []string{"get_secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	for params, admitted := range map[string]bool{
		`{"name":"get_a"}`:           true,
		`{"name":"get_\u0061"}`:      true,
		`{"name":"get_secret"}`:      false,
		`{"name":"get_secre\u0074"}`: false,
		`{"name":"GET_a"}`:           false,
		`{"name":" get_a"}`:          false,
		`{"name":7}`:                 false,
		`{}`:                         false,
	} {
		err := g.Admit(t.Context(), parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+params+`}`))
		if (err == nil) != admitted || (err != nil && !fault.IsCode(err, fault.ToolDenied)) {
			t.Errorf("%s: %v, want admitted %v", params, err, admitted)
		}
	}
	if err := g.Admit(t.Context(), parse(t, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_secret"}}`)); err == nil {
		t.Error("a denied call passes as a notification")
	}
	if err := g.Admit(t.Context(), parse(t, `{"jsonrpc":"2.0","id":1,"method":"x/custom"}`)); err != nil {
		t.Errorf("another method: %v", err)
	}
}

// S-04: a listing loses what is denied and nothing else.
func TestGateCutsListings(t *testing.T) {
	g, err := newGate(catalog.Server{Tools: &catalog.Tools{Deny: []string{"b"}}})
	if err != nil {
		t.Fatal(err)
	}
	list := parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	got, err := g.Release(t.Context(), list, parse(t, `{ "v":1.0,"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","x":9007199254740993},{"name":"b"}],"nextCursor":"c"}}`))
	want := `{ "v":1.0,"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","x":9007199254740993}],"nextCursor":"c"}}`
	if err != nil || string(got.Bytes()) != want {
		t.Errorf("got\n%s, %v, want\n%s", got.Bytes(), err, want)
	}
	same := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}`
	if got, err := g.Release(t.Context(), list, parse(t, same)); err != nil || string(got.Bytes()) != same {
		t.Errorf("an allowed listing became %s, %v", got.Bytes(), err)
	}
}

func TestNoRulesMeansNoGate(t *testing.T) {
	if g, err := newGate(catalog.Server{}); g != nil || err != nil {
		t.Errorf("got %v, %v", g, err)
	}
	if _, err := newGate(catalog.Server{Tools: &catalog.Tools{Allow: []string{"^a$"}}}); err == nil {
		t.Error("an expression is taken for a name")
	}
}

// S-45.
func TestProgramThatEndsAgainAndAgainIsHeldBack(t *testing.T) {
	var s starts
	now := time.Now()
	for i := range startsMost {
		at := now.Add(time.Duration(i) * time.Second)
		if wait := s.wait(at); wait != 0 {
			t.Fatalf("start %d waits %v", i, wait)
		}
		s.note(at)
	}
	if wait := s.wait(now.Add(10 * time.Second)); wait != 50*time.Second {
		t.Errorf("after %d starts in 10 s the wait is %v, want 50 s", startsMost, wait)
	}
	if wait := s.wait(now.Add(startsSpan)); wait != 0 {
		t.Errorf("a minute after the first start the wait is %v", wait)
	}
}

// S-45, S-46: every message to a program that ends at once is answered with why,
// and the program is not started without end.
func TestProgramThatEndsAtOnceIsAnsweredFor(t *testing.T) {
	near, far := jsonrpc.Pipe()
	done := make(chan error, 1)
	s := catalog.Server{Name: "srv", Transport: catalog.Stdio, Command: "go", Args: []string{"no-such-verb"}}
	go func() {
		done <- Run(t.Context(), near, s, Options{Log: slog.New(slog.DiscardHandler), Reconnect: true})
	}()
	// A message that meets the end of a start is answered with it, so there may
	// be more messages than starts.
	for held, tries := false, 1; !held; tries++ {
		if err := far.Send(t.Context(), parse(t, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{}}`)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		m, err := far.Recv(ctx)
		cancel()
		if err != nil || !strings.Contains(string(m.Error()), string(fault.CommandExited)) {
			t.Fatalf("try %d: %s, %v", tries, m.Bytes(), err)
		}
		held = strings.Contains(string(m.Error()), "is not started again")
		if held && tries <= startsMost {
			t.Errorf("held back after %d tries", tries-1)
		}
		if tries == 4*startsMost {
			t.Fatal("the program is started again and again")
		}
	}
	far.Close()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestClientsAuthorizationIsHandedOnOnlyWhenTheEntrySaysSo(t *testing.T) {
	for _, pass := range []bool{false, true} {
		got := make(chan string, 1)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				got <- r.Header.Get("Authorization")
			}
			w.WriteHeader(http.StatusTeapot)
		}))
		near, far := jsonrpc.Pipe()
		s := catalog.Server{Name: "srv", Transport: catalog.HTTP, URL: srv.URL, PassAuth: pass}
		done := make(chan error, 1)
		go func() {
			done <- Run(t.Context(), near, s, Options{Log: slog.New(slog.DiscardHandler), Authorize: "Bearer x", Patience: upstream.OwnEnd})
		}()
		if err := far.Send(t.Context(), parse(t, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{}}`)); err != nil {
			t.Fatal(err)
		}
		want := ""
		if pass {
			want = "Bearer x"
		}
		if h := <-got; h != want {
			t.Errorf("pass_authorization %v: the server got %q", pass, h)
		}
		far.Close()
		<-done
		srv.Close()
	}
}

func TestRulesThatCannotBeReadEndTheConversation(t *testing.T) {
	near, far := jsonrpc.Pipe()
	s := catalog.Server{Name: "srv", Transport: catalog.Stdio, Tools: &catalog.Tools{Allow: []string{"^a$"}}}
	if err := Run(t.Context(), near, s, Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("Run took rules that cannot be read")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := far.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("the client's end gives %v, want io.EOF", err)
	}
}
