package clientconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// Look gives the content of a file, where only that tells how its entries are
// written. nil looks at nothing: such a file then counts as one of the usual
// form. Its errors are not reported; who plans a change meets them again.
type Look func(path string) ([]byte, error)

// Ambiguous is the cause of DB_CLIENT_AMBIGUOUS: the places of which the client
// uses one, and nothing here tells which.
type Ambiguous struct{ Paths []string }

func (a *Ambiguous) Error() string { return "one of " + strings.Join(a.Paths, ", ") }

// Locate finds the file in which a client keeps the user's servers; it may not
// exist yet. Claude Desktop's rules of the Windows store (C-02), the same rules
// for all:
//
//   - a place that the user's environment names is the place;
//   - of the places by preference, the first with a file;
//   - without a file, the first whose folder is there, for a place in a package
//     the folder of the package;
//   - where several packages come into question, it is for a person to say.
//
// DB_CLIENT_NOT_INSTALLED, DB_CLIENT_AMBIGUOUS (the cause is an *Ambiguous) and
// DB_CLIENT_UNSUPPORTED, when the client has no file on this system.
func Locate(c Client, s System, look Look) (Target, error) {
	places := c.places(s)
	if len(places) == 0 {
		return Target{}, noFile(c, s)
	}
	path, err := choose(s, places)
	if err != nil {
		e := fault.New(fault.ClientAmbiguous, c.Name).With("its file can be %s", err)
		e.Err = err
		return Target{}, e
	}
	if !s.there(path) && !Installed(c, s) {
		return Target{}, fault.New(fault.ClientNotInstalled, c.Name)
	}
	return c.target(s, path, look), nil
}

func noFile(c Client, s System) error {
	e := fault.New(fault.ClientUnsupported, c.Name)
	switch {
	case c.ByHand != "":
		return e.With("this client keeps its servers in no file").Step("add the entry in the client: " + c.ByHand)
	case len(onSystem(c.User, s)) > 0:
		return e.With("the folder of its file is not known here").Step("give the path of its file")
	}
	return e
}

// Installed tells, by what is there and without opening anything (C-68), whether
// the client is installed.
func Installed(c Client, s System) bool {
	ownFolder := !c.Has(InHome) && !c.Has(SharesFolder)
	for _, p := range c.places(s) {
		if slices.ContainsFunc(p.files, s.isFile) || ownFolder && slices.ContainsFunc(p.inside, s.there) {
			return true
		}
	}
	for _, pattern := range onSystem(c.Installed, s) {
		if p, ok := s.place(pattern); ok && slices.ContainsFunc(p.files, s.there) {
			return true
		}
	}
	return slices.ContainsFunc(c.Programs, s.program)
}

// Runs tells whether the program at exe is the client's, so that a process of it
// is the client, running. The answer is of the path alone: another program may
// have the same name.
func (c Client) Runs(s System, exe string) bool {
	return slices.ContainsFunc(onSystem(c.Processes, s), func(pattern string) bool { return s.endsIn(exe, pattern) })
}

// Files are all places where the client's own file may be here, existing or
// not, the preferred first.
func Files(c Client, s System) []string {
	var list []string
	for _, p := range c.places(s) {
		list = append(list, p.files...)
	}
	return list
}

// place is a pattern of the table on one system: one file, or for a pattern
// with a star one file for each folder that fits.
type place struct {
	files  []string
	inside []string // the folder whose being there makes the file one to create
	star   bool
}

// places are the client's places by preference; one, if the environment names
// it.
func (c Client) places(s System) []place {
	for _, pattern := range c.Overrides {
		if file, ok := s.expand(pattern); ok {
			return []place{{files: []string{file}, inside: []string{s.parent(file)}}}
		}
	}
	var list []place
	for _, pattern := range onSystem(c.User, s) {
		if p, ok := s.place(pattern); ok {
			list = append(list, p)
		}
	}
	return list
}

// onSystem is what a row says for the system.
func onSystem(row map[string][]string, s System) []string {
	if list, ok := row[s.OS]; ok {
		return list
	}
	return row["any"]
}

// place fills in a pattern. ok is false when a folder it begins with is not
// known.
func (s System) place(pattern string) (place, bool) {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		file, ok := s.expand(pattern)
		return place{files: []string{file}, inside: []string{s.parent(file)}}, ok
	}
	cut := strings.LastIndex(before, "/")
	dir, ok := s.expand(before[:cut])
	p := place{star: true}
	for _, name := range s.Folders(dir) {
		if rest, fits := strings.CutPrefix(name, before[cut+1:]); fits && packageID(rest) {
			p.inside = append(p.inside, s.join(dir, name))
			p.files = append(p.files, s.join(dir, name+after))
		}
	}
	return p, ok
}

// packageID tells whether a text can be the id of a publisher of Windows
// packages.
func packageID(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// choose picks one of the places.
func choose(s System, places []place) (string, error) {
	for _, p := range places {
		var files []string
		for _, f := range p.files {
			if s.there(f) {
				files = append(files, f)
			}
		}
		if len(files) > 0 {
			return only(files)
		}
	}
	for _, p := range places {
		var files []string
		for i, dir := range p.inside {
			if s.there(dir) {
				files = append(files, p.files[i])
			}
		}
		if len(files) > 0 {
			return only(files)
		}
	}
	for _, p := range places {
		if !p.star {
			return p.files[0], nil
		}
	}
	return "", &Ambiguous{} // the table has no client with packages alone
}

func only(files []string) (string, error) {
	if len(files) > 1 {
		return "", &Ambiguous{Paths: files}
	}
	return files[0], nil
}

// target is the client's file at path.
func (c Client) target(s System, path string, look Look) Target {
	t := Target{Client: c.ID, Path: path}
	for _, v := range c.Forms {
		if v.fits(c.Form, s, path, look) {
			t.Form = v.Name
			break
		}
	}
	t.Place = c.form(t.Form).place()
	return t
}

// fits tells whether the file at path is written in the variant.
func (v Variant) fits(usual Form, s System, path string, look Look) bool {
	if v.Ends != "" && s.endsIn(path, v.Ends) {
		return true
	}
	if len(v.Holds) == 0 || look == nil {
		return false
	}
	doc, err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v.Program != "" && s.program(v.Program)
	}
	return err == nil && holds(doc, usual.place(), v.Holds)
}

// holds tells whether path leads to an object in the document that is no entry
// itself, as a server might be called like the last step of the path (C-04).
func holds(doc []byte, p splice.Place, path []string) bool {
	p.Container = path[:len(path)-1]
	entries, err := splice.Entries(doc, p)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name == path[len(path)-1] {
			object, ok := e.Value.(splice.Object)
			_, entry := field(object, "type").(string)
			return ok && !entry
		}
	}
	return false
}
