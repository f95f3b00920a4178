package clientconf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"drawbridge/internal/platform"
)

// System is what the places of clients' files depend on. It is a value that is
// handed in, so that a test on one system asks for the places of another.
//
// Drawbridge's own files lie under the home folder of the user database; the
// clients follow the variables of the user's session, and so does System.
type System struct {
	OS   string              // linux, darwin or windows
	Home string              // absolute
	Dir  string              // the working folder, for paths that people type
	Env  func(string) string // "" for a variable that is not set
	// Stat tells about what is there, links followed, and opens nothing: on
	// macOS, to open another program's file raises a question to the user.
	Stat func(path string) (fs.FileInfo, error)
	// Folders are the names of the folders in a folder; none when it is missing.
	Folders func(path string) []string
}

// ThisSystem is the system that this process runs on.
func ThisSystem() (System, error) {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		home, err = platform.Home()
	}
	if err != nil {
		return System{}, fmt.Errorf("find the home folder: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return System{}, fmt.Errorf("find the working folder: %w", err)
	}
	return System{OS: platform.OS(), Home: home, Dir: dir, Env: os.Getenv, Stat: os.Stat, Folders: folders}, nil
}

func folders(dir string) []string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil // no packages are installed, or they are not ours to see
	}
	var names []string
	for _, e := range list {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// there tells whether something is at the path. What may not be looked at is
// there: a client that the system protects is not a client that is missing.
func (s System) there(path string) bool {
	_, err := s.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// isFile is there, for files.
func (s System) isFile(path string) bool {
	info, err := s.Stat(path)
	if err == nil {
		return !info.IsDir()
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// clean writes a path as the system does.
func (s System) clean(p string) string {
	if s.OS != "windows" {
		return path.Clean(p)
	}
	p = strings.ReplaceAll(p, `\`, "/")
	share := strings.HasPrefix(p, "//")
	p = path.Clean(p)
	if share {
		p = "/" + p
	}
	return strings.ReplaceAll(p, "/", `\`)
}

func (s System) join(elem ...string) string { return s.clean(strings.Join(elem, "/")) }

// parent is the folder of a file; that of a root is the root.
func (s System) parent(p string) string {
	p = s.clean(p)
	if i := strings.LastIndexAny(p, s.separators()); i >= 0 && i < len(p)-1 {
		return s.clean(p[:i+1])
	}
	return p
}

func (s System) separators() string {
	if s.OS == "windows" {
		return `\/`
	}
	return "/"
}

func (s System) abs(p string) bool {
	if s.OS != "windows" {
		return strings.HasPrefix(p, "/")
	}
	p = strings.ReplaceAll(p, `\`, "/")
	return strings.HasPrefix(p, "//") || len(p) > 2 && p[1] == ':' && p[2] == '/'
}

// segments are the names a path is made of.
func (s System) segments(p string) []string {
	p = s.clean(p)
	if s.OS == "windows" {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	return strings.Split(strings.Trim(p, "/"), "/")
}

// same compares names of files.
func (s System) same(a, b string) bool {
	if s.OS == "linux" {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// endsIn tells whether the last segments of path are those of the pattern. A
// star stands for any characters of one segment.
func (s System) endsIn(p, pattern string) bool {
	have, want := s.segments(p), strings.Split(pattern, "/")
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		h := have[len(have)-len(want)+i]
		if s.OS != "linux" {
			h, w = strings.ToLower(h), strings.ToLower(w)
		}
		if ok, err := path.Match(w, h); err != nil || !ok {
			return false
		}
	}
	return true
}

// expand fills in a pattern of the table. ok is false when a variable in it is
// not set, or not to an absolute path, and has nothing to fall back to:
//
//	~/x            under the home folder
//	%APPDATA%/x    under that folder of Windows
//	${X}/y         under the folder that X names
//	${X:-~/a}/y    or, without X, under the other
func (s System) expand(pattern string) (string, bool) {
	start, rest := "", pattern
	switch {
	case strings.HasPrefix(pattern, "${"):
		variable, after, _ := strings.Cut(pattern[2:], "}")
		name, otherwise, _ := strings.Cut(variable, ":-")
		start, rest = cmp.Or(s.absolute(name), otherwise), after
	case strings.HasPrefix(pattern, "%"):
		name, after, _ := strings.Cut(pattern[1:], "%")
		start, rest = cmp.Or(s.absolute(name), windowsFolders[name]), after
	case strings.HasPrefix(pattern, "~/"):
		start, rest = "~", pattern[1:]
	default:
		return s.clean(pattern), s.abs(pattern)
	}
	if start == "" {
		return "", false
	}
	if under, ok := strings.CutPrefix(start, "~"); ok {
		start = s.Home + under
	}
	return s.clean(start + rest), true
}

// absolute is the value of a variable that holds an absolute path.
func (s System) absolute(name string) string {
	if v := s.Env(name); s.abs(v) {
		return v
	}
	return ""
}

// windowsFolders are where they are unless they were moved. Some clients start
// their servers without these variables.
var windowsFolders = map[string]string{
	"APPDATA":      "~/AppData/Roaming",
	"LOCALAPPDATA": "~/AppData/Local",
}

// program finds a program on the PATH by stat alone.
func (s System) program(name string) bool {
	separator, endings := ":", []string{""}
	if s.OS == "windows" {
		separator, endings = ";", []string{".exe", ".cmd"}
	}
	for _, dir := range strings.Split(s.Env("PATH"), separator) {
		if !s.abs(dir) {
			continue
		}
		for _, ending := range endings {
			if info, err := s.Stat(s.join(dir, name+ending)); err == nil && !info.IsDir() {
				return true
			}
		}
	}
	return false
}
