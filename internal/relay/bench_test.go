package relay

import (
	"context"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// What a call costs in the relay, with pipes in memory on both sides.
func BenchmarkCall(b *testing.B) {
	near, client := jsonrpc.Pipe()
	far, server := jsonrpc.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(context.Background(), near, Options{Dial: func(context.Context) (jsonrpc.Conn, error) { return far, nil }})
	}()
	go func() {
		for {
			m, err := server.Recv(context.Background())
			if err != nil {
				return
			}
			if server.Send(context.Background(), jsonrpc.NewResult(m.ID(), []byte(`{}`))) != nil {
				return
			}
		}
	}()
	call := jsonrpc.NewRequest("1", "tools/call", []byte(`{"name":"echo"}`))
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Send(context.Background(), call); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Recv(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	client.Close()
	<-done
}
