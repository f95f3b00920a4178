package splice

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlChange is one change of a document in the making.
type yamlChange struct {
	*yamlDocument
	cuts
	gone []*yaml.Node // what is written no more
}

func (d *yamlDocument) edits(c Change) ([]Edit, []string, error) {
	ch := &yamlChange{yamlDocument: d}
	i, err := d.entry(c.Name)
	if err != nil {
		return nil, nil, err
	}
	entry := yamlEntry{}
	if i >= 0 {
		entry = d.found[i]
	}
	if err := ch.plan(c, i, entry); err != nil {
		return nil, nil, err
	}
	edits, err := ch.sorted()
	if err != nil || len(edits) == 0 {
		return nil, d.warnings(), err
	}
	if err := ch.checkAnchors(entry.value); err != nil {
		return nil, nil, err
	}
	if err := ch.checkPairs(); err != nil {
		return nil, nil, err
	}
	if err := ch.checkLastText(edits); err != nil {
		return nil, nil, err
	}
	if d.unclear != nil {
		return nil, nil, ch.unsupported(d.unclear, "it is not clear where this value ends")
	}
	return edits, d.warnings(), nil
}

func (ch *yamlChange) plan(c Change, i int, entry yamlEntry) error {
	switch {
	case i < 0 && c.Remove:
		return nil
	case i < 0:
		return ch.addEntry(c)
	case c.Remove:
		return ch.removeEntry(i)
	}
	value, ok := ch.values[i].(Object)
	if !ok && ch.values[i] != nil {
		return refuse(ch.text, ch.offset(entry.value), WrongType, "the entry is not a mapping")
	}
	fields := slices.DeleteFunc(slices.Clone(c.Entry), func(m Member) bool {
		at := value.index(m.Name)
		return at >= 0 && Equal(value[at].Value, m.Value)
	})
	drop := slices.DeleteFunc(slices.Clone(c.Drop), func(name string) bool { return value.index(name) < 0 })
	if len(fields) == 0 && len(drop) == 0 {
		return nil
	}
	if entry.value.Kind == yaml.AliasNode {
		return ch.unsupported(entry.value, "the entry is an alias of something else")
	}
	if err := ch.checkContainerStyle(); err != nil {
		return err
	}
	if isNull(entry.value) {
		return ch.expand(yamlPair{entry.key, entry.value}, fields)
	}
	if err := ch.dropFields(entry.value, drop); err != nil {
		return err
	}
	return ch.setFields(entry.value, fields)
}

func (ch *yamlChange) unsupported(n *yaml.Node, detail string) error {
	return refuse(ch.text, ch.offset(n), UnsupportedLayout, detail)
}

// isFlow says that n is written in brackets.
func isFlow(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle != 0
}

func (ch *yamlChange) checkContainerStyle() error {
	if ch.root != nil && isFlow(ch.root) {
		return ch.unsupported(ch.root, "the document is written in braces")
	}
	for _, p := range ch.path {
		if isFlow(p.value) && len(p.value.Content) > 0 {
			return ch.unsupported(p.value, "the collection is written in brackets; write it in lines to have it edited")
		}
	}
	return nil
}

// addEntry puts the entry behind the last one, or makes what is missing above it.
func (ch *yamlChange) addEntry(c Change) error {
	if err := ch.checkContainerStyle(); err != nil {
		return err
	}
	if n := ch.container; n != nil && !isNull(n) && len(n.Content) > 0 {
		if err := ch.notMerged(n, c.Name); err != nil {
			return err
		}
		lines, err := ch.entryLines(c, ch.childStep(n))
		if err != nil {
			return err
		}
		return ch.appendTo(n, lines)
	}
	missing := ch.place.Container[len(ch.path):]
	step := ch.step()
	if ch.place.List {
		step = 2 // the dash and a blank
	}
	lines, err := ch.entryLines(c, step)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(missing) {
		lines = append([]string{yamlName(name) + ":"}, indented(lines, ch.step())...)
	}
	if len(ch.path) > 0 {
		last := ch.path[len(ch.path)-1]
		if len(missing) == 0 || isNull(last.value) || len(last.value.Content) == 0 {
			return ch.expandLines(last, lines)
		}
		return ch.appendTo(last.value, lines)
	}
	if ch.root == nil {
		if len(trimmed(ch.text)) == 0 {
			ch.removeTabs()
		}
		ch.insertLines(ch.text, ch.contentEnd(), lines)
		return nil
	}
	if isNull(ch.root) {
		return ch.unsupported(ch.root, "the document is a null")
	}
	return ch.appendTo(ch.root, lines)
}

