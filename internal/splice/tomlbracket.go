package splice

import (
	"bytes"
	"strings"
)

// tomlBracket is a change between the brackets of an inline table or an array.
type tomlBracket struct {
	node  *tomlNode
	gone  map[int]bool // by the place in the node's spans
	added []string
}

// cut makes the edits. Commas are set and taken away so that those between what
// stays are as they were.
func (b *tomlBracket) cut(text []byte, c *cuts) {
	spans := b.node.spans
	commas := b.commas(text)
	kept := -1 // the last one that stays
	for i := range spans {
		if b.gone[i] {
			b.removeItem(text, c, i, commas[i])
		} else {
			kept = i
		}
	}
	if kept >= 0 && kept < len(spans)-1 && commas[len(spans)-1] < 0 {
		c.remove(commas[kept], commas[kept]+1)
	}
	if len(b.added) == 0 {
		return
	}
	added := strings.Join(b.added, ", ")
	switch {
	case kept >= 0 && len(b.gone) == 0 && b.ownLine(text, commas[kept]):
		b.addLine(text, c, commas[kept], added)
	case kept >= 0:
		c.insert(spans[kept].end, ", "+added)
	case b.node.kind == tomlArray:
		c.insert(b.node.start+1, added)
	case b.node.end-b.node.start == len("{}"):
		c.insert(b.node.start+1, " "+added+" ")
	default:
		c.insert(b.node.start+1, " "+added)
	}
}

// commas are the places of the commas behind the items, -1 where there is none.
func (b *tomlBracket) commas(text []byte) []int {
	commas := make([]int, len(b.node.spans))
	for i, s := range b.node.spans {
		at := s.end
		for {
			at += len(text[at:]) - len(bytes.TrimLeft(text[at:], " \t\r\n"))
			if text[at] != '#' {
				break
			}
			at = lineEnd(text, at)
		}
		commas[i] = -1
		if text[at] == ',' {
			commas[i] = at
		}
	}
	return commas
}

// removeItem takes an item and its comma away, with its line if there is nothing
// else on it.
func (b *tomlBracket) removeItem(text []byte, c *cuts, i, comma int) {
	start, end := b.node.spans[i].start, b.node.spans[i].end
	if comma >= 0 && len(trimmed(text[end:comma])) == 0 {
		end = comma + 1
	} else if comma >= 0 {
		c.remove(comma, comma+1)
	}
	behind := end + len(text[end:]) - len(bytes.TrimLeft(text[end:], " \t"))
	before := start
	for text[before-1] == ' ' || text[before-1] == '\t' {
		before--
	}
	switch {
	case text[before-1] == '\n' && (text[behind] == '\n' || text[behind] == '\r'):
		c.remove(before, lineEnd(text, behind))
	case i < len(b.node.spans)-1:
		c.remove(start, behind)
	default:
		c.remove(before, end)
	}
}

// ownLine says that the items of an array stand on lines of their own.
func (b *tomlBracket) ownLine(text []byte, comma int) bool {
	if b.node.kind != tomlArray {
		return false
	}
	last := b.node.spans[len(b.node.spans)-1]
	line := lineStart(text, last.start)
	end := lineEnd(text, last.end)
	return line > b.node.start && len(trimmed(text[line:last.start])) == 0 &&
		end < b.node.end && comma < end
}

func (b *tomlBracket) addLine(text []byte, c *cuts, comma int, added string) {
	last := b.node.spans[len(b.node.spans)-1]
	if comma < 0 {
		c.insert(last.end, ",")
	} else {
		added += ","
	}
	end := lineEnd(text, last.end)
	c.insertLines(text, end, []string{indentAt(text, last.start) + added})
}
