package splice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonSyntax is the refusal for what hujson says of a text: the place as it
// found it, and in our words what a person is to look for there.
func jsonSyntax(text []byte, err error) *Error {
	line, column, said := 1, 1, err.Error()
	if _, serr := fmt.Sscanf(said, "hujson: line %d, column %d: ", &line, &column); serr == nil {
		_, said, _ = strings.Cut(said, ": ")
		_, said, _ = strings.Cut(said, ": ")
	}
	at := placeAt(text, line, column)
	at, detail := explainJSON(text, at, said)
	return refuse(text, at, InvalidSyntax, detail)
}

const cutShort = "the text ends in the middle of %s: if another program is writing the file just now, try again"

// explainJSON says what is wrong at the place, or finds a better place.
func explainJSON(text []byte, at int, said string) (int, string) {
	end := len(bytes.TrimRight(text, " \t\r\n"))
	if at >= end {
		return explainEnd(text, end)
	}
	if marker := mergeMarker(text, at); marker != "" {
		return lineStart(text, at), fmt.Sprintf("the merge marker %s: a merge was left half done", marker)
	}
	r, _ := utf8.DecodeRune(text[at:])
	if what := oddRune(r); what != "" {
		return at, what
	}
	switch {
	case r == '"' && strings.HasPrefix(said, "invalid literal"):
		return explainString(text, at)
	case r == '"' && strings.Contains(said, "after object value"), r == '"' && strings.Contains(said, "after array value"):
		return at, "a comma is missing before this"
	case strings.Contains(said, "after top-level value"):
		return at, fmt.Sprintf("there is more (%s) after the end of the document", runeName(r))
	case bytes.HasPrefix(text[at:], []byte("/*")):
		return at, fmt.Sprintf(cutShort, "a comment")
	case strings.Contains(said, "in line comment"):
		return at, fmt.Sprintf("%s in a // comment: some programs end the comment there, some do not", runeName(r))
	case strings.Contains(said, "after object name"):
		return at, fmt.Sprintf("%s where a colon is wanted", runeName(r))
	case isWordByte(text[at]):
		return explainWord(text, at, said)
	default:
		return at, fmt.Sprintf("%s is not wanted here%s", runeName(r), wanted(said))
	}
}

func wanted(said string) string {
	switch {
	case strings.Contains(said, "after object value"):
		return ": after the value comes , or }"
	case strings.Contains(said, "after array value"):
		return ": after the element comes , or ]"
	case strings.Contains(said, "object name"):
		return `: a name in double quotes must begin here`
	case strings.Contains(said, "start of value"):
		return ": a value must begin here"
	default:
		return ""
	}
}

// explainEnd says what a text is in the middle of.
func explainEnd(text []byte, end int) (int, string) {
	var open []int
	for i := 0; i < end; i++ {
		switch text[i] {
		case '"':
			stop, closed := closedString(text, i)
			if !closed {
				return explainOpenString(text, i, end)
			}
			i = stop - 1
		case '/':
			n := commentLen(text[i:])
			if n == 0 && bytes.HasPrefix(text[i:], []byte("/*")) {
				return i, fmt.Sprintf(cutShort, "a comment")
			}
			i += max(n-1, 0)
		case '{', '[':
			open = append(open, i)
		case '}', ']':
			open = open[:max(len(open)-1, 0)]
		}
	}
	if len(open) == 0 {
		return end, "the text ends where a value is wanted"
	}
	last := open[len(open)-1]
	line, column := lineColumn(text, last)
	return end, fmt.Sprintf(cutShort, fmt.Sprintf("what %c opens in line %d, column %d", text[last], line, column))
}

// explainString finds what is wrong within the string that begins at at.
func explainString(text []byte, at int) (int, string) {
	for i := at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return at, "a string that is not valid"
		case c == '\n' || c == '\r':
			return explainOpenString(text, at, len(text))
		case c < ' ':
			return i, fmt.Sprintf("%s in a string: it must be written as an escape", runeName(rune(c)))
		case c == '\\' && i+1 < len(text):
			if !validEscape(text[i+1:]) {
				r, _ := utf8.DecodeRune(text[i+1:])
				return i, fmt.Sprintf(`\%c is no escape: a backslash in a string must be doubled, as in "C:\\Users"`, r)
			}
			i++
		}
	}
	return at, fmt.Sprintf(cutShort, "a string")
}

