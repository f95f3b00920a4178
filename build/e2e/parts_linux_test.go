//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"drawbridge/build/bench/testserver"
	"drawbridge/build/bench/wire"
)

// This test program also plays the processes that are killed or left behind.
const (
	partVariable = "DRAWBRIDGE_E2E_PART"
	partArgument = "play-part"
)

// partLimit ends a part that nobody killed.
const partLimit = 90 * time.Second

// members of the family that a server leaves behind if nobody ends them.
var members = []string{"server", "child", "grandchild", "daemon"}

// play runs one part; its arguments begin with the folder for process ids.
func play(part string, args []string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	time.AfterFunc(partLimit, func() { os.Exit(9) })
	dir := args[0]
	switch part {
	case "family":
		announce(dir, "server")
		begin(false, "child", dir)
		begin(true, "forker", dir)
		answerOnStdio()
	case "child":
		announce(dir, "child")
		begin(false, "grandchild", dir)
	case "grandchild", "daemon":
		announce(dir, part)
	case "forker": // leaves its daemon to init, or to who adopts it
		begin(true, "daemon", dir)
		return
	case "client":
		beClient(dir, args[1])
	}
	select {} // until killed
}

func announce(dir, name string) {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		panic(err)
	}
}

// begin starts another part, in a session of its own if asked to.
func begin(session bool, part, dir string) {
	c := exec.Command(os.Args[0], partArgument, part, dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if err := c.Start(); err != nil {
		panic(err)
	}
	go c.Wait() //nolint:errcheck // so that it is no zombie
}

// answerOnStdio is the server, which then stays although its stdin ended.
func answerOnStdio() {
	srv, sess := &testserver.Server{Name: "family"}, testserver.NewSession()
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if m, scan := wire.Scan(bytes.TrimSpace(line)); scan == nil && m.IsRequest() {
			fmt.Printf("%s\n", srv.Handle(context.Background(), sess, m, nil))
		}
		if err != nil {
			return
		}
	}
}

// beClient starts the helper as a client and says which process it is. With
// stdin held open the helper reads from whoever reads ours.
func beClient(dir, who string) {
	c := exec.Command(os.Getenv("DRAWBRIDGE_HELPER"), "mcp", "connect", "family")
	if who == "the client, with stdin held open" {
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else {
		in, err := c.StdinPipe()
		if err != nil {
			panic(err)
		}
		go func() { _, _ = io.Copy(in, os.Stdin) }() // until one of them ends
	}
	if err := c.Start(); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "helper.new"), []byte(strconv.Itoa(c.Process.Pid)), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(filepath.Join(dir, "helper.new"), filepath.Join(dir, "helper")); err != nil {
		panic(err)
	}
	go c.Wait() //nolint:errcheck // so that it is no zombie
}

// processes of the client's side.
type clientSide struct{ client, helper int }

// startClient starts a client whose stdin this test holds, and asks for the
// handshake through it.
func (r *rig) startClient(dir, who string) clientSide {
	r.t.Helper()
	read, write, err := os.Pipe()
	r.must(err, "make a pipe")
	c := exec.Command(fixture.self, dir, who)
	c.Env = append(r.env, partVariable+"=client", "DRAWBRIDGE_HELPER="+fixture.helper)
	c.Stdin = read
	r.must(c.Start(), "start the client")
	_ = read.Close() // the client has its own
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Wait() }() // killed is how it ends
	r.t.Cleanup(func() {
		_ = c.Process.Kill() // it may be the victim already
		<-done
		_ = write.Close() // nobody reads it any more
	})
	_, err = fmt.Fprintf(write, "%s\n", wire.Request(1, "initialize", `{"protocolVersion":"`+protocol+`","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}`))
	r.must(err, "write to the client")
	return clientSide{client: c.Process.Pid, helper: r.awaitPID(dir, "helper")}
}

// awaitFamily waits until every member runs.
func (r *rig) awaitFamily(dir string) []int {
	r.t.Helper()
	var pids []int
	for _, name := range members {
		pids = append(pids, r.awaitPID(dir, name))
	}
	return pids
}

func (r *rig) awaitPID(dir, name string) (pid int) {
	r.t.Helper()
	r.eventually(startLimit, "no "+name+" was started", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(b))
		return err == nil
	})
	return pid
}
