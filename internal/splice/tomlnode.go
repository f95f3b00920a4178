package splice

import (
	"bytes"
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlKind is what a node is and how it came to be.
type tomlKind int

const (
	tomlScalar tomlKind = iota
	tomlInline          // { … }
	tomlArray           // [ … ]
	tomlTable           // a table by header, by dotted keys, or above one of these
	tomlTables          // an array of tables
)

// tomlNode is one value of the document with its places.
type tomlNode struct {
	kind       tomlKind
	name       string
	parent     *tomlNode
	at         int // where its name was read first
	start, end int // of a value that is written in one piece
	value      any // of a scalar
	members    []*tomlNode
	byName     map[string]*tomlNode
	items      []*tomlNode // of an array, and the elements of an array of tables
	spans      []tomlSpan  // the members or items of a value in brackets, as written
	header     *tomlPart   // the header of the table itself
	dotted     bool        // a table by dotted keys, which no header may open
	depth      int         // how many nodes are above it
}

// tomlSpan is one member or item between brackets.
type tomlSpan struct{ start, end int }

// tomlPart is one line, or one member in braces, that says something.
type tomlPart struct {
	start, end int         // whole lines, or the member without its comma
	path       []*tomlNode // what its own names go through
	keys       []tomlSpan  // where these names are written
	head       *tomlPart   // of a key: the header it stands under
	inside     *tomlNode   // the inline table it stands in, nil for lines
	last       *tomlPart   // of a header: the last key below it
}

// own gives the place of n among the names of p itself.
func (p *tomlPart) own(n *tomlNode) (int, bool) {
	if len(p.path) == 0 {
		return 0, false
	}
	i := n.depth - p.path[0].depth
	return i, i >= 0 && i < len(p.path) && p.path[i] == n
}

// through says that p is about n or about something below it.
func (p *tomlPart) through(n *tomlNode) bool {
	if _, ok := p.own(n); ok {
		return true
	}
	return p.inside == nil && p.head != nil && p.head.through(n)
}

func (n *tomlNode) child(name string) *tomlNode { return n.byName[name] }

func (n *tomlNode) add(name string, at int, kind tomlKind) *tomlNode {
	child := &tomlNode{kind: kind, name: name, parent: n, at: at, depth: n.depth + 1}
	if n.byName == nil {
		n.byName = map[string]*tomlNode{}
	}
	n.byName[name] = child
	n.members = append(n.members, child)
	return child
}

// isTable says that n has members by name.
func (n *tomlNode) isTable() bool { return n.kind == tomlTable || n.kind == tomlInline }

// meaning is the value of n.
func (n *tomlNode) meaning() any {
	switch n.kind {
	case tomlArray, tomlTables:
		list := List{}
		for _, item := range n.items {
			list = append(list, item.meaning())
		}
		return list
	case tomlInline, tomlTable:
		object := Object{}
		for _, m := range n.members {
			object = append(object, Member{Name: m.name, Value: m.meaning()})
		}
		return object
	default:
		return n.value
	}
}

// tomlScan reads the lines of a document into nodes and finds what is defined
// twice.
type tomlScan struct {
	text  []byte
	root  *tomlNode
	table *tomlNode // what the keys of the next line belong to
	head  *tomlPart // the header it stands under
	parts []*tomlPart
	names int // read so far
}

// maxTOMLNames bounds the names in a document, since go-toml compares each with
// all others: 30,000 take it two seconds.
const maxTOMLNames = 30_000

// scanTOML reads text, which the scan keeps but does not change.
func scanTOML(text []byte) (*tomlScan, error) {
	root := &tomlNode{kind: tomlTable, header: &tomlPart{}}
	root.header.path = []*tomlNode{root}
	s := &tomlScan{text: text, root: root, table: root, head: root.header}
	var p unstable.Parser
	p.Reset(text)
	for p.NextExpression() {
		if err := s.line(p.Expression()); err != nil {
			return nil, err
		}
	}
	if err := p.Error(); err != nil {
		return nil, tomlSyntax(text, err)
	}
	return s, nil
}

func (s *tomlScan) line(n *unstable.Node) error {
	keys, err := s.keys(n.Key())
	if err != nil {
		return err
	}
	at := keys[0].start
	part := &tomlPart{start: lineStart(s.text, at)}
	s.parts = append(s.parts, part)
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		part.end = lineEnd(s.text, keys[len(keys)-1].end)
		return s.openTable(part, keys, n.Kind == unstable.ArrayTable)
	default:
		end := int(n.Raw.Offset + n.Raw.Length)
		part.end = lineEnd(s.text, end)
		s.head.last, part.head = part, s.head
		return s.define(n, s.table, part, keys)
	}
}

