package splice

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// C-40, S-33, D-57: whatever a document looks like, an edit changes our entry
// and nothing else. What the edits did is judged from the tokens of the
// documents before and after, by code of this test alone.
func TestRandomJSONKeepsEverythingButTheEntry(t *testing.T) {
	var surgical, added atomic.Uint64
	eachSeed(t, func(seed uint64) error {
		g := newRandomJSON(seed)
		doc := g.document()
		r := &trial{g: g, before: doc}
		if err := r.run(); err != nil {
			return fmt.Errorf("%w\nplace %+v, entry %q\nbefore: %q\nafter:  %q", err, g.place, g.name, r.before, r.after)
		}
		if r.added {
			added.Add(1)
			if r.restored {
				surgical.Add(1)
			}
		}
		return nil
	})
	t.Logf("of %d documents with a new entry, %d are as before after the entry was removed without the journal", added.Load(), surgical.Load())
}

type trial struct {
	g             *randomJSON
	before, after string
	added         bool
	restored      bool
}

var (
	fieldsA = Object{{"command", "/opt/drawbridge/bridge"}, {"args", List{"connect", "a&b<c>"}}}
	fieldsB = Object{{"command", "/other/bridge"}, {"args", List{}}, {"env", Object{{"A", "1"}, {"command", "x\n\"y\""}}}, {"n", Number("1.50")}}
)

func (r *trial) run() error {
	_, _, had := r.g.oursIn(words(tokenize(r.before)))
	doc := r.before
	if !had {
		r.added = true
		if err := r.step(Change{Name: r.g.name, Entry: fieldsA}, r.checkAdd); err != nil {
			return fmt.Errorf("add: %w", err)
		}
	}
	if err := r.step(Change{Name: r.g.name, Entry: fieldsB, Drop: []string{"old", "none"}}, r.checkUpdate); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if err := r.step(Change{Name: r.g.name, Remove: true}, r.checkRemove); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	r.restored = strings.TrimPrefix(r.before, "\ufeff") == strings.TrimPrefix(doc, "\ufeff")
	return nil
}

// step makes one change and checks the result; it becomes the document before.
func (r *trial) step(c Change, check func(Plan) error) error {
	given := []byte(r.before)
	plan, err := Make(given, r.g.place, c)
	if err != nil {
		return err
	}
	if string(given) != r.before {
		return errors.New("the document given was changed")
	}
	r.after = string(plan.After)
	if back, err := Apply(plan.After, plan.Inverse); err != nil || string(back) != r.before {
		return fmt.Errorf("the inverse gives %q, %v", back, err)
	}
	if len(plan.Edits) > 0 {
		if err := check(plan); err != nil {
			return err
		}
	}
	if again, err := Make(plan.After, r.g.place, c); err != nil || len(again.Edits) > 0 || !bytes.Equal(again.After, plan.After) {
		return fmt.Errorf("a second run: %v, %v", again.Edits, err)
	}
	r.before = r.after
	return nil
}

func (r *trial) checkAdd(plan Plan) error {
	for _, e := range plan.Edits {
		if gone := r.before[e.At : e.At+e.Delete]; gone != "" && gone != "null" && gone != "\ufeff" {
			return fmt.Errorf("an addition takes %q away", gone)
		}
	}
	if err := r.sameComments(tokenize(r.before), tokenize(r.after)); err != nil {
		return err
	}
	old, now := r.stripped(r.before, false), r.stripped(r.after, true)
	if !slices.Equal(old, now) {
		return fmt.Errorf("other tokens\n%q\n%q", old, now)
	}
	if err := r.commentsKeepTheirLine(); err != nil {
		return err
	}
	return r.lineEndsAreOfTheDocument(plan)
}

// stripped are the texts of the words without what an addition may bring: our
// entry, the levels created for it, commas after the last, a byte order mark.
func (r *trial) stripped(doc string, ours bool) []string {
	tokens := words(tokenize(doc))
	if len(tokens) > 0 && tokens[0].text == "\ufeff" {
		tokens = tokens[1:]
	}
	if ours {
		from, to, ok := r.g.oursIn(tokens)
		if !ok {
			return []string{"no entry"}
		}
		tokens = slices.Delete(tokens, from, to)
	}
	list := make([]string, 0, len(tokens))
	for _, t := range tokens {
		list = append(list, t.text)
	}
	return hollowOut(list, r.g.place.Container)
}

