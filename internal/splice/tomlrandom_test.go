package splice

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// C-40: whatever a TOML document looks like, an edit changes our entry and no
// other line.
func TestRandomTOMLKeepsEverythingButTheEntry(t *testing.T) {
	var tried atomic.Uint64
	eachSeed(t, func(seed uint64) error {
		tried.Add(1)
		return newRandomTOML(seed).try(decodeTOML)
	})
	t.Logf("%d documents", tried.Load())
}

func decodeTOML(text []byte) (any, error) {
	var m map[string]any
	err := toml.Unmarshal(text, &m)
	return m, err
}

func newRandomTOML(seed uint64) *randomText {
	g := newRandomText(seed, Place{Format: TOML})
	t := &randomTOML{randomText: g}
	g.place.List = g.chance(4)
	g.had = g.chance(2)
	t.noise()
	for range g.IntN(4) {
		t.foreignKey("")
	}
	if g.place.List {
		t.list()
		return g
	}
	switch g.IntN(5) {
	case 0:
		t.dottedAtTheRoot()
	case 1:
		t.belowOneHeader()
	case 2:
		t.inline()
	default:
		t.tables()
	}
	return g
}

type randomTOML struct{ *randomText }

// noise is what says nothing.
func (t *randomTOML) noise() {
	for range t.IntN(3) {
		t.put(false, false, oneOf(t.randomText, "", "", "  ", "# note", "\t# [servers.ours]", "#", "# [\"x.y\".on] ü"))
	}
}

func (t *randomTOML) tail() string {
	return oneOf(t.randomText, "", "", "", "  # c", "\t# [servers] \"", " #")
}

// key spells a name in one of the ways that TOML has.
func (t *randomTOML) key(name string) string {
	switch t.IntN(4) {
	case 0:
		if !strings.Contains(name, "'") {
			return "'" + name + "'"
		}
	case 1:
		var b strings.Builder
		for _, r := range name {
			if t.chance(2) {
				fmt.Fprintf(&b, `\u%04X`, r)
			} else {
				b.WriteString(strings.Trim(tomlString(string(r)), `"`))
				if r == '"' {
					b.WriteString(`"`)
				}
			}
		}
		return `"` + b.String() + `"`
	}
	return tomlName(name)
}

func (t *randomTOML) dots(names ...string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = t.key(name)
	}
	return strings.Join(parts, oneOf(t.randomText, ".", ".", " . ", ".\t"))
}

func (t *randomTOML) value() string {
	return oneOf(t.randomText,
		`"x"`, `'C:\a'`, "1", "0xFF", "1_000", "-0.0", "1.50", "1e30", "true", "2026-11-21", "2026-11-21T10:00:00Z", "07:32:00",
		"[]", "[1, 2,]", "[ # [a]\n  'x', # ]\n\n  [\"]\"],\n]", "{}", "{ a = 1, b.c = '}' }", `"\u00e9 \" # = ]"`,
		"\"\"\"\n[servers.ours]\ncommand = \\\n   \"x\" \\\"\"\"\\\n\"\"\"", "'''\n[servers]\n''''", "'''a''\n\n[[servers]]'''''")
}

func (t *randomTOML) foreignKey(prefix string) {
	key := prefix + t.key(t.fresh())
	if t.chance(4) {
		key += oneOf(t.randomText, ".", " . ") + t.key(t.fresh())
	}
	t.put(false, false, oneOf(t.randomText, "", "", "  ")+key+oneOf(t.randomText, " = ", "=", "\t=  ")+t.value()+t.tail())
	t.noise()
}

func (t *randomTOML) foreignTable(names ...string) {
	header := "[" + oneOf(t.randomText, "", " ") + t.dots(names...) + oneOf(t.randomText, "", " ") + "]"
	if t.chance(5) && len(names) == 1 {
		header = "[" + header + "]"
	}
	t.put(false, false, oneOf(t.randomText, "", "", "  ")+header+t.tail())
	t.noise()
	for range t.IntN(3) {
		t.foreignKey("")
	}
}

// ourFields are lines of our entry, each with the prefix before its key.
func (t *randomTOML) ourFields(prefix string) {
	line := func(free bool, key, value string) {
		t.put(true, free, oneOf(t.randomText, "", "", "\t")+prefix+key+" = "+value+t.tail())
	}
	line(true, t.key("command"), oneOf(t.randomText, `"/old"`, "'/old'", "'''/old'''"))
	if t.chance(2) {
		line(true, "args", oneOf(t.randomText, "['connect']", "[\n 'a', # b\n]", "[]"))
	}
	if t.chance(3) {
		line(false, "enabled", "false")
	}
	if t.chance(3) {
		line(true, "old", t.value())
	}
	switch t.IntN(4) {
	case 0:
		line(true, "env", "{ A = '1', Z = '2' }")
	case 1:
		line(true, "env . "+t.key("A"), "'1'")
		line(true, t.key("env")+".Z", "'1'")
	}
}

// tables: each entry a table, ours and its sub-tables anywhere among others.
func (t *randomTOML) tables() {
	container := t.place.Container[0]
	if t.chance(3) {
		t.put(false, false, "["+t.key(container)+"]"+t.tail())
		t.noise()
	}
	var todo []func()
	for range t.IntN(4) {
		todo = append(todo, func() { t.foreignTable(t.fresh()) }, func() { t.foreignTable(container, t.fresh()) })
	}
	if t.had {
		env := t.chance(2)
		todo = append(todo, func() {
			t.put(true, false, " [ "+t.dots(container, t.name)+"]"+t.tail())
			if env {
				t.put(true, true, "command = '/old' # c")
				t.put(true, false, "# inside")
				t.put(true, false, "enabled = true")
			} else {
				t.ourFields("")
			}
			t.noise()
		})
		if env {
			todo = append(todo, func() {
				t.put(true, false, "["+t.dots(container, t.name, "env")+"]")
				t.put(true, true, "A = '0'")
				t.put(true, true, "Z = '1'")
				t.noise()
			}, func() {
				t.put(true, false, "["+t.dots(container, t.name, "tools", "x")+"]")
				t.noise()
			})
		}
	}
	t.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	for _, f := range todo {
		f()
	}
}

