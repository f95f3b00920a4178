package clientconf

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"drawbridge/internal/splice"
)

// insides are the beginnings of the lines that begin within a text of several
// lines: what such a line looks like says nothing about what it is.
func insides(text []byte, format splice.Format) map[int]bool {
	switch format {
	case splice.TOML:
		return tomlInsides(text)
	case splice.YAML:
		return yamlInsides(text)
	default:
		return nil // JSON has no such texts
	}
}

func tomlInsides(text []byte) map[int]bool {
	in := map[int]bool{}
	for at := 0; at < len(text); {
		rest := text[at:]
		switch {
		case rest[0] == '#':
			at = lineEnd(text, at)
		case bytes.HasPrefix(rest, []byte(`"""`)), bytes.HasPrefix(rest, []byte(`'''`)):
			end := at + 3 + tomlEnd(rest[3:], rest[:3])
			for line := lineEnd(text, at); line < end; line = lineEnd(text, line) {
				in[line] = true
			}
			at = end
		case rest[0] == '"', rest[0] == '\'':
			at += 1 + tomlEnd(rest[1:], rest[:1])
		default:
			at++
		}
	}
	return in
}

// tomlEnd is where a text ends, behind its last quote.
func tomlEnd(text, quotes []byte) int {
	for at := 0; at < len(text); at++ {
		switch {
		case bytes.HasPrefix(text[at:], quotes):
			at += len(quotes)
			for n := 0; len(quotes) == 3 && n < 2 && at < len(text) && text[at] == quotes[0]; n++ {
				at++ // quotes before the last three
			}
			return at
		case text[at] == '\\' && quotes[0] == '"':
			at++
		case text[at] == '\n' && len(quotes) == 1:
			return at
		}
	}
	return len(text)
}

// yamlLines go through a document of YAML line by line.
type yamlLines struct {
	block int  // the column that a text in block style is indented more than, -1 outside of one
	quote byte // that ends the text we are in, 0 outside of one
	flow  int  // how many lists and mappings in flow style we are in
}

var yamlBlock = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[&!]\S* +)*[|>][0-9+-]*\s*(?:#.*)?$`)
})

func yamlInsides(text []byte) map[int]bool {
	in := map[int]bool{}
	y := yamlLines{block: -1}
	for at := 0; at < len(text); at = lineEnd(text, at) {
		line := strings.TrimRight(string(text[at:lineEnd(text, at)]), "\r\n")
		if y.next(line) {
			in[at] = true
		}
	}
	return in
}

// next goes through a line and tells whether it begins within a text.
func (y *yamlLines) next(line string) (inside bool) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if y.block >= 0 && (indent > y.block || strings.TrimSpace(line) == "") {
		return true
	}
	y.block = -1
	if y.quote != 0 {
		y.tokens(line)
		return true
	}
	if y.flow > 0 {
		y.tokens(line)
		return false
	}
	at, column := yamlPrefix(line)
	switch rest := line[at:]; {
	case yamlBlock().MatchString(rest):
		y.block = column
	case rest != "" && strings.IndexByte(`"'[{&!`, rest[0]) >= 0:
		y.tokens(rest)
	}
	return false
}

// yamlPrefix is where the value on a line begins, behind dashes and a name, and
// the column of the last of these.
func yamlPrefix(line string) (at, column int) {
	column = len(line) - len(strings.TrimLeft(line, " "))
	if m := masks().yamlItem.FindString(line); m != "" && !strings.HasPrefix(line, "---") {
		at, column = len(m), strings.LastIndexByte(m, '-')
	}
	if m := masks().yamlMember.FindString(line); m != "" {
		name := m[at:]
		at, column = len(m), len(m)-len(strings.TrimLeft(name, " "))
	}
	return at, column
}

// tokens goes through the quotes and brackets of a line.
func (y *yamlLines) tokens(line string) {
	for at := 0; at < len(line); at++ {
		begins := at == 0 || strings.IndexByte(" \t[{,:", line[at-1]) >= 0
		switch ch := line[at]; {
		case y.quote != 0 && ch == '\\' && y.quote == '"':
			at++
		case y.quote != 0 && ch == y.quote && ch == '\'' && strings.HasPrefix(line[at:], "''"):
			at++
		case y.quote != 0 && ch == y.quote:
			y.quote = 0
		case y.quote != 0:
		case (ch == '"' || ch == '\'') && begins:
			y.quote = ch
		case ch == '#' && begins:
			return
		case ch == '[', ch == '{':
			y.flow++
		case ch == ']', ch == '}':
			y.flow = max(0, y.flow-1)
		}
	}
}
