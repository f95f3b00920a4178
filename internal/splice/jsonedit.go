package splice

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

func (d *jsonDocument) edits(c Change) ([]Edit, []string, error) {
	s, found, err := d.find(c.Name)
	if err != nil {
		return nil, nil, err
	}
	var edits []Edit
	switch {
	case c.Remove && found < 0:
		return nil, nil, nil
	case c.Remove:
		edits, err = s.remove(d.text, found)
	case found < 0:
		edits, err = d.add(c)
	default:
		edits, err = d.update(c)
	}
	return edits, d.warnings(s), err
}

// find gives the collection and which of its items is the one of that name, -1
// for none.
func (d *jsonDocument) find(name string) (s jsonSequence, found int, err error) {
	s, _ = d.collection()
	found = -1
	for i, e := range s.items {
		if e.name != name || d.place.List && e.at == e.start {
			continue
		}
		if found >= 0 {
			return s, -1, refuse(d.text, e.at, DuplicateKey, fmt.Sprintf("the entry %q is there twice", name))
		}
		found = i
	}
	return s, found, nil
}

// warnings are about what is the user's business and may surprise.
func (d *jsonDocument) warnings(s jsonSequence) []string {
	var list []string
	if e := firstRepeated(s); e != nil && !d.place.List {
		list = append(list, d.warning(e.at, fmt.Sprintf("has the entry %q once more, and programs differ on which counts; all stay as they are", shorten(e.name))))
	}
	if d.place.Format == JSON && d.plain.comment >= 0 {
		list = append(list, d.warning(d.plain.comment, "has a comment, and it is not known whether the client reads a file that has one"))
	}
	if d.place.Format == JSON && d.plain.comma >= 0 {
		list = append(list, d.warning(d.plain.comma, "has a comma after the last element, and it is not known whether the client reads a file that has one"))
	}
	return list
}

func (d *jsonDocument) warning(at int, what string) string {
	line, _ := lineColumn(d.text, at)
	return fmt.Sprintf("line %d %s", line, what)
}

// firstRepeated is the first item whose name was there before, nil for none.
func firstRepeated(s jsonSequence) *jsonItem {
	seen := make(map[string]bool, len(s.items))
	for i := range s.items {
		e := &s.items[i]
		if seen[e.name] {
			return e
		}
		seen[e.name] = true
	}
	return nil
}

// add puts a new entry behind the last one, with the levels above it that are
// missing.
func (d *jsonDocument) add(c Change) ([]Edit, error) {
	if d.empty() {
		return d.create(c)
	}
	v, missing := d.deepest()
	style := d.styleIn(d.levels)
	switch {
	case jsonNull(v):
		style = style.on(d.text, v.StartOffset)
		put, err := style.encode(d.wrap(missing, c), indentAt(d.text, v.StartOffset))
		return []Edit{{v.StartOffset, v.EndOffset - v.StartOffset, []byte(put)}}, err
	case len(missing) > 0:
		return d.append(v, style, Object{{missing[0], d.wrap(missing[1:], c)}})
	case d.place.List:
		return d.append(v, style, List{c.Entry})
	default:
		return d.append(v, style, Object{{c.Name, c.Entry}})
	}
}

// wrap gives the collection with just the new entry, below objects for keys.
func (d *jsonDocument) wrap(keys []string, c Change) any {
	var v any = Object{{c.Name, c.Entry}}
	if d.place.List {
		v = List{c.Entry}
	}
	for _, key := range slices.Backward(keys) {
		v = Object{{key, v}}
	}
	return v
}

// create writes the first content into an empty document: before its white
// space, but after its comments.
func (d *jsonDocument) create(c Change) ([]Edit, error) {
	at := lastComment(d.text, 0, len(d.text))
	nl := lineBreak(d.text, at)
	style := jsonStyle{nl: nl, unit: "  ", colon: ": ", comma: ", ", flat: true}
	if d.place.Compact {
		style.nl, style.pad = "", " "
	}
	put, err := style.encode(d.wrap(d.place.Container, c), "")
	if at > 0 {
		put = nl + put
	}
	if bytes.IndexByte(d.text[at:], '\n') < 0 {
		put += nl
	}
	return []Edit{{At: at, Insert: []byte(put)}}, err
}

// append puts the parts of add, an Object or a List, behind the last of v.
func (d *jsonDocument) append(v *hujson.Value, style jsonStyle, add any) ([]Edit, error) {
	s := sequenceOf(d.text, v)
	if len(s.items) == 0 {
		return s.addFirst(d.text, style, add)
	}
	last := s.items[len(s.items)-1]
	edits := cuts{}
	end, tail := last.end, ""
	if last.comma < 0 {
		edits.insert(end, ",")
	} else {
		end = last.comma + 1
		if d.place.Format == JSONC {
			tail = ","
		}
	}
	at := lineTail(d.text, end, s.close)
	style = style.on(d.text, at)
	put, err := style.parts(add, style.indent)
	if err != nil {
		return nil, err
	}
	edits.insert(at, style.lead(style.indent)+put+tail)
	return edits.sorted()
}

