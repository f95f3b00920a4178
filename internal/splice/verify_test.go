package splice

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// brokenFormat is JSON edited by code with a fault.
type brokenFormat struct {
	jsonFormat
	edit func(doc string) []Edit
	harm bool // it changes the text it was given
}

type brokenDocument struct {
	document
	doc  string
	edit func(doc string) []Edit
}

func (f brokenFormat) parse(text []byte, p Place) (document, error) {
	d, err := f.jsonFormat.parse(text, p)
	if f.harm && len(text) > 0 {
		text[0] = ' '
	}
	return brokenDocument{d, string(text), f.edit}, err
}

func (d brokenDocument) edits(Change) ([]Edit, []string, error) { return d.edit(d.doc), nil, nil }

// makeWith is Make by another format.
func makeWith(f format, doc string, p Place, c Change) (Plan, error) {
	c, err := c.complete(p)
	if err != nil {
		return Plan{}, err
	}
	before, err := readAs(f, []byte(doc), p)
	if err != nil {
		return Plan{}, err
	}
	return before.plan(c)
}

// C-39: a plan that does more or less than it should is not given out.
func TestAPlanWithAFaultIsNotGivenOut(t *testing.T) {
	const doc = `{"servers": {"a": {"n": 1.50}, "ours": {"command": "db", "x": 1}, "a": 2}, "z": "é"}`
	replace := func(old, put string) func(string) []Edit {
		return func(doc string) []Edit {
			return []Edit{{strings.Index(doc, old), len(old), []byte(put)}}
		}
	}
	set := Change{Name: "ours", Entry: Object{{"command", "new"}}, Drop: []string{"y"}}
	for _, r := range []struct {
		name string
		edit func(string) []Edit
		c    Change
		says string
	}{
		{"right", replace(`"db"`, `"new"`), set, ""},
		{"a number of another spelling", replace(`1.50`, `1.5`), set, "more than the entry"},
		{"a foreign entry less", replace(`, "a": 2`, ``), set, "more than the entry"},
		{"a foreign entry more", replace(`, "a": 2`, `, "a": 2, "a": 2`), set, "more than the entry"},
		{"another order", replace(`"a": {"n": 1.50}, `, ``), set, "more than the entry"},
		{"a string elsewhere", replace(`é`, `e`), set, "more than the entry"},
		{"not set", replace(`"ours": {`, `"ours": { `), set, `"command" does not read`},
		{"another field changed", replace(`"db", "x": 1`, `"new", "x": 2`), set, "other fields"},
		{"a field too many", replace(`"db"`, `"new", "more": 1`), set, "other fields"},
		{"twice", replace(`"ours": {"command": "db"`, `"ours": {}, "ours": {"command": "new"`), set, "2 times"},
		{"not dropped", replace(`"db"`, `"new", "y": 1`), set, `"y" is still there`},
		{"gone", replace(`"ours": {"command": "db", "x": 1}, `, ``), set, "0 times"},
		{"not removed", replace(`"ours": {`, `"ours": { `), goes, "still there"},
		{"removed", replace(`"ours": {"command": "db", "x": 1}, `, ``), goes, ""},
		{"no JSON any more", replace(`"db"`, `db`), set, "read the result"},
		{"the collection twice", replace(`"z"`, `"servers"`), set, "read the result"},
		{"overlapping", func(string) []Edit { return []Edit{{1, 3, nil}, {2, 1, nil}} }, set, "does not fit"},
	} {
		t.Run(r.name, func(t *testing.T) {
			got, err := makeWith(brokenFormat{edit: r.edit}, doc, jsonServers, r.c)
			var refusal *Error
			switch {
			case r.says == "" && err != nil:
				t.Errorf("got %v, want a plan", err)
			case r.says != "" && (err == nil || !strings.Contains(err.Error(), r.says)):
				t.Errorf("got %q, %v, want an error with %q", got.After, err, r.says)
			case errors.As(err, &refusal):
				t.Errorf("%v blames the document", err)
			}
		})
	}
	at := strings.Index(doc, `"db"`)
	harmful := brokenFormat{harm: true, edit: func(string) []Edit { return []Edit{{at, 4, []byte(`"new"`)}} }}
	if _, err := makeWith(harmful, doc, jsonServers, set); err == nil || !strings.Contains(err.Error(), "changed the text") {
		t.Errorf("a parser that writes into the text: got %v", err)
	}
}

