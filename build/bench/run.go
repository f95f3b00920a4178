package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
)

// round is everything measured of one row in one round.
type round struct {
	startup    sample
	exits      []client.Exit
	idle, busy proc.Usage
	session    *session
	err        error
	stderr     string
	garbage    []string
}

// running is a row whose connection is open, in one round.
type running struct {
	*round
	probe *probe               // nil when it failed to open
	proc  *client.Stdio        // what is measured; nil for an endpoint alone
	end   func() []client.Exit // closes the connection and what was started
}

// runTogether measures rows of a set in one round: started in turns, as often as
// the effort says, then called in turns.
func (w *world) runTogether(ctx context.Context, rows []row, tool echoTool, e effort) []round {
	results := make([]round, len(rows))
	runs := make([]running, len(rows))
	for i := range runs {
		runs[i].round = &results[i]
	}
	starts := e.startups(rows[0].Kind)
	for n := range starts {
		for k := range rows {
			i := (k + n) % len(rows)
			if runs[i].err != nil {
				continue
			}
			c := w.open(ctx, &runs[i], rows[i], e)
			switch {
			case c == nil:
			case n < starts-1:
				runs[i].exits = append(runs[i].exits, runs[i].end()...)
			default:
				runs[i].probe = newProbe(e, c, tool, nil)
			}
		}
	}
	runs = slices.DeleteFunc(runs, func(r running) bool { return r.probe == nil })
	time.Sleep(e.IdleBefore)
	var probes []*probe
	for _, run := range runs {
		run.readIdle()
		probes = append(probes, run.probe)
	}
	measure(ctx, probes, e)
	for _, run := range runs {
		run.finish()
	}
	return results
}

// readIdle reads the memory before the first call.
func (run *running) readIdle() {
	if run.proc == nil {
		return
	}
	run.idle = run.proc.Usage()
	if proc.Known() {
		run.probe.cpu = run.proc.CPU
	}
}

// finish reads what the calls left and closes.
func (run *running) finish() {
	run.session = &run.probe.s
	if run.proc != nil {
		run.busy = run.proc.Usage()
		if len(run.session.errors) > 0 {
			run.stderr = ending(run.proc.Stderr(), 600)
		}
	}
	run.exits = append(run.exits, run.end()...)
}

// open starts a row and connects to it; nil when that fails.
func (w *world) open(ctx context.Context, run *running, r row, e effort) caller {
	switch {
	case r.Args == nil:
		return w.openDirect(ctx, run, r, e)
	case r.URL == "":
		return w.openStdio(ctx, run, r, e)
	default:
		return w.openServe(ctx, run, r, e)
	}
}

// openStdio starts a stdio command.
func (w *world) openStdio(ctx context.Context, run *running, r row, e effort) caller {
	c, err := w.start(ctx, r.Args)
	if err != nil {
		run.err = err
		return nil
	}
	if _, err := c.Init(e.CallLimit, e.Version); err != nil {
		run.err, run.stderr = err, ending(c.Stderr(), 600)
		c.Kill()
		return nil
	}
	run.startup = append(run.startup, ms(c.Started))
	run.proc, run.end = c, func() []client.Exit {
		run.garbage = append(run.garbage, c.Garbage()...)
		return []client.Exit{c.Close(e.Patience)}
	}
	return c
}

// openDirect connects to an endpoint without a bridge.
func (w *world) openDirect(ctx context.Context, run *running, r row, e effort) caller {
	start := time.Now()
	c, err := openHTTP(ctx, target{w.expandOne(r.URL), r.Legacy}, e)
	if err != nil {
		run.err = err
		return nil
	}
	run.startup = append(run.startup, ms(start))
	run.end = func() []client.Exit { c.Close(); return nil }
	return c
}

// openServe starts a command that exposes a stdio server over HTTP, and a
// client of it.
func (w *world) openServe(ctx context.Context, run *running, r row, e effort) caller {
	p, url, err := w.startServe(ctx, r.Args, r.URL)
	if err != nil {
		run.err = err
		return nil
	}
	c, err := dial(ctx, p, target{url, r.Legacy}, e)
	if err != nil {
		run.err, run.stderr = err, ending(p.Stderr(), 600)
		p.Kill()
		return nil
	}
	run.startup = append(run.startup, ms(p.Started))
	run.proc, run.end = p, func() []client.Exit {
		c.Close()
		return []client.Exit{p.Terminate(e.Stop)}
	}
	return c
}

// target is an endpoint and how to speak to it.
type target struct {
	url    string
	legacy bool // HTTP+SSE
}

func openHTTP(ctx context.Context, t target, e effort) (*client.HTTP, error) {
	c := client.NewHTTP(t.url)
	if t.legacy {
		ctx, cancel := context.WithTimeout(ctx, e.CallLimit)
		defer cancel()
		var err error
		if c, err = client.OpenSSE(ctx, t.url); err != nil {
			return nil, err
		}
	}
	if _, err := c.Init(e.CallLimit, e.Version); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// startServe runs a command that listens on {port}.
func (w *world) startServe(ctx context.Context, args []string, url string) (*client.Stdio, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	p, err := w.start(ctx, replaceAll(args, "{port}", port))
	return p, w.expand(replaceAll([]string{url}, "{port}", port))[0], err
}

// dial tries until the handshake succeeds or the command has ended.
func dial(ctx context.Context, p *client.Stdio, t target, e effort) (*client.HTTP, error) {
	limit := time.Now().Add(e.CallLimit)
	for {
		c, err := openHTTP(ctx, t, e)
		if err == nil {
			return c, nil
		}
		if time.Now().After(limit) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.Exited():
			return nil, errors.Join(fmt.Errorf("the command exited, code %d", p.ExitCode()), err)
		case <-time.After(3 * time.Millisecond):
		}
	}
}
