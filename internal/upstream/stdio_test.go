package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

const tooLong = time.Minute // that a test waits before it says it hangs

func stdioServer(t testing.TB, manners string, args ...string) catalog.Server {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Server{
		Name: "tested", Transport: catalog.Stdio, Command: self, Args: append([]string{"stdio-server", manners}, args...),
		// The race detector would have every process linger for a second.
		Env: map[string]string{"GORACE": "atexit_sleep_ms=0"},
	}
}

func dialed(t testing.TB, s catalog.Server, o Options) *stdioConn {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c, err := Dial(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.(*stdioConn)
}

// soon is a context that fails a test which hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	t.Cleanup(cancel)
	return ctx
}

func ask(t testing.TB, c jsonrpc.Conn, id jsonrpc.ID, params string) {
	t.Helper()
	if err := c.Send(soon(t), jsonrpc.NewRequest(id, "tools/call", []byte(params))); err != nil {
		t.Fatal(err)
	}
}

func wantAnswer(t testing.TB, c jsonrpc.Conn, id jsonrpc.ID, result string) {
	t.Helper()
	m, err := c.Recv(soon(t))
	if err != nil || m.ID() != id || string(m.Result()) != result {
		t.Fatalf("got %s, %v, want %s for %s", m.Bytes(), err, result, id)
	}
}

func TestAServerAnswersOverItsPipes(t *testing.T) {
	c := dialed(t, stdioServer(t, "says"), Options{})
	ask(t, c, "9007199254740993", `{"n":1.0}`)
	ask(t, c, `"a"`, `{"n":2}`)
	wantAnswer(t, c, "9007199254740993", `{"n":1.0}`)
	wantAnswer(t, c, `"a"`, `{"n":2}`)
}

// S-47
func TestWhatIsNoMessageIsDropped(t *testing.T) {
	for name, line := range map[string]string{
		"a log line":                 "Server started on stdio\n",
		"blank lines":                "\n \r\n\n",
		"invalid UTF-8":              "\xff\xfe\n",
		"half a message":             `{"jsonrpc":"2.0","id":` + "\n",
		"a structured log":           `{"level":"info","id":1,"msg":"hello"}` + "\n",
		"an empty batch":             "[]\n",
		"junk in a batch":            "[1,[2]]\n",
		"much without a line break":  strings.Repeat("x", 100<<10) + "\n",
		"an answer without a number": `{"jsonrpc":"2.0","result":{}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dialed(t, stdioServer(t, "says", line), Options{})
			ask(t, c, "1", `{}`)
			wantAnswer(t, c, "1", `{}`)
		})
	}
}

// S-46
func TestARefusedAnswerFailsItsRequestAlone(t *testing.T) {
	for name, line := range map[string]string{
		"not JSON-RPC":      `{"id":7,"result":{}}`,
		"a method too":      `{"jsonrpc":"2.0","id":7,"method":"x","result":{}}`,
		"two results":       `{"jsonrpc":"2.0","id":7,"result":{},"result":{}}`,
		"invalid UTF-8":     `{"jsonrpc":"2.0","id":7,"result":"` + "\xff" + `"}`,
		"inside of a batch": `[{"jsonrpc":"2.0","id":7,"result":{},"error":{}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			c := dialed(t, stdioServer(t, "says", line+"\n"), Options{})
			ask(t, c, "8", `{}`)
			_, err := c.Recv(soon(t))
			var failed *jsonrpc.CallError
			if !errors.As(err, &failed) || failed.ID != "7" || !fault.IsCode(err, fault.ProtocolError) {
				t.Fatalf("got %v", err)
			}
			wantAnswer(t, c, "8", `{}`)
		})
	}
}

func TestARefusedRequestOfTheServerIsHandedOn(t *testing.T) {
	c := dialed(t, stdioServer(t, "says", `{"jsonrpc":"2.0","id":7,"method":"ping","Method":"x"}`+"\n"), Options{})
	ask(t, c, "8", `{}`)
	_, err := c.Recv(soon(t))
	var refused *jsonrpc.RefusedError
	if !errors.As(err, &refused) || refused.ID != "7" {
		t.Fatalf("got %v", err)
	}
	wantAnswer(t, c, "8", `{}`)
}

