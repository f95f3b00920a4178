package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
)

// exitWait is how long the end of a stream waits for the end of the program
// that closed it, so that the error can say how it ended. A request in flight
// waits for it (S-46: a second).
const exitWait = 700 * time.Millisecond

// stdioConn is a conversation with a child process.
//
// Recv reads the child's stdout in its caller's goroutine. A context that ends
// while Recv or Send waits ends the conversation for that direction: a message
// may have been cut. The caller then calls Close, which it must in any case.
type stdioConn struct {
	server   string
	log      *slog.Logger
	child    *platform.Child
	patience Patience
	secrets  []string // configured values, kept out of errors

	in    *jsonrpc.LineReader
	parts [][]byte // of a batch, not yet received
	ctx   watched  // of Recv
	junk  int      // lines dropped

	out     *jsonrpc.LineWriter
	life    <-chan struct{} // Done of the dial's context, watched since the dial
	sending atomic.Int64    // Sends with that context

	closing atomic.Bool
	close   func() error
}

// dialStdio starts the server's command. When it returns the program runs; what
// is sent before it reads waits in the pipe.
func dialStdio(ctx context.Context, s catalog.Server, o Options) (jsonrpc.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	command, err := stdioCommand(s)
	if err != nil {
		return nil, startFault(s, err)
	}
	child, err := platform.Start(command)
	if err != nil {
		return nil, startFault(s, err)
	}
	o.Log.Debug("server program started", "server", s.Name, "pid", child.Pid)
	c := &stdioConn{
		server: s.Name, log: o.Log, child: child, patience: o.Patience, secrets: secretsOf(s),
		in: jsonrpc.NewLineReader(child, o.MaxBytes), out: jsonrpc.NewLineWriter(child),
	}
	if c.patience == (Patience{}) {
		c.patience = OwnEnd
	}
	c.life = ctx.Done()
	unwatch := context.AfterFunc(ctx, func() {
		if c.sending.Load() > 0 {
			child.InterruptWrite()
		}
	})
	c.close = sync.OnceValue(func() error { unwatch(); return c.stop() })
	return c, nil
}

func stdioCommand(s catalog.Server) (platform.Command, error) {
	dir := s.Dir
	if dir != "" {
		full, err := filepath.Abs(dir)
		if err != nil {
			return platform.Command{}, err
		}
		dir = full
	}
	found, err := platform.FindCommand(s.Command, s.Env, dir)
	if err != nil {
		return platform.Command{}, err
	}
	env, err := platform.ChildEnviron(s.Env, found, dir)
	return platform.Command{Path: found.File, Args: s.Args, Env: env, Dir: dir}, err
}

// Recv returns the next message. Lines that are none, logs for one, are
// dropped; a refused answer fails its request alone.
func (c *stdioConn) Recv(ctx context.Context) (jsonrpc.Message, error) {
	if err := ctx.Err(); err != nil {
		return jsonrpc.Message{}, err
	}
	c.ctx.watch(ctx, c.child.Interrupt)
	for {
		m, err := c.next()
		if err == nil {
			return m, nil
		}
		var refused *jsonrpc.RefusedError
		if !errors.As(err, &refused) {
			c.ctx.forget()
			return jsonrpc.Message{}, c.ended(ctx, err)
		}
		if err := c.refused(refused); err != nil {
			return jsonrpc.Message{}, err
		}
	}
}

func (c *stdioConn) next() (jsonrpc.Message, error) {
	if len(c.parts) == 0 {
		return c.in.Next()
	}
	part := c.parts[0]
	c.parts = c.parts[1:]
	m, err := jsonrpc.Parse(part)
	var refused *jsonrpc.RefusedError
	if errors.As(err, &refused) && refused.Batch {
		inner := *refused
		inner.Batch = false // a batch in a batch is junk
		return m, &inner
	}
	return m, err
}

// refused tells what becomes of bytes that are no message: nil to go on, or
// what Recv returns.
func (c *stdioConn) refused(r *jsonrpc.RefusedError) error {
	switch {
	case r.Batch:
		parts, err := jsonrpc.Split(r.Raw)
		if err == nil {
			c.parts = parts
			return nil
		}
	case r.Reply != "" && r.Size:
		return &jsonrpc.CallError{ID: r.Reply, Err: fault.New(fault.MessageTooLarge, c.server).
			With("the server's answer is larger than the limit")}
	case r.Reply != "":
		return &jsonrpc.CallError{ID: r.Reply, Err: fault.New(fault.ProtocolError, c.server).Because(r)}
	case r.ID != "":
		return r
	}
	c.junk++
	c.log.Debug("line of the server dropped", "server", c.server, "reason", r.Reason, "dropped", c.junk)
	return nil
}

// Send writes the message to the child's stdin. It waits while the child does
// not read, until ctx ends.
func (c *stdioConn) Send(ctx context.Context, m jsonrpc.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-c.child.Exited():
		return c.ended(ctx, io.ErrClosedPipe)
	default:
	}
	switch ctx.Done() {
	case nil:
	case c.life: // a conversation's messages all come with one context
		c.sending.Add(1)
		defer c.sending.Add(-1)
		if err := ctx.Err(); err != nil {
			return err // it ended before sending was seen
		}
	default:
		stop := context.AfterFunc(ctx, c.child.InterruptWrite)
		defer stop()
	}
	if err := c.out.Write(m); err != nil {
		return c.ended(ctx, err)
	}
	return nil
}

// Close ends the program and all it started, in the order and with the patience
// of the options, and wakes Recv.
func (c *stdioConn) Close() error {
	c.closing.Store(true)
	return c.close()
}

func (c *stdioConn) stop() error {
	err := c.child.Stop(platform.Waits{Close: c.patience.Close, Term: c.patience.Term})
	if err != nil {
		c.log.Warn("server program not ended", "server", c.server, "err", err)
		return err
	}
	c.log.Debug("server program ended", "server", c.server, "status", c.child.Status().String())
	return nil
}

// watched has a function called when the context of a call ends. Calls with the
// same context, as those of a pump are, register it once.
type watched struct {
	done <-chan struct{}
	stop func() bool
}

func (w *watched) watch(ctx context.Context, wake func()) {
	done := ctx.Done()
	if done == w.done {
		return
	}
	w.forget()
	w.done, w.stop = done, context.AfterFunc(ctx, wake)
}

// forget takes the registration back: a context may live longer than we.
func (w *watched) forget() {
	if w.stop != nil {
		w.stop()
	}
	w.done, w.stop = nil, nil
}
