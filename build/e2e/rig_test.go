//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/build/bench/client"
)

// Limits of the waits. They bound a hang; nothing is measured with them.
const (
	startLimit   = 20 * time.Second // a process from npm to its first answer
	callLimit    = 20 * time.Second
	commandLimit = 40 * time.Second // one helper command or one inspector run
)

// rig is one test's computer: its own home and its own processes.
type rig struct {
	t    *testing.T
	home string
	env  []string
}

func newRig(t *testing.T) *rig {
	home := t.TempDir()
	r := &rig{t: t, home: home}
	// What a client hands to the servers it starts, and where our state is.
	r.env = []string{
		"HOME=" + home, "LOGNAME=tester", "USER=tester", "TERM=dumb", "SHELL=/bin/sh",
		"PATH=" + os.Getenv("PATH"), "DRAWBRIDGE_HOME=" + filepath.Join(home, "drawbridge"),
		"MCP_INSPECTOR_SECRET_STORE=memory", // no keychain is asked
	}
	if runtime.GOOS == "windows" {
		r.env = append(os.Environ(), "USERPROFILE="+home, "DRAWBRIDGE_HOME="+filepath.Join(home, "drawbridge"))
	}
	return r
}

// output runs a program to its end and returns its stdout.
func (r *rig) output(name string, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), commandLimit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env, c.Dir, c.WaitDelay = r.env, r.home, time.Second
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		r.t.Fatalf("%s %s: %v\nstdout: %s\nstderr: %s", filepath.Base(name), strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// helper runs a command of the helper.
func (r *rig) helper(args ...string) string {
	r.t.Helper()
	return r.output(fixture.helper, args...)
}

// connect starts the helper as a client does.
func (r *rig) connect(args ...string) *client.Stdio {
	r.t.Helper()
	return r.stdio(append([]string{fixture.helper, "mcp", "connect"}, args...)...)
}

// stdio starts a stdio server. It ends with the test.
func (r *rig) stdio(args ...string) *client.Stdio {
	r.t.Helper()
	c, err := client.StartStdio(context.WithoutCancel(r.t.Context()), client.Command{Args: args, Env: r.env}) // Kill ends it
	if err != nil {
		r.t.Fatalf("start %s: %v", args[0], err)
	}
	r.t.Cleanup(func() {
		c.Kill()
		if r.t.Failed() {
			r.t.Logf("stderr of %s:\n%s", strings.Join(args, " "), c.Stderr())
		}
	})
	return c
}

// process is a program in the background.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer // the first bytes of both streams
}

// keptOutput bounds what is kept of a process's output for a failed test.
const keptOutput = 256 << 10

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.Len() < keptOutput {
		p.out.Write(b)
	}
	return len(b), nil
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// kill ends the process at once, as kill -9 does, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// start runs a program in the background until the test ends. Its stdout is
// given to read when read is not nil.
func (r *rig) start(env []string, read func(io.Reader), args ...string) *process {
	r.t.Helper()
	p := &process{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir, p.cmd.WaitDelay = append(r.env[:len(r.env):len(r.env)], env...), r.home, time.Second
	p.cmd.Stdout, p.cmd.Stderr = p, p
	var pr *io.PipeReader
	var pw *io.PipeWriter
	if read != nil {
		pr, pw = io.Pipe()
		p.cmd.Stdout = io.MultiWriter(p, pw)
	}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatalf("start %s: %v", args[0], err)
	}
	noteStarted(p.cmd.Process)
	var reading sync.WaitGroup
	if read != nil {
		reading.Go(func() { read(pr); _, _ = io.Copy(io.Discard, pr) }) // until the end of the output
	}
	go func() { // ends with the process, see done
		_ = p.cmd.Wait() // how it ended is told by its output
		noteEnded(p.cmd.Process)
		if pw != nil {
			_ = pw.Close() // of a pipe in memory
		}
		reading.Wait()
		close(p.done)
	}()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() {
			r.t.Logf("output of %s:\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

// firstLine starts a program and returns its first line on stdout.
func (r *rig) firstLine(args ...string) (*process, string) {
	r.t.Helper()
	lines := make(chan string, 1)
	p := r.start(nil, func(out io.Reader) {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err == nil {
			lines <- strings.TrimSpace(line)
		}
	}, args...)
	select {
	case line := <-lines:
		return p, line
	case <-p.done:
		r.t.Fatalf("%s ended before its first line:\n%s", strings.Join(args, " "), p.said())
	case <-time.After(startLimit):
		r.t.Fatalf("%s printed no line", strings.Join(args, " "))
	}
	return nil, ""
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// proxy starts a local endpoint in front of a server and returns its address.
func (r *rig) proxy(args ...string) string {
	r.t.Helper()
	_, line := r.firstLine(append([]string{fixture.helper, "proxy", "mcp"}, args...)...)
	found := listening.FindStringSubmatch(line)
	if found == nil {
		r.t.Fatalf("proxy mcp printed %q, want ...%s", line, listening)
	}
	return "http://" + found[1]
}

// freePort is a port that nobody listened on a moment ago.
func (r *rig) freePort() int {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// awaitPort waits until the process listens.
func (r *rig) awaitPort(p *process, port int) {
	r.t.Helper()
	address := "127.0.0.1:" + strconv.Itoa(port)
	r.eventually(startLimit, "nobody listens on "+address, func() bool {
		select {
		case <-p.done:
			r.t.Fatalf("the server ended:\n%s", p.said())
		default:
		}
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		_ = c.Close() // only that it opened counts
		return true
	})
}

// eventually polls until done, and fails with what is wrong after the limit.
func (r *rig) eventually(limit time.Duration, wrong string, done func() bool) {
	r.t.Helper()
	if !within(limit, done) {
		r.t.Fatalf("after %v: %s", limit, wrong)
	}
}

// within polls until done or the limit.
func within(limit time.Duration, done func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if done() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func (r *rig) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.t.Context(), callLimit)
}

// must fails the test on an error.
func (r *rig) must(err error, doing string, args ...any) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", fmt.Sprintf(doing, args...), err)
	}
}
