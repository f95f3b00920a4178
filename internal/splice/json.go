package splice

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// jsonFormat is JSON with and without comments and trailing commas. hujson finds
// the places; encoding/json checks.
type jsonFormat struct{}

type jsonDocument struct {
	text  []byte
	place Place
	plain plainJSON
	// levels are the root and the values that the place's path leads through, as
	// far as there are any; the last may be null. An empty document has none.
	levels []*hujson.Value
}

func (jsonFormat) parse(text []byte, p Place) (document, error) {
	if at := PastDepth(text, MaxDepth); at >= 0 {
		return nil, refuse(text, at, TooDeep, fmt.Sprintf("more than %d objects and lists within each other", MaxDepth))
	}
	d := &jsonDocument{text: text, place: p}
	end := skipBlank(text, 0)
	if end < len(text) {
		// hujson wants the end of a last // comment. It keeps what it is given.
		root, err := hujson.Parse(append(bytes.Clone(text), '\n'))
		if err != nil {
			return nil, jsonSyntax(text, err)
		}
		d.levels = []*hujson.Value{&root}
	}
	d.plain = toPlainJSON(text)
	if err := d.checkDialect(); err != nil {
		return nil, err
	}
	if d.empty() {
		return d, nil
	}
	return d, d.descend()
}

func (d *jsonDocument) empty() bool { return len(d.levels) == 0 }

// checkDialect refuses what the client does not read, and comments whose end
// programs disagree about.
func (d *jsonDocument) checkDialect() error {
	if d.place.Strict && d.plain.comment >= 0 && (d.plain.comma < 0 || d.plain.comment < d.plain.comma) {
		return refuse(d.text, d.plain.comment, NotAccepted, "a comment, and the client reads a file without comments only")
	}
	if d.place.Strict && d.plain.comma >= 0 {
		return refuse(d.text, d.plain.comma, NotAccepted, "a comma after the last element, and the client reads a file without such commas only")
	}
	if at := d.plain.stray; at >= 0 {
		return refuse(d.text, at, UnsupportedLayout, "a carriage return in a // comment: some programs end the comment there, some do not")
	}
	return nil
}

// descend follows the path as far as there is something.
func (d *jsonDocument) descend() error {
	v := d.levels[0]
	for i, key := range d.place.Container {
		o, ok := v.Value.(*hujson.Object)
		if !ok {
			return d.wrongType(i, "an object")
		}
		found, err := d.member(o, key)
		if err != nil || found == nil {
			return err
		}
		v = found
		d.levels = append(d.levels, v)
		if jsonNull(v) {
			return nil
		}
	}
	want, kind := "an object", hujson.Kind('{')
	if d.place.List {
		want, kind = "a list", '['
	}
	if v.Value.Kind() != kind {
		return d.wrongType(len(d.place.Container), want)
	}
	return nil
}

// member is the value of the one member of that name, nil for none.
func (d *jsonDocument) member(o *hujson.Object, key string) (*hujson.Value, error) {
	var found *hujson.Value
	for i := range o.Members {
		m := &o.Members[i]
		if !spells(m.Name, key) {
			continue
		}
		if found != nil {
			return nil, refuse(d.text, m.Name.StartOffset, DuplicateKey, fmt.Sprintf("%q is there twice, and programs differ on which of them counts", key))
		}
		found = &m.Value
	}
	return found, nil
}

// wrongType is the refusal of the level that is not what is wanted there.
func (d *jsonDocument) wrongType(level int, want string) error {
	v := d.levels[level]
	what := "the document"
	if level > 0 {
		what = fmt.Sprintf("%q", d.place.Container[level-1])
	}
	return refuse(d.text, v.StartOffset, WrongType, fmt.Sprintf("%s must be %s and is %s", what, want, kindOf(v)))
}

func kindOf(v *hujson.Value) string {
	switch v.Value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	default:
		return "something else"
	}
}

func jsonNull(v *hujson.Value) bool { return v.Value.Kind() == 'n' }

// spells tells whether a member's name means key, however it is written.
func spells(name hujson.Value, key string) bool {
	raw := name.Value.(hujson.Literal) // the parser takes only strings as names
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:len(raw)-1]) == key
	}
	return unquote(raw) == key
}

