// Package era lets a client that opens with initialize use a server that speaks
// 2026-07-28 only.
//
// It promises that a server of the client's own era is not touched: messages
// pass as they came, and no probe is sent. Only when a server refuses
// initialize as a modern one does, the conversation is carried over: discover in
// the place of initialize, and each request says what initialize had said once.
// What is added is spliced in; every other byte stays. The server is told of no
// capability it could ask the client for, so it asks for nothing.
package era

import (
	"context"
	"log/slog"
	"sync"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Codes by which a modern server refuses initialize (MCP 2026-07-28, Versioning
// and Transports).
const (
	codeHeaderMismatch = "-32020"
	codeMissingNeed    = "-32021"
	codeVersion        = "-32022"
	codeMethod         = "-32601"
)

// discoverID is the id of our own server/discover.
const discoverID = jsonrpc.ID(`"drawbridge:discover"`)

// state of a conversation.
type state string

const (
	plain  state = "plain"  // messages pass as they came
	asking state = "asking" // initialize was refused, discover is under way
	modern state = "modern" // carried over
)

// Up gives the conversation with a server of either era in the client's.
func Up(c jsonrpc.Conn, server string, log *slog.Logger) jsonrpc.Conn {
	return &conn{Conn: c, server: server, log: log, state: plain}
}

type conn struct {
	jsonrpc.Conn
	server string
	log    *slog.Logger

	mu      sync.Mutex
	state   state
	hello   jsonrpc.Message // the client's initialize, until answered in plain
	refusal jsonrpc.Message // the server's answer to it
	held    []jsonrpc.Message
	meta    meta

	pump   sync.Once
	in     chan arrival
	local  chan jsonrpc.Message
	done   chan struct{}
	closed sync.Once
	wg     sync.WaitGroup
}

type arrival struct {
	msg jsonrpc.Message
	err error
}

// Send passes the message on in the server's era.
func (c *conn) Send(ctx context.Context, m jsonrpc.Message) error {
	c.mu.Lock()
	switch c.state {
	case plain:
		if m.Kind() == jsonrpc.Request && m.Method() == mcp.MethodInitialize {
			c.hello = m
		}
		c.mu.Unlock()
		return c.Conn.Send(ctx, m)
	case asking:
		c.held = append(c.held, m)
		c.mu.Unlock()
		return nil
	case modern:
		c.mu.Unlock()
		return c.sendModern(ctx, m)
	default:
		panic("era: state " + string(c.state))
	}
}

// Recv returns the server's next message in the client's era.
func (c *conn) Recv(ctx context.Context) (jsonrpc.Message, error) {
	for {
		m, err := c.next(ctx)
		if err != nil {
			return c.failed(m, err)
		}
		if m.Kind() != jsonrpc.Response {
			return m, nil
		}
		out, ready, err := c.answer(ctx, m)
		if ready || err != nil {
			return out, err
		}
	}
}

// next reads the server itself as long as nothing is answered here.
func (c *conn) next(ctx context.Context) (jsonrpc.Message, error) {
	c.mu.Lock()
	in, local := c.in, c.local
	c.mu.Unlock()
	if in == nil {
		return c.Conn.Recv(ctx)
	}
	select {
	case a := <-in:
		return a.msg, a.err
	case m := <-local:
		return m, nil
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	}
}

// answer judges a response: passed on, or one of the handshake.
func (c *conn) answer(ctx context.Context, m jsonrpc.Message) (out jsonrpc.Message, ready bool, err error) {
	c.mu.Lock()
	st, hello := c.state, c.hello
	switch {
	case st == plain && hello.Kind() != "" && m.ID() == hello.ID():
		if !refusesEra(m) {
			c.hello = jsonrpc.Message{}
			break
		}
		c.state, c.refusal = asking, m
		c.mu.Unlock()
		c.log.Info("server speaks the stateless protocol only, carrying the conversation over", "server", c.server)
		return m, false, c.discover(ctx)
	case st != plain && m.ID() == discoverID:
		c.mu.Unlock()
		return c.discovered(ctx, m)
	}
	c.mu.Unlock()
	if st == modern && asksBack(m) {
		e := fault.New(fault.ProtocolError, c.server).With("the server asks the client for input that it was not offered")
		return m, true, &jsonrpc.CallError{ID: m.ID(), Err: e}
	}
	return m, true, nil
}

// failed passes an error on; a discover that got no answer leaves the client
// with the server's own refusal.
func (c *conn) failed(m jsonrpc.Message, err error) (jsonrpc.Message, error) {
	e, ok := err.(*jsonrpc.CallError)
	if !ok || e.ID != discoverID {
		return m, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == modern { // a repeated handshake
		return jsonrpc.Message{}, &jsonrpc.CallError{ID: c.hello.ID(), Err: e.Err}
	}
	return c.giveUpLocked(), nil
}

// giveUpLocked goes back to plain and returns the answer the client gets.
func (c *conn) giveUpLocked() jsonrpc.Message {
	c.state, c.hello, c.held = plain, jsonrpc.Message{}, nil
	return c.refusal
}

// refusesEra tells whether an answer to initialize is a modern server's.
func refusesEra(m jsonrpc.Message) bool {
	if m.Error() == nil {
		return false
	}
	code, _ := jsonrpc.Member(m.Error(), "code")
	switch string(code) {
	case codeHeaderMismatch, codeMissingNeed, codeVersion, codeMethod:
		return true
	}
	return false
}

// asksBack tells whether a result is a request for input.
func asksBack(m jsonrpc.Message) bool {
	if m.Result() == nil {
		return false
	}
	v, _ := jsonrpc.Member(m.Result(), "resultType")
	return string(v) == `"input_required"`
}

// Close ends the conversation and waits for what it started.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	done := c.done
	c.mu.Unlock()
	if done != nil {
		c.closed.Do(func() { close(done) })
		c.wg.Wait()
	}
	return err
}
