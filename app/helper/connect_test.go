package main

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/mcptest"
)

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// home makes a home folder with these servers and gives the environment.
func home(t *testing.T, servers string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "catalog.json"), []byte(`{"servers":{`+servers+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "DRAWBRIDGE_HOME="+dir)
}

// F-131, W-29: clients remember a failed start, so there is none.
func TestConnectAnswersForAServerThatIsNotThere(t *testing.T) {
	p := start(t, nil, "mcp", "connect", "nobody")
	for n, line := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}`,
		strings.Replace(hello, `"id":1`, `"id":2`, 1),
		`{"jsonrpc":"2.0","id":3,"method":"tools/list"}`,
	} {
		got := decode[rpcError](t, p.ask(line))
		if string(got.ID) != fmt.Sprint(n+1) || got.Error.Code != -32603 || got.Error.Data.Code != "DB_SERVER_NOT_FOUND" || got.Error.Data.Server != "nobody" {
			t.Errorf("answer to %s = %+v", line, got)
		}
		if !strings.Contains(got.Error.Message, "Next: run `drawbridge mcp ls`") {
			t.Errorf("the message names no next step: %q", got.Error.Message)
		}
	}
	p.stdin.Close()
	if code := p.exit(); code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
	if !strings.HasPrefix(p.stderr.String(), "[DB_SERVER_NOT_FOUND] nobody: ") {
		t.Errorf("stderr = %q", p.stderr)
	}
}

// W-29.
func TestConnectAnswersWithABrokenCatalog(t *testing.T) {
	p := start(t, home(t, `oops`), "connect", "x")
	if got := decode[rpcError](t, p.ask(hello)); got.Error.Data.Code != "DB_CATALOG_INVALID" {
		t.Errorf("answer = %+v, want DB_CATALOG_INVALID", got)
	}
	p.stdin.Close()
	if code := p.exit(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

// F-128, F-131, F-132, F-135.
func TestConnectReachesServersOfEachTransport(t *testing.T) {
	fixture := &mcptest.Server{}
	web := httptest.NewServer(fixture.Streamable())
	defer web.Close()
	old := httptest.NewServer((&mcptest.Server{}).SSE())
	defer func() { old.CloseClientConnections(); old.Close() }()
	env := home(t, `"web":{"url":"`+web.URL+`"}, "local":{"command":"drawbridge","args":["mcp","demo"]}`)
	for _, args := range [][]string{
		{"mcp", "connect", "web"},
		{"mcp", "connect", web.URL, "-H", "X-Team: tools"},
		{"connect", old.URL + "/sse", "--transport", "sse", "--protocol", "legacy", "--no-auto-reconnect"},
		{"mcp", "connect", "local", "--debug"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			p := start(t, env, args...)
			got := decode[struct {
				ID     int
				Result struct{ ServerInfo struct{ Name string } }
			}](t, p.ask(hello))
			if got.ID != 1 || got.Result.ServerInfo.Name == "" {
				t.Errorf("initialize answered with %+v", got)
			}
			if got := p.ask(`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}`); !strings.Contains(got, `"id":9007199254740993`) {
				t.Errorf("the id was changed: %s", got)
			}
			began := time.Now()
			p.stdin.Close()
			if code := p.exit(); code != 0 {
				t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
			}
			if took := time.Since(began); took > endLimit {
				t.Errorf("ended %v after stdin, want about a second at most", took)
			}
		})
	}
	if fixture.Deleted() != 2 {
		t.Errorf("F-135: %d sessions deleted, want 2", fixture.Deleted())
	}
	if got := fixture.Header("X-Team"); got != "" {
		t.Errorf("the first conversation carried X-Team: %s", got)
	}
}

// Clients strip the environment.
func TestConnectWorksWithAnEmptyEnvironment(t *testing.T) {
	web := httptest.NewServer((&mcptest.Server{}).Streamable())
	defer web.Close()
	env := []string{}
	if runtime.GOOS == "windows" {
		env = append(env, "SystemRoot="+os.Getenv("SystemRoot")) // without it no program has sockets
	}
	p := start(t, env, "mcp", "connect", web.URL, "--protocol", "legacy") // by which nothing is written to the real home folder
	if got := p.ask(hello); !strings.Contains(got, `"name":"fixture"`) {
		t.Errorf("initialize answered with %s", got)
	}
	p.stdin.Close()
	p.exit()
}

func TestConnectEndsWhenInterrupted(t *testing.T) {
	web := httptest.NewServer((&mcptest.Server{}).Streamable())
	defer web.Close()
	p := start(t, nil, "mcp", "connect", web.URL)
	p.ask(hello)
	began := time.Now()
	p.interrupt()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
	}
	if took := time.Since(began); took > endLimit {
		t.Errorf("ended %v after the signal, want about a second at most", took)
	}
}

// endLimit is the second that a helper has to end, and room for a busy machine.
const endLimit = 5 * time.Second

// W-17: a helper that runs for weeks does not fill the client's log.
func TestLogDoesNotGrowWithTheCalls(t *testing.T) {
	web := httptest.NewServer((&mcptest.Server{}).Streamable())
	defer web.Close()
	p := start(t, nil, "mcp", "connect", web.URL)
	p.ask(hello)
	const calls, atOnce = 10_000, 100
	for first := 0; first < calls; first += atOnce {
		var lines strings.Builder
		for n := range atOnce {
			fmt.Fprintf(&lines, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"secret":"hunter2"}}}`+"\n", first+n+2)
		}
		if _, err := io.WriteString(p.stdin, lines.String()); err != nil {
			t.Fatal(err)
		}
		for range atOnce {
			p.line()
		}
	}
	p.stdin.Close()
	p.exit()
	if got := p.stderr.Len(); got > 2048 {
		t.Errorf("%d bytes of log after %d calls:\n%.500s", got, calls, p.stderr)
	}
	if strings.Contains(p.stderr.String(), "hunter2") {
		t.Error("the log holds what a call carried")
	}
}

// W-11: a client that was killed may leave our stdin open.
func TestConnectEndsWithItsParent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the parent is a shell script")
	}
	web := httptest.NewServer((&mcptest.Server{}).Streamable())
	defer web.Close()
	for _, args := range []string{"connect " + web.URL, "mcp demo", "connect nobody"} {
		t.Run(args, func(t *testing.T) {
			p := startProgram(t, nil, "sh", "-c", "exec 3<&0; drawbridge "+args+" <&3 & wait")
			p.ask(hello)
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { _, err := io.Copy(io.Discard, p.stdout); ended <- err }()
			select {
			case <-ended:
			case <-time.After(endLimit):
				t.Errorf("still running %v after its parent was killed", endLimit)
			}
		})
	}
}

// F-033: a tool call without any server at hand.
func TestDemoAnswersOverStdio(t *testing.T) {
	p := start(t, nil, "mcp", "demo")
	if got := p.ask(hello); !strings.Contains(got, `"name":"drawbridge-demo"`) || !strings.Contains(got, `"2025-06-18"`) {
		t.Errorf("initialize answered with %s", got)
	}
	if got := p.ask("not json"); !strings.Contains(got, "-32700") {
		t.Errorf("junk answered with %s", got)
	}
	if got := p.ask(`{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"drawbridge_user_info","arguments":{}}}`); !strings.Contains(got, `\"user_kind\":\"local\"`) {
		t.Errorf("call answered with %s", got)
	}
	p.stdin.Close()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
	}
}