// hollowOut takes the commas after the last members away, and the levels of the
// path that hold nothing.
func hollowOut(list []string, path []string) []string {
	var out []string
	for _, text := range list {
		n := len(out)
		switch {
		case (text == "}" || text == "]" || text == ",") && n > 0 && out[n-1] == ",":
			if text != "," {
				out[n-1] = text
			}
		case text == "," && n > 0 && (out[n-1] == "{" || out[n-1] == "["):
		default:
			out = append(out, text)
		}
	}
	tokens := make([]jsonToken, len(out))
	for i := range out {
		tokens[i].text = out[i]
	}
	for depth := len(path); depth > 0; depth-- {
		at, from, value, to, ok := 0, 0, 0, 0, true
		for _, key := range path[:depth] {
			if from, value, to, ok = tokensOf(tokens, at, key); !ok {
				break
			}
			at = value
		}
		if !ok || to-value > 2 || to-value == 1 && tokens[value].text != "null" {
			continue
		}
		switch {
		case tokens[to].text == ",":
			to++
		case tokens[from-1].text == ",":
			from--
		}
		tokens = slices.Delete(tokens, from, to)
	}
	out = nil
	for _, t := range tokens {
		out = append(out, t.text)
	}
	if slices.Equal(out, []string{"{", "}"}) || slices.Equal(out, []string{"[", "]"}) {
		return nil
	}
	return out
}

func (r *trial) sameComments(old, now []jsonToken) error {
	a, b := commentTexts(old), commentTexts(now)
	if !slices.Equal(a, b) {
		return fmt.Errorf("other comments: %q, were %q", b, a)
	}
	return nil
}

func commentTexts(tokens []jsonToken) []string {
	var list []string
	for _, t := range tokens {
		if t.comment() {
			list = append(list, t.text)
		}
	}
	return list
}

// commentsKeepTheirLine: what stood behind a value on its line still does.
func (r *trial) commentsKeepTheirLine() error {
	old, now := besides(tokenize(r.before)), besides(tokenize(r.after))
	for i := range old {
		if old[i] != "" && old[i] != now[i] {
			return fmt.Errorf("comment %d stood behind %q and stands behind %q", i, old[i], now[i])
		}
	}
	return nil
}

// besides are, for each comment, the text of the value before it on its line,
// "" for none.
func besides(tokens []jsonToken) []string {
	var list []string
	last := ""
	for _, t := range tokens {
		if t.lines > 0 {
			last = ""
		}
		switch {
		case t.comment():
			list = append(list, last)
			if strings.Contains(t.text, "\n") {
				last = ""
			}
		case t.text == "null": // an addition may put an object there
			last = ""
		case t.text != "," && t.text != "\ufeff":
			last = t.text
		}
	}
	return list
}

// lineEndsAreOfTheDocument: no line end comes in that the document has not.
func (r *trial) lineEndsAreOfTheDocument(plan Plan) error {
	if !strings.Contains(r.before, "\n") {
		return nil
	}
	crlf := strings.Contains(r.before, "\r\n")
	bare := strings.Count(r.before, "\n") > strings.Count(r.before, "\r\n")
	for _, e := range plan.Edits {
		text := string(e.Insert)
		if strings.Contains(text, "\r\n") && !crlf || strings.Count(text, "\n") > strings.Count(text, "\r\n") && !bare {
			return fmt.Errorf("line ends of another kind in %q", text)
		}
	}
	return nil
}

// checkUpdate: what is outside of the entry is the same, byte for byte.
func (r *trial) checkUpdate(plan Plan) error {
	old, now := strings.TrimPrefix(r.before, "\ufeff"), strings.TrimPrefix(r.after, "\ufeff")
	a, b := words(tokenize(old)), words(tokenize(now))
	from, to, _ := r.g.oursIn(a)
	from2, to2, ok := r.g.oursIn(b)
	if !ok {
		return errors.New("the entry is gone")
	}
	if old[:a[from].start] != now[:b[from2].start] || old[a[to-1].end:] != now[b[to2-1].end:] {
		return errors.New("an update changes what is outside of the entry")
	}
	inOld, inNow := old[a[from].start:a[to-1].end], now[b[from2].start:b[to2-1].end]
	// Of the fields that are not ours nothing may change.
	for _, field := range []string{"disabled", "x", "name"} {
		if x, y := fieldText(inOld, field), fieldText(inNow, field); x != y {
			return fmt.Errorf("field %q was %q and is %q", field, x, y)
		}
	}
	for field, want := range map[string]string{"command": `"/other/bridge"`, "args": "[]", "n": "1.50", "old": ""} {
		if got := fieldText(inNow, field); len(words(tokenize(got))) > 2 || want != "" && !spelledAlike(got, want) || want == "" && got != "" {
			return fmt.Errorf("field %q is %s", field, got)
		}
	}
	return nil
}