func TestABatchIsTakenApart(t *testing.T) {
	c := dialed(t, stdioServer(t, "says", `[{"jsonrpc":"2.0","method":"a"}, 5, {"jsonrpc":"2.0","method":"b"}]`+"\n"), Options{})
	for _, want := range []string{"a", "b"} {
		m, err := c.Recv(soon(t))
		if err != nil || m.Method() != want {
			t.Fatalf("got %s, %v, want %s", m.Bytes(), err, want)
		}
	}
}

// S-47
func TestAnAnswerOverTheLimitFailsItsRequestAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 64 MiB")
	}
	c := dialed(t, stdioServer(t, "large", strconv.Itoa(jsonrpc.MaxBytes+1)), Options{})
	ask(t, c, "7", `{}`)
	_, err := c.Recv(soon(t))
	var failed *jsonrpc.CallError
	if !errors.As(err, &failed) || failed.ID != "7" || !fault.IsCode(err, fault.MessageTooLarge) {
		t.Fatalf("got %v", err)
	}
	if m, err := c.Recv(soon(t)); err != nil || m.Method() != "after" {
		t.Errorf("got %s, %v", m.Bytes(), err)
	}
}

func TestALimitOfOnesOwn(t *testing.T) {
	c := dialed(t, stdioServer(t, "large", "5000"), Options{MaxBytes: 4096})
	ask(t, c, `"x"`, `{}`)
	if _, err := c.Recv(soon(t)); !fault.IsCode(err, fault.MessageTooLarge) {
		t.Fatalf("got %v", err)
	}
}

// S-46, S-47
func TestTheEndOfTheServerIsExplained(t *testing.T) {
	for _, row := range []struct {
		name   string
		server catalog.Server
		text   string
	}{
		{"at once", stdioServer(t, "exits", "3", "no configuration"), "the server program ended with status 3 (Error: no configuration)"},
		{"in order", stdioServer(t, "exits", "0", "nothing to do"), "the server program ended with status 0 (Error: nothing to do)"},
		{"in a call", stdioServer(t, "crashes"), "the server program ended with status 9 (panic: out of cheese)"},
		{"only its pipe", stdioServer(t, "hangs up"), "the server program closed its pipe"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dialed(t, row.server, Options{})
			_ = c.Send(soon(t), jsonrpc.NewRequest("1", "tools/call", nil)) // it may be gone
			begin := time.Now()
			_, err := c.Recv(soon(t))
			if !fault.IsCode(err, fault.CommandExited) || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), row.text) {
				t.Fatalf("Recv: got %v", err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if _, again := c.Recv(soon(t)); !fault.IsCode(again, fault.CommandExited) {
				t.Errorf("a second Recv: got %v", again)
			}
			if row.name == "only its pipe" {
				return
			}
			if err := c.Send(soon(t), jsonrpc.NewRequest("2", "ping", nil)); !fault.IsCode(err, fault.CommandExited) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("Send: got %v", err)
			}
		})
	}
}

func TestAnErrorRepeatsNoConfiguredSecret(t *testing.T) {
	s := stdioServer(t, "exits", "1", "bad key")
	s.Env["API_KEY"] = "sk-0123456789"
	_, err := dialed(t, s, Options{}).Recv(soon(t))
	if text := err.Error(); strings.Contains(text, "0123456789") || !strings.Contains(text, "bad key [hidden]") {
		t.Errorf("got %s", text)
	}
}

