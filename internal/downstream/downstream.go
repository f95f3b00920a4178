// Package downstream is reached by MCP clients and gives each conversation as
// a Conn: the process's own stdin and stdout, or sessions on a loopback HTTP
// port that serves streamable HTTP and HTTP+SSE side by side.
//
// It promises that a bad line or body is answered and survived, that no request
// from a foreign page, host or user reaches a Conn, that a message goes out once
// and in order and is kept a while for a client whose stream broke, and that a
// client that is gone is noticed. What happens in a conversation is left to
// package relay.
//
// Clients of the stateless era (2026-07-28) are served beside the others, at
// the same paths; each request decides for itself. They share one conversation,
// in which their requests are told apart by names of our own, and their headers
// are compared with what the body says before it is handed on.
//
// The same user is told by the system on Linux and Windows. Elsewhere the key
// has to do, and a foreground proxy, which has none, is open to other users of
// the computer.
package downstream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"drawbridge/internal/jsonrpc"
)

// HTTP serves sessions on a loopback listener.
type HTTP struct {
	Name    string                                                 // the server's name, for errors
	Key     string                                                 // capability; "" asks for none (a foreground proxy)
	Origins []string                                               // more Origin values to accept, exact
	Serve   func(ctx context.Context, c jsonrpc.Conn, info Client) // runs one conversation; returns when it is over
	Log     *slog.Logger

	MaxBytes  int           // limit of one body; 0 is jsonrpc.MaxBytes
	Idle      time.Duration // a session without traffic or open stream ends; 0 is 30 minutes
	Sessions  int           // most sessions at once; 0 is 1000
	KeepAlive time.Duration // comment on an open stream; 0 is 15 s
}

// Client says which client opened a session.
type Client struct {
	Transport     string // "http" or "sse"
	Authorization string // the client's own header, for pass_authorization only
}

// Run serves ln, which listens on a loopback address over TCP, until ctx ends.
// Then sessions are closed, and it returns when all Serve calls have returned
// and all connections are closed. The error is that of a listener that broke.
func (h *HTTP) Run(ctx context.Context, ln net.Listener) error {
	sv := newServer(ctx, h, ln.Addr())
	var conns sync.WaitGroup
	hs := &http.Server{
		Handler:                      sv,
		DisableGeneralOptionsHandler: true, // the gate answers OPTIONS
		ReadHeaderTimeout:            headerLimit,
		IdleTimeout:                  keepLimit,
		MaxHeaderBytes:               headerBytes,
		ErrorLog:                     slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			} else if s == http.StateClosed {
				conns.Done()
			}
		},
	}
	stopped := make(chan error, 1)
	var accepting sync.WaitGroup
	accepting.Go(func() { stopped <- hs.Serve(wireListener{ln}) })
	err := sv.watch(ctx, stopped)
	_ = ln.Close() // it is of no more use, closed or broken
	accepting.Wait()
	sv.closeAll()
	// Answers under way go out; connections without a request need no wait.
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if hs.Shutdown(patience) != nil {
		_ = hs.Close() // only the listener's error, and that one is closed
	}
	sv.wg.Wait()
	conns.Wait()
	return err
}

// closeLimit is how long answers under way have to go out at the end.
const closeLimit = 250 * time.Millisecond

// watch tends the sessions until ctx ends or the listener breaks.
func (sv *server) watch(ctx context.Context, stopped <-chan error) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			sv.tend(now)
		case err := <-stopped:
			return fmt.Errorf("serve %s: %w", sv.Name, err)
		case <-ctx.Done():
			return nil
		}
	}
}

// tendEvery is how often sessions are looked at for what time brings.
const tendEvery = time.Second
