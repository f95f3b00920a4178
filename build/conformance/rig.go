package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// rig is what the cells run with.
type rig struct {
	node, suites, helper string
	bin                  string // the fixtures and the driver
	scratch              string // results and state, removed at the end
}

const (
	readyLimit = 15 * time.Second // for a server to listen
	endGrace   = 5 * time.Second  // for it to end when told
)

// fixturePrograms are built in the fixtures' own module.
var fixturePrograms = []string{
	"./oneera",
	"github.com/modelcontextprotocol/go-sdk/conformance/everything-server",
	"github.com/modelcontextprotocol/go-sdk/conformance/everything-client",
}

// newRig builds the fixtures. The task runner has said where the rest is.
func newRig(ctx context.Context) (*rig, error) {
	r := &rig{}
	for name, into := range map[string]*string{"DRAWBRIDGE_NODE": &r.node, "DRAWBRIDGE_SUITES": &r.suites, "DRAWBRIDGE_HELPER": &r.helper} {
		if *into = os.Getenv(name); *into == "" {
			return nil, fmt.Errorf("%s is not set: run this as go run ./build conformance", name)
		}
	}
	r.bin = filepath.Join(filepath.Dir(r.suites), "bin")
	say("building the fixtures")
	if err := goBuild(ctx, filepath.Join("build", "conformance", "fixtures"), r.bin, fixturePrograms...); err != nil {
		return nil, err
	}
	if err := goBuild(ctx, ".", r.bin, "./build/conformance/driver", "./build/conformance/echo"); err != nil {
		return nil, err
	}
	var err error
	r.scratch, err = os.MkdirTemp("", "drawbridge-conformance-")
	return r, err
}

func (r *rig) close() {
	if err := os.RemoveAll(r.scratch); err != nil {
		say("left behind: %v", err)
	}
}

func goBuild(ctx context.Context, dir, bin string, packages ...string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false", "-trimpath", "-o", bin + string(filepath.Separator)}, packages...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(packages, " "), err, text)
	}
	return nil
}

// program is the path of a built program.
func (r *rig) program(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(r.bin, name)
}

// over is how a fixture is met.
type over string

const (
	overStdio over = "stdio"
	overHTTP  over = "http"
)

// command starts a fixture; an address makes it serve HTTP there.
func (f fixture) command(r *rig, address string) []string {
	var c []string
	switch f {
	case bothStdio:
		return []string{r.program("everything-server")}
	case statefulHTTP:
		c = []string{r.program("everything-server"), "-stateless=false"}
	case modernHTTP:
		c = []string{r.program("everything-server")}
	case echoStdio, echoHTTP:
		c = []string{r.program("echo")}
	case legacyOnly:
		c = []string{r.program("oneera"), "-era", "legacy"}
	case modernOnly:
		c = []string{r.program("oneera"), "-era", "modern"}
	default:
		panic("conformance: no command for the fixture " + string(f))
	}
	if address != "" {
		c = append(c, "-http", address)
	}
	return c
}

// behind is how Drawbridge meets a fixture.
func (f fixture) behind() over {
	if f == statefulHTTP || f == modernHTTP || f == echoHTTP {
		return overHTTP
	}
	return overStdio
}

// process is a server that was started.
type process struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	log  *os.File
}

// begin starts a server in a state folder of its own and returns its stdout.
// Its log is in the scratch folder while the run lasts.
func (r *rig) begin(ctx context.Context, name string, command []string) (*process, io.ReadCloser, error) {
	return r.beginWith(ctx, name, command, func(*process) error { return nil })
}

// beginWith lets prepare have its way with the process before it starts.
func (r *rig) beginWith(ctx context.Context, name string, command []string, prepare func(*process) error) (*process, io.ReadCloser, error) {
	state, err := os.MkdirTemp(r.scratch, name+"-state-")
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(state, "stderr.log"))
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...), stop: stop, log: log}
	p.cmd.Env = append(os.Environ(), "DRAWBRIDGE_HOME="+filepath.Join(state, "home"))
	p.cmd.Stderr = log
	p.cmd.WaitDelay = endGrace
	if runtime.GOOS != "windows" { // which knows no interrupt of one process
		p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = prepare(p)
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		stop()
		return nil, nil, errors.Join(err, log.Close())
	}
	return p, out, nil
}

// end tells the server to end and waits for it.
func (p *process) end() {
	p.stop()
	_ = p.cmd.Wait()  // it was told to end; how it says so does not matter
	_ = p.log.Close() // it is thrown away
}

// tail is the end of what the server logged.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	if len(text) > 600 {
		text = text[len(text)-600:]
	}
	return strings.TrimSpace(string(text))
}

// serveFixture starts a fixture over HTTP and returns its URL.
func (r *rig) serveFixture(ctx context.Context, f fixture) (*process, string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	p, out, err := r.begin(ctx, "fixture", f.command(r, address))
	if err != nil {
		return nil, "", err
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	deadline := time.Now().Add(readyLimit)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return p, "http://" + address + "/", c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			p.end()
			return nil, "", fmt.Errorf("%s does not listen: %w %s", f, err, p.tail())
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddress is one that nobody listens on. Another program may take it before
// the fixture does, which then fails and says so.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// serveProxy starts a foreground proxy, which asks for no key.
func (r *rig) serveProxy(ctx context.Context, args ...string) (*process, string, error) {
	p, out, err := r.begin(ctx, "proxy", append([]string{r.helper, "proxy", "mcp"}, args...))
	if err != nil {
		return nil, "", err
	}
	late := time.AfterFunc(readyLimit, p.stop)
	defer late.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return p, "http://" + m[1] + "/mcp", nil
		}
	}
	p.end()
	return nil, "", fmt.Errorf("the proxy did not say where it listens: %s", p.tail())
}
