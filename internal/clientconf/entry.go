package clientconf

import (
	"slices"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// EntryName is the name of the entry for a server.
func EntryName(server string) string { return "drawbridge-" + server }

// Launch is a program that a client is to start. It holds no secret: what a
// server needs of those, Drawbridge gives it (C-59).
type Launch struct {
	Program string   // absolute, and stays where it is over updates
	Args    []string // mcp, connect, NAME …
	Env     []Pair
}

// Pair is a variable or a header.
type Pair struct{ Name, Value string }

// Shape is an entry in a client's own notation, and whose its fields are (C-28).
type Shape struct {
	Name  string
	Entry splice.Object // the fields that are ours
	Fresh splice.Object // fields that a new entry gets as well; then they are the user's
	ours  []string      // all fields that an entry of ours may have in this file
	env   string        // the one of them in which only our variables are ours, "" for none
}

// Entry is the entry that starts a program.
func Entry(t Target, name string, l Launch) Shape {
	f := formOf(t)
	values := map[string]any{"{name}": name, "{program}": l.Program, "{args}": texts(l.Args), "{command}": texts(append([]string{l.Program}, l.Args...))}
	if len(l.Env) > 0 {
		values["{env}"] = pairs(l.Env)
	}
	s := f.shape(name, f.Stdio, values)
	s.env = f.Stdio.fieldOf("{env}")
	return s
}

// EntryHTTP is the entry for a server at a URL. DB_ENTRY_UNSUPPORTED when the
// client's file takes only programs (C-56).
func EntryHTTP(t Target, name, url string, headers []Pair) (Shape, error) {
	f := formOf(t)
	if f.HTTP == nil {
		return Shape{}, fault.New(fault.EntryUnsupported, name).With("the file of %s takes only programs to start, no addresses", clientOrOther(t).Name)
	}
	values := map[string]any{"{name}": name, "{url}": url}
	if len(headers) > 0 {
		values["{headers}"] = pairs(headers)
	}
	return f.shape(name, f.HTTP, values), nil
}

func (f Form) shape(name string, t Template, values map[string]any) Shape {
	s := Shape{Name: name, Entry: fill(t, values), Fresh: splice.Object(f.Fresh)}
	for _, m := range slices.Concat(f.Stdio, f.HTTP) {
		if !slices.Contains(s.ours, m.Name) {
			s.ours = append(s.ours, m.Name)
		}
	}
	return s
}

// fill puts the values into the template. A field for which there is none is
// left out, and so is an object that only held such fields.
func fill(t Template, values map[string]any) splice.Object {
	var o splice.Object
	for _, m := range t {
		switch v := m.Value.(type) {
		case string:
			if !strings.HasPrefix(v, "{") {
				break
			}
			var ok bool
			if m.Value, ok = values[v]; !ok {
				continue
			}
		case splice.Object:
			inner := fill(Template(v), values)
			if len(inner) == 0 {
				continue
			}
			m.Value = inner
		}
		o = append(o, m)
	}
	return o
}

// fieldOf is the name of the field that holds the value.
func (t Template) fieldOf(value string) string {
	for _, m := range t {
		if m.Value == value {
			return m.Name
		}
	}
	return ""
}

func texts(list []string) splice.List {
	out := splice.List{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func pairs(list []Pair) splice.Object {
	var o splice.Object
	for _, p := range list {
		o = append(o, splice.Member{Name: p.Name, Value: p.Value})
	}
	return o
}

// Add is the change that makes the entry, where there is none of its name.
func (s Shape) Add() splice.Change {
	return splice.Change{Name: s.Name, Entry: slices.Concat(s.Entry, s.Fresh)}
}

// Update is the change that makes an entry of ours as it should be. The user's
// fields stay, and so do the user's variables.
func (s Shape) Update(old splice.Entry) splice.Change {
	c := splice.Change{Name: s.Name, Entry: slices.Clone(s.Entry)}
	had, _ := old.Value.(splice.Object)
	if env := s.mergedEnv(had); len(env) > 0 {
		c.Entry = set(c.Entry, s.env, env)
	}
	for _, m := range had {
		if slices.Contains(s.ours, m.Name) && !has(c.Entry, m.Name) {
			c.Drop = append(c.Drop, m.Name)
		}
	}
	return c
}

// Replace is the change that puts the entry in the place of another of its
// name, of which nothing stays.
func (s Shape) Replace(old splice.Entry) splice.Change {
	c := s.Add()
	had, _ := old.Value.(splice.Object)
	for _, m := range had {
		if !has(c.Entry, m.Name) {
			c.Drop = append(c.Drop, m.Name)
		}
	}
	return c
}

// mergedEnv is the variables of the entry as they should be: those the user
// added, and ours.
func (s Shape) mergedEnv(had splice.Object) splice.Object {
	if s.env == "" {
		return nil
	}
	old, _ := field(had, s.env).(splice.Object)
	ours, _ := field(s.Entry, s.env).(splice.Object)
	var env splice.Object
	for _, m := range old {
		if !strings.HasPrefix(m.Name, "DRAWBRIDGE_") && !has(ours, m.Name) {
			env = append(env, m)
		}
	}
	return append(env, ours...)
}

func field(o splice.Object, name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func has(o splice.Object, name string) bool {
	return slices.ContainsFunc(o, func(m splice.Member) bool { return m.Name == name })
}

func set(o splice.Object, name string, value any) splice.Object {
	for i, m := range o {
		if m.Name == name {
			o[i].Value = value
			return o
		}
	}
	return append(o, splice.Member{Name: name, Value: value})
}
