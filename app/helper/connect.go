package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"drawbridge/internal/downstream"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
	"drawbridge/internal/session"
)

func (a *app) connectCommand() *cobra.Command {
	var t target
	var again, never bool
	c := &cobra.Command{
		Use:   "connect NAME|URL",
		Short: "Connect stdin and stdout with a server (what MCP clients start)",
		Long: "Connects an MCP client on stdin and stdout with the server NAME, or the one at URL.\n" +
			"This is what a client's configuration runs; see `drawbridge mcp config`.",
		Args:              between(1, 1, "the server's name or URL"),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.connect(c.Context(), t.with(args[0]), again && !never)
		},
	}
	t.flags(c)
	c.Flags().BoolVar(&again, "auto-reconnect", true, "reach the server again after a loss")
	c.Flags().BoolVar(&never, "no-auto-reconnect", false, "end when the server is lost")
	return c
}

// connect serves the client on stdin until it leaves.
func (a *app) connect(ctx context.Context, t target, reconnect bool) error {
	ctx, stop := untilClientGone(ctx)
	defer stop()
	log := a.log(slog.LevelInfo)
	client := downstream.Stdio(a.stdin, a.stdout, 0, log)
	s, err := a.find(t)
	if err != nil {
		why := fault.Of(err, t.name)
		return orEnd(ctx, func() error { return refuseAll(ctx, client, why) })
	}
	err = session.Run(ctx, client, s, session.Options{Log: log, Version: version, Reconnect: reconnect, Known: known()})
	if ctx.Err() != nil {
		return nil // told to end
	}
	return err
}

// known is what earlier processes found out about servers, nil without a folder
// for it.
func known() *session.Known {
	dirs, err := platform.OurDirs()
	if err != nil {
		return nil // it is reported by whoever cannot do without
	}
	return session.OpenKnown(dirs.State)
}

// untilClientGone is ctx, ended too when the process that started us is gone:
// a client that was killed may leave our stdin open. Until stop is called, a
// closed stdout is an error of writing to it and not this process's death by
// SIGPIPE, so that the server is told of the end.
func untilClientGone(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	pipe := make(chan os.Signal, 1) // nobody reads it
	signal.Notify(pipe, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		defer close(done)
		platform.WatchParent(ctx, cancel)
	}()
	return ctx, func() {
		cancel()
		<-done
		signal.Stop(pipe)
	}
}

// orEnd serves until serve returns or ctx ends. A read of stdin that has begun
// cannot be woken on every system, so then it is left to the process's end,
// which is what follows.
func orEnd(ctx context.Context, serve func() error) error {
	served := make(chan error, 1)
	go func() { served <- serve() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil // told to end
	}
}

// refuseAll answers every request with the error until the client leaves, and
// returns it. Ending at once would tell the client nothing: clients show that a
// server "failed to start" and remember it.
func refuseAll(ctx context.Context, client jsonrpc.Conn, why *fault.Error) error {
	defer client.Close()
	code, message, data := why.RPC()
	for {
		m, err := client.Recv(ctx)
		var refused *jsonrpc.RefusedError
		switch {
		case errors.As(err, &refused):
			continue
		case errors.Is(err, io.EOF):
			return why
		case err != nil:
			return errors.Join(why, err)
		case m.Kind() == jsonrpc.Request:
			if err := client.Send(ctx, jsonrpc.NewError(m.ID(), code, message, data)); err != nil {
				return why
			}
		}
	}
}
