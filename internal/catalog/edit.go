package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"drawbridge/internal/fault"
)

// fresh is the file before its first server.
const fresh = "{\n  \"version\": 1,\n  \"servers\": {}\n}\n"

// withServer gives the file with one more server.
func (d *document) withServer(s Server) ([]byte, error) {
	root := objectAt(d.text, d.root)
	if d.servers == nil {
		return d.checked(root.add("servers", map[string]Server{s.Name: s}), s.Name, &s)
	}
	servers := objectAt(d.text, d.servers)
	if index(servers.Object, s.Name) >= 0 {
		return nil, fault.New(fault.ServerExists, s.Name)
	}
	return d.checked(servers.add(s.Name, s), s.Name, &s)
}

// withoutServer gives the file with one server less.
func (d *document) withoutServer(name string) ([]byte, error) {
	i := d.indexOf(name)
	if i < 0 {
		return nil, fault.New(fault.ServerNotFound, name)
	}
	return d.checked(objectAt(d.text, d.servers).remove(i), name, nil)
}

// withChanged gives the file with one server changed, member by member, so that
// comments and members of no meaning stay. An entry that cannot be read is
// replaced whole.
func (d *document) withChanged(s Server) ([]byte, error) {
	i := d.indexOf(s.Name)
	if i < 0 {
		return d.withServer(s)
	}
	old, err := d.server(&d.entries()[i])
	if err != nil {
		return d.checked(objectAt(d.text, d.servers).set(i, s), s.Name, &s)
	}
	was, now := membersOf(old), membersOf(s)
	at := d
	for _, f := range fields {
		if bytes.Equal(was[f.name], now[f.name]) {
			continue
		}
		text := at.withMember(s.Name, f.name, now[f.name])
		if at, err = parseDocument(d.path, text); err != nil {
			return nil, d.broken("a step left it unreadable: %v", err)
		}
	}
	return d.checked(at.text, s.Name, &s)
}

// withMember gives the text with one member of one entry added, replaced, or,
// when value is nil, removed.
func (d *document) withMember(server, name string, value json.RawMessage) []byte {
	entry := objectAt(d.text, &d.entries()[d.indexOf(server)].Value)
	switch i := index(entry.Object, name); {
	case i >= 0 && value == nil:
		return entry.remove(i)
	case i >= 0:
		return entry.set(i, value)
	case value != nil:
		return entry.add(name, value)
	default:
		return d.text
	}
}

// membersOf is the entry as it is written, member by member.
func membersOf(s Server) map[string]json.RawMessage {
	text := style{colon: ":"}.value(s)
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic("catalog: " + err.Error()) // it was written one line above
	}
	return m
}

func (d *document) indexOf(name string) int {
	if d.servers == nil {
		return -1
	}
	return index(d.servers.Value.(*hujson.Object), name)
}

// checked gives the new file, after making sure that nothing but the entry of
// that name is another: want is what it must read as, nil that it is gone.
func (d *document) checked(text []byte, name string, want *Server) ([]byte, error) {
	now, err := parseDocument(d.path, text)
	if err != nil {
		return nil, d.broken("the result cannot be read: %v", err)
	}
	if !slices.Equal(d.rest(name), now.rest(name)) {
		return nil, d.broken("something beside the entry would change")
	}
	i := now.indexOf(name)
	if (i >= 0) != (want != nil) {
		return nil, d.broken("the entry would be missing or left")
	}
	if want != nil {
		got, err := now.server(&now.entries()[i])
		if err != nil || !equal(got, *want) {
			return nil, d.broken("the entry would read otherwise")
		}
	}
	return slices.Concat(d.bom, text), nil
}

// broken is our own failure to make an edit; nothing has been written.
func (d *document) broken(format string, args ...any) *fault.Error {
	return fault.New(fault.CatalogWrite, d.path).
		With("the file could not be edited without touching more than one entry: %s", fmt.Sprintf(format, args...)).
		Step("edit it by hand")
}

// equal tells whether two entries are written alike.
func equal(a, b Server) bool { return reflect.DeepEqual(membersOf(a), membersOf(b)) }

// rest is all of the file that means something to somebody, but for the entry
// of that name: members and their text, and every comment, in order.
func (d *document) rest(name string) []string {
	var out []string
	comments := func(extra hujson.Extra) {
		for i := 0; i < len(extra); {
			n := commentLen(extra[i:])
			if n > 0 {
				out = append(out, strings.TrimRight(string(extra[i:i+n]), "\r"))
			}
			i += max(n, 1)
		}
	}
	object := func(o *hujson.Object, one func(m *hujson.ObjectMember)) {
		for i := range o.Members {
			m := &o.Members[i]
			comments(m.Name.BeforeExtra)
			one(m)
			comments(m.Value.AfterExtra)
		}
		comments(o.AfterExtra)
	}
	whole := func(m *hujson.ObjectMember) {
		out = append(out, string(d.text[m.Name.StartOffset:m.Value.EndOffset]))
	}
	comments(d.root.BeforeExtra)
	object(d.root.Value.(*hujson.Object), func(m *hujson.ObjectMember) {
		if nameOf(m) != "servers" {
			whole(m)
			return
		}
		comments(m.Name.AfterExtra)
		comments(m.Value.BeforeExtra)
		object(m.Value.Value.(*hujson.Object), func(m *hujson.ObjectMember) {
			if nameOf(m) != name {
				whole(m)
			}
		})
	})
	comments(d.root.AfterExtra)
	return out
}
