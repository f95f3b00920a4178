package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"drawbridge/build/bench/proc"
	"drawbridge/build/bench/wire"
)

// Command is what to run: its words and its whole environment.
type Command struct {
	Args []string
	Env  []string
}

// Stdio is one running stdio MCP server: for the bench, a bridge.
type Stdio struct {
	Started time.Time

	// OnRequest answers the server's requests (nil: method not found) and
	// OnNotification sees its notifications. Both are set before the first call.
	OnRequest      func(wire.Message) []byte
	OnNotification func(wire.Message)

	cmd     *exec.Cmd
	in      io.WriteCloser
	writeMu sync.Mutex // guards in
	wait    *waiting
	next    atomic.Int64
	blocked atomic.Int64  // long writes under way
	closed  chan struct{} // stdout reached its end
	exited  chan struct{}
	stderr  tail

	mu      sync.Mutex
	pids    []int    // seen in the tree, also those that left it since
	garbage []string // stdout lines that are not JSON-RPC
}

// StartStdio runs the command. It ends with ctx at the latest.
func StartStdio(ctx context.Context, command Command) (*Stdio, error) {
	s := &Stdio{wait: newWaiting(), closed: make(chan struct{}), exited: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, command.Args[0], command.Args[1:]...)
	s.cmd.Env = command.Env
	s.cmd.Stderr = &s.stderr
	s.cmd.WaitDelay = 2 * time.Second
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.in = in
	// A pipe of our own: with StdoutPipe, Wait would close it before it is read.
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stdout = theirs
	s.Started = time.Now()
	err = s.cmd.Start()
	_ = theirs.Close() // only the child's copy counts
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	go s.read(out) // ends with the child's stdout, see closed
	go func() {
		_ = s.cmd.Wait() // how it ended is read from ProcessState
		close(s.exited)
	}()
	return s, nil
}

// PID is the process id of the command.
func (s *Stdio) PID() int { return s.cmd.Process.Pid }

// ExitCode is the exit code after Exited was closed; -1 when killed by a signal.
func (s *Stdio) ExitCode() int { return s.cmd.ProcessState.ExitCode() }

// Exited is closed when the process has ended.
func (s *Stdio) Exited() <-chan struct{} { return s.exited }

// Stderr returns the end of what the command wrote to stderr.
func (s *Stdio) Stderr() string { return s.stderr.String() }

// Unasked counts answers that no call waited for.
func (s *Stdio) Unasked() int64 { return s.wait.unasked.Load() }

// Garbage returns the stdout lines that were not JSON-RPC, shortened.
func (s *Stdio) Garbage() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.garbage...)
}

func (s *Stdio) read(r io.ReadCloser) {
	defer close(s.closed)
	defer r.Close()
	br := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := br.ReadBytes('\n')
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			s.receive(line)
		}
		if err != nil {
			return
		}
	}
}

func (s *Stdio) receive(line []byte) {
	m, err := wire.Scan(line)
	switch {
	case err != nil || (!m.IsResponse() && m.Method == ""):
		s.mu.Lock()
		s.garbage = append(s.garbage, string(line[:min(len(line), 200)]))
		s.mu.Unlock()
	case m.IsResponse():
		s.wait.deliver(m)
	case m.IsRequest():
		go func() { _ = s.Write(answer(s.OnRequest, m)) }() // a failed write ends the next call too
	case s.OnNotification != nil:
		s.OnNotification(m)
	}
}

func answer(f func(wire.Message) []byte, m wire.Message) []byte {
	if f != nil {
		if b := f(m); b != nil {
			return b
		}
	}
	return wire.Error(m.ID, -32601, "not supported by the bench client")
}

// Write sends one raw line.
func (s *Stdio) Write(line []byte) error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	_, err := s.in.Write(append(line, '\n'))
	return err
}

// Call sends a request and waits for its answer.
func (s *Stdio) Call(ctx context.Context, method, params string) (wire.Message, error) {
	id := s.next.Add(1)
	return s.CallRaw(ctx, strconv.FormatInt(id, 10), wire.Request(id, method, params))
}

// CallRaw sends a prepared line and waits for the answer with this raw id.
func (s *Stdio) CallRaw(ctx context.Context, id string, line []byte) (wire.Message, error) {
	ch := s.wait.add(id)
	if err := s.send(line); err != nil {
		s.wait.drop(id)
		return wire.Message{}, fmt.Errorf("%w: %v", ErrGone, err)
	}
	select {
	case m := <-ch:
		return m, nil
	case <-s.closed:
		select {
		case m := <-ch:
			return m, nil
		default:
			return wire.Message{}, ErrGone
		}
	case <-ctx.Done():
		s.wait.drop(id)
		return wire.Message{}, ErrTimeout
	}
}

