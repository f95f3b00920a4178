package splice

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// cuts gathers the edits of one change in any order.
type cuts struct {
	edits []Edit
}

// remove takes the bytes from start to end away.
func (c *cuts) remove(start, end int) { c.replace(start, end, "") }

// insert puts s at the place at.
func (c *cuts) insert(at int, s string) { c.replace(at, at, s) }

func (c *cuts) replace(start, end int, s string) {
	c.edits = append(c.edits, Edit{At: start, Delete: end - start, Insert: []byte(s)})
}

// sorted are the edits in order of their places. Those that touch become one,
// and what is removed twice is removed once.
func (c *cuts) sorted() ([]Edit, error) {
	slices.SortStableFunc(c.edits, func(a, b Edit) int {
		return cmp.Or(a.At-b.At, min(a.Delete, 1)-min(b.Delete, 1))
	})
	var out []Edit
	for _, e := range c.edits {
		if e.Delete == 0 && len(e.Insert) == 0 {
			continue
		}
		last := len(out) - 1
		if last < 0 || e.At > out[last].At+out[last].Delete {
			out = append(out, e)
			continue
		}
		end := out[last].At + out[last].Delete
		if e.At < end && len(e.Insert) > 0 {
			return nil, fmt.Errorf("splice: an insertion at %d inside of what is removed", e.At)
		}
		out[last].Delete = max(end, e.At+e.Delete) - out[last].At
		out[last].Insert = slices.Concat(out[last].Insert, e.Insert)
	}
	return out, nil
}

// lineStart is where the line of the place at begins.
func lineStart(text []byte, at int) int {
	return bytes.LastIndexByte(text[:at], '\n') + 1
}

// lineEnd is the place behind the line break of the line of at, or the end of
// the text.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// indentAt is the white space that the line of the place at begins with.
func indentAt(text []byte, at int) string {
	line := text[lineStart(text, at):]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// lineBreak is the line break that lines near the place at end with: that of its
// line, else of the line before, else of the first line.
func lineBreak(text []byte, at int) string {
	end := lineEnd(text, at)
	if end == 0 || text[end-1] != '\n' {
		end = lineStart(text, at)
	}
	if end == 0 {
		end = lineEnd(text, 0)
	}
	if end > 1 && text[end-1] == '\n' && text[end-2] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// insertLines puts whole lines, each without its line break, at the place at,
// which is the beginning of a line or the end of the text. A text whose last
// line has no line break gets one before them and none after them.
func (c *cuts) insertLines(text []byte, at int, lines []string) {
	near := max(at-1, 0)
	eol := lineBreak(text, near)
	var b bytes.Buffer
	unended := at > 0 && text[at-1] != '\n'
	for _, line := range lines {
		if unended {
			b.WriteString(eol)
		}
		b.WriteString(line)
		if !unended {
			b.WriteString(eol)
		}
	}
	c.insert(at, b.String())
}

// removeLines takes the whole lines from start to end away. If they are the
// last ones and the text ends without a line break, the text stays so.
func (c *cuts) removeLines(text []byte, start, end int) {
	if end == len(text) && end > start && text[end-1] != '\n' && start > 0 {
		start--
		if start > 0 && text[start-1] == '\r' {
			start--
		}
	}
	c.remove(start, end)
}

// trimmed is b without the white space that all formats know.
func trimmed(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
