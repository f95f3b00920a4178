package jsonrpc

import (
	"context"
	"io"
	"sync"
)

// Pipe returns the two ends of a connection in memory. What one end sends the
// other receives, also when either was closed after it was sent; closing either
// ends both.
func Pipe() (Conn, Conn) {
	a, b := make(chan Message, 64), make(chan Message, 64)
	done := make(chan struct{})
	var once sync.Once
	shut := func() { once.Do(func() { close(done) }) }
	return &pipe{in: a, out: b, done: done, shut: shut}, &pipe{in: b, out: a, done: done, shut: shut}
}

type pipe struct {
	in   <-chan Message
	out  chan<- Message
	done chan struct{}
	shut func()
}

func (p *pipe) Recv(ctx context.Context) (Message, error) {
	select {
	case m := <-p.in:
		return m, nil
	default:
	}
	select {
	case m := <-p.in:
		return m, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	case <-p.done:
	}
	select { // sent between the first look and Close
	case m := <-p.in:
		return m, nil
	default:
		return Message{}, io.EOF
	}
}

func (p *pipe) Send(ctx context.Context, m Message) error {
	select {
	case <-p.done:
		return io.ErrClosedPipe
	default:
	}
	select {
	case p.out <- m:
		return nil
	case <-p.done:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) Close() error { p.shut(); return nil }
