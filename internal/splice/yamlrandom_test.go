package splice

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v3"
)

// C-40: whatever a YAML document looks like, an edit changes our entry and no
// other line.
func TestRandomYAMLKeepsEverythingButTheEntry(t *testing.T) {
	var tried, refused atomic.Uint64
	eachSeed(t, func(seed uint64) error {
		tried.Add(1)
		g := newRandomYAML(seed)
		err := g.try(decodeYAML)
		var refusal *Error
		if errors.As(err, &refusal) && refusal.Detail == "the document ends in a block of text without a line break" {
			refused.Add(1) // what comes behind it would change it
			return nil
		}
		return err
	})
	t.Logf("%d documents, %d of them refused", tried.Load(), refused.Load())
}

func decodeYAML(text []byte) (any, error) {
	var v any
	err := yaml.Unmarshal(text, &v)
	return namedByText(v), err
}

// namedByText makes texts of names that are none, and the whole numbers alike.
func namedByText(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			v[name] = namedByText(e)
		}
		return v
	case map[any]any:
		m := map[string]any{}
		for name, e := range v {
			m[fmt.Sprint(name)] = namedByText(e)
		}
		return m
	case []any:
		for i, e := range v {
			v[i] = namedByText(e)
		}
		return v
	case int:
		return int64(v)
	default:
		return v
	}
}

func newRandomYAML(seed uint64) *randomText {
	g := newRandomText(seed, Place{Format: YAML})
	y := &randomYAML{randomText: g, step: 1 + g.IntN(4)}
	g.place.List = g.chance(3)
	g.had = g.chance(2)
	if g.chance(8) {
		y.put(false, false, "---"+y.tail())
	}
	y.noise(0)
	if g.chance(3) {
		y.put(false, false, "base: &base"+y.tail())
		y.put(false, false, "  timeout: 300\n  # of base\n  deep: &deep [1, 'two']")
		y.anchors = true
	}
	for range g.IntN(3) {
		y.foreign(0, oneOf(g, "|-", ">-"))
	}
	y.container()
	for range g.IntN(3) {
		y.foreign(0, oneOf(g, "|-", ">-"))
	}
	if g.n > 0 && g.chance(8) { // yaml.v3 wants a document before the end of one
		y.put(false, false, "...\n# after the end")
	}
	return g
}

type randomYAML struct {
	*randomText
	step    int
	anchors bool
}

func (y *randomYAML) pad(n int) string { return strings.Repeat(" ", n) }

// noise is what says nothing, comments not indented less than n.
func (y *randomYAML) noise(n int) {
	for range y.IntN(3) {
		y.put(false, false, oneOf(y.randomText, "", "", y.pad(y.IntN(5)), y.pad(n)+"# note", y.pad(n)+"# ours:\r"[:7], y.pad(n)+"#"))
	}
}

func (y *randomYAML) tail() string {
	return oneOf(y.randomText, "", "", "", "  # c", " # 'ours': \"", " #")
}

