package platform

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttr has the kernel kill the program when its shim is killed. The signal
// is bound to the forking thread, which shim locks.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// adoptOrphans makes every process below a child of the shim once its own
// parent ended, whatever session it moved to.
func adoptOrphans() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // every kernel since 3.4
	// Started through /proc/self/exe, the process would be called "exe".
	_ = os.WriteFile("/proc/self/comm", []byte("drawbridge-shim"), 0)
}

// sealDescriptors keeps all but stdin, stdout and stderr from the child, also
// what our owner inherited unawares.
func sealDescriptors() {
	if unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC) == nil { // Linux 5.11
		return
	}
	sealListed("/proc/self/fd")
}

func dup(from, to int) error { return unix.Dup3(from, to, 0) }

// othersLeft tells whether processes are below when we have no children: none
// can be, orphans are ours.
func othersLeft() bool { return false }

// signalTree signals every process below us.
func signalTree(sig syscall.Signal) {
	for _, pid := range below(os.Getpid()) {
		_ = syscall.Kill(pid, sig) // it may have ended; as our descendant its number is not reused unseen
	}
}

// below lists the descendants of a process.
func below(root int) []int {
	children := map[int][]int{}
	for _, pid := range processes() {
		if st, ok := readStat(pid); ok {
			children[st.parent] = append(children[st.parent], pid)
		}
	}
	all := children[root]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// processes lists the process ids there are.
func processes() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what was read counts
	var pids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// procStat is what we need of /proc/PID/stat.
type procStat struct {
	state    string // Z and X are dead
	parent   int
	start    string // clock ticks after boot; with the id it names one process
	terminal bool   // it has a controlling one
}

func readStat(pid int) (st procStat, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return st, false
	}
	// The name, in parentheses, may hold anything.
	i := strings.LastIndexByte(string(b), ')')
	f := strings.Fields(string(b[i+1:]))
	if i < 0 || len(f) < 20 {
		return st, false
	}
	parent, err := strconv.Atoi(f[1])
	return procStat{f[0], parent, f[19], f[4] != "0"}, err == nil
}