// tomlKey is one name of a key that may be dotted.
type tomlKey struct {
	tomlSpan
	name string
}

func (s *tomlScan) keys(it unstable.Iterator) ([]tomlKey, error) {
	var keys []tomlKey
	for it.Next() {
		k := it.Node()
		start := int(k.Raw.Offset)
		if len(keys) == MaxDepth {
			return nil, refuse(s.text, start, TooDeep, "the key has more than 10,000 parts")
		}
		if s.names++; s.names > maxTOMLNames {
			return nil, refuse(s.text, start, TooLarge, fmt.Sprintf("the document has more than %d names", maxTOMLNames))
		}
		keys = append(keys, tomlKey{tomlSpan{start, start + int(k.Raw.Length)}, string(k.Data)})
	}
	return keys, nil
}

// openTable takes up a header. Tables above the named one come into being by
// it; those that are there may stand in any table but one written in braces.
func (s *tomlScan) openTable(part *tomlPart, keys []tomlKey, array bool) error {
	n := s.root
	for _, k := range keys[:len(keys)-1] {
		child := n.child(k.name)
		if child == nil {
			child = n.add(k.name, k.start, tomlTable)
		}
		if child.kind != tomlTable && child.kind != tomlTables {
			return s.twice(k, "is a value already, it cannot be a table too")
		}
		n = s.into(part, child, k)
	}
	k := keys[len(keys)-1]
	child := n.child(k.name)
	if array {
		return s.openElement(part, n, child, k)
	}
	switch {
	case child == nil:
		child = n.add(k.name, k.start, tomlTable)
	case child.kind == tomlTables:
		return s.twice(k, "is an array of tables already")
	case child.kind != tomlTable:
		return s.twice(k, "is a value already, it cannot be a table too")
	case child.header != nil:
		return s.twice(k, "is a table that the file has already opened above")
	case child.dotted:
		return s.twice(k, "is a table made by dotted keys above, a header cannot open it again")
	}
	child.header = part
	s.into(part, child, k)
	s.enter(part, child)
	return nil
}

func (s *tomlScan) openElement(part *tomlPart, n, list *tomlNode, k tomlKey) error {
	if list == nil {
		list = n.add(k.name, k.start, tomlTables)
	}
	if list.kind != tomlTables {
		return s.twice(k, "is there already, it cannot be an array of tables too")
	}
	element := &tomlNode{kind: tomlTable, parent: list, at: k.start, header: part, depth: list.depth + 1}
	list.items = append(list.items, element)
	s.into(part, list, k)
	s.enter(part, element)
	return nil
}

// into notes that part goes through n, and through the last element of it if n
// is an array of tables, and gives the node below which it goes on.
func (s *tomlScan) into(part *tomlPart, n *tomlNode, k tomlKey) *tomlNode {
	part.path, part.keys = append(part.path, n), append(part.keys, k.tomlSpan)
	if n.kind != tomlTables {
		return n
	}
	element := n.items[len(n.items)-1]
	part.path, part.keys = append(part.path, element), append(part.keys, k.tomlSpan)
	return element
}

func (s *tomlScan) enter(part *tomlPart, table *tomlNode) {
	s.table, s.head = table, part
}

// define gives the value of n to the key below the table. Its dotted names make
// tables that only dotted keys may add to.
func (s *tomlScan) define(n *unstable.Node, table *tomlNode, part *tomlPart, keys []tomlKey) error {
	for _, k := range keys[:len(keys)-1] {
		child := table.child(k.name)
		if child == nil {
			child = table.add(k.name, k.start, tomlTable)
			child.dotted = true
		}
		if child.kind != tomlTable || !child.dotted {
			return s.twice(k, "is there already, a dotted key cannot add to it")
		}
		table = s.into(part, child, k)
	}
	k := keys[len(keys)-1]
	if table.child(k.name) != nil {
		return s.twice(k, "is there twice")
	}
	child := table.add(k.name, k.start, tomlScalar)
	s.into(part, child, k)
	start := k.end + bytes.IndexByte(s.text[k.end:], '=') + 1
	start += len(s.text[start:]) - len(bytes.TrimLeft(s.text[start:], " \t"))
	return s.fill(n.Value(), child, start, int(n.Raw.Offset+n.Raw.Length))
}