// removeTabs takes the tabs out of an empty document: before content they are a
// fault.
func (ch *yamlChange) removeTabs() {
	for at, c := range ch.text {
		if c == '\t' {
			ch.remove(at, at+1)
		}
	}
}

// entryLines are the lines of a new entry, with step for what is in it.
func (ch *yamlChange) entryLines(c Change, step int) ([]string, error) {
	lines, err := yamlLines(c.Entry)
	if err != nil {
		return nil, err
	}
	if ch.place.List {
		for i := range lines {
			lines[i] = strings.Repeat(" ", step) + lines[i]
		}
		lines[0] = "-" + lines[0][1:]
		return lines, nil
	}
	if len(lines) == 0 {
		return []string{yamlName(c.Name) + ": {}"}, nil
	}
	return append([]string{yamlName(c.Name) + ":"}, indented(lines, step)...), nil
}

func indented(lines []string, by int) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.Repeat(" ", by) + line
	}
	return out
}

// step is by how much the document indents: what the first mapping in a mapping
// of the root does, else 2.
func (ch *yamlChange) step() int {
	if ch.root != nil && ch.root.Kind == yaml.MappingNode {
		for _, p := range pairs(ch.root) {
			if p.value.Kind == yaml.MappingNode && !isFlow(p.value) && len(p.value.Content) > 0 {
				return max(p.value.Content[0].Column-p.key.Column, 1)
			}
		}
	}
	return 2
}

// childStep is by how much the children of a collection indent what is in them.
func (ch *yamlChange) childStep(n *yaml.Node) int {
	if ch.place.List {
		for _, item := range n.Content {
			if dash := ch.dash(item); item.Kind == yaml.MappingNode && !isFlow(item) && lineEnd(ch.text, dash) == lineEnd(ch.text, ch.offset(item)) {
				return max(item.Content[0].Column-ch.column(dash), 2)
			}
		}
		return 2
	}
	for _, p := range slices.Backward(pairs(n)) {
		if p.value.Kind == yaml.MappingNode && !isFlow(p.value) && len(p.value.Content) > 0 {
			return max(p.value.Content[0].Column-p.key.Column, 1)
		}
	}
	return ch.step()
}

// column counts from 1.
func (ch *yamlChange) column(at int) int {
	_, column := lineColumn(ch.text, at)
	return column
}

// dash is the place of the dash of an item.
func (ch *yamlChange) dash(item *yaml.Node) int {
	at := ch.offset(item)
	for line := lineStart(ch.text, at); ; line = lineStart(ch.text, line-1) {
		rest := bytes.TrimLeft(ch.text[line:at], " ")
		if bytes.HasPrefix(rest, []byte("-")) || line == 0 {
			return at - len(rest)
		}
		at = line
	}
}

// first is where the first line of a child of a block collection begins to say
// something: the key, or the dash.
func (ch *yamlChange) first(n *yaml.Node) int {
	if n.Kind == yaml.SequenceNode {
		return ch.dash(n.Content[0])
	}
	return ch.offset(n.Content[0])
}

// appendTo puts lines behind the last child of a block collection.
func (ch *yamlChange) appendTo(n *yaml.Node, lines []string) error {
	first := ch.first(n)
	if at := ch.offset(n); n.Kind == yaml.MappingNode && bytes.HasPrefix(ch.text[at:], []byte("?")) {
		return ch.unsupported(n, "the keys are written with question marks")
	}
	indent := ch.column(first) - 1
	end := ch.end(n)
	ch.insertLines(ch.text, ch.behind(end, indent, false), indented(lines, indent))
	return nil
}

