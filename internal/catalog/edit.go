package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tailscale/hujson"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// fresh is the file before its first server.
const fresh = "{\n  \"version\": 1,\n  \"servers\": {}\n}\n"

// withServer gives the file with one more server.
func (d *document) withServer(s Server) ([]byte, error) {
	if d.indexOf(s.Name) >= 0 {
		return nil, fault.New(fault.ServerExists, s.Name)
	}
	return d.edited(difference(Server{}, s), &s)
}

// withoutServer gives the file with one server less.
func (d *document) withoutServer(name string) ([]byte, error) {
	if d.indexOf(name) < 0 {
		return nil, fault.New(fault.ServerNotFound, name)
	}
	return d.edited(splice.Change{Name: name, Remove: true}, nil)
}

// withChanged gives the file with one server changed, member by member, so that
// comments and members of no meaning stay. An entry that cannot be read goes,
// and the new one stands behind the last.
func (d *document) withChanged(s Server) ([]byte, error) {
	i := d.indexOf(s.Name)
	if i < 0 {
		return d.withServer(s)
	}
	if old, err := d.server(&d.entries()[i]); err == nil {
		return d.edited(difference(old, s), &s)
	}
	text, err := d.withoutServer(s.Name)
	if err != nil {
		return nil, err
	}
	without, err := parseDocument(d.path, text)
	if err != nil {
		return nil, d.broken(err)
	}
	return without.withServer(s)
}

func (d *document) indexOf(name string) int {
	return slices.IndexFunc(d.entries(), func(m hujson.ObjectMember) bool { return nameOf(&m) == name })
}

// difference is the change that makes an entry that reads as old one that reads
// as s. The zero old is no entry.
func difference(old, s Server) splice.Change {
	c := splice.Change{Name: s.Name}
	was, now := membersOf(old), membersOf(s)
	for _, f := range fields {
		before, had := was[f.name]
		after, has := now[f.name]
		switch {
		case had && !has:
			c.Drop = append(c.Drop, f.name)
		case has && !(had && splice.Equal(before, after)):
			c.Entry = append(c.Entry, splice.Member{Name: f.name, Value: after})
		}
	}
	return c
}

// membersOf is the entry as it is written, member by member.
func membersOf(s Server) map[string]any {
	list, err := splice.Entries(written(s), splice.Place{Format: splice.JSON})
	if err != nil {
		panic("catalog: " + err.Error()) // it was just written
	}
	m := make(map[string]any, len(list))
	for _, e := range list {
		m[e.Name] = e.Value
	}
	return m
}

func written(s Server) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("catalog: " + err.Error()) // a Server holds nothing that JSON does not
	}
	return text
}

// equal tells whether two entries are written alike.
func equal(a, b Server) bool { return bytes.Equal(written(a), written(b)) }

// edited gives the file with this change: want is what the entry must then read
// as, nil that it is gone. That nothing else changes is for package splice.
func (d *document) edited(c splice.Change, want *Server) ([]byte, error) {
	place := splice.Place{Format: splice.JSONC, Container: []string{"servers"}}
	plan, err := splice.Make(slices.Concat(d.bom, d.text), place, c)
	if refused := (*splice.Error)(nil); errors.As(err, &refused) {
		return nil, d.refused(refused)
	}
	if err != nil {
		return nil, d.broken(err)
	}
	now, err := parseDocument(d.path, plan.After)
	if err != nil {
		return nil, d.broken(err)
	}
	i := now.indexOf(c.Name)
	if (i >= 0) != (want != nil) {
		return nil, d.broken(errors.New("the entry would be missing or left"))
	}
	if want != nil {
		if got, err := now.server(&now.entries()[i]); err != nil || !equal(got, *want) {
			return nil, d.broken(errors.New("the entry would read otherwise"))
		}
	}
	return plan.After, nil
}

// refused is about a file that can be read and not be changed safely.
func (d *document) refused(e *splice.Error) error {
	if e.Reason == splice.TooLarge {
		return fault.New(fault.CatalogWrite, d.path).With("%s", e.Detail).Step("remove what you no longer need")
	}
	return fault.New(fault.CatalogInvalid, fmt.Sprintf("%s:%d:%d", d.path, e.Line, e.Column)).With("%s", fault.Excerpt(e.Detail))
}

// broken is our own failure to make an edit; nothing has been written.
func (d *document) broken(err error) error {
	return fault.New(fault.CatalogWrite, d.path).
		With("the file could not be edited without touching more than one entry: %v", err).
		Step("edit it by hand")
}