// addFirst fills an object or list that has nothing but white space and
// comments, which stay.
func (s jsonSequence) addFirst(text []byte, style jsonStyle, add any) ([]Edit, error) {
	at := lastComment(text, s.open+1, s.close)
	rest := string(text[at:s.close]) // white space
	style = style.on(text, at)
	before, after := style.lead(style.indent), ""
	switch {
	case style.nl == "" && at > s.open+1:
		before = " " // after the comment
	case style.nl == "":
		before = rest
	case !strings.Contains(rest, "\n"):
		outer := indentAt(text, s.open)
		if short, ok := strings.CutSuffix(outer, rest); ok {
			outer = short // rest completes it
		} else {
			at = s.close
		}
		after = style.nl + outer
	}
	put, err := style.parts(add, style.indent)
	return []Edit{{At: at, Insert: []byte(before + put + after)}}, err
}

// maxSteps is far more than an entry has fields.
const maxSteps = 1_000

// update changes the entry step by step. Each step is planned on the text that
// the one before it has made.
func (d *jsonDocument) update(c Change) ([]Edit, error) {
	var all []Edit
	drop := func(name string) bool { return slices.Contains(c.Drop, name) }
	now := d
	for range maxSteps {
		s, i, err := now.find(c.Name)
		if err != nil {
			return nil, err
		}
		step, err := now.reconcile(append(slices.Clone(now.levels), s.items[i].value), c.Entry, drop)
		if err != nil || len(step) == 0 {
			return all, err
		}
		all = compose(len(d.text), all, step)
		next, err := Apply(now.text, step)
		if err != nil {
			return nil, err
		}
		read, err := jsonFormat{}.parse(next, d.place)
		if err != nil {
			return nil, fmt.Errorf("splice: read what an update has made: %v", err)
		}
		now = read.(*jsonDocument)
	}
	return nil, errors.New("splice: an update does not come to an end")
}

// reconcile gives the next edits that set fields of the last value of the chain,
// which leads there from the root, and take away those to drop.
func (d *jsonDocument) reconcile(chain []*hujson.Value, set Object, drop func(name string) bool) ([]Edit, error) {
	v := chain[len(chain)-1]
	style := d.styleIn(chain)
	if jsonNull(v) {
		put, err := style.on(d.text, v.StartOffset).encode(set, indentAt(d.text, v.StartOffset))
		return []Edit{{v.StartOffset, v.EndOffset - v.StartOffset, []byte(put)}}, err
	}
	if _, ok := v.Value.(*hujson.Object); !ok {
		return nil, refuse(d.text, v.StartOffset, WrongType, fmt.Sprintf("the entry must be an object and is %s", kindOf(v)))
	}
	s := sequenceOf(d.text, v)
	var edits cuts
	var added Object
	for _, m := range set {
		i, err := d.field(s, m.Name)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			added = append(added, m)
			continue
		}
		changed, err := d.replace(chain, s.items[i], style, m.Value)
		if err != nil {
			return nil, err
		}
		edits.edits = append(edits.edits, changed...)
	}
	if len(added) > 0 {
		more, err := d.append(v, style, added)
		if err != nil {
			return nil, err
		}
		edits.edits = append(edits.edits, more...)
	}
	if len(edits.edits) > 0 {
		return edits.sorted()
	}
	return d.dropOne(s, drop)
}

// dropOne takes the first field away that is to go.
func (d *jsonDocument) dropOne(s jsonSequence, drop func(name string) bool) ([]Edit, error) {
	for i, e := range s.items {
		if drop(e.name) {
			return s.remove(d.text, i)
		}
	}
	return nil, nil
}

// field is which item has the name, -1 for none.
func (d *jsonDocument) field(s jsonSequence, name string) (int, error) {
	found := -1
	for i, e := range s.items {
		if e.name != name {
			continue
		}
		if found >= 0 {
			return -1, refuse(d.text, e.at, DuplicateKey, fmt.Sprintf("%q is there twice, and programs differ on which of them counts", name))
		}
		found = i
	}
	return found, nil
}

// replace sets the value of one member of the last value of the chain. Of an
// object only that changes which differs.
func (d *jsonDocument) replace(chain []*hujson.Value, e jsonItem, style jsonStyle, value any) ([]Edit, error) {
	if Equal(jsonMeaning(e.value), value) {
		return nil, nil
	}
	old := e.value
	if want, ok := value.(Object); ok && old.Value.Kind() == '{' && distinct(want) && firstRepeated(sequenceOf(d.text, old)) == nil {
		return d.reconcile(append(slices.Clone(chain), old), want, func(name string) bool { return want.index(name) < 0 })
	}
	style = style.on(d.text, old.EndOffset)
	if k := old.Value.Kind(); (k == '[' || k == '{') && !d.broken(old) {
		style.nl = ""
	}
	put, err := style.encode(value, indentAt(d.text, e.start))
	return []Edit{{old.StartOffset, old.EndOffset - old.StartOffset, []byte(put)}}, err
}

// distinct tells whether every name is there once.
func distinct(o Object) bool {
	for i, m := range o {
		if o.index(m.Name) != i {
			return false
		}
	}
	return true
}