// deepest is the last value on the path and the keys that are missing below it.
func (d *jsonDocument) deepest() (v *hujson.Value, missing []string) {
	return d.levels[len(d.levels)-1], d.place.Container[len(d.levels)-1:]
}

// collection is what holds the entries; ok is false if nothing does.
func (d *jsonDocument) collection() (s jsonSequence, ok bool) {
	if d.empty() {
		return s, false
	}
	v, missing := d.deepest()
	if len(missing) > 0 || jsonNull(v) {
		return s, false
	}
	return sequenceOf(d.text, v), true
}

func (d *jsonDocument) entries() []Entry {
	s, _ := d.collection()
	var list []Entry
	at, line, column := 0, 1, 1
	for _, e := range s.items {
		gap := d.text[at:e.at]
		if i := bytes.LastIndexByte(gap, '\n'); i >= 0 {
			line += bytes.Count(gap, []byte("\n"))
			gap, column = gap[i+1:], 1
		}
		column += utf8.RuneCount(gap) // not from the line's start: a minified file is one line
		at = e.at
		list = append(list, Entry{e.name, jsonMeaning(e.value), line, column})
	}
	return list
}

// tree comes from encoding/json.
func (d *jsonDocument) tree() (any, error) {
	if d.empty() {
		return Object{}, nil
	}
	return treeOf(d.plain.text)
}

func jsonMeaning(v *hujson.Value) any {
	switch t := v.Value.(type) {
	case *hujson.Object:
		o := make(Object, 0, len(t.Members))
		for i := range t.Members {
			m := &t.Members[i]
			o = append(o, Member{unquote(m.Name.Value.(hujson.Literal)), jsonMeaning(&m.Value)})
		}
		return o
	case *hujson.Array:
		l := make(List, 0, len(t.Elements))
		for i := range t.Elements {
			l = append(l, jsonMeaning(&t.Elements[i]))
		}
		return l
	case hujson.Literal:
		switch t.Kind() {
		case '"':
			return unquote(t)
		case '0':
			return Number(t)
		case 't', 'f':
			return t.Bool()
		default:
			return nil
		}
	default:
		panic(fmt.Sprintf("splice: hujson has a new kind of value: %T", t))
	}
}

// jsonSequence is an object or a list and where its parts are.
type jsonSequence struct {
	open, close int // of the brackets
	items       []jsonItem
}

// jsonItem is one member or element.
type jsonItem struct {
	name  string
	value *hujson.Value
	at    int // of the name, in a list of the value that says it, or else the element
	start int
	end   int
	comma int // after it, -1 for none
}

// sequenceOf gives the parts of an object or a list.
func sequenceOf(text []byte, v *hujson.Value) jsonSequence {
	s := jsonSequence{open: v.StartOffset, close: v.EndOffset - 1}
	switch t := v.Value.(type) {
	case *hujson.Object:
		for i := range t.Members {
			m := &t.Members[i]
			at := m.Name.StartOffset
			s.items = append(s.items, jsonItem{name: unquote(m.Name.Value.(hujson.Literal)), value: &m.Value, at: at, start: at})
		}
	case *hujson.Array:
		for i := range t.Elements {
			e := &t.Elements[i]
			name, at := nameIn(e)
			s.items = append(s.items, jsonItem{name: name, value: e, at: at, start: e.StartOffset})
		}
	case hujson.Literal: // has no parts
	}
	for i := range s.items {
		e := &s.items[i]
		e.end, e.comma = e.value.EndOffset, -1
		// hujson's sign of a comma after the last one.
		if i < len(s.items)-1 || e.value.AfterExtra != nil {
			e.comma = e.end + len(e.value.AfterExtra)
		}
	}
	return s
}

// nameIn is the name that an element of a list gives itself and where, "" and
// the element's place for none. Of several the last counts, as in nameOf.
func nameIn(v *hujson.Value) (name string, at int) {
	o, _ := v.Value.(*hujson.Object)
	if o == nil {
		return "", v.StartOffset
	}
	for i := range slices.Backward(o.Members) {
		m := &o.Members[i]
		if !spells(m.Name, "name") {
			continue
		}
		if m.Value.Value.Kind() == '"' {
			return unquote(m.Value.Value.(hujson.Literal)), m.Value.StartOffset
		}
		break
	}
	return "", v.StartOffset
}
