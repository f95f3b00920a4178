package splice

import "bytes"

// remove takes item i away, with one comma and, where it has lines of its own,
// with these. Comments stay, apart from those inside the item.
func (s jsonSequence) remove(text []byte, i int) ([]Edit, error) {
	e := s.items[i]
	begin := s.open + 1 // of the gap before it
	if i > 0 {
		begin = s.items[i-1].comma + 1
	}
	var out cuts
	end := e.end
	switch {
	case e.comma < 0 && i > 0:
		out.remove(begin-1, begin) // there must not be one after the last
	case e.comma >= 0 && blank(text[end:e.comma]):
		end = e.comma + 1
	case e.comma >= 0: // a comment stands before it
		out.remove(e.comma, e.comma+1)
	}
	g := gap{text: text, begin: begin, start: e.start, end: end, close: s.close}
	g.from = lastComment(text, begin, e.start)
	g.next = skipWhite(text, end)
	from, to := g.cut(i == 0, len(s.items) == 1)
	out.remove(from, to)
	return out.sorted()
}

// gap is the surrounding of an item that goes.
type gap struct {
	text       []byte
	begin      int // behind the comma or bracket before it
	from       int // where the white space before it begins
	start, end int // the item and its comma
	next       int // what comes next: an item, a comment or the bracket
	close      int // the bracket
}

// cut says from where to where the bytes go.
func (g gap) cut(first, only bool) (from, to int) {
	ownLine := bytes.IndexByte(g.text[g.from:g.start], '\n') >= 0
	lastOnLine := bytes.IndexByte(g.text[g.end:g.next], '\n') >= 0
	switch {
	case only && ownLine && g.from == g.begin && g.next == g.close:
		return g.from, g.close // {}
	case ownLine && lastOnLine:
		return g.wholeLines()
	case ownLine && g.next == g.close && !g.afterLineComment():
		return g.lineBreakBefore(), g.end
	case ownLine || first && !lastOnLine && g.next != g.close:
		return g.start, g.next // which comes into this place
	default:
		return g.from, g.end
	}
}

// wholeLines takes the lines of the item. White space behind it was there
// before it, if it was added behind another: then the line break before it goes
// instead of the one after.
func (g gap) wholeLines() (from, to int) {
	if nl := bytes.IndexByte(g.text[g.end:], '\n') + g.end; len(bytes.Trim(g.text[g.end:nl], "\r")) == 0 || g.afterLineComment() {
		return lineStart(g.text, g.start), nl + 1
	}
	return g.lineBreakBefore(), g.end
}

// afterLineComment tells whether the line break before the item ends a comment.
func (g gap) afterLineComment() bool {
	at := lastCommentStart(g.text, g.begin, g.start)
	return at >= 0 && g.text[at+1] == '/'
}

// lineBreakBefore is the place of the line break before the item's line.
func (g gap) lineBreakBefore() int {
	at := lineStart(g.text, g.start) - 1
	if at > 0 && g.text[at-1] == '\r' {
		at--
	}
	return at
}

func blank(text []byte) bool { return skipWhite(text, 0) == len(text) }

// skipWhite is the first place from at that has no white space.
func skipWhite(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// skipBlank is the first place from at that has neither white space nor a
// comment.
func skipBlank(text []byte, at int) int {
	for {
		at = skipWhite(text, at)
		n := commentLen(text[at:])
		if n == 0 {
			return at
		}
		at += n
	}
}

// lastComment is where the last comment between from and to ends, from for none.
// There are only white space and comments.
func lastComment(text []byte, from, to int) int {
	if start := lastCommentStart(text, from, to); start >= 0 {
		return start + commentLen(text[start:to])
	}
	return from
}

func lastCommentStart(text []byte, from, to int) int {
	start := -1
	for at := skipWhite(text[:to], from); at < to; at = skipWhite(text[:to], at) {
		n := commentLen(text[at:to])
		if n == 0 {
			break
		}
		start = at
		at += n
	}
	return start
}

// lineTail is where the comments end that follow at on its line.
func lineTail(text []byte, at, to int) int {
	end := at
	for at < to {
		if text[at] == ' ' || text[at] == '\t' {
			at++
			continue
		}
		n := commentLen(text[at:to])
		if n == 0 {
			break
		}
		at += n
		end = at
	}
	return end
}
