package splice

import "slices"

// tomlChange is one change of a document in the making.
type tomlChange struct {
	*tomlDocument
	cuts
	brackets []*tomlBracket
}

func (d *tomlDocument) edits(c Change) ([]Edit, []string, error) {
	ch := &tomlChange{tomlDocument: d}
	if err := ch.plan(c); err != nil {
		return nil, nil, err
	}
	for _, b := range ch.brackets {
		b.cut(d.text, &ch.cuts)
	}
	edits, err := ch.sorted()
	return edits, nil, err
}

func (ch *tomlChange) plan(c Change) error {
	n, err := ch.entry(c.Name)
	switch {
	case err != nil:
		return err
	case n == nil && c.Remove:
		return nil
	case n == nil:
		return ch.addEntry(c)
	case c.Remove:
		ch.removeNode(n)
		return nil
	case !n.isTable():
		return ch.wrongType(n, "the entry is not a table")
	}
	for _, name := range c.Drop {
		if child := n.child(name); child != nil {
			ch.removeNode(child)
		}
	}
	return ch.setFields(n, c.Entry)
}

// addEntry appends a table of its own: that is valid whatever the tables of the
// others look like. A collection in brackets gets it inside of them.
func (ch *tomlChange) addEntry(c Change) error {
	entry, path := c.Entry, ch.place.Container
	above, missing := ch.root, path
	for len(missing) > 0 && above.isTable() && above.child(missing[0]) != nil {
		above, missing = above.child(missing[0]), missing[1:]
	}
	if above.kind != tomlInline && above.kind != tomlArray {
		if ch.place.List {
			return ch.appendBlock("[["+tomlKeyPath(path)+"]]", entry)
		}
		return ch.appendBlock("["+tomlKeyPath(append(slices.Clone(path), c.Name))+"]", entry)
	}
	var value any = entry
	switch {
	case !ch.place.List:
		missing = append(slices.Clone(missing), c.Name)
	case len(missing) > 0:
		value = List{entry}
	}
	for i := len(missing) - 1; i > 0; i-- {
		value = Object{{Name: missing[i], Value: value}}
	}
	s, err := tomlValue(value)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		s = tomlName(missing[0]) + " = " + s
	}
	b := ch.bracket(above)
	b.added = append(b.added, s)
	return nil
}

// appendBlock puts a table at the end of the text, a blank line before it.
func (ch *tomlChange) appendBlock(header string, fields Object) error {
	lines, err := tomlLines(fields)
	if err != nil {
		return err
	}
	lines = append([]string{header}, lines...)
	end := len(ch.text)
	last := ch.text[lineStart(ch.text, max(end-1, 0)):]
	if len(trimmed(last)) > 0 {
		lines = append([]string{""}, lines...)
	}
	ch.insertLines(ch.text, end, lines)
	return nil
}

// setFields gives the table n these members.
func (ch *tomlChange) setFields(n *tomlNode, fields Object) error {
	var missing Object
	for _, m := range fields {
		child := n.child(m.Name)
		if child == nil {
			missing = append(missing, m)
			continue
		}
		if Equal(child.meaning(), m.Value) {
			continue
		}
		object, isObject := m.Value.(Object)
		switch {
		case child.kind == tomlTable && isObject && (len(object) > 0 || child.header != nil):
			if err := ch.setTable(child, object); err != nil {
				return err
			}
		case child.kind == tomlTable || child.kind == tomlTables:
			ch.removeNode(child)
			missing = append(missing, m)
		default:
			value, err := tomlValue(m.Value)
			if err != nil {
				return err
			}
			ch.replace(child.start, child.end, value)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return ch.addFields(n, missing)
}

// setTable makes the table n hold these members and no others.
func (ch *tomlChange) setTable(n *tomlNode, fields Object) error {
	for _, child := range n.members {
		if !slices.ContainsFunc(fields, func(m Member) bool { return m.Name == child.name }) {
			ch.removeNode(child)
		}
	}
	return ch.setFields(n, fields)
}

// addFields writes new members of the table n where its others are written.
func (ch *tomlChange) addFields(n *tomlNode, fields Object) error {
	lines, err := tomlLines(fields)
	if err != nil {
		return err
	}
	if n.kind == tomlInline {
		b := ch.bracket(n)
		b.added = append(b.added, lines...)
		return nil
	}
	if n.header != nil {
		last := n.header
		if last.last != nil {
			last = last.last
		}
		ch.addLines(last, "", lines)
		return nil
	}
	for _, p := range slices.Backward(ch.parts) {
		i, ok := p.own(n)
		if !ok || i == len(p.path)-1 || p.head == nil && p.inside == nil {
			continue
		}
		prefix := string(ch.text[p.keys[0].start:p.keys[i].end]) + "."
		ch.addLines(p, prefix, lines)
		return nil
	}
	var path []string
	for above := n; above != ch.root; above = above.parent {
		if above.kind != tomlTable {
			return refuse(ch.text, n.at, UnsupportedLayout, "the table is written in parts below an array of tables")
		}
		path = append([]string{above.name}, path...)
	}
	return ch.appendBlock("["+tomlKeyPath(path)+"]", fields)
}

// addLines puts lines behind the part p, each with the prefix before its name.
func (ch *tomlChange) addLines(p *tomlPart, prefix string, lines []string) {
	for i, line := range lines {
		lines[i] = prefix + line
	}
	if p.inside != nil {
		b := ch.bracket(p.inside)
		b.added = append(b.added, lines...)
		return
	}
	indent := indentAt(ch.text, p.start)
	for i, line := range lines {
		lines[i] = indent + line
	}
	ch.insertLines(ch.text, p.end, lines)
}

// removeNode takes away all that n is written in. A comment goes if it stands
// between a header of n and the last key below that header.
func (ch *tomlChange) removeNode(n *tomlNode) {
	if n.parent.kind == tomlArray {
		b := ch.bracket(n.parent)
		b.gone[slices.Index(n.parent.items, n)] = true
		return
	}
	for _, p := range ch.parts {
		switch {
		case !p.through(n):
		case p.inside != nil:
			b := ch.bracket(p.inside)
			b.gone[slices.Index(p.inside.spans, tomlSpan{p.start, p.end})] = true
		case p.head == nil && p.last != nil:
			ch.removeLines(ch.text, p.start, p.last.end)
		default:
			ch.removeLines(ch.text, p.start, p.end)
		}
	}
}

// bracket is what becomes of the members between the brackets of n.
func (ch *tomlChange) bracket(n *tomlNode) *tomlBracket {
	for _, b := range ch.brackets {
		if b.node == n {
			return b
		}
	}
	b := &tomlBracket{node: n, gone: map[int]bool{}}
	ch.brackets = append(ch.brackets, b)
	return b
}
