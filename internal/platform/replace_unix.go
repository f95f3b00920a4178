//go:build unix

package platform

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func renameOver(root *os.Root, from, to string) error { return root.Rename(from, to) }

// syncDir makes the rename last through a power cut.
func syncDir(root *os.Root) {
	d, err := root.Open(".")
	if err != nil {
		return // the new file is in place; some folders may be written but not read
	}
	_ = d.Sync() // the same; and some file systems refuse to sync a folder
	_ = d.Close()
}

// keepOwner gives f the owner and group of the file it replaces. Only root can
// give files away, so another user's file is refused; a group that the process
// is not in is replaced by its own.
func keepOwner(f *os.File, old fs.FileInfo) error {
	was, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	is, ok := now.Sys().(*syscall.Stat_t)
	if !ok || (is.Uid == was.Uid && is.Gid == was.Gid) {
		return nil
	}
	err = f.Chown(int(was.Uid), int(was.Gid))
	if err != nil && is.Uid == was.Uid && errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// processLives reports whether there is a process of this id.
func processLives(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