// send writes a line that fits the pipe here; a longer one may block for ever on
// a process that stopped reading, so it is written aside.
func (s *Stdio) send(line []byte) error {
	if len(line) <= 16<<10 && s.blocked.Load() == 0 {
		return s.Write(line)
	}
	s.blocked.Add(1)
	go func() {
		_ = s.Write(line) // the wait for the answer reports the closed connection
		s.blocked.Add(-1)
	}()
	return nil
}

// CallFor is Call with a time limit.
func (s *Stdio) CallFor(limit time.Duration, method, params string) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.Call(ctx, method, params)
}

// Init performs the handshake and returns the initialize answer.
func (s *Stdio) Init(limit time.Duration, version string) (wire.Message, error) {
	m, err := s.CallFor(limit, "initialize", InitParams(version))
	if err != nil {
		return m, err
	}
	if m.Error != nil {
		return m, &InitError{string(m.Error)}
	}
	return m, s.Write(wire.Notification("notifications/initialized", ""))
}

// Tool calls a tool and returns its text.
func (s *Stdio) Tool(limit time.Duration, name, args string) (string, error) {
	m, err := s.CallFor(limit, "tools/call", CallParams(name, args))
	if err != nil {
		return "", err
	}
	return ToolText(m)
}

// Usage measures the process tree and remembers its pids.
func (s *Stdio) Usage() proc.Usage {
	s.remember()
	return proc.Measure(s.PID())
}

// CPU is the processor time that the tree has used, in seconds.
func (s *Stdio) CPU() float64 { return proc.Measure(s.PID()).CPU }

// remember notes the tree's pids; it returns all that were ever seen.
func (s *Stdio) remember() []int {
	tree := proc.Tree(s.PID())
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[int]bool{}
	for _, pid := range s.pids {
		known[pid] = true
	}
	for _, pid := range tree {
		if !known[pid] {
			s.pids = append(s.pids, pid)
		}
	}
	return append([]int(nil), s.pids...)
}

// Exit is how a command ended.
type Exit struct {
	How  How     `json:"how"`
	MS   float64 `json:"ms"`   // from the close or the signal to the end
	Code int     `json:"code"` // exit code; -1 when killed by a signal
	Left int     `json:"left"` // processes of its tree that were alive after it
}

// How says what it took to end a command.
type How string

const (
	ByEOF    How = "stdin-eof"
	BySignal How = "sigterm"
	ByKill   How = "sigkill"
	ByItself How = "already gone"
)

// signalPatience is how long a command that ignores the end of its stdin may
// take for SIGTERM.
const signalPatience = 3 * time.Second

// Close closes stdin, waits, and escalates to SIGTERM and SIGKILL.
func (s *Stdio) Close(patience time.Duration) Exit {
	pids := s.remember()
	how := ByEOF
	select {
	case <-s.exited:
		how = ByItself
	default:
	}
	start := time.Now()
	_ = s.in.Close() // it may be closed already, or broken
	if !s.waitExit(patience) {
		return s.Terminate(signalPatience)
	}
	return s.ended(how, start, pids)
}

// Terminate sends SIGTERM and escalates to SIGKILL.
func (s *Stdio) Terminate(patience time.Duration) Exit {
	pids := s.remember()
	how, start := BySignal, time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil { // Windows knows no such signal
		how = ByKill
		proc.Kill(pids)
	}
	if !s.waitExit(patience) {
		how, start = ByKill, time.Now()
		proc.Kill(pids)
		<-s.exited
	}
	_ = s.in.Close() // nobody reads it any more
	return s.ended(how, start, pids)
}

func (s *Stdio) waitExit(d time.Duration) bool {
	select {
	case <-s.exited:
		return true
	case <-time.After(d):
		return false
	}
}

// ended fills the report and ends what the command left behind.
func (s *Stdio) ended(how How, start time.Time, pids []int) Exit {
	e := Exit{How: how, MS: float64(time.Since(start)) / 1e6, Code: s.ExitCode()}
	left := proc.Left(pids, 300*time.Millisecond)
	e.Left = len(left)
	proc.Kill(left)
	return e
}

// Kill ends the whole tree at once.
func (s *Stdio) Kill() {
	pids := s.remember()
	_ = s.cmd.Process.Kill() // it may have ended by itself
	proc.Kill(pids)
	<-s.exited
	_ = s.in.Close() // nobody reads it any more
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 64<<10 {
		t.b = t.b[len(t.b)-32<<10:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