// W-29.
func TestACommandThatCannotRunSaysWhy(t *testing.T) {
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	if err := os.WriteFile(locked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, row := range []struct {
		name   string
		server catalog.Server
		text   string
	}{
		{"not there", catalog.Server{Command: "no-such-command"}, "the command no-such-command was not found (looked in " + dir},
		{"not executable", catalog.Server{Command: locked}, "may not be executed"},
		{"no folder", catalog.Server{Command: os.Args[0], Dir: filepath.Join(dir, "gone")}, "could not be started"},
		{"a bad variable", catalog.Server{Command: os.Args[0], Env: map[string]string{"A=B": ""}}, "cannot be started as it is configured"},
		{"no command", catalog.Server{}, "was not found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.server.Transport = catalog.Stdio
			c, err := Dial(t.Context(), row.server, Options{Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				_ = c.Close()
				t.Fatal("it started")
			}
			if !fault.IsCode(err, fault.CommandNotFound) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, want %q", err, row.text)
			}
		})
	}
}

func TestSendToAServerThatDoesNotReadEndsWithItsContext(t *testing.T) {
	c := dialed(t, stdioServer(t, "deaf"), Options{})
	if _, err := c.Recv(soon(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		large := jsonrpc.NewRequest("1", "x", []byte(`{"x":"`+strings.Repeat("x", 4<<20)+`"}`))
		sent <- c.Send(ctx, large)
	}()
	select {
	case err := <-sent:
		t.Fatalf("4 MiB went into a pipe that nobody reads: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRecvEndsWithItsContext(t *testing.T) {
	c := dialed(t, stdioServer(t, "says"), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	received := make(chan error, 1)
	go func() {
		_, err := c.Recv(ctx)
		received <- err
	}()
	cancel()
	if err := <-received; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Recv(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("again: got %v", err)
	}
}

func TestCloseWakesRecv(t *testing.T) {
	for _, manners := range []string{"says", "deaf"} {
		c := dialed(t, stdioServer(t, manners), Options{Patience: Patience{50 * time.Millisecond, 50 * time.Millisecond}})
		received := make(chan error, 1)
		go func() {
			for {
				if _, err := c.Recv(context.Background()); err != nil {
					received <- err
					return
				}
			}
		}()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-received; err != io.EOF {
			t.Errorf("%s: got %v, want EOF", manners, err)
		}
		if err := c.Send(t.Context(), jsonrpc.NewNotification("x", nil)); err == nil {
			t.Errorf("%s: Send after Close went through", manners)
		}
	}
}

func TestWhatWasSaidBeforeTheEndIsReceived(t *testing.T) {
	const n = 20_000
	c := dialed(t, stdioServer(t, "chatty", strconv.Itoa(n)), Options{Patience: UserStop})
	if err := c.child.CloseStdin(); err != nil { // it ends once all is written
		t.Fatal(err)
	}
	for i := range n {
		m, err := c.Recv(soon(t))
		if want := `{"n":` + strconv.Itoa(i) + `}`; err != nil || string(m.Params()) != want {
			t.Fatalf("message %d: got %s, %v", i, m.Bytes(), err)
		}
	}
	if _, err := c.Recv(soon(t)); !fault.IsCode(err, fault.CommandExited) {
		t.Errorf("got %v", err)
	}
}

// S-49
func TestDialsLeaveNothingBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context()) // outlives every conversation
	defer cancel()
	cycle := func() {
		c, err := Dial(ctx, stdioServer(t, "says"), Options{Log: slog.New(slog.DiscardHandler), Patience: UserStop})
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan error)
		go func() {
			_, err := c.Recv(ctx)
			for err == nil {
				_, err = c.Recv(ctx)
			}
			received <- err
		}()
		ask(t, c, "1", `{}`)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-received
	}
	cycle()
	before := runtime.NumGoroutine()
	for range 20 {
		cycle()
	}
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func BenchmarkStdioCall(b *testing.B) {
	c := dialed(b, stdioServer(b, "says"), Options{})
	ctx := soon(b)
	m := jsonrpc.NewRequest("1", "tools/call", []byte(`{"name":"echo","arguments":{"text":"hello"}}`))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Send(ctx, m); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Recv(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStdioStart(b *testing.B) {
	s := stdioServer(b, "says")
	for b.Loop() {
		c, err := Dial(b.Context(), s, Options{Log: slog.New(slog.DiscardHandler), Patience: UserStop})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
