package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/era"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// A program that has ended by itself startsMost times within startsSpan is not
// started for the rest of it (S-45); the next message after that may start it.
const (
	startsMost = 5
	startsSpan = time.Minute
)

// dialer gives the relay its way to the server, whichever era each side speaks.
func dialer(s catalog.Server, o upstream.Options, known *era.Memory) func(context.Context) (jsonrpc.Conn, error) {
	eo := era.Options{
		Server: s.Name, Log: o.Log, Dial: reacher(s, o),
		Child: s.Transport == catalog.Stdio, Protocol: s.Protocol, Memory: known,
	}
	if s.Transport == catalog.SSE && s.Protocol == "" {
		eo.Protocol = era.Legacy // the transport of 2024-11-05
	}
	return func(ctx context.Context) (jsonrpc.Conn, error) { return era.Open(ctx, eo) }
}

// reacher opens one connection to the server.
func reacher(s catalog.Server, o upstream.Options) func(context.Context) (jsonrpc.Conn, error) {
	reach := func(ctx context.Context) (jsonrpc.Conn, error) { return upstream.Dial(ctx, s, o) }
	if s.Transport != catalog.Stdio {
		return reach
	}
	t := &starts{}
	return func(ctx context.Context) (jsonrpc.Conn, error) {
		if wait := t.wait(time.Now()); wait > 0 {
			return nil, fault.New(fault.CommandExited, s.Name).
				With("the server program ended %d times within a minute and is not started again for %d s", startsMost, int(wait.Seconds())+1)
		}
		conn, err := reach(ctx)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: conn, starts: t}, nil
	}
}

// watched is a conversation with a program whose end is noted, unless it is we
// who end it.
type watched struct {
	jsonrpc.Conn
	starts *starts
	ended  atomic.Bool
}

func (w *watched) Recv(ctx context.Context) (jsonrpc.Message, error) {
	m, err := w.Conn.Recv(ctx)
	if err != nil && ctx.Err() == nil {
		w.see(err)
	}
	return m, err
}

func (w *watched) Send(ctx context.Context, m jsonrpc.Message) error {
	err := w.Conn.Send(ctx, m)
	if err != nil && ctx.Err() == nil {
		w.see(err)
	}
	return err
}

// see notes an error that is the end of the conversation.
func (w *watched) see(err error) {
	var call *jsonrpc.CallError
	var refused *jsonrpc.RefusedError
	if !errors.As(err, &call) && !errors.As(err, &refused) && !w.ended.Swap(true) {
		w.starts.note(time.Now())
	}
}

func (w *watched) Close() error {
	w.ended.Store(true)
	return w.Conn.Close()
}

// starts remembers when a program ended, and would have to be started again.
type starts struct {
	mu sync.Mutex
	at []time.Time
}

// note remembers an end.
func (t *starts) note(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = append(t.at, now)
}

// wait tells how long the next start has to wait.
func (t *starts) wait(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.at) > 0 && now.Sub(t.at[0]) >= startsSpan {
		t.at = t.at[1:]
	}
	if len(t.at) < startsMost {
		return 0
	}
	return startsSpan - now.Sub(t.at[0])
}
