package clientconf

import (
	"bytes"
	"fmt"
	"slices"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// planner plans a change from a file as it was read.
type planner func(*opened) (*change, error)

// Plan plans the wishes for one file. The refusals are DB_CLIENT_CONFIG_… and
// DB_ENTRY_NAME_TAKEN; Reason gives the word for them.
func (e *Editor) Plan(t Target, wishes ...Wish) (*Preview, error) {
	return preview(t, func(o *opened) (*change, error) { return e.planWishes(o, wishes) })
}

// preview shows what the planner plans for the file as it is now.
func preview(t Target, plan planner) (*Preview, error) {
	o, err := openTarget(t)
	if err != nil {
		return nil, err
	}
	c, err := plan(o)
	if err != nil {
		return nil, err
	}
	p := &Preview{
		Target: t, File: o.real, Linked: o.linked, Before: c.Before, Warnings: slices.Clone(c.warnings), Entries: c.effects(),
		Creates: c.Before == "" && c.After != "", Deletes: c.Before != "" && c.After == "",
		plan: plan, made: c,
	}
	if c.nothing() {
		return p, nil
	}
	if err := o.mayChange(); err != nil {
		return nil, err
	}
	if p.Creates {
		p.Folders = c.Folders
	}
	if o.names() > 1 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the file has %d names (hard links), so it has to be written in place", o.names()))
	}
	p.Diff = (&comparison{
		name: o.real, format: t.Place.Format, was: c.before, is: c.after, hunks: c.hunks,
		foreignGone: c.Foreign && !c.Undoes, foreignFresh: c.Foreign && c.Undoes, secrets: c.secrets, known: c.known,
		guarded: guarded(t.Place, c.before, c.after),
	}).unified()
	return p, nil
}

func (c *change) effects() []EntryChange {
	var list []EntryChange
	for _, t := range c.Entries {
		list = append(list, EntryChange{t.Name, t.Server, t.Effect})
	}
	return list
}

// draft is a change in the making.
type draft struct {
	o     *opened
	parts pieces
	text  []byte
	gone  bool // there is to be no file
	c     change
}

func newDraft(o *opened) *draft {
	return &draft{o: o, parts: piecesOf(o.text), text: o.text, gone: o.text == nil, c: change{
		Client: o.target.Client, Path: o.target.Path, Real: o.real, Place: o.target.Place, Before: o.hash(), before: o.text, Folders: o.folders,
		secrets: map[string]string{}, known: map[string]bool{},
	}}
}

// entries are those of the document as it is now; parsers get a clone.
func (d *draft) entries() ([]splice.Entry, error) {
	list, err := splice.Entries(bytes.Clone(d.text), d.o.target.Place)
	if err != nil {
		return nil, refused(d.o.real, err)
	}
	return list, nil
}

func entryNamed(list []splice.Entry, name string) (splice.Entry, bool) {
	at := slices.IndexFunc(list, func(e splice.Entry) bool { return e.Name == name })
	if at < 0 {
		return splice.Entry{}, false
	}
	return list[at], true
}

// plan plans one change of the document as it is now.
func (d *draft) plan(ch splice.Change) (splice.Plan, error) {
	plan, err := splice.Make(bytes.Clone(d.text), d.o.target.Place, ch)
	if err != nil {
		return plan, refused(d.o.real, err)
	}
	return plan, nil
}

// take takes up a plan.
func (d *draft) take(plan splice.Plan) error {
	if len(plan.Edits) == 0 {
		return nil
	}
	d.edit(plan.Edits)
	if !bytes.Equal(d.text, plan.After) {
		return fmt.Errorf("%s: %w", d.o.real, errInconsistent)
	}
	for _, w := range plan.Warnings {
		if !slices.Contains(d.c.warnings, w) {
			d.c.warnings = append(d.c.warnings, w)
		}
	}
	return nil
}

// make plans one change and takes it up.
func (d *draft) make(ch splice.Change) error {
	plan, err := d.plan(ch)
	if err != nil {
		return err
	}
	return d.take(plan)
}

func (d *draft) edit(edits []splice.Edit) {
	d.parts = d.parts.edited(edits)
	d.text, d.gone = d.parts.text(), false
	if d.text == nil {
		d.text = []byte{}
	}
}

// done checks that the edits lead from the one text to the other and back.
func (d *draft) done() (*change, error) {
	c := &d.c
	if !d.gone {
		c.after = d.text
	}
	c.After = hashOf(c.after)
	c.hunks = d.parts.since(c.before)
	c.Edits, c.Inverse = edits(c.hunks), inverse(c.hunks)
	if _, err := textAfter(c.before, c.Edits, c.After); err != nil {
		return nil, fmt.Errorf("%s: %w", d.o.real, err)
	}
	if _, err := textAfter(c.after, c.Inverse, c.Before); err != nil {
		return nil, fmt.Errorf("%s: %w", d.o.real, err)
	}
	return c, nil
}

