//go:build unix

package platform

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// extensions of a command's file: none but its own.
func extensions(map[string]string) []string { return []string{""} }

// executable tells whether the file can be started: fs.ErrPermission says that
// it is there and cannot.
func executable(file string) error {
	i, err := os.Stat(file)
	if err != nil {
		return fs.ErrNotExist
	}
	if i.IsDir() {
		return fs.ErrNotExist
	}
	if i.Mode().Perm()&0o111 == 0 || unix.Access(file, unix.X_OK) != nil {
		return fs.ErrPermission
	}
	return nil
}
