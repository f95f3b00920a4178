package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"drawbridge/internal/clientconf"
)

// When a written file is looked at again. A client that holds its file in memory
// writes it back at once, or when it is opened again.
const (
	settles = 300 * time.Millisecond
	reopens = 2 * time.Second
)

// writeOne makes the change of one file, looks at it again, and tells how the
// client takes it up or, with --restart, has it do so: it is quit before, as some
// clients lose what is written while they run, and opened after.
func (a *app) writeOne(ctx context.Context, c clientFiles, p *clientconf.Preview, f *fileForm) error {
	client, err := clientconf.Find(p.Target.Client)
	if err != nil {
		return a.writeFile(ctx, c, p, f, nil) // of no known client: nothing is known of how it is read
	}
	running, err := clientconf.FindRunning(client, c.system)
	if err != nil {
		return err
	}
	restarts, err := a.restarts(ctx, running, c.flags)
	if err != nil {
		return err
	}
	f.Next = client.Sentence()
	switch {
	case restarts:
		err = a.writeQuit(ctx, c, p, f, running)
	case running != nil && client.Has(clientconf.Rewrites):
		f.Next = running.Sentence()
		err = a.writeFile(ctx, c, p, f, c.confirming(ctx, reopens))
	default:
		err = a.writeFile(ctx, c, p, f, c.confirming(ctx, settles))
	}
	if err == nil {
		a.tell("Next: %s.\n", f.Next)
	}
	return err
}

// confirming looks at the file after the times.
func (c clientFiles) confirming(ctx context.Context, after ...time.Duration) func(*clientconf.Result) error {
	return func(r *clientconf.Result) error {
		return c.editor.Confirm(ctx, r, append([]time.Duration{0}, after...)...)
	}
}

// writeQuit quits the client, makes the change and opens it again, whatever
// became of the change.
func (a *app) writeQuit(ctx context.Context, c clientFiles, p *clientconf.Preview, f *fileForm, running *clientconf.Running) error {
	a.tell("Quit    %s\n", running.Client.Name)
	if err := running.Quit(ctx); err != nil {
		return err
	}
	opened := false
	reopen := func(r *clientconf.Result) error {
		opened = true
		if err := running.Start(context.WithoutCancel(ctx)); err != nil { // it has a limit of its own
			return err
		}
		a.tell("Opened  %s\n", running.Client.Name)
		if r == nil {
			return nil
		}
		return c.editor.Confirm(ctx, r, 0, reopens)
	}
	err := a.writeFile(ctx, c, p, f, reopen)
	if !opened {
		err = errors.Join(err, reopen(nil))
	}
	f.Next = "look at the list of MCP servers in " + running.Client.Name
	return err
}

// restarts tells whether the client that runs is to be restarted. Why it cannot
// be is told, and keeps nothing from being written.
func (a *app) restarts(ctx context.Context, r *clientconf.Running, o fileFlags) (bool, error) {
	if r == nil {
		if o.restart {
			a.tell("Note    The client is not running.\n")
		}
		return false, nil
	}
	if !o.restart {
		if r.Client.Has(clientconf.QuitFirst) {
			a.tell("Note    %s is running, and may write back what it has: quit it first, or use --restart.\n", r.Client.Name)
		}
		return false, nil
	}
	if err := r.Restartable(); err != nil {
		a.report(err)
		return false, nil
	}
	return a.confirm(ctx, "Quit "+r.Client.Name+" and open it again?")
}

// writeFile makes the change, and has the file looked at again.
func (a *app) writeFile(ctx context.Context, c clientFiles, p *clientconf.Preview, f *fileForm, look func(*clientconf.Result) error) error {
	r, err := a.apply(ctx, c, p)
	if err != nil {
		return err
	}
	f.Written, f.Backup = r.Written, r.Backup
	for _, w := range r.Warnings {
		if !slices.Contains(p.Warnings, w) { // else it was told with the preview
			a.tell("Note    %s.\n", w)
		}
	}
	for _, e := range r.Entries {
		if e.Effect != clientconf.Unchanged {
			a.tell("%s %s in %s\n", padded(string(e.Effect)), e.Name, p.File)
		}
	}
	if look == nil {
		look = c.confirming(ctx)
	}
	return look(r)
}
