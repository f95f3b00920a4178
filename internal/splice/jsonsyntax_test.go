package splice

import (
	"strings"
	"testing"
)

// C-12, C-14, C-17, C-18, C-19, C-21, C-22, D-59: what cannot be edited safely
// is refused with its place, in words that name what is wrong there.
func TestJSONRefusesWithThePlace(t *testing.T) {
	strict := Place{Format: JSON, Strict: true, Container: []string{"servers"}}
	list := Place{Format: JSONC, List: true, Container: []string{"servers"}}
	nested := Place{Format: JSONC, Container: []string{"mcp", "servers"}}
	for _, r := range []struct {
		name, doc string
		place     Place
		reason    Reason
		at        string // line:column
		says      string
	}{
		{"UTF-16 with a mark", "\xff\xfe{\x00}\x00", jsonServers, InvalidEncoding, "1:1", "UTF-16"},
		{"UTF-16, the other way round", "\xfe\xff\x00{\x00}", jsonServers, InvalidEncoding, "1:1", "UTF-16"},
		{"UTF-16 without a mark", "{\x00\"\x00", jsonServers, InvalidEncoding, "1:1", "UTF-16"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00", jsonServers, InvalidEncoding, "1:1", "UTF-32"},
		{"Latin-1", "{\n  \"caf\xe9\": 1}", jsonServers, InvalidEncoding, "2:7", "0xE9 at offset 8 is not UTF-8 (it would be é"},
		{"Latin-1 behind a mark", "\ufeff{\"\xe9\"", jsonServers, InvalidEncoding, "1:3", "offset 5"},
		{"half a character at the end", "{\"é\xc3", jsonServers, InvalidEncoding, "1:4", "0xC3"},
		{"a surrogate in UTF-8", "{\"\xed\xa0\x80\":1}", jsonServers, InvalidEncoding, "1:3", "0xED"},
		{"NUL padding", "{}\n\x00\x00\x00", jsonServers, InvalidSyntax, "2:1", "3 bytes"},
		{"all NUL", "\x00\x00\x00\x00\x00", jsonServers, InvalidSyntax, "1:1", "NUL"},
		{"NUL in a string", "{\"a\x00b\": 1}", jsonServers, InvalidSyntax, "1:4", "NUL"},

		{"cut short in a string", "{\n  \"servers\": {\n    \"a\": \"--fl", jsonServers, InvalidSyntax, "3:15", "in the middle of a string"},
		{"cut short in an object", "{\"servers\": {\"a\": 1,\n", jsonServers, InvalidSyntax, "1:21", "what { opens in line 1, column 13"},
		{"cut short after a name", "{\"servers\"", jsonServers, InvalidSyntax, "1:11", "what { opens"},
		{"cut short in a comment", "{} /* x", jsonServers, InvalidSyntax, "1:4", "a comment"},
		{"cut short in a literal", "{\"servers\": tru", jsonServers, InvalidSyntax, "1:13", "text without quotes"},
		{"merge marker", "{\n  \"servers\": {\n<<<<<<< HEAD\n", jsonServers, InvalidSyntax, "3:1", "merge marker <<<<<<<"},
		{"merge marker in the middle", "{\n  \"servers\": {}\n=======\n", jsonServers, InvalidSyntax, "3:1", "merge marker ======="},
		{"typographic quotes", "{\n  “servers”: {}}", jsonServers, InvalidSyntax, "2:3", "“ (U+201C), a typographic quote"},
		{"typographic quote at the end", "{\"servers”: {}}\n", jsonServers, InvalidSyntax, "1:10", "”"},
		{"a quote missing at the end", "{\"servers: {}}\n}\n", jsonServers, InvalidSyntax, "1:2", "closing \""},
		{"non-breaking space", "{\"servers\":\u00a0{}}", jsonServers, InvalidSyntax, "1:12", "non-breaking space (U+00A0)"},
		{"wide space", "{\u3000\"servers\": {}}", jsonServers, InvalidSyntax, "1:2", "U+3000"},
		{"zero-width space", "{\u200b\"servers\": {}}", jsonServers, InvalidSyntax, "1:2", "not visible"},
		{"second byte order mark", "\ufeff\ufeff{}", jsonServers, InvalidSyntax, "1:1", "second byte order mark"},
		{"single quotes", "{'servers': {}}", jsonServers, InvalidSyntax, "1:2", "single quote"},
		{"unquoted name", "{\n  servers : {}}", jsonServers, InvalidSyntax, "2:3", "the name servers must stand in double quotes"},
		{"unquoted name with a dash", "{my-srv: {}}", jsonServers, InvalidSyntax, "1:2", "my-srv"},
		{"unquoted value", "{\"a\": localhost}", jsonServers, InvalidSyntax, "1:7", "text without quotes"},
		{"unquoted secret", "{\"TOKEN\": hunter2}", jsonServers, InvalidSyntax, "1:11", "text without quotes"},
		{"half a secret", "{\"TOKEN\": \"hunter2", jsonServers, InvalidSyntax, "1:19", "in the middle of a string"},
		{"secret with a bad escape", "{\"TOKEN\": \"hunter2\\x\"}", jsonServers, InvalidSyntax, "1:19", "no escape"},
		{"True", "{\"a\": True}", jsonServers, InvalidSyntax, "1:7", "True is no value"},
		{"NaN", "[NaN]", jsonServers, InvalidSyntax, "1:2", "NaN"},
		{"hexadecimal", "{\"a\": 0x1F}", jsonServers, InvalidSyntax, "1:7", "hexadecimal"},
		{"leading zero", "{\"a\": 007}", jsonServers, InvalidSyntax, "1:7", "not a number"},
		{"leading plus", "{\"a\": +1}", jsonServers, InvalidSyntax, "1:7", "not a number"},
		{"number as a name", "{1: 2}", jsonServers, InvalidSyntax, "1:2", "the name 1"},
		{"hash comment", "{ # hi\n}", jsonServers, InvalidSyntax, "1:3", "a comment begins with //"},
		{"Windows path", "{\"a\": \"C:\\Users\"}", jsonServers, InvalidSyntax, "1:10", `\U is no escape`},
		{"bad code", "{\"a\": \"\\u12g4\"}", jsonServers, InvalidSyntax, "1:8", `\u is no escape`},
		{"line break in a string", "{\"a\": \"x\n\"}", jsonServers, InvalidSyntax, "1:7", "over the end of its line"},
		{"tab in a string", "{\"a\": \"x\ty\"}", jsonServers, InvalidSyntax, "1:9", "U+0009"},
		{"missing comma", "{\n  \"a\": 1\n  \"b\": 2}", jsonServers, InvalidSyntax, "3:3", "a comma is missing"},
		{"missing comma in a list", "[1 2]", jsonServers, InvalidSyntax, "1:4", "a comma is missing"},
		{"missing colon", "{\"a\" 1}", jsonServers, InvalidSyntax, "1:6", "colon"},
		{"two commas", "{\"a\": 1,, \"b\": 2}", jsonServers, InvalidSyntax, "1:9", ", is not wanted here"},
		{"only a comma", "{,}", jsonServers, InvalidSyntax, "1:2", ", is not wanted here"},
		{"wrong bracket", "{\"a\": [1}", jsonServers, InvalidSyntax, "1:9", "} is not wanted here"},
		{"one bracket too many", "{}}", jsonServers, InvalidSyntax, "1:3", "after the end of the document"},
		{"two documents", "{}\n{}", jsonServers, InvalidSyntax, "2:1", "after the end of the document"},
		{"only text", "hello", jsonServers, InvalidSyntax, "1:1", "text without quotes"},
		{"a lone slash", "{} /", jsonServers, InvalidSyntax, "1:4", "/"},
		{"TOML", "[mcp_servers.a]\ncommand = 1", jsonServers, InvalidSyntax, "1:2", "text without quotes"},

		{"comment", "{\n  // x\n  \"a\": [1,]}", strict, NotAccepted, "2:3", "comment"},
		{"comma after the last", "{\"a\": [1, ], /* x */ \"b\": 1}", strict, NotAccepted, "1:9", "comma"},
		{"two commas after the last", "[[1 ,],\n[2,]]", strict, NotAccepted, "1:5", "comma"},
		{"nothing but a comment", "// x", strict, NotAccepted, "1:1", "comment"},
		{"syntax before dialect", "{\n// x\n", strict, InvalidSyntax, "2:5", "what { opens"},
		{"dialect before type", "[] // x", strict, NotAccepted, "1:4", "comment"},
		{"encoding before syntax", "{ x \xff", jsonServers, InvalidEncoding, "1:5", "0xFF"},
		{"carriage return in a comment", "{ // x\r\"a\": 1\n}", jsonServers, UnsupportedLayout, "1:7", "carriage return"},
		{"U+2028 in a comment", "{ // x\u2028\n}", jsonServers, InvalidSyntax, "1:7", "U+2028"},

		{"list as root", "[]", jsonServers, WrongType, "1:1", "the document must be an object and is a list"},
		{"null as root", "null", jsonServers, WrongType, "1:1", "null"},
		{"string as root", " \"x\"", jsonServers, WrongType, "1:2", "string"},
		{"list as collection", "{\"servers\": [ ]}", jsonServers, WrongType, "1:13", `"servers" must be an object and is a list`},
		{"number as collection", "{\"servers\": 1}", jsonServers, WrongType, "1:13", "number"},
		{"object as list", "{\"servers\": {}}", list, WrongType, "1:13", "must be a list"},
		{"string on the way", "{\"mcp\": \"x\"}", nested, WrongType, "1:9", `"mcp" must be an object and is a string`},
		{"false as collection", "{\"mcp\": {\"servers\": false}}", nested, WrongType, "1:21", `"servers"`},
		{"collection twice", "{\"servers\": {}, \"a\": 1,\n \"servers\": {}}", jsonServers, DuplicateKey, "2:2", `"servers" is there twice`},
		{"collection twice, once escaped", "{\"servers\": {}, \"\\u0073ervers\": {}}", jsonServers, DuplicateKey, "1:17", `"servers"`},
		{"twice on the way", "{\"mcp\": {}, \"mcp\": {}}", nested, DuplicateKey, "1:13", `"mcp"`},
		{"our entry twice", "{\"servers\": {\"ours\": {}, \"ours\": {}}}", jsonServers, DuplicateKey, "1:26", `"ours" is there twice`},
		{"our entry twice in a list", "{\"servers\": [{\"name\": \"ours\"}, {\"name\": \"ours\"}]}", list, DuplicateKey, "1:41", `"ours" is there twice`},
		{"our field twice", "{\"servers\": {\"ours\": {\"command\": 1, \"command\": 2}}}", jsonServers, DuplicateKey, "1:37", `"command" is there twice`},
		{"our entry a string", "{\"servers\": {\"ours\": \"x\"}}", jsonServers, WrongType, "1:22", "the entry must be an object"},
	} {
		t.Run(r.name, func(t *testing.T) {
			got := refused(t, r.doc, r.place, oursShort)
			if at, _, _ := strings.Cut(got.Error(), ": "); got.Reason != r.reason || at != r.at || !strings.Contains(got.Detail, r.says) {
				t.Errorf("got %v\nwant %s: %s with %q", got, r.at, r.reason, r.says)
			}
			if strings.Contains(got.Detail, "hunter2") {
				t.Errorf("a value is in %q", got.Detail)
			}
			if strings.HasSuffix(got.Detail, ".") || strings.Contains(got.Detail, "hujson") {
				t.Errorf("detail %q", got.Detail)
			}
		})
	}
}

// Removal is refused where an addition is: nothing is written on the basis of a
// file that does not parse.
func TestJSONRefusesARemovalToo(t *testing.T) {
	for doc, want := range map[string]Reason{
		`{"servers":{"ours":{}`:                          InvalidSyntax,
		`{"servers":{"ours":{},"ours":{}}}`:              DuplicateKey,
		`{"servers":[]}`:                                 WrongType,
		`{"servers":{},"servers":{"ours":{}}}`:           DuplicateKey,
		"{\"servers\":{\"ours\":{\"a\":\"\xff\"}}}":      InvalidEncoding,
		`{"servers":{"ours":{}} "a": 1}`:                 InvalidSyntax,
		"{\"servers\":{\"ours\":{\"a\": \"\x01\"}}}":     InvalidSyntax,
		"{\"servers\":{\"ours\":{}}}\n>>>>>>> feature\n": InvalidSyntax,
	} {
		if got := refused(t, doc, jsonServers, goes); got.Reason != want {
			t.Errorf("%q: got %v, want %s", doc, got, want)
		}
	}
}

// Whatever is wrong with a document, the refusal has a place within it.
func TestEveryBeginningOfADocumentIsRefusedOrRead(t *testing.T) {
	doc := "\ufeff{ // é\n \"servers\": {\"a\\u00e9\": [1.5e3, true, null, {}, \"x\"], /* y */ },\r\n}\n"
	for n := range doc {
		_, err := Make([]byte(doc[:n]), jsonServers, oursShort)
		if err == nil {
			continue
		}
		e := refused(t, doc[:n], jsonServers, oursShort)
		if lines := strings.Count(doc[:n], "\n") + 1; e.Line < 1 || e.Line > lines || e.Column < 1 || e.Detail == "" {
			t.Errorf("%q: %v", doc[:n], e)
		}
	}
}