// fill reads the value v, which is written from start to end, into n.
func (s *tomlScan) fill(v *unstable.Node, n *tomlNode, start, end int) error {
	n.start, n.end = start, end
	switch v.Kind {
	case unstable.InlineTable:
		n.kind = tomlInline
		return s.fillInline(v, n)
	case unstable.Array:
		n.kind = tomlArray
		return s.fillArray(v, n)
	case unstable.String:
		n.value = string(v.Data)
	case unstable.Bool:
		n.value = v.Data[0] == 't'
	case unstable.Integer, unstable.Float:
		n.value = Number(v.Data)
	default: // dates and times
		n.value = string(v.Data)
	}
	return nil
}

func (s *tomlScan) fillInline(v *unstable.Node, n *tomlNode) error {
	for it := v.Children(); it.Next(); {
		kv := it.Node()
		keys, err := s.keys(kv.Key())
		if err != nil {
			return err
		}
		span := tomlSpan{int(kv.Raw.Offset), int(kv.Raw.Offset + kv.Raw.Length)}
		n.spans = append(n.spans, span)
		part := &tomlPart{start: span.start, end: span.end, inside: n}
		s.parts = append(s.parts, part)
		if err := s.define(kv, n, part, keys); err != nil {
			return err
		}
	}
	return nil
}

func (s *tomlScan) fillArray(v *unstable.Node, n *tomlNode) error {
	at := n.start + 1
	for it := v.Children(); it.Next(); {
		start := tomlSkip(s.text, at)
		end := tomlValueEnd(s.text, start)
		item := &tomlNode{parent: n, at: start, depth: n.depth + 1}
		n.items, n.spans = append(n.items, item), append(n.spans, tomlSpan{start, end})
		if err := s.fill(it.Node(), item, start, end); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// tomlSkip is the place of the next item: behind white space, comments and a
// comma.
func tomlSkip(text []byte, at int) int {
	for {
		switch text[at] {
		case ' ', '\t', '\r', '\n', ',':
			at++
		case '#':
			at = lineEnd(text, at)
		default:
			return at
		}
	}
}

// tomlValueEnd is the end of the value at start, in text that has been found
// valid.
func tomlValueEnd(text []byte, start int) int {
	depth := 0
	for at := start; at < len(text); {
		switch c := text[at]; c {
		case '[', '{':
			depth++
			at++
		case ']', '}':
			if depth == 0 {
				return trimBack(text, start, at)
			}
			depth--
			at++
			if depth == 0 {
				return at
			}
		case '"', '\'':
			at = tomlStringEnd(text, at)
			if depth == 0 {
				return at
			}
		case ',', '\n', '#':
			if depth == 0 {
				return trimBack(text, start, at)
			}
			if c == '#' {
				at = lineEnd(text, at)
			} else {
				at++
			}
		default:
			at++
		}
	}
	return trimBack(text, start, len(text))
}

func trimBack(text []byte, start, end int) int {
	return start + len(bytes.TrimRight(text[start:end], " \t\r\n"))
}

// tomlStringEnd is the place behind the string at start.
func tomlStringEnd(text []byte, start int) int {
	q := text[start]
	triple := []byte{q, q, q}
	if !bytes.HasPrefix(text[start:], triple) {
		for at := start + 1; ; at++ {
			switch {
			case text[at] == q:
				return at + 1
			case text[at] == '\\' && q == '"':
				at++
			}
		}
	}
	for at := start + 3; ; at++ {
		switch {
		case text[at] == '\\' && q == '"':
			at++
		case bytes.HasPrefix(text[at:], triple):
			for at += 3; at < len(text) && text[at] == q; at++ { // up to two quotes belong to the text
			}
			return at
		}
	}
}
