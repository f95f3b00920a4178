//go:build !linux && !darwin && !windows

package platform

import (
	"context"
	"errors"
)

func ownProcesses() ([]Process, error) { return nil, errors.ErrUnsupported }

// Lives tells whether the process still runs.
func (p Process) Lives() bool { return processLives(p.PID) }

func (p Process) askToQuit(context.Context) error { return errors.ErrUnsupported }

type launch struct{}

func (p Process) launch() (launch, error) { return launch{}, errors.ErrUnsupported }

func (l launch) start(context.Context) error { return errors.ErrUnsupported }
