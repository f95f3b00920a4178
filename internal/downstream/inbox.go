package downstream

import (
	"context"
	"io"

	"drawbridge/internal/jsonrpc"
)

// inbox is the half of a conversation that comes from the clients: handlers put
// messages in, the relay takes them out.
type inbox struct {
	in   chan jsonrpc.Message
	done chan struct{} // closed with the conversation
}

const inboxSize = 64

func newInbox() inbox {
	return inbox{in: make(chan jsonrpc.Message, inboxSize), done: make(chan struct{})}
}

func (b *inbox) Recv(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-b.in: // what came before the end is still given out
		return m, nil
	default:
	}
	select {
	case m := <-b.in:
		return m, nil
	case <-b.done:
		return jsonrpc.Message{}, io.EOF
	case <-ctx.Done():
		return jsonrpc.Message{}, context.Cause(ctx)
	}
}

// put hands a message of the client to Recv.
func (b *inbox) put(ctx context.Context, m jsonrpc.Message) error {
	select {
	case b.in <- m:
		return nil
	default:
	}
	select {
	case b.in <- m:
		return nil
	case <-b.done:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
