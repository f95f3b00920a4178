package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// interpreters run programs that are scripts. Shells are not among them: a
// script that starts a client is not the client.
var interpreters = []string{"node", "nodejs", "electron", "bun", "deno", "python", "python3"}

func ownProcesses() ([]Process, error) {
	var list []Process
	for _, pid := range processes() {
		if p, ok := processOf(pid); ok && pid != os.Getpid() {
			list = append(list, p)
		}
	}
	return list, nil
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// processOf describes a process of this user.
func processOf(pid int) (p Process, ok bool) {
	i, err := os.Stat(procFile(pid, ""))
	if err != nil {
		return p, false
	}
	if st, ok := i.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
		return p, false
	}
	st, ok := readStat(pid)
	program, err := os.Readlink(procFile(pid, "exe"))
	if !ok || st.state == "Z" || err != nil {
		return p, false
	}
	// A program that was updated while it runs has its old file removed.
	p = Process{PID: pid, Parent: st.parent, Program: strings.TrimSuffix(program, " (deleted)"), start: st.start, Terminal: st.terminal}
	if args := procList(pid, "cmdline"); slices.Contains(interpreters, filepath.Base(p.Program)) {
		p.Script = scriptOf(args)
	}
	return p, true
}

// scriptOf is the first argument that is no flag.
func scriptOf(args []string) string {
	for _, a := range args[min(1, len(args)):] {
		if !strings.HasPrefix(a, "-") {
			return a
		}
	}
	return ""
}

// procList reads a list of texts about a process: nil for what may not be read.
func procList(pid int, name string) []string {
	f, err := os.Open(procFile(pid, name))
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, environLimit))
	if err != nil {
		return nil
	}
	var list []string
	for part := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
		list = append(list, string(part))
	}
	return list
}

// Lives tells whether the process still runs.
func (p Process) Lives() bool {
	st, ok := readStat(p.PID)
	return ok && st.start == p.start && st.state != "Z" && st.state != "X"
}

// askToQuit sends SIGTERM to this one process: desktop programs end for it as
// for their menu, and see to their own children.
func (p Process) askToQuit(context.Context) error {
	handle, err := os.FindProcess(p.PID) // the handle is taken before the look
	if err != nil {
		return err
	}
	defer handle.Release() //nolint:errcheck // nothing waits for it
	if !p.Lives() {
		return ErrProcessGone
	}
	err = handle.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		return ErrProcessGone
	}
	return err
}

// launch is a command line with what was around it.
type launch struct {
	program   string
	args, env []string
	dir       string
}

func (p Process) launch() (l launch, err error) {
	args := procList(p.PID, "cmdline")
	l.env = procList(p.PID, "environ")
	if len(args) == 0 || l.env == nil || !p.Lives() {
		return l, ErrProcessGone
	}
	l.program = p.Program
	if image := variable(l.env, "APPIMAGE"); image != "" && strings.HasPrefix(p.Program, "/tmp/.mount_") {
		l.program = image // its program lies in a mount that goes with it
		l.env = withoutImage(l.env)
	} else if !p.sameFile() {
		return l, errors.New("its program is not to be seen from here, as it runs in a sandbox")
	}
	if st, err := os.Stat(l.program); err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
		return l, fmt.Errorf("there is no program at %s any more", l.program)
	}
	// An address in the arguments was opened once, and is not to be again.
	l.args = slices.DeleteFunc(args[1:], func(a string) bool { return strings.Contains(a, "://") })
	l.dir, err = os.Readlink(procFile(p.PID, "cwd"))
	if st, serr := os.Stat(l.dir); err != nil || serr != nil || !st.IsDir() {
		l.dir = "/"
	}
	return l, nil
}

// sameFile tells whether the path of the program leads to the program that runs,
// or to what took its place.
func (p Process) sameFile() bool {
	runs, err := os.Stat(procFile(p.PID, "exe"))
	if err != nil {
		return false
	}
	there, err := os.Stat(p.Program)
	link, lerr := os.Readlink(procFile(p.PID, "exe"))
	updated := lerr == nil && strings.HasSuffix(link, " (deleted)")
	return err == nil && (os.SameFile(runs, there) || updated)
}

// withoutImage is the environment without what the running AppImage added.
func withoutImage(env []string) []string {
	var list []string
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		if slices.Contains([]string{"APPIMAGE", "APPDIR", "ARGV0", "OWD"}, name) {
			continue
		}
		all := strings.Split(value, ":") // of folders, if it names some of the image
		kept := slices.DeleteFunc(slices.Clone(all), func(dir string) bool { return strings.HasPrefix(dir, "/tmp/.mount_") })
		if len(kept) < len(all) {
			v = name + "=" + strings.Join(kept, ":")
		}
		if len(kept) > 0 {
			list = append(list, v)
		}
	}
	return list
}

func variable(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// start gives the program its old environment and a session of its own.
func (l launch) start(context.Context) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close() //nolint:errcheck // the program has its own
	p, err := os.StartProcess(l.program, append([]string{l.program}, l.args...), &os.ProcAttr{
		Dir: l.dir, Env: l.env, Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return p.Release()
}
