package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// exchangeTries is how often the two files change places because another
// program puts new ones there meanwhile.
const exchangeTries = 20

// exchange has temp, which holds data, and the file change places, and looks
// then whether the file was still old; if not, they change back and it gives
// ErrChanged. So what another program saved since our last look comes back, too,
// and what it still writes into the file it has open. It gives
// errors.ErrUnsupported when the file system cannot do that.
func exchange(root *os.Root, temp, name string, old []byte) error {
	if old == nil {
		return changePlaces(root, temp, name, unix.RENAME_NOREPLACE)
	}
	put, err := root.Lstat(temp)
	if err != nil {
		return err
	}
	if err := changePlaces(root, temp, name, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	if holds(root, temp, old) == nil {
		if root.Remove(temp) == nil {
			return nil
		}
		// A rename removes the old file, too. If that does not work either, the
		// new file is in place all the same, and CleanTemps finds the old one.
		if changePlaces(root, temp, name, unix.RENAME_EXCHANGE) == nil {
			return renameOver(root, temp, name)
		}
		return nil
	}
	return putBack(root, temp, name, put)
}

// putBack puts the file that is called temp now into its place again. What comes
// out must be what was put there before; else another program saved since, and
// its file, which is newer, goes back in turn.
func putBack(root *os.Root, temp, name string, put fs.FileInfo) error {
	for range exchangeTries {
		back, err := root.Lstat(temp)
		if err != nil {
			return err
		}
		if err := changePlaces(root, temp, name, unix.RENAME_EXCHANGE); err != nil {
			return err
		}
		out, err := root.Lstat(temp)
		if err != nil {
			return err
		}
		if os.SameFile(out, put) && out.ModTime().Equal(put.ModTime()) && out.Size() == put.Size() {
			return ErrChanged
		}
		put = back
	}
	return fmt.Errorf("replace %s: another program does not stop replacing it: %w", name, ErrChanged)
}

func changePlaces(root *os.Root, temp, name string, how uint) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // a folder that was only looked into
	err = unix.Renameat2(int(dir.Fd()), temp, int(dir.Fd()), name, how)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return errors.ErrUnsupported
	case how == unix.RENAME_NOREPLACE && errors.Is(err, fs.ErrExist), how == unix.RENAME_EXCHANGE && errors.Is(err, fs.ErrNotExist):
		return ErrChanged
	default:
		return &os.LinkError{Op: "exchange", Old: temp, New: name, Err: err}
	}
}
