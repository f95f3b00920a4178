package splice

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// format reads documents of one way of writing. Text comes without a byte
// order mark, is valid UTF-8 without NUL and no longer than MaxBytes; that it
// is not too deep is the format's to check, before a parser without a limit
// sees it. The format must not change text; its document may keep it.
//
// An empty text, or one of white space only, is a document without anything in
// it, in every format.
type format interface {
	parse(text []byte, p Place) (document, error)
}

// document is one text that was read. Its places count in that text.
type document interface {
	// entries are those of the collection, in order; none if there is no collection.
	entries() []Entry
	// edits say how c comes about, in order of their places and without overlap:
	// none if the text says it already. What cannot be edited is an *Error.
	edits(c Change) (edits []Edit, warnings []string, err error)
	// tree is the whole document for the check of a plan: Object, List, string,
	// bool, nil and Number. Where there is a second parser it comes from that
	// one, not from what found the places of the edits.
	tree() (any, error)
}

func (p Place) format() (format, error) {
	switch p.Format {
	case JSON, JSONC:
		return jsonFormat{}, nil
	case TOML:
		return tomlFormat{}, nil
	case YAML:
		return yamlFormat{}, nil
	default:
		return nil, fmt.Errorf("splice: unknown format %q", p.Format)
	}
}

// reading is a document that was read.
type reading struct {
	doc      []byte // as it was given, which no parser sees
	place    Place
	format   format
	text     []byte // a copy, without the byte order mark
	document document
}

func read(doc []byte, p Place) (*reading, error) {
	f, err := p.format()
	if err != nil {
		return nil, err
	}
	return readAs(f, doc, p)
}

func readAs(f format, doc []byte, p Place) (*reading, error) {
	t, err := text(doc)
	if err != nil {
		return nil, err
	}
	r := &reading{doc: doc, place: p, format: f, text: bytes.Clone(t)}
	r.document, err = f.parse(r.text, p)
	return r, err
}

// marked is the length of the byte order mark.
func (r *reading) marked() int { return len(r.doc) - len(r.text) }

// untouched tells whether a parser has left the text alone.
func (r *reading) untouched() bool { return bytes.Equal(r.text, r.doc[r.marked():]) }

// Entries are what the collection holds, in the document's order: none if there
// is no collection. An *Error refuses the document.
func Entries(doc []byte, p Place) ([]Entry, error) {
	r, err := read(doc, p)
	if err != nil {
		return nil, err
	}
	return r.document.entries(), nil
}

// Make plans the change c of the document. A change that the document says
// already gives a plan without edits. An *Error refuses the document; any other
// error is a fault of ours. Doc stays as it is.
func Make(doc []byte, p Place, c Change) (Plan, error) {
	c, err := c.complete(p)
	if err != nil {
		return Plan{}, err
	}
	before, err := read(doc, p)
	if err != nil {
		return Plan{}, err
	}
	return before.plan(c)
}

func (r *reading) plan(c Change) (Plan, error) {
	edits, warnings, err := r.document.edits(c)
	if err != nil {
		return Plan{}, err
	}
	if len(edits) == 0 {
		return Plan{After: bytes.Clone(r.doc), Warnings: warnings}, nil
	}
	plan := Plan{Edits: r.shift(edits), Warnings: warnings}
	if r.place.NoBOM && r.marked() > 0 {
		plan.Edits = slices.Insert(plan.Edits, 0, Edit{Delete: r.marked()})
		plan.Warnings = append(plan.Warnings, "the byte order mark at the beginning goes with this change, because the client does not read a file that has one")
	}
	return r.finish(plan, c)
}

// shift moves edits of the text to their places in the document.
func (r *reading) shift(edits []Edit) []Edit {
	out := slices.Clone(edits)
	for i := range out {
		out[i].At += r.marked()
	}
	return out
}

// finish completes and checks the plan.
func (r *reading) finish(plan Plan, c Change) (Plan, error) {
	var err error
	if plan.After, err = Apply(r.doc, plan.Edits); err != nil {
		return Plan{}, err
	}
	if len(plan.After) > MaxBytes {
		return Plan{}, &Error{Reason: TooLarge, Detail: fmt.Sprintf("with this change it would have more than the %d bytes that are read", MaxBytes)}
	}
	plan.Inverse = invert(r.doc, plan.Edits)
	after, err := readAs(r.format, plan.After, r.place)
	if err != nil {
		return Plan{}, fmt.Errorf("splice: read the result: %v", err) // an *Error would blame the document
	}
	if err := verify(r, after, plan, c); err != nil {
		return Plan{}, err
	}
	if !r.untouched() || !after.untouched() {
		return Plan{}, errors.New("splice: a parser has changed the text it was given")
	}
	return plan, nil
}

// complete checks what the caller wants and, in a list, adds the field of the
// name.
func (c Change) complete(p Place) (Change, error) {
	if c.Remove {
		return Change{Name: c.Name, Remove: true}, nil
	}
	for i, m := range c.Entry {
		if c.Entry.index(m.Name) != i || slices.Contains(c.Drop, m.Name) {
			return Change{}, fmt.Errorf("splice: field %q is to be changed twice", m.Name)
		}
	}
	if !p.List {
		return c, nil
	}
	i := c.Entry.index("name")
	if i < 0 {
		c.Entry = append(Object{{"name", c.Name}}, c.Entry...)
	} else if c.Entry[i].Value != any(c.Name) {
		return Change{}, fmt.Errorf("splice: the entry of %q gives itself another name", c.Name)
	}
	return c, nil
}
