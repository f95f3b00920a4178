package catalog

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/tailscale/hujson"

	"drawbridge/internal/fault"
)

// server reads one member of "servers". The error names its place.
func (d *document) server(m *hujson.ObjectMember) (Server, error) {
	name := nameOf(m)
	o, ok := m.Value.Value.(*hujson.Object)
	if !ok {
		return Server{}, d.invalid(m.Value.StartOffset, "the server %q must be an object", name)
	}
	if err := d.checkEntry(o); err != nil {
		return Server{}, err
	}
	s := Server{}
	if err := json.Unmarshal(plain(&m.Value), &s); err != nil {
		return Server{}, d.wrongType(m, err)
	}
	s.Name = name
	if s.Transport == "" {
		s.Transport = Auto
		if s.Command != "" {
			s.Transport = Stdio
		}
	}
	if err := s.Validate(); err != nil {
		e := d.invalid(m.Name.StartOffset, "the server %q: %s", name, fault.Of(err, "").Text)
		e.Err = err
		return Server{}, e
	}
	return s, nil
}

// plain is the value as JSON without comments, each byte where it was.
func plain(v *hujson.Value) []byte {
	c := v.Clone()
	c.BeforeExtra, c.AfterExtra = nil, nil
	if !c.IsStandard() {
		c.Standardize()
	}
	return c.Pack()
}

// checkEntry refuses what encoding/json would take in its own way.
func (d *document) checkEntry(o *hujson.Object) error {
	if err := d.checkNames(o); err != nil {
		return err
	}
	for i := range o.Members {
		m := &o.Members[i]
		f := fieldOf(nameOf(m))
		if f == nil {
			continue // of no meaning, and kept
		}
		if err := d.checkSpelling(m, f.name); err != nil {
			return err
		}
		if err := d.checkValue(&m.Value, f.inner...); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) checkValue(v *hujson.Value, known ...string) error {
	switch x := v.Value.(type) {
	case hujson.Literal:
		if x.Kind() == 'n' {
			return d.invalid(v.StartOffset, "null says nothing: leave the member out")
		}
	case *hujson.Object:
		if err := d.checkNames(x, known...); err != nil {
			return err
		}
		for i := range x.Members {
			if err := d.checkValue(&x.Members[i].Value); err != nil {
				return err
			}
		}
	case *hujson.Array:
		for i := range x.Elements {
			if err := d.checkValue(&x.Elements[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrongType says which member of the entry is not what it must be.
func (d *document) wrongType(m *hujson.ObjectMember, err error) error {
	o := m.Value.Value.(*hujson.Object) // server has checked it
	name := "timeout"                   // its own reader gives no place
	if typed := (*json.UnmarshalTypeError)(nil); errors.As(err, &typed) {
		name, _, _ = strings.Cut(typed.Field, ".")
	}
	f, v := fieldOf(name), find(o, name)
	if f == nil || v == nil {
		return d.invalid(m.Name.StartOffset, "the server %q: %v", nameOf(m), err)
	}
	return d.invalid(v.StartOffset, "%q of the server %q must be %s", name, nameOf(m), f.shape)
}
