package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// jsonStyle is how something new is written at some place.
type jsonStyle struct {
	nl     string // the line break between members, "" for all on one line
	indent string // of the members, where they have lines of their own
	unit   string // by which one more level is indented
	colon  string // between name and value
	comma  string // between members on one line
	pad    string // within the braces of an object on one line
	flat   bool   // lists stay on one line
}

// styleIn is the style of what is within the last value of the chain, which
// leads there from the root.
func (d *jsonDocument) styleIn(chain []*hujson.Value) jsonStyle {
	v := chain[len(chain)-1]
	own := sequenceOf(d.text, v)
	s := jsonStyle{unit: d.unit(chain), colon: d.colon(chain), pad: d.pad(chain)}
	s.comma = d.comma(own, s.colon)
	if !d.oneLine(chain) {
		s.nl = "\n" // until on says which
	}
	s.indent = indentAt(d.text, v.StartOffset) + s.unit
	for i := len(own.items) - 1; i >= 0; i-- {
		if ownLine(d.text, own.items[i].start) {
			s.indent = indentAt(d.text, own.items[i].start)
			break
		}
	}
	s.flat = d.flatLists(v)
	return s
}

// oneLine tells whether what is new within the last of the chain has to stay on
// its line: because all that is there does or, in an empty one, all beside it.
func (d *jsonDocument) oneLine(chain []*hujson.Value) bool {
	v := chain[len(chain)-1]
	if len(sequenceOf(d.text, v).items) == 0 && !d.broken(v) {
		if len(chain) == 1 {
			return false
		}
		v = chain[len(chain)-2]
	}
	return !d.broken(v)
}

// broken tells whether a value stands on more than one line.
func (d *jsonDocument) broken(v *hujson.Value) bool {
	return bytes.IndexByte(d.text[v.StartOffset:v.EndOffset], '\n') >= 0
}

// unit is by how much the members within one of the chain are indented, the
// nearest first.
func (d *jsonDocument) unit(chain []*hujson.Value) string {
	for i := len(chain) - 1; i >= 0; i-- {
		outer := indentAt(d.text, chain[i].StartOffset)
		for _, e := range sequenceOf(d.text, chain[i]).items {
			if !ownLine(d.text, e.start) {
				continue
			}
			if deeper, ok := strings.CutPrefix(indentAt(d.text, e.start), outer); ok && deeper != "" {
				return deeper
			}
		}
	}
	if strings.HasPrefix(indentAt(d.text, chain[len(chain)-1].StartOffset), "\t") {
		return "\t"
	}
	return "  "
}

// colon is how the last member of the nearest object of the chain that has one
// parts its name and value.
func (d *jsonDocument) colon(chain []*hujson.Value) string {
	for i := len(chain) - 1; i >= 0; i-- {
		o, _ := chain[i].Value.(*hujson.Object)
		if o == nil || len(o.Members) == 0 {
			continue
		}
		m := &o.Members[len(o.Members)-1]
		before, after, _ := bytes.Cut(d.text[m.Name.EndOffset:m.Value.StartOffset], []byte(":"))
		return oneBlank(before) + ":" + oneBlank(after)
	}
	return ": "
}

// comma is how the last two items are parted, if they are on one line.
func (d *jsonDocument) comma(s jsonSequence, colon string) string {
	n := len(s.items)
	if n >= 2 {
		gap := d.text[s.items[n-2].comma+1 : s.items[n-1].start]
		if bytes.IndexByte(gap, '\n') < 0 {
			return "," + oneBlank(gap)
		}
	}
	if strings.HasSuffix(colon, " ") {
		return ", "
	}
	return ","
}

// pad is what stands behind the brace of the nearest object of the chain that
// has a member.
func (d *jsonDocument) pad(chain []*hujson.Value) string {
	for i := len(chain) - 1; i >= 0; i-- {
		s := sequenceOf(d.text, chain[i])
		if len(s.items) > 0 && d.text[s.open] == '{' {
			return oneBlank(d.text[s.open+1 : s.items[0].start])
		}
	}
	return ""
}

