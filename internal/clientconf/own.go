package clientconf

import (
	"slices"
	"strings"

	"drawbridge/internal/splice"
)

// Ours is an entry that starts Drawbridge.
type Ours struct {
	Server  string   // the name or URL that it connects to
	Program string   // where it has Drawbridge
	Flags   []string // the arguments after the server
}

// Own tells whether an entry is one that Drawbridge writes: it starts a
// program of our name, in any folder, with the arguments mcp connect NAME or
// connect NAME (C-26). Only the ledger knows of others: entries with a URL, and
// those of a program that was renamed.
func Own(entry splice.Entry) (Ours, bool) {
	program, args, _ := command(entry)
	if !isOurs(program) {
		return Ours{}, false
	}
	if len(args) > 0 && args[0] == "mcp" {
		args = args[1:]
	}
	if len(args) < 2 || args[0] != "connect" || args[1] == "" || strings.HasPrefix(args[1], "-") {
		return Ours{}, false
	}
	return Ours{Server: args[1], Program: program, Flags: args[2:]}, true
}

// Moved is the change that makes an entry of ours start program, with all else
// as it is. ok is false when the entry is not of Own.
func Moved(entry splice.Entry, program string) (c splice.Change, ok bool) {
	if _, ok := Own(entry); !ok {
		return splice.Change{}, false
	}
	return starting(entry, program), true
}

// starting is the change that makes an entry, which starts a program, start
// another one with the same arguments.
func starting(entry splice.Entry, program string) splice.Change {
	_, _, m := command(entry)
	switch v := m.Value.(type) {
	case string:
		m.Value = program
	case splice.List:
		v = slices.Clone(v)
		v[0] = program
		m.Value = v
	case splice.Object: // of old versions of Zed
		m.Value = set(slices.Clone(v), "path", program)
	}
	return splice.Change{Name: entry.Name, Entry: splice.Object{m}}
}

// isOurs tells whether a path, of any system, is that of a Drawbridge.
func isOurs(program string) bool {
	base := program[strings.LastIndexAny(program, `/\`)+1:]
	return base == "drawbridge" || strings.EqualFold(base, "drawbridge.exe")
}

// command is what an entry starts, in whichever way it is written, and the field
// that says the program.
func command(entry splice.Entry) (program string, args []string, m splice.Member) {
	o, _ := entry.Value.(splice.Object)
	for _, m := range o {
		if m.Name != "command" && m.Name != "cmd" {
			continue
		}
		switch v := m.Value.(type) {
		case string:
			return v, strs(field(o, "args")), m
		case splice.List:
			if list := strs(v); len(list) > 0 {
				return list[0], list[1:], m
			}
		case splice.Object:
			path, _ := field(v, "path").(string)
			return path, strs(field(v, "args")), m
		}
	}
	return "", nil, splice.Member{}
}

// strs is a list of texts; nil for any other value.
func strs(value any) []string {
	list, _ := value.(splice.List)
	var out []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}
