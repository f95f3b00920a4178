package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"drawbridge/internal/mcptest"
	"drawbridge/internal/platform"
)

func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	// The race detector would have every process linger for a second.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"drawbridge": main, "oddserver": oddServer, "claude": claude})
}

// The scripts run the program as people and clients do.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("DRAWBRIDGE_HOME", filepath.Join(e.WorkDir, "home"))
			for _, v := range []string{"HOME", "USERPROFILE"} { // where the clients' files are
				e.Setenv(v, filepath.Join(e.WorkDir, "user"))
			}
			return os.MkdirAll(filepath.Join(e.WorkDir, "user"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mcpserver": mcpServer,
			"webserver": webServer,
			"freeport":  freePort,
			"portof":    portOf,
			"exitcode":  exitCode,
		},
		RequireExplicitExec: true,
	})
}

// mcpServer VAR [FLAG…] starts a server and sets VAR to its address: /mcp is
// streamable HTTP, /sse HTTP+SSE.
func mcpServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: mcpserver VAR [events|silent]…")
	}
	s := &mcptest.Server{Name: "everything"}
	for _, flag := range args[1:] {
		switch flag {
		case "events":
			s.Events = true
		case "silent":
			s.Silent = true
		default:
			ts.Fatalf("unknown flag %s", flag)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", s.Streamable())
	mux.Handle("/", s.SSE())
	startWeb(ts, args[0], mux)
}

// webServer VAR STATUS TYPE serves one answer to everything.
func webServer(ts *testscript.TestScript, neg bool, args []string) {
	var status int
	if _, err := fmt.Sscan(args[1], &status); err != nil || neg {
		ts.Fatalf("usage: webserver VAR STATUS TYPE")
	}
	startWeb(ts, args[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", args[2])
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "hello")
	}))
}

func startWeb(ts *testscript.TestScript, variable string, h http.Handler) {
	web := httptest.NewServer(h)
	ts.Defer(func() { web.CloseClientConnections(); web.Close() })
	ts.Setenv(variable, web.URL)
}

// freePort VAR sets VAR to a port nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(ln.Addr().(*net.TCPAddr).Port))
	ts.Check(ln.Close())
}

// portOf URLVAR VAR sets VAR to the port of the address in URLVAR.
func portOf(ts *testscript.TestScript, _ bool, args []string) {
	u, err := url.Parse(ts.Getenv(args[0]))
	ts.Check(err)
	ts.Setenv(args[1], u.Port())
}

// exitCode N ARG… runs drawbridge, which must exit with N. Its output is in
// the files out and err.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("drawbridge", args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "DRAWBRIDGE_DEBUG=")
	for _, v := range []string{"DRAWBRIDGE_HOME", "HOME", "USERPROFILE"} {
		cmd.Env = append(cmd.Env, v+"="+ts.Getenv(v))
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code is what counts
	ts.Logf("[stdout]\n%s[stderr]\n%s", out.String(), errs.String())
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(errs.String()), 0o600))
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// process is drawbridge running beside the test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *strings.Builder
	ended  chan error
}

// start runs drawbridge with a home of its own unless env says otherwise.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startProgram(t, env, "drawbridge", args...)
}

func startProgram(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	if env == nil {
		env = append(os.Environ(), "DRAWBRIDGE_HOME="+t.TempDir())
	}
	p := &process{t: t, cmd: cmd, stderr: &strings.Builder{}, ended: make(chan error, 1)}
	cmd.Env, cmd.Stderr = env, p.stderr
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, p.stdout = w, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended in most tests
		out.Close()
	})
	return p
}

// line reads one line of stdout.
func (p *process) line() string {
	p.t.Helper()
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() { s, err := p.stdout.ReadString('\n'); got <- read{s, err} }()
	select {
	case r := <-got:
		if r.err != nil {
			p.t.Fatalf("stdout: %v; stderr: %s", r.err, p.stderr)
		}
		return strings.TrimSuffix(r.line, "\n")
	case <-time.After(time.Minute):
		p.t.Fatal("nothing on stdout for 20 s")
		return ""
	}
}

// ask sends one line and reads one.
func (p *process) ask(line string) string {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
	return p.line()
}

// exit waits for the process's end and gives its code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		p.t.Fatal("still running after 20 s")
		return 0
	}
}

// interrupt asks the process to end as Ctrl-C does.
func (p *process) interrupt() {
	p.t.Helper()
	if runtime.GOOS == "windows" {
		p.t.Skip("an interrupt cannot be sent to a process on Windows")
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
}

// decode reads JSON into a value.
func decode[T any](t *testing.T, s string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return v
}

// rpcError is an error answer.
type rpcError struct {
	ID    json.RawMessage
	Error struct {
		Code    int
		Message string
		Data    struct{ Code, Server, Next string }
	}
}

func contextMinute(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
