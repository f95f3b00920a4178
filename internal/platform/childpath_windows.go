package platform

import (
	"io/fs"
	"os"
	"strings"
)

const defaultPathExt = ".COM;.EXE;.BAT;.CMD"

// extensions are the name's own and those of PATHEXT that CreateProcess or
// cmd.exe can start. A client may have passed a broken PATHEXT.
func extensions(configured map[string]string) []string {
	list, ok := lookup(configured, "PATHEXT")
	if !ok {
		list = os.Getenv("PATHEXT")
	}
	exts := []string{}
	for _, e := range append(strings.Split(list, ";"), strings.Split(defaultPathExt, ";")...) {
		switch e = strings.ToLower(strings.TrimSpace(e)); e {
		case ".com", ".exe", ".bat", ".cmd":
			exts = merge(exts, []string{e})
		}
	}
	// A file without an extension beside npx.cmd is a script for other systems.
	return append(exts, "")
}

// executable tells whether the file can be started.
func executable(file string) error {
	i, err := os.Stat(file)
	if err != nil || i.IsDir() {
		return fs.ErrNotExist
	}
	lower := strings.ToLower(file)
	for _, e := range []string{".com", ".exe", ".bat", ".cmd"} {
		if strings.HasSuffix(lower, e) {
			return nil
		}
	}
	return fs.ErrPermission
}
