package splice

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf16"
)

// randomJSON writes random documents with comments in every gap, mixed line
// ends, trailing commas, odd names, decoys and deep nesting.
type randomJSON struct {
	*rand.Rand
	b        strings.Builder
	place    Place
	name     string // of our entry
	state    string // of the collection
	layout   string
	nl       []string
	unit     string
	comments float64 // how likely each gap has one
	trailing float64
	odd      bool // strings with everything that JSON allows
}

func newRandomJSON(seed uint64) *randomJSON {
	g := &randomJSON{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.place.Format = JSONC
	g.place.Container = pick(g, []string{"mcpServers"}, []string{"servers"}, []string{"mcp", "servers"}, []string{"amp.mcpServers"}, []string{"a", "", "c~/d"}, []string{"mcpServers"}, nil)
	g.place.List = g.IntN(8) == 0
	g.name = pick(g, "drawbridge-notes", "my.server", "a*b", "123", "", "é/~", "with \"quotes\"", "日本 𝄞", "__proto__")
	g.state = pick(g, "missing", "null", "empty", "foreign", "foreign", "foreign", "ours", "ours", "ours", "nothing")
	g.layout = pick(g, "compact", "one line", "pretty", "pretty", "chaos", "chaos")
	g.nl = pick(g, []string{"\n"}, []string{"\r\n"}, []string{"\n", "\r\n"})
	g.unit = pick(g, "  ", "    ", "\t", " ")
	g.comments = pick(g, 0, 0, 0.1, 0.5)
	g.trailing = pick(g, 0, 0, 0.3, 1)
	g.odd = g.IntN(2) == 0
	if g.IntN(4) == 0 {
		g.comments, g.trailing = 0, 0
		g.place.Format, g.place.Strict = JSON, g.IntN(2) == 0
	}
	g.place.NoBOM = g.IntN(2) == 0
	return g
}

func pick[T any](g *randomJSON, list ...T) T { return list[g.IntN(len(list))] }

func (g *randomJSON) chance(p float64) bool { return g.Float64() < p }

// document writes one and says whether it holds our entry.
func (g *randomJSON) document() string {
	if g.IntN(8) == 0 {
		g.b.WriteString("\ufeff")
	}
	if g.state == "nothing" {
		g.gap(0)
		return g.b.String()
	}
	if len(g.place.Container) == 0 && (g.state == "missing" || g.state == "null") {
		g.state = "empty"
	}
	g.gap(0)
	g.path(0, g.place.Container)
	g.gap(0)
	return g.b.String()
}

// path writes the object that holds the rest of the path, or the collection.
func (g *randomJSON) path(depth int, rest []string) {
	if len(rest) == 0 {
		g.collection(depth)
		return
	}
	var parts []func()
	for range g.IntN(4) {
		parts = append(parts, g.member(depth, g.foreignName(rest[0])))
	}
	if g.state != "missing" || len(rest) > 1 && g.IntN(2) == 0 {
		parts = append(parts, func() {
			g.quote(rest[0])
			g.colon(depth)
			if g.state == "null" && (len(rest) == 1 || g.IntN(2) == 0) {
				g.b.WriteString("null")
			} else {
				g.path(depth+1, rest[1:])
			}
		})
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	g.enclose("{", depth, parts, "}")
}

func (g *randomJSON) collection(depth int) {
	var parts []func()
	open, end := "{", "}"
	if g.place.List {
		open, end = "[", "]"
	}
	if g.state != "empty" {
		for range g.IntN(4) {
			if g.place.List {
				parts = append(parts, func() { g.entry(depth+1, g.foreignName(g.name)) })
			} else {
				parts = append(parts, g.member(depth, g.foreignName(g.name)))
			}
		}
	}
	if g.state == "ours" {
		parts = append(parts, func() {
			if !g.place.List {
				g.quote(g.name)
				g.colon(depth)
			}
			g.entry(depth+1, g.name)
		})
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	g.enclose(open, depth, parts, end)
}

// entry writes an object as clients have them, of our fields some.
func (g *randomJSON) entry(depth int, name string) {
	var parts []func()
	if g.place.List {
		parts = append(parts, func() {
			g.quote("name")
			g.colon(depth)
			g.quote(name)
		})
	}
	for _, field := range []string{"command", "args", "env", "old", "disabled", "x"} {
		if g.IntN(2) == 0 {
			parts = append(parts, g.member(depth, field))
		}
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	g.enclose("{", depth, parts, "}")
}

func (g *randomJSON) member(depth int, name string) func() {
	return func() {
		g.quote(name)
		g.colon(depth)
		g.value(depth + 1)
	}
}

func (g *randomJSON) colon(depth int) {
	g.gap(-1)
	g.b.WriteByte(':')
	if g.layout != "compact" && g.IntN(10) > 0 {
		g.b.WriteByte(' ')
	}
	g.gap(-1)
}

// foreignName is any name but that one, often one that looks like it.
func (g *randomJSON) foreignName(not string) string {
	for {
		name := pick(g, "mcpservers", "servers", "mcp", "drawbridge-notes", "Drawbridge-Notes", "my", "a", "b", "env", "", "//", "/* x", "}", g.word(), g.word())
		if name != not {
			return name
		}
	}
}

func (g *randomJSON) value(depth int) {
	n := g.IntN(12)
	if depth > 6 {
		n = g.IntN(6)
	}
	switch n {
	case 0, 1, 2:
		g.quote(g.word())
	case 3, 4:
		g.b.WriteString(pick(g, "0", "-0", "1.50", "1e400", "12345678901234567890123", "8080", "-1E-2"))
	case 5:
		g.b.WriteString(pick(g, "true", "false", "null"))
	case 6:
		g.deep(depth)
	case 7, 8:
		var parts []func()
		for range g.IntN(4) {
			parts = append(parts, func() { g.value(depth + 1) })
		}
		g.enclose("[", depth, parts, "]")
	default:
		var parts []func()
		for range g.IntN(4) {
			parts = append(parts, g.member(depth, g.word()))
		}
		g.enclose("{", depth, parts, "}")
	}
}

// deep writes many brackets.
func (g *randomJSON) deep(depth int) {
	n := g.IntN(12)
	for range n {
		g.b.WriteString(`[`)
		g.gap(-1)
	}
	g.value(depth + 10)
	for range n {
		g.gap(-1)
		g.b.WriteString(`]`)
	}
}

func (g *randomJSON) enclose(open string, depth int, parts []func(), end string) {
	g.b.WriteString(open)
	for i, write := range parts {
		g.gap(depth + 1)
		write()
		if i < len(parts)-1 || g.chance(g.trailing) {
			g.gap(-1)
			g.b.WriteByte(',')
		}
	}
	if len(parts) > 0 || g.layout == "chaos" {
		g.gap(depth)
	} else if g.chance(g.comments) {
		g.comment()
	}
	g.b.WriteString(end)
}

// gap writes white space and comments. Those with a depth are between members,
// -1 are the others.
func (g *randomJSON) gap(depth int) {
	for g.chance(g.comments / (1 + g.comments)) {
		if depth >= 0 && g.layout != "compact" && g.layout != "one line" && g.IntN(2) == 0 {
			g.line(depth)
		} else if g.IntN(3) > 0 {
			g.b.WriteByte(' ')
		}
		g.comment()
	}
	switch {
	case g.layout == "chaos":
		for g.IntN(2) == 0 {
			g.b.WriteString(pick(g, " ", "\t", g.newline(), g.newline(), "  "))
		}
	case depth < 0 || g.layout == "compact":
	case g.layout == "one line":
		g.b.WriteByte(' ')
	default:
		g.line(depth)
		if g.IntN(20) == 0 {
			g.line(depth)
		}
	}
}

func (g *randomJSON) newline() string { return g.nl[g.IntN(len(g.nl))] }

func (g *randomJSON) line(depth int) {
	if g.IntN(20) == 0 {
		g.b.WriteString(pick(g, " ", "\t", "  "))
	}
	g.b.WriteString(g.newline() + strings.Repeat(g.unit, depth))
}

func (g *randomJSON) comment() {
	text := pick(g, " a note ", "", " , ", " } ", ` "mcpServers": { `, ` " `, " // ", " ] é 日 ", "*", ` \ `)
	if g.layout != "one line" && g.layout != "compact" && g.IntN(2) == 0 {
		g.b.WriteString("//" + text + fmt.Sprint(g.IntN(1000)) + g.newline())
		return
	}
	if g.layout == "chaos" && g.IntN(3) == 0 {
		text += g.newline() + " more"
	}
	g.b.WriteString("/*" + text + fmt.Sprint(g.IntN(1000)) + "*/")
}

func (g *randomJSON) word() string {
	return pick(g, "a", "b", "npx", "-y", "https://x.test/?a=1&b=<2>", "// no comment", "/* no */", "{", `"`, `C:\Users`, "", "é", "𝄞", "\u2028", "tab\there", "command")
}

// quote writes a string in one of its spellings.
func (g *randomJSON) quote(s string) {
	g.b.WriteByte('"')
	for _, r := range s {
		switch {
		case g.odd && g.IntN(6) == 0:
			for _, half := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&g.b, `\u%04X`, half)
			}
		case r == '"' || r == '\\':
			g.b.WriteString(`\` + string(r))
		case r < ' ':
			fmt.Fprintf(&g.b, `\u%04x`, r)
		case r == '/' && g.odd && g.IntN(2) == 0:
			g.b.WriteString(`\/`)
		default:
			g.b.WriteRune(r)
		}
	}
	g.b.WriteByte('"')
}

// jsonToken is one token of a document; comments are tokens too.
type jsonToken struct {
	text       string
	start, end int
	lines      int // line breaks before it, since the token before
}

func (t jsonToken) comment() bool { return strings.HasPrefix(t.text, "/") }

// tokenize splits a document that is JSONC. It knows nothing of the code under
// test.
func tokenize(text string) []jsonToken {
	var list []jsonToken
	for i := 0; i < len(text); {
		n := 1
		switch rest := text[i:]; {
		case strings.ContainsRune(" \t\r\n", rune(text[i])):
			i++
			continue
		case strings.HasPrefix(rest, "\ufeff"):
			n = 3
		case strings.HasPrefix(rest, "//"):
			n = len(strings.TrimRight(strings.SplitN(rest, "\n", 2)[0], "\r"))
		case strings.HasPrefix(rest, "/*"):
			n = 4 + strings.Index(rest[2:], "*/")
		case text[i] == '"':
			for text[i+n] != '"' {
				if text[i+n] == '\\' {
					n++
				}
				n++
			}
			n++
		case strings.ContainsRune("{}[]:,", rune(text[i])):
		default:
			n = strings.IndexAny(rest+",", " \t\r\n{}[]:,/\"")
		}
		from := 0
		if len(list) > 0 {
			from = list[len(list)-1].end
		}
		list = append(list, jsonToken{text[i : i+n], i, i + n, strings.Count(text[from:i], "\n")})
		i += n
	}
	return list
}

// words are the tokens that are no comments.
func words(list []jsonToken) []jsonToken {
	return slices.DeleteFunc(slices.Clone(list), jsonToken.comment)
}

// valueEnd is the index behind the value that begins at tokens[i].
func valueEnd(tokens []jsonToken, i int) int {
	depth := 0
	for ; ; i++ {
		switch tokens[i].text {
		case "{", "[":
			depth++
		case "}", "]":
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// tokensOf finds the tokens of a value's member: from its name to behind its
// value, ok false for none. All are words.
func tokensOf(tokens []jsonToken, at int, name string) (from, value, to int, ok bool) {
	if at >= len(tokens) || tokens[at].text != "{" {
		return 0, 0, 0, false
	}
	for i := at + 1; tokens[i].text != "}"; {
		end := valueEnd(tokens, i+2)
		if meaning, err := treeOf([]byte(tokens[i].text)); err == nil && meaning == name {
			return i, i + 2, end, true
		}
		if i = end; tokens[i].text == "," {
			i++
		}
	}
	return 0, 0, 0, false
}

// oursIn finds the tokens of our entry.
func (g *randomJSON) oursIn(tokens []jsonToken) (from, to int, ok bool) {
	at := 0
	if len(tokens) > 0 && tokens[0].text == "\ufeff" {
		at = 1
	}
	for _, key := range g.place.Container {
		if _, at, _, ok = tokensOf(tokens, at, key); !ok {
			return 0, 0, false
		}
	}
	if !g.place.List {
		from, _, to, ok = tokensOf(tokens, at, g.name)
		return from, to, ok
	}
	if at >= len(tokens) || tokens[at].text != "[" {
		return 0, 0, false
	}
	for i := at + 1; tokens[i].text != "]"; {
		end := valueEnd(tokens, i)
		if _, v, _, ok := tokensOf(tokens, i, "name"); ok {
			if meaning, err := treeOf([]byte(tokens[v].text)); err == nil && meaning == g.name {
				return i, end, true
			}
		}
		if i = end; tokens[i].text == "," {
			i++
		}
	}
	return 0, 0, false
}
