// Package upstream reaches an MCP server and gives the conversation as a Conn:
// a child process on stdio, streamable HTTP, or the HTTP+SSE of 2024-11-05.
//
// It promises that every request handed to Send comes back from Recv once, as
// an answer or as a *jsonrpc.CallError with a coded cause, or that Recv ends
// with an error; that messages of one stream keep their order; and that Close
// leaves no process, goroutine or socket behind. Replaying a lost session is
// left to package relay.
package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/jsonrpc"
)

// ErrSessionLost is the cause, found by errors.Is, of a CallError for a request
// that the server refused unread because it does not know the session (any
// more). After a new initialize on the same Conn the request may be sent again.
//
// A CallError with an empty ID and this cause is about no request: the loss was
// seen between calls, and requests fail so until the next initialize.
var ErrSessionLost = errors.New("the server does not know the session")

// ErrNotSent is the cause of a CallError for a request of which nothing reached
// the server. It may be sent again.
var ErrNotSent = errors.New("the request did not reach the server")

// EndError is the end of a conversation with open requests that may be sent
// again over another: nobody read them, or they only read.
type EndError struct {
	Err    error
	Repeat []jsonrpc.ID
}

func (e *EndError) Error() string { return e.Err.Error() }

func (e *EndError) Unwrap() error { return e.Err }

// Options are what a dial needs besides the server.
type Options struct {
	Log      *slog.Logger // required
	MaxBytes int          // limit of one message; 0 is jsonrpc.MaxBytes
	Version  string       // product version, for the User-Agent

	// Wrap, if set, is put around the HTTP transport: the endpoint check sees
	// through it what the server's web face answers.
	Wrap func(http.RoundTripper) http.RoundTripper

	// Patience is how long Close waits for a child between closing its stdin
	// and SIGTERM, and then between SIGTERM and SIGKILL.
	Patience Patience
}

// Patience holds the two waits of ending a child.
type Patience struct{ Close, Term time.Duration }

// The waits: the user's stop, and our own end.
var (
	UserStop = Patience{2 * time.Second, 3 * time.Second}
	OwnEnd   = Patience{300 * time.Millisecond, 400 * time.Millisecond}
)

// Dial opens a conversation with the server. A child is started at once; over
// HTTP nothing is sent before the first message.
func Dial(ctx context.Context, s catalog.Server, o Options) (jsonrpc.Conn, error) {
	switch s.Transport {
	case catalog.Stdio:
		return dialStdio(ctx, s, o)
	case catalog.HTTP, catalog.SSE, catalog.Auto:
		return dialHTTP(ctx, s, o)
	default:
		return nil, errors.New("unknown transport " + string(s.Transport))
	}
}