// behind is the beginning of the line behind the one of end and the comments
// attached to it: those that follow at once, indented as far or, if inner,
// farther, and do not belong to what comes below them.
func (ch *yamlChange) behind(end, indent int, inner bool) int {
	at := lineEnd(ch.text, end)
	if inner {
		indent++
	}
	attached := []int{at}
	depth := []int{0}
	for at < len(ch.text) {
		line := ch.text[at:lineEnd(ch.text, at)]
		rest := bytes.TrimLeft(line, " ")
		if len(rest) == 0 || rest[0] != '#' || len(line)-len(rest) < indent {
			break
		}
		at += len(line)
		attached, depth = append(attached, at), append(depth, len(line)-len(rest))
	}
	next := bytes.TrimRight(ch.text[at:lineEnd(ch.text, at)], "\r\n")
	rest := bytes.TrimLeft(next, " ")
	if len(rest) == 0 || bytes.HasPrefix(next, []byte("...")) {
		return at
	}
	i := len(attached) - 1
	for i > 0 && depth[i] == len(next)-len(rest) {
		i--
	}
	return attached[i]
}

// contentEnd is where a document without content gets some: at its end, before
// the line that closes it.
func (ch *yamlChange) contentEnd() int {
	for at := 0; at < len(ch.text); at = lineEnd(ch.text, at) {
		if bytes.HasPrefix(ch.text[at:], []byte("...")) {
			return at
		}
	}
	return len(ch.text)
}

// expand gives fields to a key that has nothing.
func (ch *yamlChange) expand(p yamlPair, fields Object) error {
	if p.key == nil {
		return ch.unsupported(p.value, "the entry is empty")
	}
	lines, err := yamlLines(fields)
	if err != nil {
		return err
	}
	return ch.expandLines(p, lines)
}

// expandLines puts lines below a key that has nothing, or a null, or empty
// brackets, which go.
func (ch *yamlChange) expandLines(p yamlPair, lines []string) error {
	colon, err := ch.colon(p.key)
	if err != nil {
		return err
	}
	end := colon
	if !ch.isAbsent(p.value) {
		start := ch.offset(p.value)
		end = ch.end(p.value)
		if isNull(p.value) && p.value.Style&yaml.TaggedStyle != 0 {
			ch.gone = append(ch.gone, p.value) // its tag would make a null of what is added
		} else {
			start = min(ch.skipProperties(start), end)
		}
		if start < end && !isFlow(p.value) && !isNull(p.value) || bytes.ContainsAny(ch.text[colon:end], "\n") {
			return ch.unsupported(p.value, "the empty collection is written on several lines")
		}
		if rest := trimmed(ch.text[end:lineEnd(ch.text, end)]); len(rest) == 0 && start < end {
			start -= len(ch.text[colon:start]) - len(bytes.TrimRight(ch.text[colon:start], " \t"))
		}
		if start < end {
			ch.remove(start, end)
		}
	}
	indent := ch.column(ch.offset(p.key)) - 1
	ch.insertLines(ch.text, ch.behind(end, indent, true), indented(lines, indent+ch.step()))
	return nil
}

// colon is the place behind the colon of a key, which must be written plainly.
func (ch *yamlChange) colon(key *yaml.Node) (int, error) {
	start := ch.offset(key)
	before := bytes.TrimRight(ch.text[lineStart(ch.text, start):start], " ")
	at := ch.end(key)
	for at < len(ch.text) && (ch.text[at] == ' ' || ch.text[at] == '\t') {
		at++
	}
	if bytes.HasSuffix(before, []byte("?")) || at == len(ch.text) || ch.text[at] != ':' {
		return 0, ch.unsupported(key, "the key is written with a question mark")
	}
	return at + 1, nil
}
