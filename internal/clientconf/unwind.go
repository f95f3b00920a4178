package clientconf

import (
	"slices"

	"drawbridge/internal/splice"
)

// unwound gives a draft that takes out the same entries as d and leaves the file
// as if they had never been added (F-121). That is known for a file that nobody
// else changed since: the changes of the journal are taken back in turn, and the
// entries that are to stay are made again. It gives d itself when there is no
// such way.
//
// The way back that goes furthest is taken: only it takes back a collection, or
// a file, that was made for the entries.
func (e *Editor) unwound(d *draft) (*draft, error) {
	j, err := e.loadJournal(d.o.real)
	if err != nil {
		return nil, err
	}
	stay, err := d.entries() // what d leaves
	if err != nil {
		return nil, err
	}
	back, names, best := newDraft(d.o), []string(nil), d
	back.c.Entries, back.c.Foreign, back.c.secrets, back.c.known, back.c.warnings = d.c.Entries, d.c.Foreign, d.c.secrets, d.c.known, d.c.warnings
	for _, c := range slices.Backward(j.Changes) {
		if c.After != hashOf(back.text) || !slices.Equal(c.Place.Container, d.c.Place.Container) || !back.takeBack(c) {
			break
		}
		for _, t := range c.Entries {
			names = append(names, t.Name)
		}
		if way := *back; way.leaves(stay, names) {
			best = &way
		}
	}
	return best, nil
}

// takeBack takes back a change that led to the draft's text.
func (d *draft) takeBack(c *change) bool {
	text, err := textAfter(d.text, c.Inverse, c.Before)
	if err != nil {
		return false
	}
	d.parts, d.text, d.gone = d.parts.edited(c.Inverse), text, c.Before == ""
	if d.gone {
		d.c.Folders = c.Folders
	}
	return true
}

// leaves makes those of the named entries that are to stay and tells whether all
// entries are then as they are to be.
func (d *draft) leaves(stay []splice.Entry, names []string) bool {
	for i, name := range names {
		list, err := d.entries()
		if err != nil {
			return false
		}
		_, there := entryNamed(list, name)
		want, stays := entryNamed(stay, name)
		value, _ := want.Value.(splice.Object)
		switch {
		case slices.Contains(names[:i], name):
			continue
		case stays && !there:
			d.hide(want)
			d.know(want, nil)
			err = d.make(splice.Change{Name: name, Entry: value})
		case !stays && there:
			err = d.make(splice.Change{Name: name, Remove: true})
		}
		if err != nil {
			return false
		}
	}
	list, err := d.entries()
	return err == nil && sameEntries(list, stay)
}

func sameEntries(a, b []splice.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y splice.Entry) bool { return x.Name == y.Name && equal(x.Value, y.Value) })
}
