package splice

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// Any bytes are edited or refused; an error of ours would be a fault. What is
// taken is JSON for encoding/json too, and what that takes is not refused as
// no JSON.
func FuzzJSON(f *testing.F) {
	for _, doc := range []string{
		"", " \r\n", "{}", "// x", "\ufeff{ }", `{"servers":null}`, `{"servers":[]}`, `{"mcp":{"servers":{}}}`,
		`{"servers":{"a":1,"ours":{"command":"old","env":{"A":"1"}},},}`, "{\"servers\": {\n  // c\n  \"ours\": {} /* d */, \"b\": 1\n}}",
		`{"servers":[{"name":"ours"},{"name":"a"}]}`, `{"s\u0065rvers":{"\ud800":1e400}}`, "{\r\n\t\"x\": [[[1]]],\r\n}\r\n",
	} {
		f.Add([]byte(doc), "ours", uint8(0))
	}
	f.Fuzz(func(t *testing.T, doc []byte, name string, kind uint8) {
		p := Place{Format: JSONC, Container: []string{"servers"}, List: kind&1 > 0, Strict: kind&2 > 0, NoBOM: kind&4 > 0}
		if kind&8 > 0 {
			p.Container = []string{"mcp", "servers"}
		}
		if p.Strict {
			p.Format = JSON
		}
		if !utf8.ValidString(name) {
			return // no name of ours
		}
		given := bytes.Clone(doc)
		for _, c := range []Change{
			{Name: name, Entry: Object{{"command", "db"}, {"env", Object{{"A", "1"}}}}, Drop: []string{"x"}},
			{Name: name, Remove: true},
		} {
			plan, err := Make(given, p, c)
			var refusal *Error
			if err != nil && !errors.As(err, &refusal) {
				t.Fatalf("%q, %+v: %v", doc, p, err)
			}
			if refusal != nil && refusal.Reason == InvalidSyntax && json.Valid(doc) {
				t.Fatalf("%q is JSON: %v", doc, refusal)
			}
			if err == nil && p.Strict && len(plan.Edits) > 0 && !json.Valid(bytes.TrimPrefix(plan.After, bom)) {
				t.Fatalf("%q gives %q", doc, plan.After)
			}
			if !bytes.Equal(given, doc) {
				t.Fatalf("%q was changed", doc)
			}
		}
		if _, err := Entries(given, p); err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%q: %v", doc, err)
		}
	})
}

// unquote reads strings as encoding/json does, which makes U+FFFD of surrogates
// without their other half.
func FuzzUnquote(f *testing.F) {
	for _, raw := range []string{`""`, `"a\"\\\/\b\f\n\r\t"`, `"\u00e9\uD834\uDD1E\ud800\ud800\udc00\udc00x"`, `"é𝄞"`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want string
		if !utf8.Valid(raw) || len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &want) != nil {
			return
		}
		raw = bytes.TrimRight(raw, " \t\r\n")
		got := unquote(raw)
		again, err := jsonString(got)
		if err != nil || unquote([]byte(again)) != got {
			t.Errorf("%s is %q, written as %s, %v", raw, got, again, err)
		}
		var back string
		if err := json.Unmarshal([]byte(again), &back); err != nil || back != want {
			t.Errorf("%s is %q, and encoding/json reads %q", raw, got, want)
		}
	})
}
