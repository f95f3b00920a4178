// Package era carries conversations between the two eras of MCP: the one that
// opens with initialize (up to 2025-11-25) and the stateless one (2026-07-28).
//
// Its Conn takes a client's messages of either era at the same time and gives
// each request an answer of the request's own era, whatever the server speaks.
// It promises that a conversation within one era is not touched: its messages
// pass as they came. Across eras what has to change is spliced and every other
// byte stays. A process at the other end hears one era only; where a client
// uses both and the server does not speak both, there are two processes.
//
// A server of the initialize era does not say in which of two open calls it asks
// for input, so calls in which it might ask take turns in a session (turns.go);
// nobody is asked for what another call wants to know. One session serves one
// client program with one set of capabilities. Tasks are carried over both ways:
// those of 2025-11-25, and the extension of 2026-07-28.
//
// What a server speaks is found out once and is in its Memory; a caller that keeps
// what Found says spares the next process the question.
//
// What the HTTP transports make of the eras (headers, statuses, streams) is left
// to packages upstream and downstream, what survives a lost server to relay.
package era

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Options are what a conversation needs to know of its server.
type Options struct {
	Server   string // its name, for errors
	Log      *slog.Logger
	Dial     func(context.Context) (jsonrpc.Conn, error)
	Child    bool    // a process of our own is at the other end
	Protocol string  // auto or "", legacy, modern, or a version
	Memory   *Memory // of this server; nil is one for this conversation
}

// The time limits of finding out what a server speaks.
const (
	childProbe  = 1500 * time.Millisecond // a program's answer to server/discover
	remoteProbe = 5 * time.Second         // a server's over HTTP
	greetLimit  = 30 * time.Second        // answers to what is asked here
)

// Open reaches the server and gives the conversation with it.
func Open(ctx context.Context, o Options) (jsonrpc.Conn, error) {
	first, err := o.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(ctx, first, o), nil
}