// oneBlank stands for white space on one line that puts names in columns, or
// has comments in it.
func oneBlank(gap []byte) string {
	if len(gap) > 0 && (gap[0] == ' ' || gap[0] == '\t') {
		return " "
	}
	return ""
}

// flatLists tells whether lists are to be written on one line: as the first one
// within v that is not empty is, and where there is none, as people write
// arguments.
func (d *jsonDocument) flatLists(v *hujson.Value) bool {
	for in := range v.All() {
		if l, ok := in.Value.(*hujson.Array); ok && len(l.Elements) > 0 && in != v {
			return !d.broken(in)
		}
	}
	return true
}

// ownLine tells whether nothing but white space is before the place on its line.
func ownLine(text []byte, at int) bool {
	for at > 0 && (text[at-1] == ' ' || text[at-1] == '\t') { // not from the line's start: a minified file is one line
		at--
	}
	return at > 0 && text[at-1] == '\n'
}

// on gives the style with the line break that is used near the place.
func (s jsonStyle) on(text []byte, at int) jsonStyle {
	if s.nl != "" {
		s.nl = lineBreak(text, at)
	}
	return s
}

// lead is what stands between a comma and a new member.
func (s jsonStyle) lead(indent string) string {
	if s.nl == "" {
		return s.comma[1:]
	}
	return s.nl + indent
}

// encode writes a value that begins on a line with this indentation.
func (s jsonStyle) encode(v any, indent string) (string, error) {
	switch v := v.(type) {
	case Object:
		return s.enclose("{", v, len(v), indent, "}")
	case List:
		if s.flat {
			s.nl = ""
		}
		s.pad = ""
		return s.enclose("[", v, len(v), indent, "]")
	case string:
		return jsonString(v)
	case Number:
		if !json.Valid([]byte(v)) || strings.Trim(string(v[0]), "-0123456789") != "" {
			return "", fmt.Errorf("splice: JSON has no number %q", string(v))
		}
		return string(v), nil
	case bool:
		if v {
			return "true", nil
		}
		return "false", nil
	case nil:
		return "null", nil
	default:
		return "", fmt.Errorf("splice: JSON has no value of type %T", v)
	}
}

func (s jsonStyle) enclose(open string, v any, n int, indent, end string) (string, error) {
	if n == 0 {
		return open + end, nil
	}
	put, err := s.parts(v, indent+s.unit)
	if s.nl == "" {
		return open + s.pad + put + s.pad + end, err
	}
	return open + s.nl + indent + s.unit + put + s.nl + indent + end, err
}

// parts writes the members of an Object or the elements of a List, without what
// is around them. Those after the first begin with this indentation.
func (s jsonStyle) parts(v any, indent string) (string, error) {
	var out []string
	switch v := v.(type) {
	case Object:
		for _, m := range v {
			name, err := jsonString(m.Name)
			if err != nil {
				return "", err
			}
			value, err := s.encode(m.Value, indent)
			if err != nil {
				return "", err
			}
			out = append(out, name+s.colon+value)
		}
	case List:
		for _, e := range v {
			value, err := s.encode(e, indent)
			if err != nil {
				return "", err
			}
			out = append(out, value)
		}
	}
	return strings.Join(out, ","+s.lead(indent)), nil
}

// jsonString writes a string with all its characters: <, > and & as they are.
func jsonString(s string) (string, error) {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			half, ok := surrogate(s[i:])
			if !ok {
				return "", fmt.Errorf("splice: %q is not UTF-8", s)
			}
			b, n = fmt.Appendf(b, `\u%04x`, half), 3
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return string(append(b, '"')), nil
}

// surrogate reads what unquote makes of a surrogate without its other half.
func surrogate(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xed || s[1]&0xe0 != 0xa0 || s[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), true
}
