package platform

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Command is a program to start as a child.
type Command struct {
	Path string   // absolute; FindCommand makes it
	Args []string // without the program's own name
	Env  []string // whole; ChildEnviron makes it
	Dir  string   // "" is the owner's
}

// Waits are the two patiences of Stop: after the child's stdin was closed, and
// after it was asked to terminate.
type Waits struct{ Close, Term time.Duration }

// Limits of what a child can make its owner wait for.
const (
	startWait = 10 * time.Second // the supervisor's first word; 4 ms when idle
	killWait  = 3 * time.Second  // a killed tree, which only a stuck kernel call can hold
)

// Status says how a child's program ended.
type Status struct {
	Code   int    // exit status, when Signal and Lost are empty
	Signal string // the signal that ended it
	Lost   string // why the status is not known
}

// String is the status in words: "status 3", "signal killed".
func (s Status) String() string {
	switch {
	case s.Lost != "":
		return s.Lost
	case s.Signal != "":
		return "signal " + s.Signal
	default:
		return fmt.Sprintf("status %d", s.Code)
	}
}

// Child is a running program with pipes to its stdin and from its stdout. Its
// stderr is always read and the end of it kept. Read and Write may be used at
// the same time; Stop must be called once the child is of no more use, also
// when it ended by itself.
type Child struct {
	Pid int // of the program, not of its supervisor; for people and logs

	in, out *os.File
	errors  *tail
	tree    *tree
	ask     func() error  // to terminate, once
	exited  chan struct{} // closed when the program ended; status is set
	gone    chan struct{} // closed when nothing of its tree is left
	status  Status
}

// StartError says that the command was found and could not be run.
type StartError struct {
	Path string
	Err  error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Path, e.Err) }

// Unwrap gives the system's reason.
func (e *StartError) Unwrap() error { return e.Err }

// Start runs the command. When it returns, the program has been executed; the
// error is a *StartError when that was not possible.
//
// If the calling process dies in whatever way, the child's tree ends within a
// second.
func Start(c Command) (*Child, error) {
	if c.Dir != "" {
		if i, err := os.Stat(c.Dir); err != nil {
			return nil, &StartError{c.Path, fmt.Errorf("working directory: %w", err)}
		} else if !i.IsDir() {
			return nil, &StartError{c.Path, fmt.Errorf("working directory: %s is not a directory", c.Dir)}
		}
	}
	child, err := start(c, newMark())
	if err != nil {
		var s *StartError
		if !errors.As(err, &s) {
			err = &StartError{c.Path, err}
		}
		return nil, err
	}
	return child, nil
}

// pipes are the three streams of a child, the owner's ends and the child's.
type pipes struct{ in, out, err, childIn, childOut, childErr *os.File }

func newPipes() (p pipes, err error) {
	if p.childIn, p.in, err = os.Pipe(); err != nil {
		return p, err
	}
	if p.out, p.childOut, err = os.Pipe(); err != nil {
		p.close()
		return p, err
	}
	if p.err, p.childErr, err = os.Pipe(); err != nil {
		p.close()
	}
	return p, err
}

// closeChildEnds is called when the child has them.
func (p pipes) closeChildEnds() { closeAll(p.childIn, p.childOut, p.childErr) }

func (p pipes) close() {
	p.closeChildEnds()
	closeAll(p.in, p.out, p.err)
}

// closeAll closes what is open. A pipe's close has no news: nothing is buffered.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

func newChild(pid int, p pipes, t *tree) *Child {
	return &Child{
		Pid: pid, in: p.in, out: p.out, errors: drain(p.err), tree: t, ask: sync.OnceValue(t.terminate),
		exited: make(chan struct{}), gone: make(chan struct{}),
	}
}

// Write sends to the child's stdin. It waits while the child does not read; the
// child's end, CloseStdin and Stop wake it with an error.
func (c *Child) Write(b []byte) (int, error) { return c.in.Write(b) }

// CloseStdin tells the child that nothing more will come.
func (c *Child) CloseStdin() error { return c.in.Close() }

// Exited is closed when the program has ended; what it started may still be
// ending.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Gone is closed when nothing of the child's tree is left.
func (c *Child) Gone() <-chan struct{} { return c.gone }

// Status tells how the program ended. It may be asked once Exited is closed.
func (c *Child) Status() Status { return c.status }

// LastLines are the last lines the child wrote to stderr, oldest first, at most
// 20 lines and 8 KiB. Once the child ended it waits a moment for what is on its
// way.
func (c *Child) LastLines() []string {
	select {
	case <-c.exited:
		within(c.errors.done, 200*time.Millisecond)
	default:
	}
	return c.errors.lines()
}

// Stop ends the child in order: its stdin is closed, after w.Close it is asked
// to terminate (where the system can ask), after w.Term all of its tree is
// killed. It returns when nothing is left and the pipes are closed; it may be
// called twice, and from several goroutines.
func (c *Child) Stop(w Waits) error {
	_ = c.in.Close() // a second close has no news
	defer c.release()
	if within(c.gone, w.Close) {
		return nil
	}
	if c.ask() == nil && within(c.gone, w.Term) {
		return nil
	}
	c.tree.kill()
	if within(c.gone, killWait) {
		return nil
	}
	c.tree.force()
	if within(c.gone, killWait) {
		return nil
	}
	return fmt.Errorf("process %d was killed and does not end", c.Pid)
}

// release closes the read ends and waits for the reader of stderr.
func (c *Child) release() {
	_ = c.out.Close()
	c.errors.close()
}

// within tells whether done is closed before the wait is over.
func within(done <-chan struct{}, wait time.Duration) bool {
	select {
	case <-done:
		return true
	default:
	}
	if wait <= 0 {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// newID makes an id that nobody guesses or meets twice.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never returns an error
	return hex.EncodeToString(b[:])
}
