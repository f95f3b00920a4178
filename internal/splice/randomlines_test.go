package splice

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
)

// randomLine is a line of a random document.
type randomLine struct {
	text string
	eol  string
	ours bool // goes with our entry
	free bool // of ours, and an update may change it
}

// randomText is what the generators of TOML and YAML have in common: a document
// in lines of which some are our entry's.
type randomText struct {
	*rand.Rand
	lines []randomLine
	place Place
	name  string
	had   bool // the entry is there
	// exact: a removal takes away just the lines of ours.
	exact bool
	eols  int // 0 LF, 1 CRLF, 2 both
	n     int // makes names different
}

func newRandomText(seed uint64, p Place) *randomText {
	g := &randomText{Rand: rand.New(rand.NewPCG(seed, 4)), place: p, exact: true}
	g.eols = max(g.IntN(5)-2, 0)
	g.place.Container = []string{oneOf(g, "servers", "mcp_servers", "x.y", "é", "with space")}
	g.name = oneOf(g, "ours", "drawbridge-notes", "a.b", "ü#", "q\"\\'", "on", "1", "")
	return g
}

func oneOf[T any](g *randomText, list ...T) T { return list[g.IntN(len(list))] }

func (g *randomText) chance(n int) bool { return g.IntN(n) == 0 }

func (g *randomText) fresh() string {
	g.n++
	return fmt.Sprintf("%s%d", oneOf(g, "k", "key_", "K-"), g.n)
}

// put adds text, which may have several lines, each with a line end.
func (g *randomText) put(ours, free bool, text string) {
	for _, line := range strings.Split(text, "\n") {
		eol := "\n"
		if g.eols == 1 || g.eols == 2 && g.chance(2) {
			eol = "\r\n"
		}
		g.lines = append(g.lines, randomLine{line, eol, ours, free})
	}
}

// document is the whole text; now and then the last line has no end.
func (g *randomText) document() string {
	var b strings.Builder
	if g.chance(10) {
		b.WriteString("\ufeff")
	}
	for i, line := range g.lines {
		b.WriteString(line.text)
		if i < len(g.lines)-1 || !g.chance(4) {
			b.WriteString(line.eol)
		}
	}
	return b.String()
}

// keep are the lines of doc that a change must leave, in their order.
func (g *randomText) keep(update bool) []string {
	var all []string
	for _, line := range g.lines {
		if !line.ours || update && !line.free {
			all = append(all, line.text+line.eol)
		}
	}
	return all
}

var (
	randomFirst  = Object{{"command", "/opt/bridge"}, {"args", List{"connect", "a#b"}}, {"on", true}}
	randomSecond = Object{{"command", "/other/\\b\"\té"}, {"args", List{}}, {"env", Object{{"A", "1"}, {"n.m", "x\ny"}}}, {"n", Number("300")}}
)

// try adds, updates and removes, each checked by the lines and by what decode,
// which knows nothing of this package, finds in the text.
func (g *randomText) try(decode func([]byte) (any, error)) error {
	doc := g.document()
	now := doc
	step := func(what string, c Change, check func(before, after string) error) error {
		after, err := g.step(now, c)
		if err == nil {
			err = check(now, after)
		}
		if err == nil {
			err = g.sameMeaning(now, after, c, decode)
		}
		if err != nil {
			return fmt.Errorf("%s: %w\nplace %+v, entry %q\nbefore: %q\nafter:  %q", what, err, g.place, g.name, now, after)
		}
		now = after
		return nil
	}
	if !g.had {
		if err := step("add", Change{Name: g.name, Entry: randomFirst}, g.checkAdd); err != nil {
			return err
		}
	}
	if err := step("update", Change{Name: g.name, Entry: randomSecond, Drop: []string{"old", "none"}}, g.checkUpdate); err != nil {
		return err
	}
	if err := step("remove", Change{Name: g.name, Remove: true}, g.checkRemove); err != nil {
		return err
	}
	if !g.had {
		return nil
	}
	now = doc // as the generator wrote it
	return step("remove", Change{Name: g.name, Remove: true}, g.checkRemove)
}

func (g *randomText) step(doc string, c Change) (string, error) {
	given := []byte(doc)
	plan, err := Make(given, g.place, c)
	if err != nil {
		return "", err
	}
	if string(given) != doc {
		return "", errors.New("the document given was changed")
	}
	if back, err := Apply(plan.After, plan.Inverse); len(plan.Edits) > 0 && (err != nil || string(back) != doc) {
		return "", fmt.Errorf("the inverse gives %q, %v", back, err)
	}
	again, err := Make(plan.After, g.place, c)
	if err != nil || len(again.Edits) > 0 || !bytes.Equal(again.After, plan.After) {
		return "", fmt.Errorf("a second run: %v, %v; after the first %q", again.Edits, err, plan.After)
	}
	return string(plan.After), nil
}

