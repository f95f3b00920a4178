package splice

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// verify is the last check of a plan, on what other code than the one that made
// it finds in the document before and after.
func verify(before, after *reading, plan Plan, c Change) error {
	back, err := Apply(plan.After, plan.Inverse)
	if err != nil {
		return err
	}
	if !bytes.Equal(back, before.doc) {
		return errors.New("splice: the inverse does not restore the document")
	}
	old, err := before.document.tree()
	if err != nil {
		return fmt.Errorf("splice: read the document again: %w", err)
	}
	now, err := after.document.tree()
	if err != nil {
		return fmt.Errorf("splice: read the result: %w", err)
	}
	oldRest, oldEntry := take(old, before.place, c.Name)
	rest, entry := take(now, before.place, c.Name)
	if !identical(oldRest, rest) && !(hollow(oldRest) && hollow(rest)) {
		return errors.New("splice: the result differs from the document in more than the entry")
	}
	return c.check(oldEntry, entry)
}

// check tells whether the entries of the name are now what c makes of what they
// were.
func (c Change) check(old, now []any) error {
	switch {
	case c.Remove && len(now) == 0:
		return nil
	case c.Remove:
		return errors.New("splice: the entry is still there")
	case len(now) != 1:
		return fmt.Errorf("splice: the result has the entry %d times", len(now))
	}
	had := Object{}
	if len(old) > 0 {
		had, _ = old[0].(Object) // null and the like hold no fields
	}
	has, ok := now[0].(Object)
	if !ok || !identical(c.foreign(had), c.foreign(has)) {
		return errors.New("splice: the entry does not keep its other fields")
	}
	for _, f := range c.Entry {
		if i := has.index(f.Name); i < 0 || !Equal(has[i].Value, f.Value) {
			return fmt.Errorf("splice: the entry's field %q does not read as it was to be", f.Name)
		}
	}
	for _, name := range c.Drop {
		if has.index(name) >= 0 {
			return fmt.Errorf("splice: the entry's field %q is still there", name)
		}
	}
	return nil
}

// foreign are the fields that c says nothing about.
func (c Change) foreign(o Object) Object {
	return slices.DeleteFunc(slices.Clone(o), func(m Member) bool {
		return c.Entry.index(m.Name) >= 0 || slices.Contains(c.Drop, m.Name)
	})
}

// index is where o has the name, -1 for nowhere.
func (o Object) index(name string) int {
	return slices.IndexFunc(o, func(m Member) bool { return m.Name == name })
}

// take gives the tree without the entries of this name, and these. A collection
// that holds nothing then goes too, and so does what holds nothing but that: a
// plan may create them.
func take(tree any, p Place, name string) (rest any, taken []any) {
	if len(p.Container) > 0 {
		return takeBelow(tree, p, name)
	}
	switch v := tree.(type) {
	case Object:
		if p.List {
			return tree, nil
		}
		out := Object{}
		for _, m := range v {
			if m.Name == name {
				taken = append(taken, m.Value)
			} else {
				out = append(out, m)
			}
		}
		return out, taken
	case List:
		if !p.List {
			return tree, nil
		}
		out := List{}
		for _, e := range v {
			if said, ok := nameOf(e); ok && said == name {
				taken = append(taken, e)
			} else {
				out = append(out, e)
			}
		}
		return out, taken
	default:
		return tree, nil
	}
}

func takeBelow(tree any, p Place, name string) (rest any, taken []any) {
	o, ok := tree.(Object)
	if !ok {
		return tree, nil
	}
	out := Object{}
	key := p.Container[0]
	p.Container = p.Container[1:]
	for _, m := range o {
		if m.Name != key {
			out = append(out, m)
			continue
		}
		below, t := take(m.Value, p, name)
		taken = append(taken, t...)
		if !hollow(below) {
			out = append(out, Member{m.Name, below})
		}
	}
	return out, taken
}

// nameOf is the name that an element of a list gives itself: the last, if there
// is more than one, as most programs read it.
func nameOf(e any) (name string, ok bool) {
	o, _ := e.(Object)
	for _, m := range o {
		if m.Name == "name" {
			name, ok = m.Value.(string)
		}
	}
	return name, ok
}

// entryName is the name that an element gives itself, "" for none.
func entryName(e any) string {
	name, _ := nameOf(e)
	return name
}

func hollow(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case Object:
		return len(v) == 0
	case List:
		return len(v) == 0
	default:
		return false
	}
}

// identical tells whether two trees are the same, the order of members and the
// spelling of numbers included.
func identical(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		return ok && slices.EqualFunc(a, b, func(x, y Member) bool { return x.Name == y.Name && identical(x.Value, y.Value) })
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, identical)
	default:
		switch b.(type) {
		case Object, List:
			return false
		}
		return a == b
	}
}

// Equal tells whether two values mean the same. The order of members says
// nothing; numbers are compared as they are written.
func Equal(a, b any) bool {
	x, ok := a.(Object)
	if ok {
		y, ok := b.(Object)
		return ok && equalObjects(x, y)
	}
	if l, ok := a.(List); ok {
		m, ok := b.(List)
		return ok && slices.EqualFunc(l, m, Equal)
	}
	return identical(a, b)
}

// equalObjects takes each member for one of the same name, in the order in which
// a name that is there more than once stands.
func equalObjects(a, b Object) bool {
	if len(a) != len(b) {
		return false
	}
	order := func(x, y Member) int { return cmp.Compare(x.Name, y.Name) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortStableFunc(a, order)
	slices.SortStableFunc(b, order)
	return slices.EqualFunc(a, b, func(x, y Member) bool { return x.Name == y.Name && Equal(x.Value, y.Value) })
}
