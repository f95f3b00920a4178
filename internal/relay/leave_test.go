package relay

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/jsonrpc"
)

// F-135: a server that reads nothing must not hide that the client left.
func TestClientThatLeavesIsNoticedWhileTheServerReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{Reconnect: true})
		s := r.greet()
		s.full = make(chan struct{})
		r.send(toolCall("a"))
		r.send(toolCall("b"))
		synctest.Wait()
		left := time.Now()
		r.client.Close()
		select {
		case <-s.closed():
		case <-time.After(time.Minute):
			t.Error("the server's side goes on")
		}
		if d := time.Since(left); d > time.Second {
			t.Errorf("the server's side was ended after %v", d)
		}
		close(s.full)
		<-r.done
		r.done <- nil
	})
}

// closed is closed with the relay's end of the connection.
func (s *server) closed() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := s.far.Recv(context.Background()); err != nil {
				return
			}
		}
	}()
	return done
}

// A client that sends and leaves at once gets what comes within a moment, also
// while the server is still being reached.
func TestClientThatLeavesAtOnceIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := make(chan jsonrpc.Message, 1), make(chan jsonrpc.Message, 1)
		a, b := jsonrpc.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- Run(t.Context(), &oneWay{in: in, out: out}, Options{Server: "srv", Log: quiet(), Dial: func(context.Context) (jsonrpc.Conn, error) {
				<-time.After(20 * time.Millisecond)
				return a, nil
			}})
		}()
		in <- parse(t, hello)
		close(in)
		m := recv(t, b)
		if err := b.Send(t.Context(), parse(t, result(m.ID(), welcome))); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
		select {
		case m := <-out:
			if m.Result() == nil {
				t.Errorf("client got %s", m.Bytes())
			}
		default:
			t.Error("client got no answer")
		}
	})
}

// oneWay is a client that can end what it sends and still hear.
type oneWay struct{ in, out chan jsonrpc.Message }

func (c *oneWay) Recv(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m, ok := <-c.in:
		if !ok {
			return m, io.EOF
		}
		return m, nil
	case <-ctx.Done():
		return jsonrpc.Message{}, ctx.Err()
	}
}

func (c *oneWay) Send(_ context.Context, m jsonrpc.Message) error { c.out <- m; return nil }
func (c *oneWay) Close() error                                    { return nil }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
