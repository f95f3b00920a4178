package jsonrpc

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

func TestPipeGivesWhatWasSentBeforeClose(t *testing.T) {
	for range 200 { // the order of select is random
		a, b := Pipe()
		for range 3 {
			if err := a.Send(t.Context(), NewNotification("x", nil)); err != nil {
				t.Fatal(err)
			}
		}
		_ = a.Close()
		for i := range 3 {
			if m, err := b.Recv(t.Context()); err != nil || m.Method() != "x" {
				t.Fatalf("message %d: %q, %v", i, m.Method(), err)
			}
		}
		if _, err := b.Recv(t.Context()); err != io.EOF {
			t.Fatalf("after the last: %v, want EOF", err)
		}
		if err := b.Send(t.Context(), NewNotification("x", nil)); !errors.Is(err, io.ErrClosedPipe) {
			t.Fatalf("Send after Close = %v", err)
		}
	}
}

func TestPipeWaitsAreEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 2)
		go func() { _, err := a.Recv(ctx); got <- err }()
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("Recv after cancel = %v", err)
		}
		go func() { _, err := a.Recv(t.Context()); got <- err }()
		go func() {
			var err error
			for err == nil { // until the pipe is full, and then closed
				err = b.Send(t.Context(), NewNotification("x", nil))
			}
			got <- err
		}()
		if err := <-got; err != nil {
			t.Errorf("Recv of a message = %v", err)
		}
		synctest.Wait()
		_ = a.Close()
		_ = a.Close()
		if err := <-got; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("a Send that waited = %v", err)
		}
	})
}
