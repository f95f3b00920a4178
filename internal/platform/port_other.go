//go:build !linux && !windows

package platform

import (
	"errors"
	"syscall"
)

func isAddrInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// The system tells only through tools of its own (lsof), which are not run.
func portHolder(int) string { return "" }
