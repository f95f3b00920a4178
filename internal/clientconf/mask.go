package clientconf

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"drawbridge/internal/splice"
)

// mask stands for a value that is not shown.
const mask = "•••"

// span is a part of a line.
type span struct{ from, to int }

// shown is a line of a diff as people may see it. Names are shown, and values
// only where they say which program it is, or are known words that Drawbridge
// writes: what a value means is not known line by line, so all others may be
// secrets, in an entry of ours, too, as users add to those. ours says where on
// the line what is ours is.
func (c *comparison) shown(line string, ours []span) string {
	var out strings.Builder
	at := 0
	for _, v := range values(line, c.format, c.guarded) {
		if v.from < at || c.known[line[v.from:v.to]] {
			continue
		}
		out.WriteString(line[at:v.from] + mask)
		at = v.to
	}
	masked := out.String() + line[at:]
	// The longest first, so that no end of one remains.
	for _, secret := range slices.SortedFunc(maps.Keys(c.secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) }) {
		masked = strings.ReplaceAll(masked, secret, c.secrets[secret])
	}
	if len(ours) == 0 {
		return harmless(shorten(masked, len(masked)))
	}
	return harmless(shorten(masked, len(masked)-(len(line)-ours[0].from)))
}

// lineLimit is how much of a line is shown: minified files are one line.
const lineLimit = 400

// shorten cuts a long line around the place of interest.
func shorten(line string, place int) string {
	if len(line) <= lineLimit {
		return line
	}
	start := min(max(0, place-lineLimit/4), len(line)-lineLimit/2)
	if place >= len(line) || place < 0 {
		start = 0
	}
	end := min(start+lineLimit, len(line))
	for start > 0 && !utf8.RuneStart(line[start]) {
		start--
	}
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	out := line[start:end]
	if start > 0 {
		out = "…" + out
	}
	if end < len(line) {
		out += "…"
	}
	return out
}

// harmless takes away what a terminal would act on.
func harmless(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			return '·'
		}
		return r
	}, line)
}

// masks are what lines are told by. They are compiled when they are first asked
// for: most runs of the program show no file.
var masks = sync.OnceValue(func() (p struct{ yamlMember, yamlItem, yamlMarks, tomlHeader, plainWords, longWord, plainName *regexp.Regexp }) {
	p.yamlMember = regexp.MustCompile(`^\s*(?:- +)*(?:"[^"]*"|'[^']*'|[\w./<@$~][^\s:#"'{}\[\],]{0,60}(?: [^\s:#"'{}\[\],]{1,30}){0,2})\s*:(?:\s|$)`)
	p.yamlItem = regexp.MustCompile(`^\s*(?:-(?: +|$))+`)
	p.yamlMarks = regexp.MustCompile(`^\s*(?:[|>][+0-9-]*|---|\.\.\.|[&*!][\w.-]+)?\s*$`)
	p.tomlHeader = regexp.MustCompile(`^\s*\[{1,2}\s*[\w-]+\s*(?:\.\s*(?:[\w-]+|"[^"]*"|'[^']*')\s*)*\]{1,2}\s*(?:$|#)`)
	p.plainWords = regexp.MustCompile(`^[^"=:]*$`)
	p.longWord = regexp.MustCompile(`[^\s]{20}`)
	// a value that can be shown where it is the name of a program or of a kind
	p.plainName = regexp.MustCompile(`^[\w@./\\+-]{1,100}$`)
	return p
})

// values finds what in one line of a document is, or may be, a value to hide.
func values(line string, format splice.Format, guarded map[string]bool) []span {
	s := scan{line: line, format: format, guarded: guarded}
	switch format {
	case splice.TOML:
		if m := masks().tomlHeader.FindString(line); m != "" {
			s.at = strings.LastIndexByte(m, ']') + 1
		}
	case splice.YAML:
		s.yamlStart()
	}
	s.tokens()
	return s.found
}

// scan goes through one line.
type scan struct {
	line    string
	format  splice.Format
	guarded map[string]bool // words to hide whatever they look like
	at      int
	key     string // the member whose value comes next, "" when not known
	found   []span
}

// yamlStart skips what a line of YAML in block style begins with. A line that is
// neither member nor item is the inside of a longer text.
func (s *scan) yamlStart() {
	if m := masks().yamlMember.FindString(s.line); m != "" {
		s.key = strings.Trim(strings.TrimLeft(strings.TrimRight(m, ": \t"), " \t-"), `"'`)
		s.at = len(m)
	} else if m := masks().yamlItem.FindString(s.line); m != "" && !strings.HasPrefix(s.line, "---") {
		s.at = len(m)
	}
	if masks().yamlMarks.MatchString(s.line[s.at:]) {
		s.at = len(s.line)
	}
}

func (s *scan) tokens() {
	for s.at < len(s.line) {
		switch ch := s.line[s.at]; {
		case s.comment():
			return
		case ch == '"' || ch == '\'':
			s.quoted(ch)
		case ch == ',' || ch == '[' || ch == '{':
			s.key = ""
			s.at++
		case strings.IndexByte(" \t]}:=", ch) >= 0:
			s.at++
		default:
			s.bare()
		}
	}
}

// comment hides a comment that may hold a value and tells whether there is one.
func (s *scan) comment() bool {
	rest := s.line[s.at:]
	mark := 0
	switch {
	case (s.format == splice.JSON || s.format == splice.JSONC) && (strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "/*")):
		mark = 2
	case (s.format == splice.TOML || s.format == splice.YAML) && rest[0] == '#' && (s.at == 0 || s.format == splice.TOML || s.line[s.at-1] == ' '):
		mark = 1
	default:
		return false
	}
	if text := rest[mark:]; !masks().plainWords.MatchString(text) || masks().longWord.MatchString(text) {
		s.found = append(s.found, span{s.at + mark, len(s.line)})
	}
	return true
}

// quoted is a string: a name when a colon or an equals sign follows.
func (s *scan) quoted(quote byte) {
	start := s.at + 1
	end := start
	for end < len(s.line) && s.line[end] != quote {
		if s.line[end] == '\\' && quote == '"' {
			end++
		}
		end++
	}
	end = min(end, len(s.line))
	s.at = min(end+1, len(s.line))
	s.value(start, end)
}

// bare is a word without quotes.
func (s *scan) bare() {
	start := s.at
	for s.at < len(s.line) && strings.IndexByte(" \t,[]{}\"'", s.line[s.at]) < 0 {
		if s.line[s.at] == '=' && s.format == splice.TOML {
			break
		}
		if s.line[s.at] == ':' && (s.at+1 == len(s.line) || s.line[s.at+1] == ' ') {
			break
		}
		s.at++
	}
	if s.at == start {
		s.at++
	}
	s.value(start, s.at)
}

// value takes up a word: a name, a value that may be shown, or one to hide.
func (s *scan) value(start, end int) {
	word := s.line[start:end]
	next := strings.TrimLeft(s.line[s.at:], " \t")
	if strings.HasPrefix(next, ":") || (s.format == splice.TOML && (strings.HasPrefix(next, "=") || strings.HasPrefix(next, "."))) {
		s.key = word
		return
	}
	switch word {
	case "", "true", "false", "null", "~":
		return
	}
	if shownMembers[s.key] && !s.guarded[word] && masks().plainName.MatchString(word) {
		return
	}
	s.found = append(s.found, span{start, end})
}

// shownMembers are those of which a plain value is shown.
var shownMembers = map[string]bool{
	"command": true, "cmd": true, "type": true, "source": true, "transport": true, "name": true, "enabled": true, "disabled": true, "timeout": true,
}
