package downstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Stdio is the conversation with the process that started us: one message a
// line on in and out. Bad lines are answered here and never come out of Recv,
// but for a bad answer to a request of the server: Recv gives an error answer
// in its place. The end of in is io.EOF; Send works on until Close.
//
// Recv reads in the goroutine of its caller. Close and the end of its context
// wake it when in is an open file or connection that takes a read deadline, or
// an io.Closer whose Close wakes a Read; a blocking descriptor such as a plain
// os.Stdin stays in Read until the next line or the end of the stream.
// maxBytes of 0 is jsonrpc.MaxBytes.
func Stdio(in io.Reader, out io.Writer, maxBytes int, log *slog.Logger) jsonrpc.Conn {
	if maxBytes == 0 {
		maxBytes = jsonrpc.MaxBytes
	}
	return &stdio{
		in: in, lines: jsonrpc.NewLineReader(in, maxBytes), out: jsonrpc.NewLineWriter(out),
		max: maxBytes, log: log,
	}
}

type stdio struct {
	in    io.Reader
	lines *jsonrpc.LineReader
	out   *jsonrpc.LineWriter
	max   int
	log   *slog.Logger

	closed atomic.Bool
	era    era

	// Only Recv's caller uses these.
	parts   [][]byte        // of a batch, not given out yet
	watched <-chan struct{} // the context whose end wakes Read
	stop    func() bool     // ends the watch

	closing sync.Once
}

func (c *stdio) Recv(ctx context.Context) (jsonrpc.Message, error) {
	c.watch(ctx)
	for {
		m, err := c.next()
		if err == nil {
			c.era.note(m)
			return m, nil
		}
		if m, ok := c.refused(err); ok {
			if m.Kind() != "" {
				return m, nil
			}
			continue
		}
		switch {
		case ctx.Err() != nil:
			return jsonrpc.Message{}, context.Cause(ctx)
		case c.closed.Load():
			return jsonrpc.Message{}, io.EOF
		default:
			return jsonrpc.Message{}, err
		}
	}
}

// watch arranges for the end of ctx to wake the Read. Callers use one context
// for all their calls, so this is done once.
func (c *stdio) watch(ctx context.Context) {
	if c.watched == ctx.Done() {
		return
	}
	if c.stop != nil {
		c.stop()
	}
	c.watched = ctx.Done()
	c.stop = context.AfterFunc(ctx, c.interrupt)
}

func (c *stdio) next() (jsonrpc.Message, error) {
	if len(c.parts) > 0 {
		part := c.parts[0]
		c.parts = c.parts[1:]
		m, err := jsonrpc.Parse(part)
		if r := (*jsonrpc.RefusedError)(nil); errors.As(err, &r) {
			r.Batch = false // a batch in a batch is not split again
		}
		return m, err
	}
	return c.lines.Next()
}

// refused deals with a line that is no message. It is false when err is
// something else; the message is what goes on in the line's place, if any.
func (c *stdio) refused(err error) (jsonrpc.Message, bool) {
	var r *jsonrpc.RefusedError
	if !errors.As(err, &r) {
		return jsonrpc.Message{}, false
	}
	if r.Batch && c.era.batches() {
		parts, err := jsonrpc.Split(r.Raw)
		if err == nil {
			c.parts = parts
			return jsonrpc.Message{}, true
		}
		errors.As(err, &r)
	}
	c.log.Debug("line of the client refused", "reason", r.Reason, "offset", r.Offset)
	code, text, data := describe(r, "", c.max).RPC()
	if err := c.out.Write(jsonrpc.NewError(r.ID, code, text, data)); err != nil {
		c.log.Debug("refusal not written", "err", err) // the next Send reports it
	}
	return answerRefused(r), true
}

func (c *stdio) Send(_ context.Context, m jsonrpc.Message) error {
	if c.closed.Load() {
		return io.ErrClosedPipe
	}
	c.era.answered(m)
	return c.out.Write(m)
}

func (c *stdio) Close() error {
	c.closed.Store(true)
	c.closing.Do(c.interrupt)
	return nil
}

// interrupt wakes a Read, where that is possible.
func (c *stdio) interrupt() {
	if d, ok := c.in.(interface{ SetReadDeadline(time.Time) error }); ok && d.SetReadDeadline(time.Unix(1, 0)) == nil {
		return
	}
	if cl, ok := c.in.(io.Closer); ok {
		_ = cl.Close() // there is nobody left to tell
	}
}

// describe makes of a refusal the error that its sender gets.
func describe(r *jsonrpc.RefusedError, subject string, limit int) *fault.Error {
	switch {
	case r.Size:
		return fault.New(fault.MessageTooLarge, subject).With("the message is larger than %s", sizeText(limit))
	case r.Code == jsonrpc.CodeParseError:
		return fault.New(fault.ParseError, subject).Because(r)
	case r.Batch:
		return fault.New(fault.InvalidRequest, subject).With("a batch is not a message in the protocol version of this conversation")
	default:
		return fault.New(fault.InvalidRequest, subject).Because(r)
	}
}

// answerRefused gives the server an error in the place of a client's answer
// that was refused, so that its request does not wait for ever. It is the zero
// Message when r was no answer.
func answerRefused(r *jsonrpc.RefusedError) jsonrpc.Message {
	if r.Reply == "" {
		return jsonrpc.Message{}
	}
	code, text, data := fault.New(fault.InvalidRequest, "client").With("the client's answer is not a valid message").Because(r).RPC()
	return jsonrpc.NewError(r.Reply, code, text, data)
}

// era watches which protocol version a conversation agreed on. Recv's and
// Send's callers may use it at the same time.
type era struct {
	mu      sync.Mutex
	asked   jsonrpc.ID // of the initialize under way
	version string
	pending atomic.Bool // an initialize is under way
}

// note sees a client's message pass.
func (e *era) note(m jsonrpc.Message) {
	if m.Kind() != jsonrpc.Request || m.Method() != mcp.MethodInitialize {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = m.ID()
	e.pending.Store(true)
}

// answered sees a message to the client pass.
func (e *era) answered(m jsonrpc.Message) {
	if !e.pending.Load() || m.Kind() != jsonrpc.Response {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.ID() != e.asked {
		return
	}
	e.pending.Store(false)
	if v, ok := jsonrpc.Member(m.Result(), "protocolVersion"); ok {
		e.version, _ = jsonrpc.String(v) // what is no string is no version
	}
}

// agreed is the version, "" before there is one.
func (e *era) agreed() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version
}

// batches tells whether an array of messages may come: MCP had batches in one
// version only.
func (e *era) batches() bool { return e.agreed() == mcp.V2025_03_26 }
