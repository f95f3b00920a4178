package platform

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"syscall"
)

// environLimit is how much of a foreign environment is read.
const environLimit = 1 << 20

func ownOrigin() (start, space string) {
	start, space = "-", "-"
	if st, ok := readStat(os.Getpid()); ok {
		start = st.start
	}
	if s, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		space = s
	}
	return start, space
}

func sweep() (int, error) {
	_, space := ownOrigin()
	return killEach(func(m mark) bool { return m.space == space && m.space != "-" && !m.ownerLives() }), nil
}

// killMarked kills what is left of one child of ours whose supervisor was
// killed. A process may fork while we look, so it looks until it finds none.
func killMarked(of mark) {
	for range 10 {
		if killEach(func(m mark) bool { return m == of }) == 0 {
			return
		}
	}
}

// ownerLives tells whether the owner is the process it was.
func (m mark) ownerLives() bool {
	st, ok := readStat(m.owner)
	return m.start == "-" || ok && st.start == m.start && st.state != "Z" && st.state != "X"
}

// killEach kills every process of this user whose mark is chosen.
func killEach(chosen func(mark) bool) (ended int) {
	for _, pid := range processes() {
		if pid == os.Getpid() {
			continue
		}
		// The handle is taken before the look, so the process that is killed is
		// the one that was looked at.
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if m, ok := markOf(pid); ok && chosen(m) && p.Kill() == nil {
			ended++
		}
		_ = p.Release() // cannot matter: nothing waits for it
	}
	return ended
}

// markOf reads the mark in a process's environment. Other users' processes have
// none for us, and neither have those that ended.
func markOf(pid int) (m mark, ok bool) {
	folder := "/proc/" + strconv.Itoa(pid)
	i, err := os.Stat(folder)
	if err != nil {
		return m, false
	}
	if st, ok := i.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
		return m, false
	}
	f, err := os.Open(folder + "/environ")
	if err != nil {
		return m, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, environLimit))
	if err != nil {
		return m, false
	}
	for v := range bytes.SplitSeq(b, []byte{0}) {
		if value, found := bytes.CutPrefix(v, []byte(markName+"=")); found {
			return parseMark(string(value))
		}
	}
	return m, false
}
