// Package proc reads what a process tree uses, from /proc. It ends what is left
// of a tree.
//
// It promises numbers on Linux. Elsewhere a tree is its root alone and every
// number is zero, which the tables of the bench print as "n/a".
package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process tree uses.
type Usage struct {
	Procs   int     `json:"procs"`
	RSS     float64 `json:"rss_mib"`  // sum of VmRSS
	PSS     float64 `json:"pss_mib"`  // sum of Pss (shared pages split)
	Peak    float64 `json:"peak_mib"` // sum of VmHWM
	CPU     float64 `json:"cpu_s"`    // user and system time of the live processes
	Threads int     `json:"threads"`
	Files   int     `json:"files"` // open file descriptors
}

// Add sums two usages.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Procs + v.Procs, u.RSS + v.RSS, u.PSS + v.PSS, u.Peak + v.Peak, u.CPU + v.CPU, u.Threads + v.Threads, u.Files + v.Files}
}

// Known reports whether this system tells what a process uses.
func Known() bool {
	_, err := os.Stat("/proc/self/smaps_rollup")
	return err == nil
}

// Tree returns root and its descendants that are alive.
func Tree(root int) []int {
	if !Known() {
		return []int{root}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	alive := map[int]bool{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		f := statFields(pid)
		if len(f) < 2 || f[0] == "Z" {
			continue
		}
		if parent, err := strconv.Atoi(f[1]); err == nil {
			children[parent] = append(children[parent], pid)
			alive[pid] = true
		}
	}
	if !alive[root] {
		return nil
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}

// Measure sums the usage of the tree below root.
func Measure(root int) Usage {
	var u Usage
	if !Known() {
		return u
	}
	for _, pid := range Tree(root) {
		u = u.Add(One(pid))
	}
	return u
}

// One measures a process without its children.
func One(pid int) Usage {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	u := Usage{Procs: 1, CPU: cpuSeconds(pid)}
	if b, err := os.ReadFile(dir + "status"); err == nil {
		u.RSS = number(b, "VmRSS:") / 1024
		u.Peak = number(b, "VmHWM:") / 1024
		u.Threads = int(number(b, "Threads:"))
	}
	if b, err := os.ReadFile(dir + "smaps_rollup"); err == nil {
		u.PSS = number(b, "Pss:") / 1024
	}
	if fds, err := os.ReadDir(dir + "fd"); err == nil {
		u.Files = len(fds)
	}
	return u
}

// cpuSeconds prefers the scheduler's nanoseconds of each thread; the ticks of
// stat are 10 ms coarse, which is 5 % of a thousand calls.
func cpuSeconds(pid int) float64 {
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	if err == nil {
		total := 0.0
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				continue // the thread has ended since
			}
			total += first(string(b))
		}
		if total > 0 {
			return total / 1e9
		}
	}
	f := statFields(pid)
	if len(f) < 13 {
		return 0
	}
	return (first(f[11]) + first(f[12])) / 100
}

// first returns the number that s begins with, 0 when there is none.
func first(s string) float64 {
	f := strings.Fields(s)
	if len(f) == 0 {
		return 0
	}
	v, err := strconv.ParseFloat(f[0], 64)
	if err != nil {
		return 0
	}
	return v
}

// number returns the value of a "Key:   123 kB" line.
func number(b []byte, key string) float64 {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return first(string(rest))
		}
	}
	return 0
}

// statFields returns the fields of /proc/pid/stat after the command name: state,
// parent and so on.
func statFields(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return nil
	}
	return strings.Fields(string(b[i+1:]))
}

// Left waits until none of the processes is alive, and returns those that
// still are after d.
func Left(pids []int, d time.Duration) []int {
	end := time.Now().Add(d)
	for {
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !alive(pid) })
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// alive reports whether the process exists and is not a zombie.
func alive(pid int) bool {
	f := statFields(pid)
	return len(f) > 0 && f[0] != "Z"
}

// Kill ends the processes at once.
func Kill(pids []int) {
	for _, pid := range pids {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended by itself, which is what is wanted
		}
	}
}
