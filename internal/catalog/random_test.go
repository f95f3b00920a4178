package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// writer makes random files: comments in every gap, mixed line ends, trailing
// commas, odd spacing.
type writer struct {
	*rand.Rand
	strings.Builder
	tidy bool // only spaces and line breaks in the gaps
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *writer) gap() {
	for range w.IntN(4) {
		s := w.one("", " ", "  ", "\t", "\n", "\n  ", "\r\n\t", "\n\n")
		if !w.tidy && w.IntN(3) == 0 {
			s = w.one("/**/", "/* { */", "/* a\n b */", "// c\n", "//\r\n", "// \"}\r\n", "/*é*/", "// http://x \n")
		}
		w.WriteString(s)
	}
}

func (w *writer) object(names []string, value func(i int)) {
	w.WriteString("{")
	for i, name := range names {
		if i > 0 {
			w.WriteString(",")
		}
		w.gap()
		w.WriteString(`"` + name + `"`)
		w.gap()
		w.WriteString(":")
		w.gap()
		value(i)
		w.gap()
	}
	if len(names) > 0 && w.IntN(3) == 0 {
		w.WriteString(",")
	}
	w.gap()
	w.WriteString("}")
}

func (w *writer) value() {
	switch w.IntN(4) {
	case 0:
		w.object([]string{"a", "b"}[:w.IntN(3)], func(int) { w.value() })
	case 1:
		w.WriteString(w.one("[]", "[1,\n2 /*x*/,]", `["a", // b`+"\n]"))
	default:
		w.WriteString(w.one("1.0", "12345678901234567890", `"// no comment"`, `"\"{"`, "null", "true"))
	}
}

func (w *writer) file(servers int) string {
	w.WriteString(w.one("", "", "\ufeff"))
	w.gap()
	w.object([]string{"x", "servers", "y"}, func(i int) {
		if i == 1 {
			w.object([]string{"k0", "k1", "k2"}[:servers], func(int) { w.value() })
			return
		}
		w.value()
	})
	w.gap()
	return w.String()
}

// TestRandomFilesAreEditedExactly adds to, changes and removes from random
// files. Each edit checks by itself that nothing beside its entry changed; here
// is checked that none is refused, and that what was added goes without trace.
func TestRandomFilesAreEditedExactly(t *testing.T) { // S-33
	rounds := 1000
	if testing.Short() {
		rounds = 300
	}
	for seed := range uint64(rounds) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 1)), tidy: seed%3 == 0}
		text := w.file(int(seed % 4))
		d, err := parseDocument("f", []byte(text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		out := mustAdd(t, text, added)
		if back := mustRemove(t, out, "new"); withoutBlanks(mustParse(t, back)) != withoutBlanks(d) {
			t.Fatalf("seed %d: %q became %q and %q", seed, text, out, back)
		}
		order := rand.New(rand.NewPCG(seed, 2)).Perm(len(d.entries()))
		left := len(order)
		for _, i := range order { // all go, in any order
			out = mustRemove(t, out, fmt.Sprintf("k%d", i))
			left--
			if got := mustParse(t, out); len(got.entries()) != left+1 {
				t.Fatalf("seed %d: %d entries left in %q, want %d", seed, len(got.entries()), out, left+1)
			}
		}
		for _, s := range samples() { // and one that stays becomes each kind of server
			s.Name = "new"
			next, err := mustParse(t, out).withChanged(s)
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, out)
			}
			out = string(next)
		}
		if lost := missing(d, mustParse(t, out)); lost != "" {
			t.Fatalf("seed %d: %s is lost from %q in %q", seed, lost, text, out)
		}
	}
}

// missing names a comment outside the entries that is no longer there.
func missing(old, now *document) string {
	left := now.rest("new")
	for _, s := range old.rest("") {
		if strings.HasPrefix(s, "/") && !slices.Contains(left, s) {
			return s
		}
	}
	return ""
}