// C-39 (a)
func TestAnInverseThatDoesNotRestoreIsNotGivenOut(t *testing.T) {
	before, err := read([]byte(`{"servers":{}}`), jsonServers)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := before.plan(oursShort)
	if err != nil {
		t.Fatal(err)
	}
	after, err := read(plan.After, jsonServers)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(before, after, plan, oursShort); err != nil {
		t.Errorf("as it is: %v", err)
	}
	plan.Inverse[0].Delete--
	if err := verify(before, after, plan, oursShort); err == nil || !strings.Contains(err.Error(), "does not restore") {
		t.Errorf("with one byte left: %v", err)
	}
}

func TestEqualIsAboutMeaning(t *testing.T) {
	for _, r := range []struct {
		a, b any
		want bool
	}{
		{Object{{"a", "1"}, {"b", nil}}, Object{{"b", nil}, {"a", "1"}}, true},
		{Object{{"a", "1"}}, Object{{"a", "1"}, {"b", nil}}, false},
		{Object{{"a", "1"}, {"a", "2"}}, Object{{"a", "2"}, {"a", "1"}}, false},
		{Object{}, List{}, false},
		{List{}, Object{}, false},
		{List{"a", "b"}, List{"b", "a"}, false},
		{List{Object{{"x", true}}}, List{Object{{"x", true}}}, true},
		{"1", Number("1"), false},
		{Number("1"), Number("1.0"), false},
		{nil, Object(nil), false},
		{nil, nil, true},
		{"x", List{"x"}, false},
	} {
		if got := Equal(r.a, r.b); got != r.want {
			t.Errorf("Equal(%v, %v) = %v", r.a, r.b, got)
		}
	}
}

func TestChangesThatMakeNoSenseAreErrorsOfOurs(t *testing.T) {
	list := Place{Format: JSON, List: true, Container: []string{"servers"}}
	for name, err := range map[string]error{
		"a field twice":       makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", "1"}, {"a", "2"}}}),
		"set and dropped":     makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", "1"}}, Drop: []string{"a"}}),
		"another name":        makeErr(list, Change{Name: "x", Entry: Object{{"name", "y"}}}),
		"a type of Go":        makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", 1}}}),
		"a number that isn't": makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", Number("0x1")}}}),
		"a string as number":  makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", Number(`"1"`)}}}),
		"no number":           makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", Number("")}}}),
		"no UTF-8":            makeErr(jsonServers, Change{Name: "x", Entry: Object{{"a", List{"\xff"}}}}),
		"an unknown format":   makeErr(Place{Format: "ini"}, Change{Name: "x"}),
	} {
		var refusal *Error
		if err == nil || errors.As(err, &refusal) || !strings.HasPrefix(err.Error(), "splice: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func makeErr(p Place, c Change) error {
	_, err := Make([]byte("{}"), p, c)
	return err
}

// S-33, C-11: large files are edited, larger ones refused.
func TestLargeDocuments(t *testing.T) {
	entry := []byte(`    "s": {"command": "npx", "args": ["-y", "x"], "env": {"TOKEN": "0123456789", "PORT": 8080}}, // note` + "\n")
	doc := append([]byte("{\n  \"servers\": {\n"), bytes.Repeat(entry, 5<<20/len(entry))...)
	doc = append(doc, "    \"last\": {}\n  }\n}\n"...)
	got, err := Make(doc, jsonServers, oursShort)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Edits) != 1 && len(got.Edits) != 2 {
		t.Errorf("%d edits", len(got.Edits))
	}
	spaces := bytes.Repeat([]byte(" "), MaxBytes+1)
	if got := refused(t, string(spaces), jsonServers, oursShort); got.Reason != TooLarge {
		t.Errorf("got %v", got)
	}
	if got := refused(t, string(spaces[:MaxBytes]), jsonServers, oursShort); got.Reason != TooLarge {
		t.Errorf("an addition past the limit: got %v", got)
	}
}

// C-11
func TestDeepDocuments(t *testing.T) {
	nest := func(open, close string, n int) string {
		return `{"a":` + strings.Repeat(open, n-1) + "1" + strings.Repeat(close, n-1) + `,"servers":{}}`
	}
	for _, doc := range []string{nest("[", "]", MaxDepth), nest(`{"a":`, "}", MaxDepth), `{"b":"` + strings.Repeat("[", 2*MaxDepth) + `"} // ` + strings.Repeat("[", 2*MaxDepth)} {
		plan(t, doc, jsonServers, oursShort)
	}
	for _, doc := range []string{nest("[", "]", MaxDepth+1), nest(`{"a":`, "}", MaxDepth+1), strings.Repeat("[", 4<<20), strings.Repeat(`{"a":`, 1<<20)} {
		if got := refused(t, doc, jsonServers, oursShort); got.Reason != TooDeep || got.Line != 1 {
			t.Errorf("got %v", got)
		}
	}
}
