package platform

import (
	"context"

	"golang.org/x/sys/windows"
)

// watchParent waits on the parent's handle.
func watchParent(ctx context.Context, parent int) bool {
	process, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(parent))
	if err == windows.ERROR_INVALID_PARAMETER { // there is no such process
		return ctx.Err() == nil
	}
	if err != nil { // another user's: its end is not told, stdin's end has to do
		<-ctx.Done()
		return false
	}
	defer windows.CloseHandle(process)
	if younger(process) { // the number was given to another process
		return ctx.Err() == nil
	}
	cancelled, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		<-ctx.Done()
		return false
	}
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		_ = windows.SetEvent(cancelled) // our own valid handle
	})
	won, err := windows.WaitForMultipleObjects([]windows.Handle{process, cancelled}, false, windows.INFINITE)
	if !stop() {
		<-set
	}
	_ = windows.CloseHandle(cancelled)
	return err == nil && won == windows.WAIT_OBJECT_0
}

// younger tells whether the process was created after this one.
func younger(process windows.Handle) bool {
	var theirs, ours, unused windows.Filetime
	if windows.GetProcessTimes(process, &theirs, &unused, &unused, &unused) != nil ||
		windows.GetProcessTimes(windows.CurrentProcess(), &ours, &unused, &unused, &unused) != nil {
		return false
	}
	return theirs.Nanoseconds() > ours.Nanoseconds()
}
