package splice

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// end is the place behind what the node n is written in, without comments and
// blank lines after it; blank lines that belong to a block of text are in.
func (d *yamlDocument) end(n *yaml.Node) int {
	at := d.offset(n)
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 || n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle == 0 {
		if len(n.Content) == 0 {
			return d.lastProperty(at)
		}
		return max(at, d.end(n.Content[len(n.Content)-1]))
	}
	if d.isAbsent(n) { // behind a question mark it stands where the next thing does
		return trimBack(d.text, 0, at)
	}
	if n.Kind == yaml.AliasNode {
		return at + 1 + len(n.Value)
	}
	if n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&^yaml.TaggedStyle == 0 {
		return d.lastProperty(at)
	}
	at = d.skipProperties(at)
	d.expect(n, at)
	switch {
	case n.Kind != yaml.ScalarNode:
		return d.flowEnd(n, at)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return quotedEnd(d.text, at, '"', '\\')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return quotedEnd(d.text, at, '\'', '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockEnd(n, at)
	default:
		return d.matchEnd(n, at)
	}
}

// expect notes when the node does not begin as its style would have it. Then
// what was found of its places is of no use, and the edits are refused.
func (d *yamlDocument) expect(n *yaml.Node, at int) {
	first := ""
	switch {
	case n.Kind == yaml.SequenceNode:
		first = "["
	case n.Kind == yaml.MappingNode:
		return // a pair in a list may stand without braces
	case n.Style&yaml.DoubleQuotedStyle != 0:
		first = `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		first = "'"
	case n.Style&yaml.LiteralStyle != 0:
		first = "|"
	case n.Style&yaml.FoldedStyle != 0:
		first = ">"
	}
	if !bytes.HasPrefix(d.text[at:], []byte(first)) {
		d.unclear = n
	}
}

// skipProperties goes past an anchor and a tag to what follows them, on the same
// line or below.
func (d *yamlDocument) skipProperties(at int) int {
	for at < len(d.text) && (d.text[at] == '&' || d.text[at] == '!') {
		at = skipYAMLBlank(d.text, d.propertyEnd(at))
	}
	return at
}

// lastProperty is the place behind the last anchor or tag at at.
func (d *yamlDocument) lastProperty(at int) int {
	end := at
	for at < len(d.text) && (d.text[at] == '&' || d.text[at] == '!') {
		end = d.propertyEnd(at)
		at = skipYAMLBlank(d.text, end)
	}
	return end
}

// propertyEnd is the place behind one anchor or tag.
func (d *yamlDocument) propertyEnd(at int) int {
	if bytes.HasPrefix(d.text[at:], []byte("!<")) {
		if n := bytes.IndexByte(d.text[at:], '>'); n > 0 {
			return at + n + 1
		}
	}
	if n := bytes.IndexAny(d.text[at:], " \t\r\n,[]{}"); n > 0 {
		return at + n
	}
	return len(d.text)
}

// skipYAMLBlank goes past white space, line ends and comments.
func skipYAMLBlank(text []byte, at int) int {
	for at < len(text) {
		switch c := text[at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			at++
		case c == '#' && (at == 0 || strings.ContainsRune(" \t\r\n", rune(text[at-1]))):
			at = lineEnd(text, at)
		default:
			return at
		}
	}
	return at
}

// quotedEnd is the place behind a quoted text; escape says that the next byte is
// not the end.
func quotedEnd(text []byte, at int, quote, escape byte) int {
	for at++; at < len(text); at++ {
		switch {
		case text[at] == escape && (escape != quote || at+1 < len(text) && text[at+1] == quote):
			at++
		case text[at] == quote:
			return at + 1
		}
	}
	return len(text)
}

// matchEnd is the place behind the value of n, which stands at at with other
// white space than its own.
func (d *yamlDocument) matchEnd(n *yaml.Node, at int) int {
	for _, c := range []byte(n.Value) {
		if strings.ContainsRune(" \t\r\n", rune(c)) {
			continue
		}
		for at < len(d.text) && strings.ContainsRune(" \t\r\n", rune(d.text[at])) {
			at++
		}
		if at == len(d.text) || d.text[at] != c {
			d.unclear = n
			return at
		}
		at++
	}
	return at
}

// blockEnd is the end of a block of text whose | or > is at at. Blank lines
// after it are of it when it keeps them.
func (d *yamlDocument) blockEnd(n *yaml.Node, at int) int {
	header := d.text[at:lineEnd(d.text, at)]
	header, _, _ = bytes.Cut(header, []byte(" "))
	end := at + len(bytes.TrimRight(header, "\r\n"))
	if strings.Trim(n.Value, " \t\n") != "" {
		end = d.matchEnd(n, lineEnd(d.text, at))
	}
	if !bytes.ContainsRune(header, '+') && strings.TrimRight(n.Value, " \t\n") == strings.TrimSuffix(n.Value, "\n") {
		return end
	}
	for next := lineEnd(d.text, end); next < len(d.text); {
		line := d.text[next:lineEnd(d.text, next)]
		if len(trimmed(line)) > 0 {
			break
		}
		end = next + len(bytes.TrimRight(line, "\r\n"))
		next += len(line)
	}
	return end
}

// keepsBlanks says that the node ends in a block of text to which blank lines
// after it belong.
func (d *yamlDocument) keepsBlanks(n *yaml.Node) bool {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return false
	}
	at := d.skipProperties(d.offset(n))
	header, _, _ := bytes.Cut(d.text[at:lineEnd(d.text, at)], []byte(" "))
	return bytes.ContainsRune(header, '+')
}

// endsInText says that the node ends in a block of text, to which a line break
// at its end belongs.
func endsInText(n *yaml.Node) bool {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// flowEnd is the end of a collection in brackets that begins at at, or of a pair
// that stands in a list without its braces.
func (d *yamlDocument) flowEnd(n *yaml.Node, at int) int {
	open := at < len(d.text) && (d.text[at] == '[' || d.text[at] == '{')
	if open {
		at++
	}
	if len(n.Content) > 0 {
		at = max(at, d.end(n.Content[len(n.Content)-1]))
	}
	if !open {
		return at
	}
	for {
		at = skipYAMLBlank(d.text, at)
		if at >= len(d.text) || d.text[at] == ']' || d.text[at] == '}' {
			return min(at+1, len(d.text))
		}
		at++
	}
}
