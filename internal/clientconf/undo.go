package clientconf

import (
	"bytes"
	"fmt"
	"slices"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// PlanUndo plans to take back the last change that Drawbridge made to the file
// and has not taken back: to the exact bytes if nobody changed the file since,
// else only the entries of that change. DB_NOTHING_TO_UNDO when there is none,
// or when somebody else changed its entries since.
func (e *Editor) PlanUndo(t Target) (*Preview, error) { return preview(t, e.planUndo) }

func (e *Editor) planUndo(o *opened) (*change, error) {
	j, err := e.loadJournal(o.real)
	if err != nil {
		return nil, err
	}
	if j.Pending != nil {
		if _, err := j.settle(o.text); err != nil {
			return nil, err
		}
	}
	last := j.last()
	if last == nil {
		return nil, fault.New(fault.NothingToUndo, o.real)
	}
	as := *o
	as.target.Place = last.Place // one file may hold two collections
	d := newDraft(&as)
	d.c.Undoes, d.c.Foreign, d.c.Folders = true, last.Foreign, nil
	if o.hash() == last.After {
		err = d.undoExactly(last)
	} else {
		err = d.undoEntries(last)
	}
	if err != nil {
		return nil, err
	}
	return d.done()
}

// undoExactly takes back a change of a file that nobody changed since.
func (d *draft) undoExactly(last *change) error {
	if !d.takeBack(last) {
		return fault.New(fault.NothingToUndo, d.o.real).With("the record of the last change does not fit the file").Step("take the entry out by hand").Because(errInconsistent)
	}
	if last.After == "" {
		d.c.Folders = d.o.folders
	}
	for _, t := range slices.Backward(last.Entries) {
		d.c.Entries = append(d.c.Entries, t.back())
		for _, text := range [][]byte{d.o.text, d.text} {
			value, err := entryIn(text, last.Place, t.Name)
			if err != nil {
				return refused(d.o.real, err)
			}
			d.hide(splice.Entry{Value: value})
			d.know(splice.Entry{Name: t.Name, Value: value}, t.record())
		}
	}
	return nil
}

// back is what it does to the entry to take the change back.
func (t touched) back() touched {
	b := touched{Name: t.Name, Server: t.Server, Effect: t.Effect, Was: t.Is, Is: t.Was}
	switch t.Effect {
	case Added:
		b.Effect = Removed
	case Removed:
		b.Effect = Added
	case Updated, Replaced, Unchanged:
	}
	return b
}

// record is what the ledger said about the entry after the change or, where it
// said nothing, before.
func (t touched) record() *Owned {
	if t.Is != nil {
		return t.Is
	}
	return t.Was
}

// undoEntries takes back what a change did to its entries, and leaves what
// others changed since.
func (d *draft) undoEntries(last *change) error {
	before, after, err := last.made()
	if err != nil {
		return fault.New(fault.NothingToUndo, d.o.real).With("the file was changed since, and the backup of it is gone").
			Step("take the entry out by hand").Because(err)
	}
	for _, t := range slices.Backward(last.Entries) {
		was, err := entryIn(before, last.Place, t.Name)
		if err != nil {
			return err
		}
		is, err := entryIn(after, last.Place, t.Name)
		if err != nil {
			return err
		}
		if err := d.undoEntry(t, was, is); err != nil {
			return err
		}
	}
	return nil
}

// entryIn gives the value of the entry in a text, nil for none.
func entryIn(text []byte, p splice.Place, name string) (splice.Object, error) {
	if text == nil {
		return nil, nil
	}
	list, err := splice.Entries(bytes.Clone(text), p)
	if err != nil {
		return nil, err
	}
	found, _ := entryNamed(list, name)
	value, _ := found.Value.(splice.Object)
	return value, nil
}

// undoEntry makes the entry, which a change made is out of was, what it was.
func (d *draft) undoEntry(t touched, was, is splice.Object) error {
	list, err := d.entries()
	if err != nil {
		return err
	}
	entry, there := entryNamed(list, t.Name)
	now, _ := entry.Value.(splice.Object)
	for _, e := range []splice.Entry{entry, {Name: t.Name, Value: was}} {
		d.hide(e)
		d.know(e, t.record())
	}
	b := t.back()
	ch := splice.Change{Name: t.Name}
	switch {
	case t.Effect == Unchanged, !there && t.Effect != Removed: // nothing to take back, or somebody did
		b.Effect = Unchanged
	case there && t.Effect == Removed && !equal(now, was), there && t.Effect != Removed && !keeps(now, was, is):
		return fault.New(fault.NothingToUndo, d.o.real).With("the entry %s was changed by another hand since", t.Name).Step("correct it by hand")
	case t.Effect == Removed && there:
		b.Effect = Unchanged
	case t.Effect == Removed:
		ch.Entry = was
	case t.Effect == Added:
		ch.Remove = true
	default:
		ch.Entry, ch.Drop = restored(was, is)
	}
	d.c.Entries = append(d.c.Entries, b)
	if b.Effect == Unchanged {
		return nil
	}
	if err := d.make(ch); err != nil {
		return fmt.Errorf("take back %s: %w", t.Name, err)
	}
	return nil
}

// keeps tells whether the entry still has what the change from was to is set.
func keeps(now, was, is splice.Object) bool {
	for _, m := range is {
		if equal(field(was, m.Name), m.Value) && has(was, m.Name) {
			continue // not the change's doing
		}
		if !has(now, m.Name) || !equal(field(now, m.Name), m.Value) {
			return false
		}
	}
	return true
}

// restored is what to set and to take away in an entry, to take the change from
// was to is back.
func restored(was, is splice.Object) (set splice.Object, drop []string) {
	for _, m := range was {
		if !has(is, m.Name) || !equal(field(is, m.Name), m.Value) {
			set = append(set, m)
		}
	}
	for _, m := range is {
		if !has(was, m.Name) {
			drop = append(drop, m.Name)
		}
	}
	return set, drop
}
