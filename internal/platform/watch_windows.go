package platform

import (
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

const (
	watchEvents = true
	watchQuiet  = 500 * time.Millisecond // a save there takes several tries
)

// remoteFolder tells whether the folder is on another machine.
func remoteFolder(dir string) bool {
	volume := filepath.VolumeName(dir)
	if strings.HasPrefix(volume, `\\`) {
		return true
	}
	root, err := windows.UTF16PtrFromString(volume + `\`)
	return err == nil && windows.GetDriveType(root) == windows.DRIVE_REMOTE
}
