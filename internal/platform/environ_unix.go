//go:build unix

package platform

import (
	"os/user"
	"path/filepath"
)

// systemNames are passed on Unix only.
var systemNames = []string{
	"HOME", "USER", "LOGNAME", "SHELL",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
	"__CF_USER_TEXT_ENCODING", // macOS: the encoding of the user's files
}

func sameName(a, b string) bool { return a == b }

// addAccount names the user and his home where our own environment does not.
func addAccount(vars map[string]string) {
	if vars["HOME"] != "" && vars["USER"] != "" && vars["LOGNAME"] != "" {
		return
	}
	u, err := user.Current()
	if err != nil {
		return // a user without an account: the child has what we have
	}
	for name, value := range map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username} {
		if vars[name] == "" && value != "" {
			vars[name] = value
		}
	}
}

// wellKnown are the folders that installers use and minimal PATHs lack.
func wellKnown() []string {
	list := []string{"/usr/local/bin", "/opt/homebrew/bin"}
	account := map[string]string{}
	addAccount(account)
	if home := account["HOME"]; filepath.IsAbs(home) {
		list = append(list, filepath.Join(home, ".local/bin"), filepath.Join(home, ".cargo/bin"))
	}
	return append(list, "/usr/bin", "/bin")
}
