package session

import (
	"context"
	"sync"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/era"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/upstream"
)

// A program that ends again and again is not started more than startsMost times
// within startsSpan (S-45); the next message after that may start it.
const (
	startsMost = 5
	startsSpan = time.Minute
)

// dialer gives the relay its way to the server.
func dialer(s catalog.Server, o upstream.Options) func(context.Context) (jsonrpc.Conn, error) {
	reach := func(ctx context.Context) (jsonrpc.Conn, error) {
		c, err := upstream.Dial(ctx, s, o)
		if err != nil {
			return nil, err
		}
		return era.Up(c, s.Name, o.Log), nil
	}
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
		if err == nil {
			t.note(time.Now())
		}
		return conn, err
	}
}

// starts remembers when a program was started.
type starts struct {
	mu sync.Mutex
	at []time.Time
}

// note remembers a start.
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
