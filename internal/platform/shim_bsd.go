//go:build unix && !linux

package platform

import (
	"syscall"
)

// childAttr leaves the program in the shim's process group.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// adoptOrphans does nothing: there is no subreaper here. A process that left
// the group is out of reach.
func adoptOrphans() {}

// sealDescriptors keeps all but stdin, stdout and stderr from the child.
func sealDescriptors() { sealListed("/dev/fd") }

func dup(from, to int) error { return syscall.Dup2(from, to) }

// signalTree signals the process group, which is our own: SIGKILL is the last
// thing a shim does.
func signalTree(sig syscall.Signal) { _ = syscall.Kill(0, sig) }

// killMarked finds nothing: other processes' environments cannot be read here.
// Their process group was killed.
func killMarked(mark) {}