func spelledAlike(a, b string) bool {
	var x, y []string
	for _, t := range words(tokenize(a)) {
		x = append(x, t.text)
	}
	for _, t := range words(tokenize(b)) {
		y = append(y, t.text)
	}
	p, errA := treeOf([]byte(strings.Join(x, "")))
	q, errB := treeOf([]byte(strings.Join(y, "")))
	return errA == nil && errB == nil && Equal(p, q)
}

// fieldText is the value of a field of an entry, which may have its name before
// it.
func fieldText(entry, field string) string {
	tokens := words(tokenize(entry))
	at := slices.IndexFunc(tokens, func(t jsonToken) bool { return t.text == "{" })
	_, value, to, ok := tokensOf(tokens, at, field)
	if !ok {
		return ""
	}
	return entry[tokens[value].start:tokens[to-1].end]
}

func (r *trial) checkRemove(plan Plan) error {
	for _, e := range plan.Edits {
		if len(e.Insert) > 0 {
			return fmt.Errorf("a removal puts %q in", e.Insert)
		}
	}
	old, now := tokenize(strings.TrimPrefix(r.before, "\ufeff")), tokenize(strings.TrimPrefix(r.after, "\ufeff"))
	a, b := words(old), words(now)
	from, to, _ := r.g.oursIn(a)
	rest := slices.DeleteFunc(slices.Clone(old), func(t jsonToken) bool { return t.start >= a[from].start && t.end <= a[to-1].end })
	if err := r.sameComments(rest, now); err != nil {
		return err
	}
	if x, y := withoutOneComma(words(rest), from), texts(b); !slices.ContainsFunc(x, func(list []string) bool { return slices.Equal(list, y) }) {
		return fmt.Errorf("other tokens: %q, wanted one of %q", y, x)
	}
	return r.neighboursKeepTheirComments(rest, now, a[from].start)
}

func texts(tokens []jsonToken) []string {
	var list []string
	for _, t := range tokens {
		list = append(list, t.text)
	}
	return list
}

// withoutOneComma gives the ways to take away the comma beside the place.
func withoutOneComma(tokens []jsonToken, at int) [][]string {
	list := texts(tokens)
	var ways [][]string
	if at < len(list) && list[at] == "," {
		return append(ways, slices.Delete(slices.Clone(list), at, at+1))
	}
	if at > 0 && list[at-1] == "," {
		return append(ways, slices.Delete(slices.Clone(list), at-1, at))
	}
	return append(ways, list)
}

// neighboursKeepTheirComments: a comment that stood behind a value on its line,
// or on lines of its own above a member, still does. Those beside our entry are
// free.
func (r *trial) neighboursKeepTheirComments(old, now []jsonToken, ours int) error {
	x, y := besides(old), besides(now)
	n := 0
	for i, t := range old {
		if !t.comment() {
			continue
		}
		if x[n] != "" && x[n] != y[n] && !r.besideOurs(old, i, ours) {
			return fmt.Errorf("%q stood behind %q and stands behind %q", t.text, x[n], y[n])
		}
		if x[n] == "" && y[n] != "" && !r.besideOurs(old, i, ours) {
			return fmt.Errorf("%q stood on a line of its own and stands behind %q", t.text, y[n])
		}
		n++
	}
	return nil
}

// besideOurs tells whether our entry stood between this comment and the word
// before it.
func (r *trial) besideOurs(old []jsonToken, i, ours int) bool {
	for j := i - 1; j >= 0; j-- {
		if old[j].start < ours {
			return old[i].start > ours
		}
		if !old[j].comment() && old[j].text != "," {
			return false
		}
	}
	return true
}
