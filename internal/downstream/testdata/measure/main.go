// Command measure is a throwaway.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"

	"drawbridge/internal/catalog"
	"drawbridge/internal/downstream"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
	"drawbridge/internal/relay"
	"drawbridge/internal/upstream"
)

func main() {
	if h, code := platform.ShimMain(os.Args); h {
		os.Exit(code)
	}
	if p := os.Getenv("PROF"); p != "" {
		f, _ := os.Create(p)
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	if p := os.Getenv("MEM"); p != "" {
		runtime.MemProfileRate = 512
		defer func() {
			f, _ := os.Create(p)
			_ = pprof.Lookup("allocs").WriteTo(f, 0)
			f.Close()
		}()
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := catalog.Server{Name: "x", Transport: catalog.Stdio, Command: os.Args[2], Args: os.Args[3:]}
	h := &downstream.HTTP{Name: "x", Log: log, Serve: func(ctx context.Context, c jsonrpc.Conn, _ downstream.Client) {
		err := relay.Run(ctx, c, relay.Options{Server: "x", Log: log, Dial: func(ctx context.Context) (jsonrpc.Conn, error) {
			return upstream.Dial(ctx, s, upstream.Options{Log: log, Patience: upstream.OwnEnd})
		}})
		if err != nil {
			log.Warn("relay", "err", err)
		}
	}}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	fmt.Println(h.Run(ctx, ln))
}
