package splice

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plainJSON is a text without what only JSONC has, and where that was.
type plainJSON struct {
	text    []byte // as long as the text it was made from: blanks took the places
	comment int    // the first comment, -1 for none
	comma   int    // the first comma after a last member or element, -1 for none
	stray   int    // the first carriage return within a // comment, -1 for none
}

// toPlainJSON blanks comments and trailing commas. Of a text that is no JSONC it
// makes something that is no JSON.
func toPlainJSON(text []byte) plainJSON {
	p := plainJSON{bytes.Clone(text), -1, -1, -1}
	last := -1 // the last byte that is neither white space nor in a comment
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			last = i
			i = stringEnd(text, i) - 1
			continue
		case '/':
			if n := commentLen(text[i:]); n > 0 {
				p.takeComment(i, n)
				i += n - 1
				continue
			}
		case '}', ']':
			if last >= 0 && text[last] == ',' {
				if p.comma < 0 {
					p.comma = last
				}
				p.text[last] = ' '
			}
		}
		last = i
	}
	return p
}

func (p *plainJSON) takeComment(at, n int) {
	if p.comment < 0 {
		p.comment = at
	}
	comment := p.text[at : at+n]
	if i := bytes.IndexByte(comment, '\r'); i >= 0 && comment[1] == '/' && p.stray < 0 {
		p.stray = at + i
	}
	for i := range comment {
		comment[i] = ' '
	}
}

// stringEnd is the place behind the string that begins at at.
func stringEnd(text []byte, at int) int {
	end, _ := closedString(text, at)
	return end
}

// closedString also tells whether the string has an end.
func closedString(text []byte, at int) (end int, closed bool) {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return len(text), false
}

// commentLen is the length of the comment that b begins with, 0 for none. The
// end of its line does not belong to a // comment.
func commentLen(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("//")):
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			return len(b)
		}
		if b[n-1] == '\r' {
			n--
		}
		return n
	case bytes.HasPrefix(b, []byte("/*")):
		n := bytes.Index(b[2:], []byte("*/"))
		if n < 0 {
			return 0
		}
		return n + 4
	}
	return 0
}

// PastDepth finds the bracket of a JSON text, comments and all, that opens more
// than most objects and lists in each other, -1 for none. hujson has no such
// limit, and its stack would end the process.
func PastDepth(text []byte, most int) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '/':
			if n := commentLen(text[i:]); n > 0 {
				i += n - 1
			}
		case '{', '[':
			if depth++; depth > most {
				return i
			}
		case '}', ']':
			depth--
		}
	}
	return -1
}

// treeOf reads a plain text. encoding/json says that it is JSON; decoded by it,
// the order of members, repeated names, the spelling of numbers and surrogates
// without their other half would be lost.
func treeOf(plain []byte) (any, error) {
	if !json.Valid(plain) {
		return nil, errors.New("it is no JSON")
	}
	r := treeReader{plain, 0}
	return r.value(), nil
}

// treeReader reads JSON without fault.
type treeReader struct {
	text []byte
	at   int
}

func (r *treeReader) value() any {
	r.at = skipWhite(r.text, r.at)
	from := r.at
	switch r.text[from] {
	case '{':
		return r.object()
	case '[':
		return r.list()
	case '"':
		r.at = stringEnd(r.text, from)
		return unquote(r.text[from:r.at])
	}
	for r.at < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,]}"), r.text[r.at]) < 0 {
		r.at++
	}
	switch word := string(r.text[from:r.at]); word {
	case "null":
		return nil
	case "true", "false":
		return word == "true"
	default:
		return Number(word)
	}
}

func (r *treeReader) object() Object {
	o := Object{}
	for r.more('}') {
		name, _ := r.value().(string)
		r.at = skipWhite(r.text, r.at) + 1 // the colon
		o = append(o, Member{name, r.value()})
	}
	return o
}

func (r *treeReader) list() List {
	l := List{}
	for r.more(']') {
		l = append(l, r.value())
	}
	return l
}

// more steps over the opening bracket or a comma, and over the closing bracket
// if it is next.
func (r *treeReader) more(end byte) bool {
	r.at = skipWhite(r.text, r.at)
	if r.text[r.at] != end {
		r.at = skipWhite(r.text, r.at+1)
	}
	if r.text[r.at] == end {
		r.at++
		return false
	}
	return true
}

// unquote gives what a JSON string without fault means. A surrogate without its
// other half becomes the three bytes that UTF-8 would have for it, which no
// other string has.
func unquote(raw []byte) string {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescaped(raw[i]))
			continue
		}
		r := hex4(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) && bytes.HasPrefix(raw[i+1:], []byte(`\u`)) {
			if both := utf16.DecodeRune(r, hex4(raw[i+3:])); both != utf8.RuneError {
				r = both
				i += 6
			}
		}
		if utf16.IsSurrogate(r) {
			out = append(out, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // a quote, a slash or a backslash
		return c
	}
}

func hex4(b []byte) rune {
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	if err != nil {
		return utf8.RuneError // not in a string without fault
	}
	return rune(n)
}
