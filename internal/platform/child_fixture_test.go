//go:build unix

package platform

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays every process of these tests: the supervisor, and with
// "fixture" as its first argument the roles below.
func TestMain(m *testing.M) {
	if handled, code := ShimMain(os.Args); handled {
		os.Exit(code)
	}
	if len(os.Args) > 2 && os.Args[1] == "fixture" {
		os.Exit(play(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func play(role string, args []string) int {
	switch role {
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "exit":
		code, _ := strconv.Atoi(args[0])
		fmt.Fprintln(os.Stderr, "last words")
		return code
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		hang(false)
	case "deaf":
		deaf(args)
	case "flood":
		flood()
	case "show":
		show()
	case "hang":
		signIn(args[0], "hang")
		hang(false)
	case "stubborn":
		signIn(args[0], "stubborn")
		hang(true)
	case "tree":
		return growTree(args[0])
	case "fork": // the middle of a double fork
		spawn(true, "hang", args[0])
	case "litter": // leaves a daemon and ends
		spawn(true, "stubborn", args[0])
		awaitFixtures(args[0], 1)
		return 4
	case "owner":
		return own(args)
	case "middle": // starts a watcher, names it, and hangs
		fmt.Println("watcher", spawn(true, "watcher"))
		hang(false)
	case "watcher":
		ctx, cancel := context.WithCancel(context.Background())
		fmt.Println("watching")
		WatchParent(ctx, cancel)
		if ctx.Err() != nil {
			fmt.Println("gone")
		}
	case "find":
		f, err := FindCommand(args[0], nil, "")
		fmt.Println(f.File, f.path, err)
	default:
		panic("no such fixture: " + role)
	}
	return 0
}

// hang waits for ever, or until SIGTERM unless that is ignored.
func hang(stubborn bool) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	for range c {
		if !stubborn {
			os.Exit(7)
		}
	}
}

// deaf notes what is done to it and obeys only what args name.
func deaf(args []string) {
	note := func(s string) {
		f, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, s)
		f.Close()
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	note("end of stdin")
	if args[1] == "stdin" {
		return
	}
	for range c {
		note("SIGTERM")
		if args[1] == "SIGTERM" {
			os.Exit(7)
		}
	}
}

func flood() {
	line := []byte(strings.Repeat("x", 127) + "\n")
	block := []byte(strings.Repeat(string(line), 512))
	for range 3200 { // 200 MiB
		_, _ = os.Stderr.Write(block)
	}
	fmt.Fprint(os.Stderr, "the very last line")
}

// show prints its environment and its descriptors.
func show() {
	for _, v := range os.Environ() {
		fmt.Println("env", v)
	}
	for fd := range 64 {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil && !closesOnExec(fd) {
			fmt.Println("fd", fd)
		}
	}
}

func closesOnExec(fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	return errno == 0 && flags&syscall.FD_CLOEXEC != 0
}

// signIn tells the test that the process runs: a file named for it in dir.
func signIn(dir, role string) {
	name := filepath.Join(dir, strconv.Itoa(os.Getpid())+"."+role)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		panic(err)
	}
}

// spawn starts another fixture, in a session of its own if daemon.
func spawn(daemon bool, args ...string) int {
	p, err := os.StartProcess(os.Args[0], append([]string{os.Args[0], "fixture"}, args...), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: daemon},
	})
	if err != nil {
		panic(err)
	}
	return p.Pid
}

// growTree is a server with one of each kind of process that outlives parents.
func growTree(dir string) int {
	spawn(false, "hang", dir)
	spawn(true, "hang", dir)
	spawn(true, "stubborn", dir)
	spawn(true, "fork", dir)
	signIn(dir, "tree")
	hang(true)
	return 0
}

// own starts a child that runs the fixture args, says who its supervisor is,
// and hangs.
func own(args []string) int {
	c, err := startFixture(args...)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("supervisor", c.tree.process.Pid)
	hang(true)
	return 0
}

func startFixture(args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// The race detector would have every process linger for a second.
	env, err := ChildEnviron(map[string]string{"GORACE": "atexit_sleep_ms=0"}, Found{}, "")
	if err != nil {
		return nil, err
	}
	return Start(Command{Path: self, Args: append([]string{"fixture"}, args...), Env: env})
}

// mustStart starts a fixture as a child that the test's end stops.
func mustStart(t *testing.T, args ...string) *Child {
	t.Helper()
	c, err := startFixture(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(Waits{}); err != nil {
			t.Error(err)
		}
	})
	return c
}

// eventually polls until ok, and tells whether it came to that.
func eventually(limit time.Duration, ok func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// awaitFixtures waits until n processes signed in and gives their ids.
func awaitFixtures(dir string, n int) (pids []int) {
	eventually(20*time.Second, func() bool {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) < n {
			return false
		}
		pids = nil
		for _, f := range files {
			id, _, _ := strings.Cut(f.Name(), ".")
			pid, _ := strconv.Atoi(id)
			pids = append(pids, pid)
		}
		return true
	})
	return pids
}

// startPlain runs a fixture without supervision and gives its stdout.
func startPlain(t *testing.T, args ...string) (*os.Process, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(os.Args[0], append([]string{os.Args[0], "fixture"}, args...), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		r.Close()
	})
	_ = r.SetReadDeadline(time.Now().Add(30 * time.Second))
	return p, bufio.NewReader(r)
}
