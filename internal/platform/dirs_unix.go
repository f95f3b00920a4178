//go:build unix

package platform

import (
	"os"
	"os/user"
)

// homeDir is the home folder in the password database, or else HOME.
func homeDir() string {
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	return os.Getenv("HOME")
}
