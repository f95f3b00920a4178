//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// fixture is where the programs under test and around it are.
var fixture struct {
	helper    string // the built drawbridge
	node      string
	npm       string // node_modules
	upstream  string // the benchmark's HTTP server, which counts what it sees
	echostdio string // the same on stdio
	self      string // this test program, which plays parts of its own
}

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		play(part, os.Args[1:])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == partArgument {
		play(os.Args[2], os.Args[3:])
		return
	}
	os.Exit(withFixture(m))
}

func withFixture(m *testing.M) int {
	fixture.helper, fixture.node, fixture.npm = os.Getenv("DRAWBRIDGE_HELPER"), os.Getenv("DRAWBRIDGE_NODE"), os.Getenv("DRAWBRIDGE_NPM")
	if fixture.helper == "" || fixture.node == "" || fixture.npm == "" {
		fmt.Fprintln(os.Stderr, "these tests need Node and packages from npm: start them with go run ./build test")
		return 1
	}
	dir, err := os.MkdirTemp("", "drawbridge-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if fixture.self, err = os.Executable(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), "drawbridge/build/bench/upstream", "drawbridge/build/bench/echostdio")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the servers: %v\n%s", err, out)
		return 1
	}
	fixture.upstream, fixture.echostdio = program(dir, "upstream"), program(dir, "echostdio")
	go endWithUs() // until the program ends
	return m.Run()
}

// background are the processes that would stay if the tests were interrupted.
var background struct {
	sync.Mutex
	alive map[*os.Process]bool
}

// endWithUs ends them at Ctrl-C, when no clean-up runs.
func endWithUs() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	<-interrupted
	background.Lock()
	for p := range background.alive {
		_ = p.Kill() // it may have ended by itself
	}
	os.Exit(1)
}

func noteStarted(p *os.Process) {
	background.Lock()
	defer background.Unlock()
	if background.alive == nil {
		background.alive = map[*os.Process]bool{}
	}
	background.alive[p] = true
}

func noteEnded(p *os.Process) {
	background.Lock()
	defer background.Unlock()
	delete(background.alive, p)
}

func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}