func (t *randomTOML) dottedAtTheRoot() {
	t.dotted(t.key(t.place.Container[0]) + ".")
}

func (t *randomTOML) belowOneHeader() {
	t.put(false, false, "["+t.key(t.place.Container[0])+"]"+t.tail())
	t.dotted("")
}

// dotted: entries as dotted keys or inline tables in one table.
func (t *randomTOML) dotted(prefix string) {
	t.foreignKey(prefix)
	if t.had {
		if t.chance(2) {
			t.put(true, true, prefix+t.key(t.name)+" = { command = '/old', env.A = 'x', old = {}, args = ['}'] }"+t.tail())
		} else {
			t.ourFields(prefix + t.key(t.name) + ".")
		}
	}
	for range t.IntN(3) {
		t.foreignKey(prefix)
	}
	for range t.IntN(3) {
		t.foreignTable(t.fresh())
	}
}

// inline: the collection in braces on one line.
func (t *randomTOML) inline() {
	t.exact = false
	var members []string
	for range t.IntN(3) {
		members = append(members, t.key(t.fresh())+" = "+strings.ReplaceAll(oneOf(t.randomText, "1", "{ a = '}' }", "[ {}, 'x' ]", `"\"}"`), "\n", ""))
	}
	if t.had {
		ours := oneOf(t.randomText, t.key(t.name)+" = { command = 'x', old = 1 }", t.key(t.name)+".command = 'x', "+t.key(t.name)+".enabled = true")
		at := t.IntN(len(members) + 1)
		members = append(members[:at:at], append([]string{ours}, members[at:]...)...)
	}
	sep := oneOf(t.randomText, ", ", ",", " ,  ")
	space := oneOf(t.randomText, "", " ")
	t.put(true, true, t.key(t.place.Container[0])+" = {"+space+strings.Join(members, sep)+space+"}"+t.tail())
	for range t.IntN(3) {
		t.foreignTable(t.fresh())
	}
}

// list: an array of tables, or an array of inline tables.
func (t *randomTOML) list() {
	name := oneOf(t.randomText, "'"+t.fresh()+"'", `"`+t.fresh()+`"`)
	if t.chance(3) {
		t.listInBrackets(name)
		return
	}
	container := t.key(t.place.Container[0])
	foreign := func() {
		t.put(false, false, "[["+container+"]]"+t.tail())
		t.noise()
		t.foreignKey("")
		t.put(false, false, "name = "+name+t.tail())
		if t.chance(3) {
			t.put(false, false, "["+container+".env]\nA = 1")
		}
	}
	for range t.IntN(2) {
		foreign()
	}
	if t.had {
		t.put(true, false, "[[ "+container+"]]"+t.tail())
		t.ourFields("")
		t.put(true, false, "name = "+tomlString(t.name)+t.tail())
		if t.chance(3) {
			t.noise()
			t.put(true, false, "["+container+".tools]")
			t.put(true, false, "A = [[]]")
		}
		t.noise()
	}
	for range t.IntN(2) {
		foreign()
	}
	for range t.IntN(2) {
		t.foreignTable(t.fresh())
	}
}

func (t *randomTOML) listInBrackets(name string) {
	t.exact = false
	items := []string{"{ name = " + name + " }"}
	if t.chance(2) {
		items = nil
	}
	if t.had {
		items = append(items, "{ command = 'x', name = "+tomlString(t.name)+", enabled = true }")
	}
	if t.chance(2) {
		items = append(items, "{ name = 'last' }")
	}
	sep, end := oneOf(t.randomText, ", ", ",\n  ", ", # c\n  "), ""
	text := strings.Join(items, sep)
	if len(items) > 0 && t.chance(3) {
		text += ","
	}
	if strings.Contains(sep, "\n") {
		text, end = "\n  "+text, "\n"
	}
	t.put(true, true, t.key(t.place.Container[0])+" = ["+text+end+"]"+t.tail())
}

// Any bytes are edited or refused; an error of ours would be a fault.
func FuzzTOML(f *testing.F) {
	for seed := range uint64(40) {
		f.Add([]byte(newRandomTOML(seed).document()), "ours", seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, doc []byte, name string, list bool) {
		fuzzFormat(t, doc, name, Place{Format: TOML, Container: []string{"servers"}, List: list})
	})
}

func fuzzFormat(t *testing.T, doc []byte, name string, p Place) {
	if !utf8.ValidString(name) || len(name) > 500 {
		return // no name of ours
	}
	for _, c := range []Change{
		{Name: name, Entry: Object{{"command", "db"}, {"env", Object{{"A", "1"}}}}, Drop: []string{"x"}},
		{Name: name, Remove: true},
	} {
		plan, err := Make(doc, p, c)
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%q, %+v: %v", doc, p, err)
		}
		if err != nil {
			continue
		}
		if again, err := Make(plan.After, p, c); err != nil || len(again.Edits) > 0 {
			t.Fatalf("%q, %+v: a second run has %v, %v", doc, p, again.Edits, err)
		}
	}
}
