package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Found is a command's file and the PATH it was found on.
type Found struct {
	File string // absolute
	path string
}

// NotFoundError says that there is no such command, and where it was looked for.
type NotFoundError struct {
	Command string
	Places  []string // folders, or the one file
	Denied  string   // a file of that name that may not be executed
}

func (e *NotFoundError) Error() string {
	if e.Denied != "" {
		return e.Denied + " is not executable"
	}
	return fmt.Sprintf("%s is not in %s", e.Command, strings.Join(e.Places, ", "))
}

// Unwrap is fs.ErrNotExist, or fs.ErrPermission.
func (e *NotFoundError) Unwrap() error {
	if e.Denied != "" {
		return fs.ErrPermission
	}
	return fs.ErrNotExist
}

// FindCommand finds the file a command names. A name with a separator is taken
// relative to dir. Another is looked for on the configured PATH if there is
// one, else on our own; then on that of the user's login shell, which is asked
// at most once; then in the folders installers use. The error is a
// *NotFoundError.
func FindCommand(command string, configured map[string]string, dir string) (Found, error) {
	s := search{ext: extensions(configured)}
	own, fixed := lookup(configured, "PATH")
	if !fixed {
		own = os.Getenv("PATH")
	}
	if filepath.Base(command) != command || filepath.IsAbs(command) {
		return s.file(command, dir, folders(own), fixed)
	}
	if command == "" || command == "." || command == ".." {
		return Found{}, &NotFoundError{Command: fmt.Sprintf("%q", command), Places: []string{"any folder"}}
	}
	places := folders(own)
	file := s.in(places, command)
	if file == "" || len(places) == 0 {
		places = merge(places, folders(loginPath()))
		file = s.in(places, command)
	}
	all := merge(places, wellKnown())
	if file == "" {
		file = s.in(all, command)
	}
	if file == "" {
		return Found{}, &NotFoundError{command, all, s.denied}
	}
	return found(file, own, all, fixed), nil
}

// found settles the child's PATH. A configured one is left as it is. Otherwise
// the command's folder is on it: npx finds node beside itself.
func found(file, own string, all []string, fixed bool) Found {
	if fixed {
		return Found{file, own}
	}
	return Found{file, joinPath(merge(all, []string{filepath.Dir(file)}))}
}

// search looks for one command.
type search struct {
	ext    []string // "" or those of PATHEXT
	denied string
}

// file is the search for a name with a separator.
func (s *search) file(command, dir string, own []string, fixed bool) (Found, error) {
	full := command
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, command)
	}
	full, err := filepath.Abs(full)
	if err != nil {
		return Found{}, &NotFoundError{Command: command, Places: []string{dir}}
	}
	file := s.in([]string{filepath.Dir(full)}, filepath.Base(full))
	if file == "" {
		return Found{}, &NotFoundError{filepath.Base(full), []string{filepath.Dir(full)}, s.denied}
	}
	if len(own) == 0 && !fixed {
		own = folders(loginPath())
	}
	return found(file, joinPath(own), merge(own, wellKnown()), fixed), nil
}

// in gives the first executable file of that name.
func (s *search) in(dirs []string, name string) string {
	for _, d := range dirs {
		for _, ext := range s.ext {
			file := filepath.Join(d, name) + ext
			switch err := executable(file); {
			case err == nil:
				return file
			case errors.Is(err, fs.ErrPermission) && s.denied == "":
				s.denied = file
			}
		}
	}
	return ""
}
