package catalog

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tailscale/hujson"
)

// An edit takes the bytes from..to out and puts others in their place.
type edit struct {
	from, to int
	put      string
}

// splice applies edits that are in order and do not overlap.
func splice(text []byte, edits ...edit) []byte {
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.from]...), e.put...)
		at = e.to
	}
	return append(out, text[at:]...)
}

// object is one object of the text, to be edited.
type object struct {
	text []byte
	*hujson.Object
	open, close int // its braces
}

func objectAt(text []byte, v *hujson.Value) object {
	return object{text, v.Value.(*hujson.Object), v.StartOffset, v.EndOffset - 1}
}

// add gives the text with one more member, written as the members beside it
// are: after the last one and what is said about it on its line.
func (o object) add(name string, value any) []byte {
	if len(o.Members) == 0 {
		return o.addFirst(name, value)
	}
	last := &o.Members[len(o.Members)-1].Value
	end, comma := last.EndOffset, edit{last.EndOffset, last.EndOffset, ","}
	tail := ""
	if last.AfterExtra != nil { // hujson's sign of a comma after the last member
		end += len(last.AfterExtra) + 1
		comma, tail = edit{end, end, ""}, ","
	}
	at := o.lineTail(end)
	s := o.style(at)
	return splice(o.text, comma, edit{at, at, s.before + s.member(name, value) + tail})
}

func (o object) addFirst(name string, value any) []byte {
	at, end := o.open+1, o.close
	if blank(o.text[at:end]) {
		s := o.style(at)
		return splice(o.text, edit{at, end, s.before + s.member(name, value) + s.after})
	}
	at, _ = lastComment(o.text, at, end)
	s := o.style(at)
	return splice(o.text, edit{at, at, s.before + s.member(name, value)})
}

// set gives the text with another value of member i.
func (o object) set(i int, value any) []byte {
	v := &o.Members[i].Value
	s := o.style(v.EndOffset)
	return splice(o.text, edit{v.StartOffset, v.EndOffset, s.value(value)})
}

// remove gives the text without member i. Comments stay, apart from those
// inside the member; so does a line break that a comment needs.
func (o object) remove(i int) []byte {
	m := &o.Members[i]
	begin := o.open + 1 // of the gap before the name
	if i > 0 {
		begin = o.comma(i-1) + 1
	}
	from, afterLine := lastComment(o.text, begin, m.Name.StartOffset)
	space := o.text[from:m.Name.StartOffset]
	cut := edit{from, m.Value.EndOffset, ""}
	edits := make([]edit, 0, 2)
	own := o.comma(i)
	if own < 0 && i > 0 {
		edits = append(edits, edit{begin - 1, begin, ""}) // there must not be one after the last
	} else if own >= 0 && blank(o.text[cut.to:own]) {
		cut.to = own + 1
	}
	switch rest := o.text[cut.to:o.close]; {
	case len(o.Members) == 1 && from == begin && bytes.IndexByte(space, '\n') >= 0 && blank(rest):
		cut.to = o.close // nothing is left: {}
	case i == 0 && len(o.Members) > 1:
		// The next member, or what is said about it, comes into this one's place.
		cut.from = m.Name.StartOffset
		cut.to += len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
	case spaceNeeded(afterLine, space, rest):
		cut.from = m.Name.StartOffset
		cut.to += len(rest) - len(bytes.TrimLeft(rest, " \t"))
	case afterLine: // blanks would become part of the comment
		cut.to += len(rest) - len(bytes.TrimLeft(rest, " \t"))
	}
	edits = append(edits, cut)
	if own >= cut.to {
		edits = append(edits, edit{own, own + 1, ""})
	}
	return splice(o.text, edits...)
}

func blank(text []byte) bool { return len(bytes.TrimLeft(text, " \t\r\n")) == 0 }

