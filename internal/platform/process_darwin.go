package platform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func ownProcesses() ([]Process, error) {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.uid", os.Getuid())
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var list []Process
	for _, k := range all {
		pid := int(k.Proc.P_pid)
		program, args, ok := procArgs(pid)
		if !ok || pid == os.Getpid() {
			continue
		}
		p := Process{PID: pid, Parent: int(k.Eproc.Ppid), Program: program, Terminal: k.Eproc.Tdev > 0, start: began(k)}
		if len(args) > 1 && p.inTerminalOnly() {
			p.Script = args[1]
		}
		list = append(list, p)
	}
	return list, nil
}

// inTerminalOnly tells of a program that is no application of the desktop.
func (p Process) inTerminalOnly() bool { return p.bundle() == "" }

func began(k unix.KinfoProc) string {
	return fmt.Sprint(k.Proc.P_starttime.Sec, ".", k.Proc.P_starttime.Usec)
}

// procArgs reads a process's program and arguments: their number, the program's
// path, zeros, the arguments.
func procArgs(pid int) (program string, args []string, ok bool) {
	b, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil || len(b) < 4 {
		return "", nil, false // another user's, or gone
	}
	n := int(binary.LittleEndian.Uint32(b))
	path, rest, ok := bytes.Cut(b[4:], []byte{0})
	rest = bytes.TrimLeft(rest, "\x00")
	for range min(n, 64) {
		arg, more, found := bytes.Cut(rest, []byte{0})
		if !found {
			break
		}
		args, rest = append(args, string(arg)), more
	}
	return string(path), args, ok
}

const zombie = 5 // SZOMB

// Lives tells whether the process still runs.
func (p Process) Lives() bool {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", p.PID)
	return err == nil && began(*k) == p.start && k.Proc.P_stat != zombie
}

// bundle is the application that the program belongs to, "" for none.
func (p Process) bundle() string {
	before, _, ok := strings.Cut(p.Program, ".app/Contents/MacOS/")
	if !ok {
		return ""
	}
	return before + ".app"
}

// quitScript asks an application to quit, and does not wait: it may ask its
// user first.
const quitScript = `on run argv
	ignoring application responses
		tell application (item 1 of argv) to quit
	end ignoring
end run`

// askPatience is how long the system may take to pass on a request: it asks the
// user once whether Drawbridge may control the application.
const askPatience = 10 * time.Second

func (p Process) askToQuit(ctx context.Context) error {
	if p.bundle() == "" {
		return ErrProcessNotAsked
	}
	if !p.Lives() {
		return ErrProcessGone
	}
	return run(ctx, "/usr/bin/osascript", "-e", quitScript, p.bundle())
}

type launch struct{ bundle string }

func (p Process) launch() (launch, error) {
	if p.bundle() == "" {
		return launch{}, errors.New("it is no application of the desktop")
	}
	if !isDir(p.bundle()) {
		return launch{}, fmt.Errorf("there is no application at %s any more", p.bundle())
	}
	return launch{p.bundle()}, nil
}

func (l launch) start(ctx context.Context) error { return run(ctx, "/usr/bin/open", l.bundle) }

// run runs a program of the system that does one thing and ends.
func run(ctx context.Context, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.WaitDelay = time.Second
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(said[:min(len(said), 1024)]))
	}
	return nil
}
