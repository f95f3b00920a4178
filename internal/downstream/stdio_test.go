package downstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// recvAll reads to the end.
func recvAll(t *testing.T, c jsonrpc.Conn) []string {
	t.Helper()
	var got []string
	for {
		m, err := c.Recv(t.Context())
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatalf("Recv: %v", err)
		}
		got = append(got, string(m.Bytes()))
	}
}

func TestStdioSurvivesAndAnswersBadLines(t *testing.T) { // F-131 F-136 S-01
	in := strings.Join([]string{
		`{`,
		``,
		`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":"d","method":"ping","method":"tools/call"}`,
		`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`,
		`{"jsonrpc":"2.0","id":2,"method":"ping","params":{"x":"` + strings.Repeat("x", 2000) + `"}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"\xff\"}",
		`{"jsonrpc":"2.0","id":"q","result":{},"result":1}`,
		`{"jsonrpc":"2.0","id":77,"result":{}}`,
		`{"jsonrpc":"2.0","id":"","method":"last"}`,
	}, "\n") // no line break at the end
	var out bytes.Buffer
	c := Stdio(strings.NewReader(in), &out, 1000, quiet())
	got := recvAll(t, c)
	if len(got) != 4 || got[0] != `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}` ||
		!strings.HasPrefix(got[1], `{"jsonrpc":"2.0","id":"q","error":`) ||
		got[2] != `{"jsonrpc":"2.0","id":77,"result":{}}` || got[3] != `{"jsonrpc":"2.0","id":"","method":"last"}` {
		t.Errorf("Recv gave %q", got)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []string{
		`"id":null,"error":{"code":-32700`, `"id":"d","error":{"code":-32600`, `"id":null,"error":{"code":-32600`,
		`"id":2,"error":{"code":-32603`, `"id":3,"error":{"code":-32`, `"id":null,"error":{"code":-32600`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			t.Errorf("line %d: %s, want %s", i, lines[i], part)
		}
		if _, err := jsonrpc.Parse([]byte(lines[i])); err != nil {
			t.Errorf("line %d is no message: %v", i, err)
		}
	}
	if !strings.Contains(lines[3], "DB_MESSAGE_TOO_LARGE") {
		t.Errorf("the long line: %s", lines[3])
	}
	if err := c.Send(t.Context(), logged("after the end")); err != nil {
		t.Errorf("Send after the end of stdin: %v", err)
	}
	c.Close()
	if err := c.Send(t.Context(), logged("closed")); err == nil {
		t.Error("Send after Close: no error")
	}
}

func TestStdioSplitsBatchesOfTheVersionThatHadThem(t *testing.T) { // W-09
	for _, version := range []string{"2025-03-26", "2025-06-18"} {
		t.Run(version, func(t *testing.T) {
			r, w := io.Pipe()
			var out bytes.Buffer
			c := Stdio(r, &out, 0, quiet())
			go io.WriteString(w, initialize(version)+"\n")
			m, err := c.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Send(t.Context(), echoed(m)); err != nil {
				t.Fatal(err)
			}
			out.Reset()
			go func() {
				io.WriteString(w, `[{"jsonrpc":"2.0","id":1,"method":"a"},{"id":2,"method":"b"}, {"jsonrpc":"2.0","method":"c"},[{"jsonrpc":"2.0","id":4,"method":"d"}]]`+"\n"+call(5, "")+"\n")
				w.Close()
			}()
			got := recvAll(t, c)
			if version == "2025-06-18" {
				if len(got) != 1 || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "-32600") {
					t.Errorf("got %q and %s, want the next line and one error", got, out.String())
				}
				return
			}
			want := []string{`{"jsonrpc":"2.0","id":1,"method":"a"}`, `{"jsonrpc":"2.0","method":"c"}`, call(5, "")}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got %q, want %q", got, want)
			}
			if strings.Count(out.String(), "-32600") != 2 || !strings.Contains(out.String(), `"id":2`) {
				t.Errorf("answered %s, want two errors", out.String())
			}
		})
	}
}

func TestStdioRecvIsWoken(t *testing.T) {
	file := func(t *testing.T) io.Reader {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r
	}
	conn := func(t *testing.T) io.Reader {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		return a
	}
	pipe := func(t *testing.T) io.Reader { r, _ := io.Pipe(); return r }
	for name, open := range map[string]func(*testing.T) io.Reader{"file": file, "connection": conn, "pipe": pipe} {
		t.Run(name, func(t *testing.T) {
			c := Stdio(open(t), io.Discard, 0, quiet())
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error, 1)
			go func() { _, err := c.Recv(ctx); got <- err }()
			cancel()
			wait(t, got, context.Canceled)

			c = Stdio(open(t), io.Discard, 0, quiet())
			go func() { _, err := c.Recv(t.Context()); got <- err }()
			c.Close()
			wait(t, got, io.EOF)
		})
	}
}

func wait(t *testing.T, got <-chan error, want error) {
	t.Helper()
	select {
	case err := <-got:
		if !errors.Is(err, want) {
			t.Errorf("Recv: %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatalf("Recv was not woken, want %v", want)
	}
}
