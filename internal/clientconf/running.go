package clientconf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// quitPatience is how long a client may take to quit, and to be there again.
const quitPatience = 10 * time.Second

// Running is a client that runs.
//
//	r, err := FindRunning(client, system) // nil: it does not run
//	err = r.Restartable()                 // why not, or nil; then ask the user
//	err = r.Quit(ctx)
//	...                                   // write its file, if it loses what is written while it runs (QuitFirst)
//	err = r.Start(ctx)
type Running struct {
	Client    Client
	Processes []platform.Process // without those that the client started itself

	system  System
	all     []platform.Process
	reopens platform.Reopening
}

// FindRunning finds the client among the running programs of this user, by the
// paths of its programs and never by a name alone (F-119). It gives nil for a
// client that does not run, or of which it cannot be told: the table does not
// know its programs, or the system does not list them.
func FindRunning(c Client, s System) (*Running, error) {
	if len(onSystem(c.Processes, s)) == 0 {
		return nil, nil
	}
	list, err := platform.Processes()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil // it may run; the sentence about taking up a change is told in any case
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", c.Name, err)
	}
	return running(c, s, list), nil
}

func running(c Client, s System, list []platform.Process) *Running {
	r := &Running{Client: c, system: s}
	for _, p := range list {
		if c.Runs(s, p.Program) || p.Script != "" && c.Runs(s, p.Script) {
			r.all = append(r.all, p)
		}
	}
	for _, p := range r.all {
		if !slices.ContainsFunc(r.all, func(o platform.Process) bool { return o.PID == p.Parent }) {
			r.Processes = append(r.Processes, p)
		}
	}
	if len(r.Processes) == 0 {
		return nil
	}
	return r
}

// Sentence tells the reader that the client runs and how it takes up a change,
// without a full stop.
func (r *Running) Sentence() string {
	return r.Client.Name + " is running: " + r.Client.Sentence()
}

// Restartable tells with DB_CLIENT_RESTART why the client cannot be restarted,
// or need not be: nil when it can.
func (r *Running) Restartable() error {
	c := r.Client
	switch {
	case c.Reload == ReloadsNow:
		return r.refuse("it takes up the change by itself", "look at its list of MCP servers; if the entry is missing there, restart it")
	case c.Reload == ReloadsSession:
		return r.refuse("sessions that run go on without the change", "start a new session of "+c.Name)
	case len(r.Processes) > 1:
		return r.refuse(fmt.Sprintf("it runs %d times, and nothing tells which is meant", len(r.Processes)), "quit them and open it again")
	case r.Processes[0].Terminal:
		return r.refuse("it runs in a terminal", "end it there and start it again")
	}
	var err error
	if r.reopens, err = r.Processes[0].Reopening(); err != nil {
		return r.refuse("Drawbridge could not open it again", c.Sentence()).Because(err)
	}
	return nil
}

func (r *Running) refuse(text, step string) *fault.Error {
	return fault.New(fault.ClientRestart, r.Client.Name).With("%s", text).Step(step)
}

// Quit asks the client to quit and waits until all its programs have ended, 10 s
// at most. It kills none of them: a client that asks its user something, or does
// not listen, is DB_CLIENT_RESTART. The caller has asked the user.
func (r *Running) Quit(ctx context.Context) error {
	if err := r.Restartable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, quitPatience)
	defer cancel()
	err := r.Processes[0].Quit(ctx)
	for _, p := range r.all {
		if err == nil {
			err = p.Ended(ctx)
		}
	}
	byHand := "quit it yourself, from its menu or its icon in the notification area, and open it again"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return r.refuse(fmt.Sprintf("it did not quit within %v and was left alone; it may be asking you something", quitPatience), byHand)
	case err != nil && ctx.Err() == nil:
		return r.refuse("it could not be asked to quit", byHand).Because(err)
	default:
		return err
	}
}

// Start opens the client again after Quit, as it was started, and waits until it
// runs. One that runs again already is left alone.
func (r *Running) Start(ctx context.Context) error {
	if now, err := FindRunning(r.Client, r.system); err != nil || now != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, quitPatience)
	defer cancel()
	if err := r.reopens.Start(ctx); err != nil {
		return r.refuse("it was quit and could not be opened again", "open it yourself").Because(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := FindRunning(r.Client, r.system)
		if err != nil || now != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return r.refuse("it was quit and opened again, and does not run", "open it yourself")
		case <-tick.C:
		}
	}
}