// planWishes plans all wishes as one change.
func (e *Editor) planWishes(o *opened, wishes []Wish) (*change, error) {
	l := &ledger{}
	if _, err := loadRecord(e.ledgerPath(), l); err != nil {
		return nil, err
	}
	d := newDraft(o)
	for _, w := range wishes {
		t, err := d.wish(w, l)
		if err != nil {
			return nil, err
		}
		d.c.Entries = append(d.c.Entries, t)
	}
	if d.onlyRemoves() {
		var err error
		if d, err = e.unwound(d); err != nil {
			return nil, err
		}
	}
	return d.done()
}

// wish plans one wish.
func (d *draft) wish(w Wish, l *ledger) (touched, error) {
	list, err := d.entries()
	if err != nil {
		return touched{}, err
	}
	record := l.of(d.o, d.o.target.Place.Container, w.Name)
	t := touched{Name: w.Name, Server: w.Server, Effect: Unchanged, Was: record, Is: record}
	was, found := entryNamed(list, w.Name)
	ours := found && isOur(was, record)
	d.hide(was)
	d.know(was, record)
	switch {
	case w.Remove && !found:
		t.Is = nil
	case w.Remove && !ours && !w.Replace:
		err = d.notOurs(w.Name)
	case w.Remove:
		t.Effect, t.Is, d.c.Foreign = Removed, nil, d.c.Foreign || !ours
		err = d.make(splice.Change{Name: w.Name, Remove: true})
	case !found:
		t.Effect, t.Is = Added, d.owned(w)
		err = d.make(w.Shape.Add())
	default:
		err = d.change(w, was, ours, &t)
	}
	return t, err
}

// change plans an entry that is there to be as the wish says.
func (d *draft) change(w Wish, was splice.Entry, ours bool, t *touched) error {
	plan, err := d.plan(w.Shape.Update(was))
	if err != nil {
		return err
	}
	switch {
	case len(plan.Edits) == 0: // as it should be, whoever made it so
		if is := d.owned(w); ours && (t.Was == nil || t.Was.Hash != is.Hash || !t.Was.Removed.IsZero()) {
			t.Is = is
		}
		return nil
	case ours:
		t.Effect, t.Is = Updated, d.owned(w)
		return d.take(plan)
	case w.Replace:
		t.Effect, t.Is, d.c.Foreign = Replaced, d.owned(w), true
		return d.make(w.Shape.Replace(was))
	default:
		return d.taken(w.Name)
	}
}

// owned is the record of an entry that is as the wish says.
func (d *draft) owned(w Wish) *Owned {
	d.hide(splice.Entry{Name: w.Name, Value: w.Entry})
	d.knowWritten(w.Entry)
	d.knowWritten(w.Fresh)
	o := &Owned{
		Client: d.c.Client, Path: d.c.Path, Real: d.c.Real, Container: slices.Clone(d.c.Place.Container), Name: w.Name, Server: w.Server,
		EnvField: w.env, Written: now(),
	}
	o.Program, _, _ = command(splice.Entry{Value: w.Entry})
	for _, m := range w.Entry {
		o.Fields = append(o.Fields, m.Name)
	}
	if env, ok := field(w.Entry, w.env).(splice.Object); ok {
		for _, m := range env {
			o.Env = append(o.Env, m.Name)
		}
	}
	o.Hash = o.hashOf(w.Entry)
	return o
}

// isOur tells whether an entry is ours: the ledger has it and its fields of ours
// are as we wrote them, or it starts Drawbridge (C-26).
func isOur(entry splice.Entry, record *Owned) bool {
	if record != nil && record.Same(entry) {
		return true
	}
	_, own := Own(entry)
	return own
}

func (d *draft) taken(name string) error {
	return refuse(fault.EntryNameTaken, name, NameTaken, "another entry of this name exists in "+d.o.real)
}

func (d *draft) notOurs(name string) error {
	return refuse(fault.EntryNameTaken, name, NameTaken, "the entry in "+d.o.real+" is not Drawbridge's").Step("take it out by hand, or ask for it to be removed all the same")
}

// onlyRemoves tells whether the draft takes entries out and does nothing else.
func (d *draft) onlyRemoves() bool {
	some := false
	for _, t := range d.c.Entries {
		some = some || t.Effect == Removed
		if t.Effect != Removed && t.Effect != Unchanged {
			return false
		}
	}
	return some
}