func newConn(ctx context.Context, first jsonrpc.Conn, o Options) *conn {
	if o.Memory == nil {
		o.Memory = &Memory{}
	}
	o.Memory.settle(o.Protocol)
	c := &conn{
		Options: o, spare: first,
		in: make(chan arrival), wake: make(chan struct{}, 1), written: make(chan struct{}, 1),
		own: map[jsonrpc.ID]*errand{}, downs: map[string]*lane{}, seals: map[string]*downCall{},
	}
	c.life, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// conn is one conversation. What comes from a server is handled where Recv is
// called, one message after another; what goes to a server through the lane's
// own writer, so that neither direction waits for the other.
//
// While one lane is all there is and nothing is translated, direct is set:
// then messages take neither queue nor lock.
type conn struct {
	Options
	life context.Context // ends with Close; what Send starts outlives Send
	stop context.CancelFunc
	wg   sync.WaitGroup

	direct   atomic.Pointer[lane]
	watching atomic.Bool  // an answer on the direct lane decides something
	ready    atomic.Int32 // len(near)
	in       chan arrival // from lanes that have a reader
	wake     chan struct{}
	written  chan struct{}
	claimed  *lane // read by Recv itself; only Recv's caller uses it

	mu        sync.Mutex
	closed    bool
	receiving bool // Recv's goroutine holds mu
	near      []item
	spare     jsonrpc.Conn // dialled and not used yet
	unused    *lane        // probed, and not opened by any initialize yet
	lanes     []*lane
	serial    int
	own       map[jsonrpc.ID]*errand

	plain     *lane                // opened by the client's own initialize
	hello     jsonrpc.Message      // that initialize, while it has no answer
	modern    *lane                // a stateless server
	up        *up                  // the client's initialize conversation on it
	downs     map[string]*lane     // by who they speak for
	seals     map[string]*downCall // held calls by the handle in their state
	probing   *probing
	ahead     jsonrpc.Message   // the answer to our discover, for who waited for it
	held      []jsonrpc.Message // wait for the server's era
	stateless bool              // the client has sent a request of 2026-07-28
	denied    bool              // the server has said that it does not serve those
}

// item is what Recv returns.
type item struct {
	msg jsonrpc.Message
	err error
}

// arrival is what came on a lane.
type arrival struct {
	lane *lane
	item
}

// Send takes the client's next message.
func (c *conn) Send(ctx context.Context, m jsonrpc.Message) error {
	if l := c.direct.Load(); l != nil && !c.watching.Load() && l.queued.Load() == 0 && l.takes(m) {
		return l.conn.Send(ctx, m)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return io.ErrClosedPipe
	}
	c.routeLocked(m)
	c.mu.Unlock()
	return c.room(ctx)
}

// takes tells whether a message may go straight to this lane.
func (l *lane) takes(m jsonrpc.Message) bool {
	if m.Kind() != jsonrpc.Request {
		return true
	}
	switch l.passes.Load() {
	case passesGreeted:
		return !isStateless(m) && m.Method() != mcp.MethodInitialize
	case passesStateless:
		return isStateless(m)
	default:
		return false
	}
}

// queueMost is how many messages may wait for the servers before Send waits.
const queueMost = 256

// room waits until not too much is queued.
func (c *conn) room(ctx context.Context) error {
	for {
		c.mu.Lock()
		n := 0
		for _, l := range c.lanes {
			if l.conn != nil {
				n += len(l.out)
			}
		}
		c.mu.Unlock()
		if n <= queueMost {
			return nil
		}
		select {
		case <-c.written:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.life.Done():
			return io.ErrClosedPipe
		}
	}
}

// Recv gives the client's side its next message.
func (c *conn) Recv(ctx context.Context) (jsonrpc.Message, error) {
	for {
		if c.ready.Load() > 0 {
			i := c.pop()
			return i.msg, i.err
		}
		l := c.direct.Load()
		if c.claimed != nil && c.claimed != l {
			c.handOver(c.claimed)
			c.claimed = nil
		}
		if l != nil && l.claim() {
			c.claimed = l
			m, err := l.conn.Recv(ctx)
			if err == nil && !c.watching.Load() && c.direct.Load() == l {
				return m, nil
			}
			if err != nil && ctx.Err() != nil {
				return m, err
			}
			c.arrived(arrival{l, item{m, err}})
			if err != nil && !isOne(err) { // nothing will come on it any more
				l.reader.Store(byPump)
				c.direct.CompareAndSwap(l, nil)
			}
			continue
		}
		select {
		case a := <-c.in:
			c.arrived(a)
		case <-c.wake:
		case <-c.life.Done():
			return jsonrpc.Message{}, io.EOF
		case <-ctx.Done():
			return jsonrpc.Message{}, ctx.Err()
		}
	}
}

func (c *conn) pop() item {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.near[0]
	c.near = c.near[1:]
	c.ready.Store(int32(len(c.near)))
	return i
}

// toNearLocked gives the client's side a message or an error. When Recv reads
// the direct lane itself, something has to come on that lane first.
func (c *conn) toNearLocked(m jsonrpc.Message) { c.giveLocked(item{msg: m}) }

func (c *conn) giveLocked(i item) {
	c.near = append(c.near, i)
	c.ready.Store(int32(len(c.near)))
	if c.receiving {
		return
	}
	c.pumpLocked()
	c.signal()
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// failLocked answers a request with an error of ours.
func (c *conn) failLocked(id jsonrpc.ID, err error) {
	c.giveLocked(item{err: &jsonrpc.CallError{ID: id, Err: err}})
}

// refuseLocked answers a request with an error of the protocol.
func (c *conn) refuseLocked(id jsonrpc.ID, code int, text string, data []byte) {
	c.toNearLocked(jsonrpc.NewError(id, code, text, data))
}

// Close ends every lane and waits for what it started.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.wg.Wait()
		return nil
	}
	c.closed = true
	var conns []jsonrpc.Conn
	for _, l := range c.lanes {
		l.retired = true
		if l.conn != nil {
			conns = append(conns, l.conn)
		}
		l.stopTimers()
	}
	if c.spare != nil {
		conns = append(conns, c.spare)
	}
	if c.probing != nil {
		c.probing.timer.Stop()
	}
	for _, e := range c.own {
		e.timer.Stop()
	}
	if c.up != nil {
		c.up.stopTimers()
	}
	c.mu.Unlock()
	err := closeAll(conns)
	c.stop()
	c.wg.Wait()
	return err
}

// closeAll closes at once: each child has its own patience.
func closeAll(conns []jsonrpc.Conn) error {
	if len(conns) == 1 {
		return conns[0].Close()
	}
	var wg sync.WaitGroup
	errs := make([]error, len(conns))
	for i, far := range conns {
		wg.Go(func() { errs[i] = far.Close() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
