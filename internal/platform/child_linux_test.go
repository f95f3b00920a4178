package platform

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dead tells whether the process is gone; a zombie is.
func dead(pid int) bool {
	st, ok := readStat(pid)
	return !ok || st.state == "Z" || st.state == "X"
}

func wantDead(t *testing.T, limit time.Duration, pids ...int) {
	t.Helper()
	var left []int
	ok := eventually(limit, func() bool {
		left = slices.DeleteFunc(slices.Clone(pids), dead)
		return len(left) == 0
	})
	for _, pid := range left {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		t.Logf("left: %d %q", pid, b)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if !ok {
		t.Errorf("%d of %d processes are left", len(left), len(pids))
	}
}

// anOwner is a process of its own that owns a child running the fixture args.
type anOwner struct {
	*os.Process
	supervisor int
}

func startOwner(t *testing.T, args ...string) anOwner {
	t.Helper()
	p, out := startPlain(t, append([]string{"owner"}, args...)...)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("the owner said nothing: %v", err)
	}
	var o anOwner
	if _, err := fmt.Sscanf(line, "supervisor %d", &o.supervisor); err != nil {
		t.Fatalf("the owner said %q", line)
	}
	o.Process = p
	return o
}

const treeSize = 5 // processes that growTree has sign in

// S-40
func TestNothingIsLeftOfAKilledOwner(t *testing.T) {
	dir := t.TempDir()
	owner := startOwner(t, "tree", dir)
	pids := awaitFixtures(dir, treeSize)
	if len(pids) != treeSize {
		t.Fatalf("%d of %d processes run", len(pids), treeSize)
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	wantDead(t, 2*time.Second, append(pids, owner.supervisor)...)
	t.Logf("gone after %v", time.Since(begin))
}

// S-41
func TestAKilledSupervisorTakesTheTreeWithIt(t *testing.T) {
	dir := t.TempDir()
	c := mustStart(t, "tree", dir)
	pids := awaitFixtures(dir, treeSize)
	if err := c.tree.process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !within(c.Gone(), 10*time.Second) {
		t.Fatal("it was not noticed")
	}
	if c.Status().Lost == "" {
		t.Errorf("status: got %v, want it lost", c.Status())
	}
	wantDead(t, 2*time.Second, pids...)
}

// S-41.
func TestAStoppedSupervisorDoesNotSaveTheTree(t *testing.T) {
	dir := t.TempDir()
	c := mustStart(t, "tree", dir)
	pids := awaitFixtures(dir, treeSize)
	if err := c.tree.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(Waits{}); err != nil {
		t.Error(err)
	}
	wantDead(t, 2*time.Second, append(pids, c.tree.process.Pid)...)
}

// S-44.
func TestStopEndsTheWholeTree(t *testing.T) {
	dir := t.TempDir()
	c := mustStart(t, "tree", dir)
	pids := awaitFixtures(dir, treeSize)
	if err := c.Stop(Waits{50 * time.Millisecond, 50 * time.Millisecond}); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if !dead(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// S-40.
func TestWhatAProgramLeavesEndsWithIt(t *testing.T) {
	dir := t.TempDir()
	c := mustStart(t, "litter", dir)
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 { // the daemon holds stdout open
		t.Errorf("got %q, %v", b, err)
	}
	if !within(c.Gone(), 10*time.Second) {
		t.Fatal("the tree does not end")
	}
	if got := c.Status(); got != (Status{Code: 4}) {
		t.Errorf("status: got %v", got)
	}
	wantDead(t, 0, awaitFixtures(dir, 1)...)
}

// S-42
func TestTheSweepFindsOrphans(t *testing.T) {
	dir := t.TempDir()
	owner := startOwner(t, "tree", dir)
	pids := awaitFixtures(dir, treeSize)
	if _, err := SweepOrphans(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if dead(pid) {
			t.Fatalf("process %d of a living owner was swept", pid)
		}
	}
	// Stopped first, so that the supervisor cannot act on its owner's death.
	if err := syscall.Kill(owner.supervisor, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_ = owner.Kill()
	_ = syscall.Kill(owner.supervisor, syscall.SIGKILL)
	if !eventually(10*time.Second, func() bool { return dead(owner.Pid) && dead(owner.supervisor) }) {
		t.Fatal("owner and supervisor live")
	}
	if left := slices.DeleteFunc(slices.Clone(pids), dead); len(left) == 0 {
		t.Fatal("there are no orphans to find")
	}
	if _, err := SweepOrphans(); err != nil {
		t.Fatal(err)
	}
	wantDead(t, 2*time.Second, pids...)
}

// S-42, S-50
func TestTheSweepGoesByOwnerAndStartTime(t *testing.T) {
	start, space := ownOrigin()
	us, ours := strconv.Itoa(os.Getpid()), ","+start+","+space
	for _, row := range []struct {
		name, mark string
		swept      bool
	}{
		{"owner lives", "1,a," + us + ours, false},
		{"the owner's number is another process's now", "1,a," + us + ",1" + start + "," + space, true},
		{"no process of that number", "1,a,4194999" + ours, true},
		{"another process id namespace", "1,a,4194999," + start + ",pid:[1]", false},
		{"another version", "2,a,4194999" + ours, false},
		{"not a mark", "yes", false},
		{"no owner", "1,a,0" + ours, false},
		{"no mark", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			env := os.Environ()
			if row.mark != "" {
				env = append(env, markName+"="+row.mark)
			}
			p, err := os.StartProcess(os.Args[0], []string{os.Args[0], "fixture", "hang", dir}, &os.ProcAttr{Env: env, Files: []*os.File{nil, nil, os.Stderr}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = p.Kill()
				_, _ = p.Wait()
			}()
			awaitFixtures(dir, 1)
			if _, err := SweepOrphans(); err != nil {
				t.Fatal(err)
			}
			if !row.swept && dead(p.Pid) {
				t.Error("it was swept")
			}
			if row.swept {
				wantDead(t, 5*time.Second, p.Pid)
			}
		})
	}
}

// S-49
func TestStartingAndStoppingLeavesNothing(t *testing.T) {
	cycles := 1000
	info, ok := debug.ReadBuildInfo()
	switch {
	case testing.Short():
		cycles = 20
	case ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}):
		cycles = 200 // with the race detector a process takes four times as long to start
	}
	count := func() [3]int {
		return [3]int{openDescriptors(t), runtime.NumGoroutine(), len(below(os.Getpid()))}
	}
	cycle := func() {
		c, err := startFixture("echo")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(Waits{10 * time.Second, 0}); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := count()
	for range cycles {
		cycle()
	}
	var after [3]int
	flat := func() bool {
		after = count()
		return after[0] <= before[0] && after[1] <= before[1] && after[2] <= before[2]
	}
	if !eventually(5*time.Second, flat) {
		t.Errorf("descriptors, goroutines, processes: before %d, after %d cycles %d", before, cycles, after)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestTheSupervisorIsSmall(t *testing.T) {
	c := mustStart(t, "echo")
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.tree.process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "RssAnon") || strings.HasPrefix(l, "VmRSS") || strings.HasPrefix(l, "Name") || strings.HasPrefix(l, "Threads") {
			t.Log(l)
		}
		if kb, ok := strings.CutPrefix(l, "RssAnon:"); ok {
			if n, _ := strconv.Atoi(strings.Fields(kb)[0]); n > 32<<10 { // the race detector has its own
				t.Errorf("its own memory is %d kB", n)
			}
		}
	}
}
