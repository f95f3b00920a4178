package clientconf

import (
	"bytes"
	"fmt"
	"strings"

	"drawbridge/internal/splice"
)

// contextLines is how many lines around a difference are shown.
const contextLines = 3

// comparison is two texts and where they differ.
type comparison struct {
	name    string // of the file
	format  splice.Format
	was, is []byte
	hunks   []hunk
	// what is gone, or new, is somebody else's
	foreignGone, foreignFresh bool
	secrets                   map[string]string // texts in what is ours, and what is shown for them
	known                     map[string]bool   // words of entries of ours that are shown wherever they stand
	guarded                   map[string]bool   // words that are not shown, whatever they look like

	wasInside, isInside map[int]bool // see insides
}

// block is a run of whole lines that became another.
type block struct{ was0, was1, is0, is1 int }

// unified is the unified diff, with values masked that are not to be shown.
func (c *comparison) unified() string {
	blocks := c.blocks()
	if len(blocks) == 0 {
		return ""
	}
	c.wasInside, c.isInside = insides(c.was, c.format), insides(c.is, c.format)
	var out strings.Builder
	from, to := c.name, c.name
	if c.was == nil {
		from = "/dev/null"
	}
	if c.is == nil {
		to = "/dev/null"
	}
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", from, to)
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && bytes.Count(c.was[blocks[n-1].was1:blocks[n].was0], []byte("\n")) <= 2*contextLines {
			n++
		}
		c.group(&out, blocks[:n])
		blocks = blocks[n:]
	}
	return out.String()
}

// blocks widens the hunks to whole lines; those that meet become one.
func (c *comparison) blocks() []block {
	var list []block
	for i, h := range c.hunks {
		b := block{lineStart(c.was, h.was), h.was + len(h.gone), 0, h.is + len(h.fresh)}
		b.is0 = h.is - (h.was - b.was0)
		if i > 0 && b.was0 < list[len(list)-1].was1 {
			last := list[len(list)-1]
			b.was0, b.is0 = last.was0, last.is0
			list = list[:len(list)-1]
		}
		if !atLineStart(c.was, b.was1) || !atLineStart(c.is, b.is1) {
			n := lineEnd(c.was, b.was1) - b.was1
			b.was1, b.is1 = b.was1+n, b.is1+n
		}
		list = append(list, b)
	}
	for i := range list {
		list[i] = c.trimLines(list[i])
	}
	return list
}

// trimLines takes away lines that are the same at both ends.
func (c *comparison) trimLines(b block) block {
	for b.was0 < b.was1 && b.is0 < b.is1 {
		was, is := c.was[b.was0:min(lineEnd(c.was, b.was0), b.was1)], c.is[b.is0:min(lineEnd(c.is, b.is0), b.is1)]
		if !bytes.Equal(was, is) {
			break
		}
		b.was0, b.is0 = b.was0+len(was), b.is0+len(is)
	}
	for b.was0 < b.was1 && b.is0 < b.is1 {
		was, is := c.was[max(lineStart(c.was, b.was1-1), b.was0):b.was1], c.is[max(lineStart(c.is, b.is1-1), b.is0):b.is1]
		if !bytes.Equal(was, is) {
			break
		}
		b.was1, b.is1 = b.was1-len(was), b.is1-len(is)
	}
	return b
}

// group writes blocks that are near each other, with the lines around them.
func (c *comparison) group(out *strings.Builder, blocks []block) {
	first, last := blocks[0], blocks[len(blocks)-1]
	start, end := first.was0, last.was1
	for range contextLines {
		if start > 0 {
			start = lineStart(c.was, start-1)
		}
		end = lineEnd(c.was, end)
	}
	isStart, isEnd := first.is0-(first.was0-start), last.is1+(end-last.was1)
	fmt.Fprintf(out, "@@ -%s +%s @@\n", lineRange(c.was, start, end), lineRange(c.is, isStart, isEnd))
	at := start
	for _, b := range blocks {
		c.lines(out, " ", c.was, at, b.was0)
		c.lines(out, "-", c.was, b.was0, b.was1)
		c.lines(out, "+", c.is, b.is0, b.is1)
		at = b.was1
	}
	c.lines(out, " ", c.was, at, end)
}

// lines writes the lines of text between two places.
func (c *comparison) lines(out *strings.Builder, sign string, text []byte, start, end int) {
	inside := c.wasInside
	if sign == "+" {
		inside = c.isInside
	}
	for start < end {
		next := min(lineEnd(text, start), end)
		line, missing := text[start:next], ""
		if line[len(line)-1] != '\n' {
			missing = "\\ No newline at end of file\n"
		}
		show := c.shown(string(bytes.TrimRight(line, "\r\n")), c.ours(sign == "+", start, next))
		if inside[start] {
			show = mask
		}
		fmt.Fprintf(out, "%s%s\n%s", sign, show, missing)
		start = next
	}
}

// ours gives the parts of a line that are ours, counted from its start.
func (c *comparison) ours(isNew bool, start, end int) []span {
	var list []span
	for _, h := range c.hunks {
		at, n, foreign := h.was, len(h.gone), c.foreignGone
		if isNew {
			at, n, foreign = h.is, len(h.fresh), c.foreignFresh
		}
		if foreign {
			continue
		}
		if at < end && at+n > start {
			list = append(list, span{max(at, start) - start, min(at+n, end) - start})
		}
	}
	return list
}

func lineStart(text []byte, at int) int { return bytes.LastIndexByte(text[:at], '\n') + 1 }

// lineEnd is where the next line begins.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

func atLineStart(text []byte, at int) bool { return at == 0 || text[at-1] == '\n' }

// lineRange is "first,count" as unified diffs have it.
func lineRange(text []byte, start, end int) string {
	first := bytes.Count(text[:start], []byte("\n")) + 1
	count := bytes.Count(text[start:end], []byte("\n"))
	if end > start && text[end-1] != '\n' {
		count++
	}
	if count == 0 {
		first--
	}
	return fmt.Sprintf("%d,%d", first, count)
}