// explainOpenString is about a string that does not end on its line, or not at
// all.
func explainOpenString(text []byte, at, end int) (int, string) {
	line := text[at:lineEnd(text, at)]
	if i := bytes.IndexAny(line, typographicDouble); i >= 0 {
		r, _ := utf8.DecodeRune(line[i:])
		return at + i, oddRune(r)
	}
	if bytes.ContainsAny(text[at:end], "\r\n") {
		return at, `a string that goes on over the end of its line: is its closing " missing?`
	}
	return end, fmt.Sprintf(cutShort, "a string")
}

func validEscape(b []byte) bool {
	if b[0] != 'u' {
		return strings.IndexByte(`"\/bfnrt`, b[0]) >= 0
	}
	return len(b) >= 5 && len(bytes.Trim(b[1:5], "0123456789abcdefABCDEF")) == 0
}

func isWordByte(c byte) bool {
	return c == '-' || c == '+' || c == '.' || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// explainWord is about something without quotes. It shows names only: a value
// may be a secret.
func explainWord(text []byte, at int, said string) (int, string) {
	end := at
	for end < len(text) && (isWordByte(text[end]) || text[end] >= utf8.RuneSelf) {
		end++
	}
	word := string(text[at:end])
	next := skipBlank(text, end)
	switch {
	case next < len(text) && text[next] == ':':
		return at, fmt.Sprintf("the name %s must stand in double quotes", shorten(word))
	case strings.Contains(said, "after object value"), strings.Contains(said, "after array value"):
		return at, "a comma is missing before this"
	case strings.HasPrefix(strings.ToLower(strings.TrimLeft(word, "+-")), "0x"):
		return at, "JSON has no hexadecimal numbers"
	case strings.Trim(word[:1], "+-.0123456789") == "":
		return at, "this is not a number as JSON writes it"
	case slices.Contains([]string{"True", "False", "TRUE", "FALSE", "None", "nil", "NULL", "Null", "undefined", "NaN", "Infinity"}, word):
		return at, fmt.Sprintf("%s is no value: there are true, false and null, in small letters", word)
	default:
		return at, "text without quotes: text must stand in double quotes"
	}
}

// shorten cuts a name from the document to what a message can hold.
func shorten(name string) string {
	if len(name) > 60 {
		return strings.ToValidUTF8(name[:60], "") + "…"
	}
	return name
}

// mergeMarker is the marker of an unfinished merge that the place's line begins
// with.
func mergeMarker(text []byte, at int) string {
	line := text[lineStart(text, at):]
	for _, m := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if bytes.HasPrefix(line, []byte(m)) {
			return m
		}
	}
	return ""
}

const (
	typographicDouble = "“”„‟«»″＂"
	typographicSingle = "‘’‚‛" // also an apostrophe in text
)

// oddRune says of a character what it is mistaken for, "" of an ordinary one.
func oddRune(r rune) string {
	switch {
	case r == '\'':
		return `a single quote ': JSON has only double quotes "`
	case r == '`':
		return "a backquote `: JSON has only double quotes \""
	case strings.ContainsRune(typographicDouble+typographicSingle, r):
		return fmt.Sprintf(`%s, a typographic quote: JSON has only the straight one "`, runeName(r))
	case r == '#':
		return "#: a comment begins with //"
	case r == '\ufeff':
		return "a second byte order mark (U+FEFF)"
	case r != ' ' && unicode.Is(unicode.Zs, r):
		return fmt.Sprintf("%s, a kind of space that JSON does not have: put an ordinary one there", runeName(r))
	case unicode.Is(unicode.Cf, r):
		return fmt.Sprintf("%s, a character that is not visible: take it out", runeName(r))
	default:
		return ""
	}
}

// runeName shows a character, and its number if it is not plain ASCII.
func runeName(r rune) string {
	switch {
	case r > ' ' && r < 0x7f:
		return string(r)
	case r == 0xa0:
		return "a non-breaking space (U+00A0)"
	case unicode.IsGraphic(r) && !unicode.IsSpace(r):
		return fmt.Sprintf("%c (U+%04X)", r, r)
	default:
		return fmt.Sprintf("the character U+%04X", r)
	}
}