// key spells a name in one of the ways that YAML has.
func (y *randomYAML) key(name string) string {
	switch y.IntN(4) {
	case 0:
		return "'" + strings.ReplaceAll(name, "'", "''") + "'"
	case 1:
		var b strings.Builder
		for _, r := range name {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		return `"` + b.String() + `"`
	}
	return yamlName(name)
}

// value is a value for a key that is indented by n; what follows on lines of its
// own is indented more. Text in blocks begins with block.
func (y *randomYAML) value(n int, block string) string {
	more := "\n" + y.pad(n+y.step)
	if y.anchors && y.chance(6) {
		return oneOf(y.randomText, "*base", "*deep", more+"<<: *base"+more+"x: 1", more+"- *deep"+more+"- <<: *base")
	}
	return oneOf(y.randomText,
		"x", "'it''s # no'", `"a \" # \u00e9"`, "1", "0x1F", "1.50", "-0.0", "~", "", "yes", "True", "http://a.b/c#d", "a b  c", "2026-11-21",
		"!!str 12", "&un"+y.fresh()+" x", "[]", "{}", "[a, 'b]', \"c]\", {d: e}, [f]]", "{a: 1, 'b': [c, http://d], e: , f}", "[a,"+more+"# ]"+more+"b,"+more+"]",
		"a"+more+"b"+more+"  c", "a\n"+more+"b", "'a"+more+"# b''\n"+more+"c'", `"a \`+more+`b\"`+more+`ours: x"`,
		block+more+"ours:"+more+"  x: 1\n"+more+"# no comment", block+" # c"+more+"a", ">+"+more+"a"+more+"  b\n\n", "|+"+more+"a",
		more+"a: 1"+more+"b: # c"+more+"- x"+more+"-   y", more+"- a"+more+"- b: 1"+more+"  c: 2"+more+"-"+more+"  d: 3", more+"# c"+more+"a: &x"+y.fresh()+" [1]",
		more+"? a"+more+": b", more+"é: 'ü' # ö"+more+"ü: é")
}

func (y *randomYAML) foreign(n int, block string) {
	y.put(false, false, y.pad(n)+y.key(y.fresh())+oneOf(y.randomText, ": ", ":  ", " : ")+y.value(n, block)+"")
	y.noise(n)
}

func (y *randomYAML) container() {
	// Blank lines after our entry may belong to a text above it.
	key := y.key(y.place.Container[0])
	n := y.step
	if y.place.List && y.chance(2) {
		n = 0
	}
	before, after := y.IntN(3), y.IntN(3)
	if !y.had && before+after == 0 {
		y.exact = false
		switch y.IntN(4) {
		case 0: // there is none
		case 1:
			y.put(true, true, key+": "+oneOf(y.randomText, "", "~", "null", "&e", "!!null")+y.tail())
			y.noise(0)
		default:
			brackets := "{}"
			if y.place.List {
				brackets = "[]"
			}
			y.put(true, true, key+": "+oneOf(y.randomText, "", "&e ")+brackets+y.tail())
			y.noise(0)
		}
		return
	}
	alone := before+after == 0
	y.exact = y.had && !alone
	y.put(alone, alone, key+":"+oneOf(y.randomText, "", "", " &servers")+y.tail())
	y.noise(n)
	for range before {
		y.entry(n)
	}
	if y.had {
		y.ours(n)
	}
	for range after {
		y.entry(n)
	}
}

// entry is one of others.
func (y *randomYAML) entry(n int) {
	if !y.place.List {
		y.foreign(n, oneOf(y.randomText, "|", ">", "|-", ">-"))
		return
	}
	in := n + y.dash()
	y.put(false, false, y.pad(n)+"-"+y.pad(in-n-1)+"name: "+y.fresh()+y.tail())
	for range y.IntN(3) {
		y.foreign(in, oneOf(y.randomText, "|-", ">"))
	}
}

// dash is by how much the fields of an item are indented.
func (y *randomYAML) dash() int { return 2 + y.IntN(2) }

func (y *randomYAML) ours(n int) {
	in := n + y.step
	if y.place.List {
		in = n + y.dash()
		y.put(true, false, y.pad(n)+"-"+y.pad(in-n-1)+"name: "+yamlString(y.name)+y.tail())
	} else if y.chance(6) {
		y.put(true, true, y.pad(n)+y.key(y.name)+": {command: x, 'enabled': [a, '}'], args: []}"+y.tail())
		y.noise(n)
		return
	} else {
		y.put(true, false, y.pad(n)+y.key(y.name)+":"+oneOf(y.randomText, "", " &mine", " !!map")+y.tail())
	}
	more := "\n" + y.pad(in+y.step)
	fields := []func(){
		func() {
			y.put(true, true, y.pad(in)+y.key("command")+": "+oneOf(y.randomText, "old", "'old'", "", "|-"+more+"old", "old"+more+"older", "!!str old"))
		},
		func() {
			y.put(true, true, y.pad(in)+"args:"+oneOf(y.randomText, " []", " [a,"+more+"b]", more+"- a"+more+"- b", "\n"+y.pad(in)+"- a\n"+y.pad(in)+"-   b", " null"))
		},
		func() { y.put(true, false, y.pad(in)+"enabled: false"+y.tail()) },
		func() { y.put(true, false, y.pad(in)+"# inside\n"+y.pad(in)+"list: [a, # ]\n"+y.pad(in+1)+"b]") },
		func() { y.put(true, true, y.pad(in)+"old: "+y.value(in, "|-")) },
		func() { y.put(true, true, y.pad(in)+"env: # e"+more+"Z: 1"+more+"A: '1'") },
	}
	y.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	for _, f := range fields[:1+y.IntN(len(fields))] {
		f()
	}
	y.put(true, false, y.pad(in)+"last: 1"+y.tail())
	if y.chance(3) {
		y.put(true, true, y.pad(in)+"# in it")
	}
	if y.chance(3) {
		y.put(false, false, "")
	}
	y.noise(n)
}

// Any bytes are edited or refused; an error of ours would be a fault.
func FuzzYAML(f *testing.F) {
	for seed := range uint64(40) {
		f.Add([]byte(newRandomYAML(seed).document()), "ours", seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, doc []byte, name string, list bool) {
		fuzzFormat(t, doc, name, Place{Format: YAML, Container: []string{"servers"}, List: list})
	})
}