// split gives the lines with their ends, without a byte order mark.
func splitLines(text string) []string {
	return strings.SplitAfter(strings.TrimSuffix(strings.TrimPrefix(text, "\ufeff"), "\n"), "\n")
}

func trimEnds(lines []string) []string {
	var out []string
	for _, line := range lines {
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

func blankLine(line string) bool { return strings.TrimSpace(line) == "" }

// subsequence finds the first line of want that does not come in its order.
func subsequence(want, in []string) error {
	at := 0
	for i, line := range want {
		n := slices.Index(in[at:], line)
		if n < 0 {
			return fmt.Errorf("line %d %q is gone or elsewhere", i+1, line)
		}
		at += n + 1
	}
	return nil
}

// checkAdd: nothing went but an empty value, and the line ends are of the document.
func (g *randomText) checkAdd(before, after string) error {
	if strings.HasPrefix(before, "\ufeff") != strings.HasPrefix(after, "\ufeff") {
		return errors.New("the byte order mark came or went")
	}
	if strings.HasSuffix(before, "\n") != strings.HasSuffix(after, "\n") && before != "" && before != "\ufeff" {
		return errors.New("the last line end came or went")
	}
	if strings.Contains(before, "\n") && strings.Contains(before, "\r\n") != strings.Contains(after, "\r\n") {
		return errors.New("another kind of line end")
	}
	return subsequence(trimEnds(g.keep(false)), trimEnds(splitLines(after)))
}

func (g *randomText) checkUpdate(_, after string) error {
	if !g.had {
		return g.checkAdd(after, after)
	}
	return subsequence(trimEnds(g.keep(true)), trimEnds(splitLines(after)))
}

func (g *randomText) checkRemove(before, after string) error {
	want, got := trimEnds(g.keep(false)), trimEnds(splitLines(after))
	if g.place.Format == YAML && strings.ContainsAny(before, "|>") {
		// blank lines below our entry may become part of a text above it
		want, got = slices.DeleteFunc(want, blankLine), slices.DeleteFunc(got, blankLine)
	}
	if g.exact && !slices.Equal(want, got) {
		return fmt.Errorf("the lines that stay are %q, want %q", got, want)
	}
	return subsequence(want, got)
}

// sameMeaning compares what the documents say, our entry apart, and what they
// say of our entry.
func (g *randomText) sameMeaning(before, after string, c Change, decode func([]byte) (any, error)) error {
	old, err := decode([]byte(strings.TrimPrefix(before, "\ufeff")))
	if err != nil {
		return fmt.Errorf("the document before: %w", err)
	}
	now, err := decode([]byte(strings.TrimPrefix(after, "\ufeff")))
	if err != nil {
		return fmt.Errorf("the document after: %w", err)
	}
	had, rest := g.takeOurs(old)
	has, restNow := g.takeOurs(now)
	if !reflect.DeepEqual(rest, restNow) {
		return fmt.Errorf("other meaning: %v, was %v", restNow, rest)
	}
	if c.Remove {
		if has != nil {
			return errors.New("the entry is still there")
		}
		return nil
	}
	want := map[string]any{}
	for name, v := range had {
		if !slices.Contains(c.Drop, name) {
			want[name] = v
		}
	}
	for _, m := range c.Entry {
		want[m.Name] = plainValue(m.Value)
	}
	if g.place.List {
		want["name"] = g.name
	}
	if !reflect.DeepEqual(want, has) {
		return fmt.Errorf("the entry is %v, want %v", has, want)
	}
	return nil
}

func plainValue(v any) any {
	switch v := v.(type) {
	case Object:
		m := map[string]any{}
		for _, f := range v {
			m[f.Name] = plainValue(f.Value)
		}
		return m
	case List:
		l := []any{}
		for _, e := range v {
			l = append(l, plainValue(e))
		}
		return l
	case Number:
		return int64(300) // the only one
	default:
		return v
	}
}

// takeOurs takes our entry out of a decoded document, and the collection if it
// holds nothing else.
func (g *randomText) takeOurs(doc any) (ours, rest map[string]any) {
	rest, _ = doc.(map[string]any)
	if rest == nil {
		rest = map[string]any{}
	}
	key := g.place.Container[0]
	switch c := rest[key].(type) {
	case map[string]any:
		ours, _ = c[g.name].(map[string]any)
		delete(c, g.name)
		if len(c) == 0 {
			delete(rest, key)
		}
	case []any:
		c = slices.DeleteFunc(c, func(e any) bool {
			m, _ := e.(map[string]any)
			if m == nil || m["name"] != g.name {
				return false
			}
			ours = m
			return true
		})
		rest[key] = c
		if len(c) == 0 {
			delete(rest, key)
		}
	case nil:
		delete(rest, key)
	}
	return ours, rest
}
