package platform

import (
	"os"

	"golang.org/x/sys/unix"
)

// othersLeft tells whether the process group has members besides the shim.
func othersLeft() bool {
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", os.Getpid())
	if err != nil {
		return true
	}
	const zombie = 5 // SZOMB of sys/proc.h
	for _, m := range members {
		if int(m.Proc.P_pid) != os.Getpid() && m.Proc.P_stat != zombie {
			return true
		}
	}
	return false
}
