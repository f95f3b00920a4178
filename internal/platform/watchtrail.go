package platform

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// trail is the way that a path leads now, through all its links.
type trail struct {
	dirs  []string // the folders to watch
	names []string // the paths whose events matter
}

// follow finds the folder of the file and of every link on the way to it; where
// the way ends early, the last folder there is.
func follow(path string) trail {
	var t trail
	at, rest := rootOf(path)
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		if rest[0] == ".." { // from a link; at has none in it
			at, rest = filepath.Dir(at), rest[1:]
			continue
		}
		st, err := os.Lstat(next)
		switch {
		case err == nil && st.Mode()&fs.ModeSymlink != 0 && links < maxLinks:
			t.note(at, next)
			to, err := os.Readlink(next)
			if err != nil {
				return t
			}
			links++
			rest = slices.Concat(steps(to), rest[1:])
			if filepath.IsAbs(to) {
				at, _ = rootOf(to)
			}
		case err != nil, len(rest) == 1, !isDir(next):
			t.note(at, next)
			t.names = append(t.names, at) // that it goes
			return t
		default:
			at, rest = next, rest[1:]
		}
	}
	t.note(filepath.Dir(at), at) // a link to a folder
	return t
}

func (t *trail) note(dir, name string) {
	if !slices.Contains(t.dirs, dir) {
		t.dirs = append(t.dirs, dir)
	}
	t.names = append(t.names, name)
}

// rootOf parts an absolute path into where it begins and the steps from there.
func rootOf(path string) (root string, rest []string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), steps(path)
}

// steps are the names a path is made of. In the target of a link, ".." counts
// from where the links before it led.
func steps(path string) []string {
	path = filepath.FromSlash(path[len(filepath.VolumeName(path)):])
	names := strings.Split(path, string(filepath.Separator))
	return slices.DeleteFunc(names, func(n string) bool { return n == "" || n == "." })
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