// spaceNeeded tells whether the space before a removed member must stay: where
// it ends a // comment, or holds a comment behind the member on a line of its
// own.
func spaceNeeded(afterLine bool, space, rest []byte) bool {
	if bytes.IndexByte(space, '\n') < 0 {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t")
	if commentLen(rest) > 0 {
		return true
	}
	return afterLine && !bytes.HasPrefix(rest, []byte("\n")) && !bytes.HasPrefix(rest, []byte("\r\n"))
}

// comma is the place of the comma after member i, -1 for none.
func (o object) comma(i int) int {
	v := &o.Members[i].Value
	if i == len(o.Members)-1 && v.AfterExtra == nil {
		return -1
	}
	return v.EndOffset + len(v.AfterExtra)
}

// lineTail is where the comments end that follow at on the same line.
func (o object) lineTail(at int) int {
	end := at
	for at < o.close {
		if c := o.text[at]; c == ' ' || c == '\t' {
			at++
			continue
		}
		n := commentLen(o.text[at:])
		if n == 0 {
			break
		}
		at += n
		end = at
	}
	return end
}

// lastComment is where the last comment of a gap ends, from for none, and
// whether it is a // comment.
func lastComment(text []byte, from, to int) (end int, line bool) {
	end = from
	for i := from; i < to; {
		n := commentLen(text[i:to])
		if n == 0 {
			i++
			continue
		}
		line = text[i+1] == '/'
		i += n
		end = i
	}
	return end, line
}

// style is how a member is written at some place.
type style struct {
	before string // white space before it
	after  string // and behind it, where it is the first
	nl     string // "" writes it on one line
	indent string
	unit   string
	colon  string
}

// style looks at what is around the place.
func (o object) style(at int) style {
	if bytes.IndexByte(o.text[o.open:o.close], '\n') < 0 && (len(o.Members) > 0 || bytes.IndexByte(o.text[:o.open], '\n') < 0) {
		return o.inline()
	}
	s := style{nl: newline(o.text, at), colon: ": "}
	outer := lineIndent(o.text, o.open)
	s.unit = o.unit(outer)
	s.indent = outer + s.unit
	for i := len(o.Members) - 1; i >= 0; i-- {
		if own, ok := ownLine(o.text, o.Members[i].Name.StartOffset); ok {
			s.indent = own
			break
		}
	}
	s.before = s.nl + s.indent
	s.after = s.nl + outer
	return s
}

// inline is the style of an object on one line.
func (o object) inline() style {
	s := style{colon: ":"}
	if len(o.Members) == 0 {
		return s
	}
	last := &o.Members[len(o.Members)-1]
	if len(last.Value.BeforeExtra) > 0 {
		s.colon = ": "
	}
	if blank := last.Name.BeforeExtra; len(bytes.Trim(blank, " \t")) == 0 {
		s.before = string(blank)
	}
	return s
}

// unit is what one level is indented by: as a member on its own line is, here
// or in the text's first lines.
func (o object) unit(outer string) string {
	for i := range o.Members {
		if own, ok := ownLine(o.text, o.Members[i].Name.StartOffset); ok {
			if deeper, ok := strings.CutPrefix(own, outer); ok && deeper != "" {
				return deeper
			}
		}
	}
	for line := range bytes.Lines(o.text) {
		body := bytes.TrimLeft(line, " \t")
		if n := len(line) - len(body); n > 0 && bytes.HasPrefix(body, []byte(`"`)) {
			return string(line[:n])
		}
	}
	if strings.HasPrefix(outer, "\t") {
		return "\t"
	}
	return "  "
}

// ownLine is the white space before the place, if nothing else is on its line.
func ownLine(text []byte, at int) (indent string, ok bool) {
	line := bytes.LastIndexByte(text[:at], '\n') + 1
	blank := text[line:at]
	return string(blank), line > 0 && len(bytes.Trim(blank, " \t")) == 0
}

// lineIndent is the white space at the beginning of the place's line.
func lineIndent(text []byte, at int) string {
	line := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// newline is the line end at the place, or else the text's first one.
func newline(text []byte, at int) string {
	rest := text[at:]
	switch i := bytes.IndexByte(text, '\n'); {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return "\r\n"
	case bytes.HasPrefix(rest, []byte("\n")):
		return "\n"
	case i > 0 && text[i-1] == '\r':
		return "\r\n"
	default:
		return "\n"
	}
}

func (s style) member(name string, value any) string {
	return s.value(name) + s.colon + s.value(value)
}

// value is written with all its characters: <, > and & as they are.
func (s style) value(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if s.nl != "" {
		e.SetIndent(s.indent, s.unit)
	}
	if err := e.Encode(v); err != nil {
		panic("catalog: " + err.Error()) // only values of Server come here
	}
	out := strings.TrimSuffix(b.String(), "\n")
	if s.nl == "\r\n" {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	return out
}
