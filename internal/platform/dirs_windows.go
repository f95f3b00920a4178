package platform

import (
	"os"

	"golang.org/x/sys/windows"
)

// homeDir is the profile folder of the process's user, or else USERPROFILE.
// The token knows it without asking a domain controller, which may take
// seconds.
func homeDir() string {
	if dir, err := windows.GetCurrentProcessToken().GetUserProfileDirectory(); err == nil && dir != "" {
		return dir
	}
	return os.Getenv("USERPROFILE")
}
