//go:build !linux && !windows

package platform

import "time"

const (
	watchEvents = false
	watchQuiet  = 300 * time.Millisecond
)

// remoteFolder does not matter for the files of other programs, which are only
// looked at here. Ours are in the home folder.
func remoteFolder(string) bool { return false }
