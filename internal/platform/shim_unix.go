//go:build unix

package platform

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Words of the shim's reports; a number follows each.
const (
	wordStarted = "started" // process id
	wordFailed  = "failed"  // errno
	wordExited  = "exited"  // exit status
	wordSignal  = "signal"  // signal number
)

// Orders to the shim.
const (
	orderTerm = 'T'
	orderKill = 'K'
)

// Descriptors a shim finds open besides the child's three.
const (
	lifeFD   = 3
	reportFD = 4
)

// Waits of a shim.
const (
	grace   = 300 * time.Millisecond // between SIGTERM and SIGKILL when nobody is left to say
	rekill  = 10 * time.Millisecond  // between two looks for processes to kill
	giveUp  = 2 * time.Second        // for processes that cannot be killed
	noShell = "/bin/sh"              // runs a script without a first line, as execvp does
)

// supervisor is the state of a shim. One goroutine owns it.
type supervisor struct {
	child   int  // process id of the program
	ended   bool // the program ended, and code is its status
	code    int
	ending  bool      // somebody was told to terminate
	orders  chan byte // closed when the owner died
	signals chan os.Signal
}

func shim(path string, argv []string) int {
	// The parent-death signal of the child hangs on the thread that forks.
	runtime.LockOSThread()
	runtime.GOMAXPROCS(1)
	if !isPipe(lifeFD) || !isPipe(reportFD) {
		fmt.Fprintln(os.Stderr, shimWord, "is for internal use")
		return 2
	}
	sealDescriptors()
	adoptOrphans()
	s := &supervisor{orders: make(chan byte), signals: make(chan os.Signal, 16)}
	signal.Notify(s.signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	pid, err := execute(path, argv)
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		report(wordFailed, int(errno))
		return 1
	}
	s.child = pid
	releaseStreams()
	report(wordStarted, pid)
	go s.listen()
	code := s.run()
	syscall.Exit(code) // past what os.Exit would still run
	return code
}

func isPipe(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// execute starts the program on our own stdin, stdout and stderr.
func execute(path string, argv []string) (int, error) {
	attr := &syscall.ProcAttr{Env: syscall.Environ(), Files: []uintptr{0, 1, 2}, Sys: childAttr()}
	pid, err := syscall.ForkExec(path, argv, attr)
	if err == syscall.ENOEXEC {
		return syscall.ForkExec(noShell, append([]string{noShell, path}, argv[1:]...), attr)
	}
	return pid, err
}

// releaseStreams lets go of the child's stdin and stdout, so that its ends are
// the only ones, and keeps the numbers taken.
func releaseStreams() {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		_, _ = syscall.Close(0), syscall.Close(1)
		return
	}
	_, _ = dup(null, 0), dup(null, 1)
	_ = syscall.Close(null)
}

// report tells the owner. An owner that died needs no telling.
func report(word string, n int) {
	_, _ = syscall.Write(reportFD, []byte(word+" "+strconv.Itoa(n)+"\n"))
}

// listen passes the owner's orders on, until the owner is gone.
func (s *supervisor) listen() {
	var b [1]byte
	for {
		n, err := syscall.Read(lifeFD, b[:])
		if err == syscall.EINTR {
			continue
		}
		if n != 1 {
			close(s.orders)
			return
		}
		s.orders <- b[0]
	}
}

// run waits until nothing is left below and returns the exit code.
func (s *supervisor) run() int {
	for {
		select {
		case o, ok := <-s.orders:
			switch {
			case !ok:
				return s.end(grace)
			case o == orderKill:
				return s.end(0)
			default:
				s.ending = true
				signalTree(syscall.SIGTERM)
			}
		case sig := <-s.signals:
			switch {
			case sig != syscall.SIGCHLD:
				// Our own signal to the group comes here too.
				if !s.ending {
					return s.end(grace)
				}
			case !s.reap():
				return s.code
			case s.ended:
				return s.end(grace)
			}
		}
	}
}

// reap takes the status of what has ended, reports the program's, and tells
// whether there are processes below.
func (s *supervisor) reap() (left bool) {
	for {
		var w syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &w, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil: // ECHILD
			return othersLeft()
		case pid == 0:
			return true
		case pid != s.child:
			continue
		case w.Signaled():
			s.code, s.ended = 128+int(w.Signal()), true
			report(wordSignal, int(w.Signal()))
		default:
			s.code, s.ended = w.ExitStatus(), true
			report(wordExited, w.ExitStatus())
		}
	}
}

// end has all below terminate, kills what is left after the patience, and
// returns when nothing is.
func (s *supervisor) end(patience time.Duration) int {
	s.ending = true
	deadline := time.Now().Add(patience)
	if patience > 0 {
		signalTree(syscall.SIGTERM)
	}
	look := time.NewTicker(rekill)
	defer look.Stop()
	due := patience == 0
	for s.reap() && time.Since(deadline) < giveUp {
		if due {
			signalTree(syscall.SIGKILL)
		}
		due = false
		select {
		case <-s.signals:
		case now := <-look.C:
			due = now.After(deadline)
		case o, ok := <-s.orders:
			if !ok {
				s.orders = nil // the grace is running
			} else if o == orderKill {
				deadline, due = time.Now(), true
			}
		}
	}
	return s.code
}

// sealListed marks every descriptor of the folder as not to be inherited.
func sealListed(folder string) {
	d, err := os.Open(folder)
	if err != nil {
		for fd := 3; fd < 1024; fd++ {
			syscall.CloseOnExec(fd)
		}
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what was read counts
	for _, n := range names {
		if fd, err := strconv.Atoi(n); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
