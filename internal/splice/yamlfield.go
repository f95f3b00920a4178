package splice

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// removeEntry takes the lines of an entry away, with the comments inside of it.
// The last one leaves empty brackets, since a null is no collection to most
// clients.
func (ch *yamlChange) removeEntry(i int) error {
	if err := ch.checkContainerStyle(); err != nil {
		return err
	}
	e := ch.found[i]
	var at int
	if e.key != nil {
		at = ch.offset(e.key)
		ch.gone = append(ch.gone, e.key)
	} else {
		at = ch.dash(e.value)
	}
	ch.gone = append(ch.gone, e.value)
	if err := ch.removeChild(e.key, e.value, at); err != nil {
		return err
	}
	children := len(ch.container.Content)
	if !ch.place.List {
		children /= 2
	}
	if children > 1 || len(ch.path) == 0 {
		return nil
	}
	colon, err := ch.colon(ch.path[len(ch.path)-1].key)
	if err != nil {
		return err
	}
	// behind an anchor or a tag of the container
	behind := colon
	if start := ch.offset(ch.container); lineStart(ch.text, start) == lineStart(ch.text, colon) {
		line := ch.text[start:lineEnd(ch.text, start)]
		words, _, _ := bytes.Cut(line, []byte(" #"))
		behind = start + len(bytes.TrimRight(words, " \t\r\n"))
	}
	if ch.place.List {
		ch.insert(behind, " []")
	} else {
		ch.insert(behind, " {}")
	}
	return nil
}

// removeChild takes the lines away that begin with at and hold the key, if it
// has one, and the value.
func (ch *yamlChange) removeChild(key, value *yaml.Node, at int) error {
	line := lineStart(ch.text, at)
	if len(bytes.TrimLeft(ch.text[line:at], " ")) > 0 {
		return ch.unsupported(value, "something else stands before it on its line")
	}
	end := at
	if key != nil {
		colon, err := ch.colon(key)
		if err != nil {
			return err
		}
		end = colon
	}
	end = ch.behind(max(end, ch.end(value)), at-line, true)
	before := ch.before(key, value)
	if before == nil || !endsInText(before) || !ch.blankUntil(ch.end(before), line) {
		ch.removeLines(ch.text, line, end)
		return nil
	}
	ch.remove(line, end) // with the line break before, which belongs to the text
	ch.removeBlank(end, ch.keepsBlanks(before))
	return nil
}

// blankUntil says that there are only blank lines between the line of from and
// the place to.
func (ch *yamlChange) blankUntil(from, to int) bool {
	at := lineEnd(ch.text, from)
	return at <= to && len(trimmed(ch.text[at:to])) == 0
}

// removeBlank takes away the blank lines at at that would become part of a block
// of text before them: those with blanks in them, or all if it keeps them.
func (ch *yamlChange) removeBlank(at int, all bool) {
	for at < len(ch.text) {
		end := lineEnd(ch.text, at)
		line := ch.text[at:end]
		if len(trimmed(line)) > 0 {
			return
		}
		if all || len(bytes.TrimRight(line, "\r\n")) > 0 {
			ch.remove(at, end)
		}
		at = end
	}
}

