package platform

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Dirs are the folders that hold Drawbridge's files. Nothing makes them before
// the first file is written.
type Dirs struct {
	Config string // what people edit: catalog.json
	State  string // everything else
}

// HomeVariable moves both folders into the one it names.
const HomeVariable = "DRAWBRIDGE_HOME"

// OurDirs gives the folders. DRAWBRIDGE_HOME overrides all; a relative one
// counts from the working directory. Otherwise they are, under the home folder
// that the system's user database names (the variable HOME may be missing, or
// another user's):
//
//	Linux           .config/drawbridge and .local/state/drawbridge; an absolute
//	                XDG_CONFIG_HOME or XDG_STATE_HOME takes the part before
//	macOS, Windows  .drawbridge for both: application-data folders are
//	                virtualised or ask for consent when the child of another
//	                program reads them
func OurDirs() (Dirs, error) {
	return layout{system: runtime.GOOS, env: os.Getenv, home: homeDir}.dirs()
}

// Home is the user's home folder in the system's user database.
func Home() (string, error) {
	if home := homeDir(); filepath.IsAbs(home) {
		return home, nil
	}
	return "", errNoHome
}

var errNoHome = errors.New("no home folder is known: set " + HomeVariable + " to a folder")

// layout is what the places depend on.
type layout struct {
	system string
	env    func(string) string
	home   func() string // "" when not known
}

func (l layout) dirs() (Dirs, error) {
	if own := l.env(HomeVariable); own != "" {
		own, err := filepath.Abs(own)
		return Dirs{own, own}, err
	}
	home := l.home()
	if !filepath.IsAbs(home) {
		home = ""
	}
	if l.system == "darwin" || l.system == "windows" {
		if home == "" {
			return Dirs{}, errNoHome
		}
		both := filepath.Join(home, ".drawbridge")
		return Dirs{both, both}, nil
	}
	config := l.xdg("XDG_CONFIG_HOME", home, ".config")
	state := l.xdg("XDG_STATE_HOME", home, ".local", "state")
	if config == "" || state == "" {
		return Dirs{}, errNoHome
	}
	return Dirs{filepath.Join(config, "drawbridge"), filepath.Join(state, "drawbridge")}, nil
}

// xdg is the folder of the variable, or the one under home; "" for none. The
// XDG base directory specification has relative values ignored.
func (l layout) xdg(variable, home string, under ...string) string {
	if v := l.env(variable); filepath.IsAbs(v) {
		return v
	}
	if home == "" {
		return ""
	}
	return filepath.Join(append([]string{home}, under...)...)
}

// MakeDir makes a folder of ours, for this user alone, before a file is written
// into it. One that is there stays as it is.
func MakeDir(path string) error { return os.MkdirAll(path, 0o700) }
