package splice

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestEditsThatDoNotFitAreRefused(t *testing.T) {
	for name, edits := range map[string][]Edit{
		"before the beginning": {{At: -1}},
		"behind the end":       {{At: 4}},
		"over the end":         {{At: 2, Delete: 2}},
		"far over the end":     {{At: 1, Delete: int(^uint(0) >> 1)}},
		"less than nothing":    {{At: 2, Delete: -1}},
		"out of order":         {{At: 2}, {At: 1}},
		"overlapping":          {{At: 0, Delete: 2}, {At: 1, Delete: 1}},
	} {
		if got, err := Apply([]byte("abc"), edits); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}

func TestEditsAreAppliedToACopy(t *testing.T) {
	doc := []byte("abcdef")
	got, err := Apply(doc[:3], []Edit{{0, 0, []byte("<")}, {1, 1, []byte("BB")}, {3, 0, []byte(">")}})
	if err != nil || string(got) != "<aBBc>" || string(doc) != "abcdef" {
		t.Errorf("got %q, %v, and the document is %q", got, err, doc)
	}
	if got, err := Apply(nil, nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}

// C-39 (a), and that two lists of edits in a row are as good as one.
func TestEditsInvertAndCompose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		doc := randomBytes(r, 12)
		first := randomEdits(r, len(doc))
		middle, err := Apply(doc, first)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Apply(middle, invert(doc, first)); err != nil || !bytes.Equal(back, doc) {
			t.Fatalf("%q, %v: the inverse gives %q, %v", doc, first, back, err)
		}
		then := randomEdits(r, len(middle))
		want, err := Apply(middle, then)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Apply(doc, compose(len(doc), first, then))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q, %v, then %v: got %q, %v, want %q", doc, first, then, got, err, want)
		}
	}
}

func randomBytes(r *rand.Rand, most int) []byte {
	b := make([]byte, r.IntN(most))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return b
}

func randomEdits(r *rand.Rand, size int) []Edit {
	var list []Edit
	for at := r.IntN(3); at <= size && len(list) < 4; at += r.IntN(4) {
		e := Edit{At: at, Delete: r.IntN(size - at + 1), Insert: bytes.ToUpper(randomBytes(r, 3))}
		list = append(list, e)
		at += e.Delete
	}
	return list
}
