package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// probeLimit is how long the fall back waits for an endpoint event.
const probeLimit = 3 * time.Second

// auto finds out which of the two transports the server speaks, as MCP
// 2025-03-26 says: the first message is posted, and on 400, 404 or 405 without
// a JSON-RPC answer the same address is asked for an event stream. It decides
// only by answers: a server that is down at first is asked again with the next
// message. The refusal of a stateless request says nothing: that may be how a
// server refuses the era, and one that then holds an event stream open without
// a word would be waited for.
type auto struct {
	first *streamable
	old   *legacy
	found atomic.Pointer[found] // nil while undecided

	mu    sync.Mutex
	kept  map[jsonrpc.ID]jsonrpc.Message // requests sent while undecided
	tasks sync.WaitGroup
}

type found struct {
	conn jsonrpc.Conn
	kind catalog.Transport
}

func newAuto(ctx context.Context, l, old *link) *auto {
	return &auto{first: newStreamable(ctx, l), old: newSSE(ctx, old), kept: map[jsonrpc.ID]jsonrpc.Message{}}
}

// Transport tells which one the server speaks, catalog.Auto until it answered.
func (a *auto) Transport() catalog.Transport {
	if f := a.found.Load(); f != nil {
		return f.kind
	}
	return catalog.Auto
}

// Send goes by streamable HTTP until it is known that the server does not.
func (a *auto) Send(ctx context.Context, m jsonrpc.Message) error {
	if f := a.found.Load(); f != nil {
		return f.conn.Send(ctx, m)
	}
	a.mu.Lock()
	if f := a.found.Load(); f != nil {
		a.mu.Unlock()
		return f.conn.Send(ctx, m)
	}
	if m.Kind() == jsonrpc.Request {
		a.kept[m.ID()] = m
	}
	a.mu.Unlock()
	return a.first.Send(ctx, m)
}

// Recv returns the server's next message, and decides on the way.
func (a *auto) Recv(ctx context.Context) (jsonrpc.Message, error) {
	for {
		if f := a.found.Load(); f != nil {
			return f.conn.Recv(ctx)
		}
		m, err := a.first.Recv(ctx)
		var failed *jsonrpc.CallError
		switch {
		case err == nil:
			a.decide(a.first, catalog.HTTP)
			return m, nil
		case errors.As(err, &failed) && a.looksOld(failed) && !a.isStateless(failed.ID) && a.tryOld(ctx, failed.ID):
			continue
		case failed != nil:
			a.forget(failed.ID)
		}
		return m, err
	}
}

// looksOld tells whether a refusal fits a server that takes no POST there.
func (a *auto) looksOld(failed *jsonrpc.CallError) bool {
	var s *statusError
	if !errors.As(failed, &s) || s.rpc {
		return false
	}
	return s.code == http.StatusBadRequest || s.code == http.StatusNotFound || s.code == http.StatusMethodNotAllowed
}

// isStateless tells whether a request under way is of 2026-07-28.
func (a *auto) isStateless(id jsonrpc.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := jsonrpc.Member(a.kept[id].Meta(), mcp.MetaVersion)
	return ok
}

// tryOld asks for an event stream; if it comes, the refused request is sent
// again there, and so are others under way.
func (a *auto) tryOld(ctx context.Context, id jsonrpc.ID) bool {
	if err := a.old.connect(probeLimit); err != nil {
		a.first.log.Debug("no event stream either", "server", a.first.name, "err", err)
		return false
	}
	kept := a.decide(a.old, catalog.SSE)
	a.tasks.Go(func() { a.drain(kept) })
	return a.old.Send(ctx, kept[id]) == nil
}

// decide settles the transport and gives back the requests under way.
func (a *auto) decide(conn jsonrpc.Conn, kind catalog.Transport) map[jsonrpc.ID]jsonrpc.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.kept
	a.kept = nil
	a.found.Store(&found{conn, kind})
	return kept
}

func (a *auto) forget(id jsonrpc.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kept, id)
}

// drain moves the requests that were posted before the decision over to the
// event stream, as their refusals come in, until Close.
func (a *auto) drain(kept map[jsonrpc.ID]jsonrpc.Message) {
	ctx := a.first.life
	for {
		m, err := a.first.Recv(ctx)
		var failed *jsonrpc.CallError
		switch {
		case err == nil:
			a.old.put(arrival{msg: m})
		case !errors.As(err, &failed):
			return
		case a.looksOld(failed) && kept[failed.ID].Kind() == jsonrpc.Request:
			if a.old.Send(ctx, kept[failed.ID]) != nil {
				return
			}
		default:
			a.old.put(arrival{err: failed})
		}
	}
}

// Close ends both conversations, of which one was never used.
func (a *auto) Close() error {
	err := errors.Join(a.first.Close(), a.old.Close())
	a.tasks.Wait()
	return err
}

var _ io.Closer = (*auto)(nil)
