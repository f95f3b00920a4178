package platform

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Process is a running program of this user. It names one process for ever: a
// number that was given to another one since is noticed.
type Process struct {
	PID    int
	Parent int
	// Program is the path of its program, links resolved as far as the system
	// does it.
	Program string
	// Script is what an interpreter of scripts (node, electron …) runs, as the
	// process was told; "" for other programs, and where it is not known.
	Script string
	// Terminal tells that it belongs to a terminal, in which somebody may be
	// at work with it.
	Terminal bool

	start string // when it began, in the system's own terms
}

// ErrProcessGone says that the process has ended.
var ErrProcessGone = errors.New("the process has ended")

// ErrProcessNotAsked says that there is no way to ask this process to end.
var ErrProcessNotAsked = errors.New("the program has no window to close")

// Processes are the running programs of this user, in no order. Those that end
// meanwhile, and those that may not be looked at, are left out.
func Processes() ([]Process, error) { return ownProcesses() }

// Reopening is what it takes to start a program again the way it was started.
// It is made while the program runs.
type Reopening struct{ launch launch }

// Reopening finds out how the process can be started again. It is an error
// where this is not known, as for a program whose file is gone.
func (p Process) Reopening() (Reopening, error) {
	l, err := p.launch()
	if err != nil {
		return Reopening{}, fmt.Errorf("start %s again: %w", p.Program, err)
	}
	return Reopening{l}, nil
}

// Start starts the program, as one that does not end with this one. What it
// writes to its terminal is lost.
func (r Reopening) Start(ctx context.Context) error { return r.launch.start(ctx) }

// processPoll is how often a process is looked at that was asked to end.
const processPoll = 50 * time.Millisecond

// Quit asks the program to end as its own menu does, and waits until it has or
// ctx ends. It is never killed: a program may ask its user first, or not listen.
func (p Process) Quit(ctx context.Context) error {
	if err := p.askToQuit(ctx); err != nil && !errors.Is(err, ErrProcessGone) {
		return err
	}
	return p.Ended(ctx)
}

// Ended waits until the process has ended, or gives the error of ctx.
func (p Process) Ended(ctx context.Context) error {
	tick := time.NewTicker(processPoll)
	defer tick.Stop()
	for p.Lives() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
