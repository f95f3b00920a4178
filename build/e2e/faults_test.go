//go:build e2e

package e2e

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
)

// F-138, W-04: a server killed between two calls and started again is used by
// the next call as if nothing had happened.
func TestNextCallSucceedsAfterTheServerWasKilled(t *testing.T) {
	for _, m := range modes {
		t.Run(m.arg, func(t *testing.T) {
			t.Parallel()
			if m.path == "" && !proc.Known() {
				t.Skip("the child of the helper is found in /proc, which this system has not")
			}
			e := newEverything(t, m)
			e.add()
			c := e.connect("everything")
			v := e.converseStdio(c)
			for round := range 3 {
				message := "round " + strconv.Itoa(round)
				if got := v.tool("echo", `{"message":"`+message+`"}`); got != "Echo: "+message {
					t.Fatalf("echo answered %q, want %q", got, "Echo: "+message)
				}
				e.killServer(c)
			}
			v.tool("echo", `{"message":"last"}`)
		})
	}
}

// killServer kills the server with signal 9. One that serves an address is
// started again; one on stdio is the helper's to start.
func (e *everything) killServer(c *client.Stdio) {
	e.t.Helper()
	if e.path != "" {
		e.proc.kill()
		e.serve()
		return
	}
	var pids []int
	for _, pid := range proc.Tree(c.PID()) {
		if line := commandLine(pid); strings.HasPrefix(line, fixture.node+"\x00") {
			pids = append(pids, pid)
		}
	}
	if len(pids) != 1 {
		e.t.Fatalf("%d servers run below the helper, want 1", len(pids))
	}
	proc.Kill(pids)
	// Until its parent has taken note of it: a process with threads looks dead
	// a moment before its pipes are closed.
	e.eventually(callLimit, "the killed server is still there", func() bool { return !exists(pids[0]) })
}

func commandLine(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return "" // it ended
	}
	return string(b)
}

func exists(pid int) bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(pid))
	return err == nil
}

// deathLimit is the second that issue 2 gives, and room for a busy machine.
const deathLimit = 2 * time.Second

// S-40, W-11: whatever way the client's side dies, no process of ours or below
// us is left: neither the server nor its child, grandchild or, on Linux, its daemon. The
// server ignores SIGTERM and the end of its stdin.
func TestNothingIsLeftWhenTheClientsSideIsKilled(t *testing.T) {
	if !proc.Known() {
		t.Skipf("processes are followed in /proc, which %s has not", runtime.GOOS)
	}
	for _, who := range []string{"the helper", "the client", "the client, with stdin held open"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			dir := t.TempDir()
			r.helper("mcp", "add", "family", "--no-check", "--", fixture.self, partArgument, "family", dir)
			top := r.startClient(dir, who)
			pids := r.awaitFamily(dir)
			pids = append(pids, proc.Tree(top.client)...)
			victim := top.client
			if who == "the helper" {
				victim = top.helper
			}
			began := time.Now()
			proc.Kill([]int{victim})
			left := proc.Left(exclude(pids, top.client, who == "the helper"), deathLimit)
			t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
			for _, pid := range left {
				t.Errorf("process %d is left: %q", pid, commandLine(pid))
			}
			proc.Kill(left)
		})
	}
}

// exclude leaves the client out when it is not to die.
func exclude(pids []int, pid int, keep bool) []int {
	var out []int
	for _, p := range pids {
		if p != pid || !keep {
			out = append(out, p)
		}
	}
	return out
}
