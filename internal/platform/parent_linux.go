package platform

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchParent waits on the parent's pidfd in the runtime's poller, which costs
// neither a thread nor a look. Without one (Linux before 5.3, a parent in
// another process id namespace) it polls.
func watchParent(ctx context.Context, parent int) bool {
	if parent <= 0 {
		return pollParent(ctx, parent)
	}
	fd, err := unix.PidfdOpen(parent, 0)
	if err != nil {
		return pollParent(ctx, parent)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return pollParent(ctx, parent)
	}
	f := os.NewFile(uintptr(fd), "parent")
	defer f.Close()
	if os.Getppid() != parent { // the handle may be another process's
		return ctx.Err() == nil
	}
	if f.SetReadDeadline(time.Time{}) != nil { // not in the poller
		return pollParent(ctx, parent)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })
	defer stop()
	return awaitEnd(f) && ctx.Err() == nil
}

// awaitEnd waits until the process of a pidfd has ended.
func awaitEnd(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n > 0
	}) == nil
}
