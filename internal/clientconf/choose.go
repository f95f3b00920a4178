package clientconf

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// Choose finds the file for what a person gave: the name of a client, or the
// path of a file (relative, or with ~/ before it). dialect is the id of the
// client whose file the path is, "" to tell by the path.
func Choose(name, dialect string, s System, look Look) (Target, error) {
	if c, err := Find(name); err == nil {
		if dialect != "" {
			return Target{}, fault.New(fault.UsageInvalid, name).With("`--client-format` goes with the path of a file")
		}
		return Locate(c, s, look)
	}
	if !strings.ContainsAny(name, `/\.`) {
		return Target{}, fault.New(fault.ClientUnknown, name)
	}
	path := name
	if under, ok := strings.CutPrefix(name, "~/"); ok {
		path = s.join(s.Home, under)
	}
	if !s.abs(path) {
		path = s.join(s.Dir, path)
	}
	return LocatePath(s.clean(path), dialect, s, look)
}

// LocatePath is the target for a file at an absolute path (F-106). How it is
// written follows from dialect, the id of a client, else from the path: a file
// that the table knows, one in a project or a profile, one in a folder of a
// client's, and for all others an "mcpServers" object. DB_CLIENT_UNKNOWN for a file that
// cannot be that.
func LocatePath(path, dialect string, s System, look Look) (Target, error) {
	if dialect != "" {
		c, err := Find(dialect)
		if err != nil {
			return Target{}, fault.New(fault.ClientUnknown, dialect).Step("name one of the clients of `drawbridge mcp clients` with `--client-format`")
		}
		return c.target(s, path, look), nil
	}
	if c, ok := clientOf(path, s, look); ok {
		return c.target(s, path, look), nil
	}
	if ending := path[strings.LastIndex(path, ".")+1:]; ending == "toml" || ending == "yaml" || ending == "yml" {
		return Target{}, fault.New(fault.ClientUnknown, path).With("the path does not tell which client this file is for").Step("name the client with `--client-format`")
	}
	return Target{Path: path, Place: clients().Other.place()}, nil
}

// clientOf tells which client a file is of.
func clientOf(path string, s System, look Look) (Client, bool) {
	switch found := append(userFiles(path, s), likeFiles(path, s)...); len(found) {
	case 0:
	case 1:
		return found[0], true
	default:
		return sharers(found, path, look), true
	}
	if c, ok := sameName(path, s); ok {
		return c, true
	}
	return inFolder(path, s)
}

// sameName is the client that alone has files of this name.
func sameName(path string, s System) (Client, bool) {
	segments := s.segments(path)
	for _, c := range clients().Clients {
		for _, pattern := range onSystem(c.User, s) {
			if name := lastSegment(pattern); s.same(name, segments[len(segments)-1]) && unique(name) {
				return c, true
			}
		}
	}
	return Client{}, false
}

// inFolder is the client of the nearest folder that is a client's.
func inFolder(path string, s System) (Client, bool) {
	for segments := s.segments(s.parent(path)); len(segments) > 0; segments = segments[:len(segments)-1] {
		for _, c := range clients().Clients {
			if slices.ContainsFunc(c.Folders, func(f string) bool { return s.same(f, segments[len(segments)-1]) }) {
				return c, true
			}
		}
	}
	return Client{}, false
}

// userFiles are the clients whose user's file may be the one at path.
func userFiles(path string, s System) []Client {
	var list []Client
	for _, c := range clients().Clients {
		if slices.ContainsFunc(Files(c, s), func(f string) bool { return s.same(f, path) }) {
			list = append(list, c)
		}
	}
	return list
}

// likeFiles are the clients that have a file whose path ends like this one: those
// for which the longest end says so. It may be in a project, in a profile, or in
// another's home.
func likeFiles(path string, s System) []Client {
	var list []Client
	longest := 0
	for _, c := range clients().Clients {
		best := 0
		for _, end := range c.ends() {
			if s.endsIn(path, end) {
				best = max(best, len(end))
			}
		}
		if best > longest {
			longest, list = best, nil
		}
		if best > 0 && best == longest {
			list = append(list, c)
		}
	}
	return list
}

// ends are the ends of the paths of the client's files.
func (c Client) ends() []string {
	list := slices.Concat(c.Project, c.Ends)
	for _, patterns := range c.User {
		for _, p := range patterns {
			if strings.HasPrefix(p, "${") {
				_, p, _ = strings.Cut(p, "}")
			}
			_, below, _ := strings.Cut(p, "/") // the folder it begins with
			list = append(list, below)
		}
	}
	return list
}

// sharers picks one of the clients that have a file of this name: the first
// whose key the file has, else the first. Claude Code and Visual Studio both
// read .mcp.json, mcpServers one and servers the other, and one file may hold
// both (C-03).
func sharers(list []Client, path string, look Look) Client {
	if look == nil {
		return list[0]
	}
	doc, err := look(path)
	if err != nil {
		return list[0]
	}
	for _, c := range list {
		p := c.place()
		first := p.Container[0]
		p.Container = nil
		entries, err := splice.Entries(doc, p)
		if err == nil && slices.ContainsFunc(entries, func(e splice.Entry) bool { return e.Name == first }) {
			return c
		}
	}
	return list[0]
}

func lastSegment(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// unique tells whether all clients that have a file of this name write the same
// into it.
func unique(file string) bool {
	var forms []string
	for _, c := range clients().Clients {
		for _, patterns := range c.User {
			if slices.ContainsFunc(patterns, func(p string) bool { return lastSegment(p) == file }) {
				forms = append(forms, fmt.Sprint(c.Format, c.Dialect, c.Container, c.Stdio, c.HTTP))
			}
		}
	}
	return len(slices.Compact(forms)) == 1
}
