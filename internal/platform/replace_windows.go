package platform

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// renameLimit is how long a target is waited for that another program (a virus
// scanner, an editor) holds open.
const renameLimit = 2 * time.Second

// renameOver renames with POSIX semantics (os.Root does), which keep working
// while others have the target open with shared deletion.
func renameOver(root *os.Root, from, to string) error {
	wait := 10 * time.Millisecond
	for until := time.Now().Add(renameLimit); ; wait = min(2*wait, 200*time.Millisecond) {
		err := root.Rename(from, to)
		held := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
			errors.Is(err, windows.ERROR_LOCK_VIOLATION)
		if err == nil || !held || time.Now().Add(wait).After(until) {
			return err
		}
		time.Sleep(wait)
	}
}

func syncDir(*os.Root) {} // Windows has no such call; NTFS journals the rename

func keepOwner(*os.File, fs.FileInfo) error { return nil } // by the folder's inherited rules

func keepAttributes(*os.Root, *os.File, string) {} // the same

// processLives reports whether there is a process of this id.
func processLives(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER) // no such process
	}
	defer windows.CloseHandle(h) //nolint:errcheck // nothing was changed through it
	event, err := windows.WaitForSingleObject(h, 0)
	return err != nil || event == uint32(windows.WAIT_TIMEOUT)
}
