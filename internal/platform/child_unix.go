//go:build unix

package platform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tree is the owner's hold on a child's supervisor.
type tree struct {
	process *os.Process // the supervisor, leader of the tree's session
	life    *os.File    // its other end reads orders, and EOF when we die
	mark    mark
}

// start runs the command below a supervisor, which is this program again; see
// ShimMain.
func start(c Command, m mark) (*Child, error) {
	p, err := newPipes()
	if err != nil {
		return nil, err
	}
	t, report, err := startShim(c, m, p)
	p.closeChildEnds()
	if err != nil {
		p.close()
		return nil, err
	}
	lines := bufio.NewReaderSize(report, 1<<10)
	pid, err := started(report, lines)
	if err != nil {
		t.abandon(p, report)
		return nil, err
	}
	child := newChild(pid, p, t)
	go child.watch(report, lines)
	return child, nil
}

func startShim(c Command, m mark, p pipes) (*tree, *os.File, error) {
	lifeEnd, life, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	report, reportEnd, err := os.Pipe()
	if err != nil {
		closeAll(lifeEnd, life)
		return nil, nil, err
	}
	self, err := ownProgram()
	if err == nil {
		var process *os.Process
		process, err = os.StartProcess(self, append([]string{os.Args[0], shimWord, c.Path}, c.Args...), &os.ProcAttr{
			Dir:   c.Dir,
			Env:   append(c.Env[:len(c.Env):len(c.Env)], m.variable()),
			Files: []*os.File{p.childIn, p.childOut, p.childErr, lifeEnd, reportEnd},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
		if err == nil {
			closeAll(lifeEnd, reportEnd)
			return &tree{process: process, life: life, mark: m}, report, nil
		}
	}
	closeAll(lifeEnd, life, report, reportEnd)
	return nil, nil, err
}

// ownProgram is the path of this program's file. On Linux it is the link of the
// kernel, which is right even after an update replaced the file.
func ownProgram() (string, error) {
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/proc/self/exe"); err == nil {
			return "/proc/self/exe", nil
		}
	}
	return os.Executable()
}

// started waits for the supervisor's first word.
func started(report *os.File, lines *bufio.Reader) (pid int, err error) {
	if err := report.SetReadDeadline(time.Now().Add(startWait)); err != nil {
		return 0, err
	}
	line, err := lines.ReadString('\n')
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, fmt.Errorf("the supervisor did not report within %v", startWait)
		}
		return 0, errors.New("the supervisor ended without a word: does main call platform.ShimMain first?")
	}
	word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch word {
	case wordStarted:
		pid, _ = strconv.Atoi(rest) // our own words
		return pid, report.SetReadDeadline(time.Time{})
	case wordFailed:
		n, _ := strconv.Atoi(rest)
		return 0, syscall.Errno(n)
	default:
		return 0, fmt.Errorf("the supervisor said %q", line)
	}
}

// abandon ends a supervisor that started nothing.
func (t *tree) abandon(p pipes, report *os.File) {
	p.close()
	closeAll(t.life, report)
	_ = t.process.Kill() // it may have ended
	_, _ = t.process.Wait()
}

// watch reads the supervisor's reports until it ended, and then sees to it that
// nothing is left.
func (c *Child) watch(report io.ReadCloser, lines *bufio.Reader) {
	c.status = Status{Lost: "its supervisor was killed"}
	told := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, _ := strconv.Atoi(rest)
		switch word {
		case wordExited:
			c.status = Status{Code: n}
		case wordSignal:
			c.status = Status{Signal: syscall.Signal(n).String()}
		default:
			continue
		}
		if !told {
			told = true
			close(c.exited)
		}
	}
	_ = report.Close()
	c.tree.bury(told)
	if !told {
		close(c.exited)
	}
	close(c.gone)
	// A process that left the tree (not on Linux) may hold the pipe open.
	_ = c.out.SetReadDeadline(time.Now())
}

// bury waits for the supervisor, which is ending, and kills what it left. The
// group's number is safe to use because the supervisor is not waited for yet.
func (t *tree) bury(orderly bool) {
	if !orderly {
		_ = t.process.Kill()
	}
	_ = syscall.Kill(-t.process.Pid, syscall.SIGKILL) // mostly nobody is there
	_, _ = t.process.Wait()
	_ = t.life.Close()
	if !orderly {
		killMarked(t.mark)
	}
}

// terminate has SIGTERM sent to all of the tree.
func (t *tree) terminate() error { return t.order(orderTerm) }

// kill has all of the tree killed. A supervisor that ended cannot be told, and
// need not.
func (t *tree) kill() { _ = t.order(orderKill) }

// force kills the supervisor, which somebody stopped; watch does the rest.
func (t *tree) force() { _ = t.process.Kill() }

func (t *tree) order(o byte) error {
	_, err := t.life.Write([]byte{o})
	return err
}

// Read takes from the child's stdout. It gives io.EOF when all that was written
// is read and the child's tree is gone or has closed its ends; Interrupt ends
// it with os.ErrDeadlineExceeded, Stop with os.ErrClosed.
func (c *Child) Read(b []byte) (int, error) {
	n, err := c.out.Read(b)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	select {
	case <-c.gone:
		return c.readRest(b)
	default:
		return n, err
	}
}

// readRest takes what is left in the pipe without waiting for its writers.
func (c *Child) readRest(b []byte) (n int, err error) {
	if err := c.out.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	conn, err := c.out.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		n, failed = syscall.Read(int(fd), b)
		return true
	})
	_ = c.out.SetReadDeadline(time.Now())
	if err != nil {
		return 0, err
	}
	if n <= 0 { // EAGAIN: somebody else still holds the pipe
		if failed != nil && failed != syscall.EAGAIN {
			return 0, failed
		}
		return 0, io.EOF
	}
	return n, nil
}

// Interrupt wakes a Read that waits, and all that follow.
func (c *Child) Interrupt() { _ = c.out.SetReadDeadline(time.Now()) }

// InterruptWrite wakes a Write that waits, and all that follow. A message may
// have been cut.
func (c *Child) InterruptWrite() { _ = c.in.SetWriteDeadline(time.Now()) }
