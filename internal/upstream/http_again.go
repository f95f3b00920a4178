package upstream

import (
	"context"
	"errors"

	"drawbridge/internal/mcp"
)

// brokeHarmless tells whether a request met a connection that broke, as one
// does that the server closed while it was idle, and may be sent once more.
func (l *link) brokeHarmless(ctx context.Context, k *call, err error) bool {
	return isHarmless(k.method) && ctx.Err() == nil && !errors.Is(l.wireFault(ctx, err), ErrNotSent)
}

// isHarmless tells whether a request may reach the server twice: it opens a
// conversation or only reads.
func isHarmless(method string) bool {
	return method == mcp.MethodInitialize || method == mcp.MethodDiscover || mcp.OnlyReads(method)
}