// before is what is written before a child: the value before it, or nil.
func (ch *yamlChange) before(key, value *yaml.Node) *yaml.Node {
	child := key
	if child == nil {
		child = value
	}
	var last, found *yaml.Node
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n == child {
			found = last
		}
		if found != nil {
			return
		}
		if len(n.Content) == 0 {
			last = n
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(ch.root)
	return found
}

// dropFields takes fields of a mapping away.
func (ch *yamlChange) dropFields(n *yaml.Node, names []string) error {
	for _, name := range names {
		p, err := ch.find(n, name)
		if err != nil {
			return err
		}
		if p.key == nil {
			return ch.unsupported(n, "a field of the entry comes from another mapping by a merge key")
		}
		if isFlow(n) {
			return ch.unsupported(n, "the entry is written in braces")
		}
		ch.gone = append(ch.gone, p.key, p.value)
		if err := ch.removeField(n, p); err != nil {
			return err
		}
	}
	return nil
}

// removeField takes one field of a block mapping away. On the line of a dash the
// next field takes its place.
func (ch *yamlChange) removeField(n *yaml.Node, p yamlPair) error {
	at := ch.offset(p.key)
	before := ch.text[lineStart(ch.text, at):at]
	if len(bytes.TrimLeft(before, " ")) == 0 {
		return ch.removeChild(p.key, p.value, at)
	}
	i := slices.Index(n.Content, p.key)
	if i+2 >= len(n.Content) {
		return ch.unsupported(p.key, "the only field stands on the line of a dash")
	}
	next := ch.offset(n.Content[i+2])
	if len(trimmed(ch.text[ch.end(p.value):next])) > 0 {
		return ch.unsupported(p.key, "a comment stands between the fields")
	}
	ch.remove(at, next)
	return nil
}

// setFields gives a mapping these members.
func (ch *yamlChange) setFields(n *yaml.Node, fields Object) error {
	var missing Object
	for _, m := range fields {
		p, err := ch.find(n, m.Name)
		if err != nil {
			return err
		}
		if p.key == nil {
			missing = append(missing, m)
			continue
		}
		if err := ch.setValue(p, m.Value, isFlow(n)); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	lines, err := yamlLines(missing)
	if err != nil {
		return err
	}
	if !isFlow(n) {
		return ch.addFields(n, lines)
	}
	all := strings.Join(lines, ", ")
	if len(n.Content) == 0 {
		ch.insert(ch.skipProperties(ch.offset(n))+1, all)
		return nil
	}
	last := n.Content[len(n.Content)-1]
	if ch.isAbsent(last) {
		return ch.unsupported(n, "the last field in the braces has no value")
	}
	ch.insert(ch.end(last), ", "+all)
	return nil
}

// addFields puts lines behind the last field of a block mapping.
func (ch *yamlChange) addFields(n *yaml.Node, lines []string) error {
	key := n.Content[len(n.Content)-2]
	colon, err := ch.colon(key)
	if err != nil {
		return err
	}
	end := max(colon, ch.end(n))
	indent := n.Content[0].Column - 1
	ch.insertLines(ch.text, lineEnd(ch.text, end), indented(lines, indent))
	return nil
}

// setValue gives a key another value, in the style of the one before if it was
// in block style.
func (ch *yamlChange) setValue(p yamlPair, v any, flow bool) error {
	budget := yamlBudget{}
	now, err := ch.resolve(p.value, &budget)
	if err != nil {
		return err
	}
	if Equal(now, v) {
		return nil
	}
	text, err := yamlValue(v)
	if err != nil {
		return err
	}
	if ch.isAbsent(p.value) {
		at := ch.end(p.value)
		if !flow {
			if at, err = ch.colon(p.key); err != nil {
				return err
			}
		} else if ch.text[at-1] != ':' {
			return ch.unsupported(p.key, "the field has no colon")
		}
		ch.insert(at, " "+text)
		return nil
	}
	start, end := ch.offset(p.value), ch.end(p.value)
	if flow || lineStart(ch.text, start) == lineStart(ch.text, ch.offset(p.key)) {
		ch.gone = append(ch.gone, p.value)
		ch.replace(start, end, text)
		return nil
	}
	return ch.setBlock(p, v, text)
}

// setBlock gives a key another value whose value begins below it.
func (ch *yamlChange) setBlock(p yamlPair, v any, text string) error {
	object, isObject := v.(Object)
	if isObject && len(object) > 0 && p.value.Kind == yaml.MappingNode && !isFlow(p.value) {
		return ch.setMapping(p.value, object)
	}
	ch.gone = append(ch.gone, p.value)
	start, end := ch.offset(p.value), ch.end(p.value)
	list, isList := v.(List)
	if isList && len(list) > 0 && p.value.Kind == yaml.SequenceNode && !isFlow(p.value) {
		dash := ch.dash(p.value.Content[0])
		between := "\n"
		if lineBreak(ch.text, dash) == "\r\n" {
			between = "\r\n"
		}
		between += strings.Repeat(" ", ch.column(dash)-1)
		var items []string
		for _, item := range list {
			s, err := yamlValue(item)
			if err != nil {
				return err
			}
			items = append(items, "- "+s)
		}
		ch.replace(min(dash, start), end, strings.Join(items, between))
		return nil
	}
	colon, err := ch.colon(p.key)
	if err != nil {
		return err
	}
	ch.insert(colon, " "+text)
	ch.removeLines(ch.text, lineStart(ch.text, start), lineEnd(ch.text, end))
	return nil
}

// setMapping makes a block mapping hold these members and no others.
func (ch *yamlChange) setMapping(n *yaml.Node, fields Object) error {
	for _, p := range pairs(n) {
		name, ok := scalarName(p.key)
		if ok && fields.index(name) >= 0 {
			continue
		}
		ch.gone = append(ch.gone, p.key, p.value)
		if err := ch.removeField(n, p); err != nil {
			return err
		}
	}
	return ch.setFields(n, fields)
}
