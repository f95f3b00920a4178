package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/proxy"
	"drawbridge/internal/session"
)

// aloneWait is how long a start waits for an earlier one that is just ending.
const aloneWait = 2 * time.Second

func (a *app) upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up [NAME…]",
		Short: "Serve all servers, or the named ones, on local ports until interrupted",
		Long: "Serves every server added here (or the named ones) on a local port each and prints the addresses.\n" +
			"Each address holds a key and stays the same across restarts. Servers that are added or removed\n" +
			"meanwhile are taken up. It runs until interrupted.",
		Args:              between(0, -1, ""),
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.up(c.Context(), args) },
	}
}

func (a *app) up(ctx context.Context, names []string) error {
	for _, name := range names {
		if _, err := a.lookUp(name); err != nil {
			return err
		}
	}
	book, err := a.book()
	if err != nil {
		return err
	}
	dirs, err := platform.OurDirs()
	if err != nil {
		return err
	}
	unlock, err := alone(ctx, dirs.State)
	if err != nil {
		return err
	}
	defer unlock()
	log := a.log(slog.LevelWarn)
	sweep(log)
	if err := clientconf.NewEditor(dirs).Recover(ctx); err != nil {
		log.Warn("a change of a client's file that was interrupted is not cleared up", "err", err)
	}
	servers := make(chan []catalog.Server)
	b := proxy.Background{
		Places:  proxy.OpenPlaces(dirs.State),
		Session: session.Options{Log: log, Version: version, Reconnect: true, Known: session.OpenKnown(dirs.State)},
		Log:     log,
		Changed: a.teller(),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	watched := make(chan error, 1)
	wg.Go(func() {
		defer cancel()
		watched <- follow(ctx, book, log, func(list []catalog.Server) {
			if len(names) > 0 {
				list = slices.DeleteFunc(slices.Clone(list), func(s catalog.Server) bool { return !slices.Contains(names, s.Name) })
			}
			select {
			case servers <- list:
			case <-ctx.Done():
			}
		})
	})
	if err := b.Run(ctx, servers); err != nil {
		return err
	}
	return <-watched
}

// sweep ends what a killed Drawbridge and its killed supervisor left behind.
func sweep(log *slog.Logger) {
	ended, err := platform.SweepOrphans()
	switch {
	case errors.Is(err, platform.ErrNoSweep): // this system does not tell whose a process is
	case err != nil:
		log.Warn("orphaned server programs not looked for", "err", err)
	case ended > 0:
		log.Warn("orphaned server programs ended", "count", ended)
	}
}

// alone takes care that one process serves the endpoints: two would take each
// other's ports.
func alone(ctx context.Context, state string) (unlock func(), err error) {
	if err := platform.MakeDir(state); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	unlock, err = platform.Lock(wait, filepath.Join(state, "up.lock"))
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		e := fault.New(fault.PortInUse, "up").With("another `drawbridge up` serves these servers already").Step("end that one first")
		e.Err = err
		return nil, e
	}
	return unlock, err
}

// teller prints the address of each endpoint that listens, and why one does
// not.
func (a *app) teller() func(*proxy.Endpoint, string, error) {
	var mu sync.Mutex
	return func(e *proxy.Endpoint, name string, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			a.report(fault.Of(err, name))
		case a.form != text:
			// A reader that left is noticed by the next signal.
			_ = a.form.write(a.stdout, map[string]string{"name": name, "url": e.URL(), "sse_url": e.SSEURL()}, compact)
		default:
			fmt.Fprintf(a.stdout, "%s %s\n", name, e.URL())
		}
	}
}
