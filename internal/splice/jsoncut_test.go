package splice

import "testing"

// C-37: our lines and one comma go. Comments that are not inside the entry stay,
// above the neighbour they describe.
func TestJSONRemovesTheEntryAndOneComma(t *testing.T) {
	for _, r := range []row{
		{"last", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {}\n}}", "{\"servers\": {\n  \"a\": 1\n}}"},
		{"first", "{\"servers\": {\n  \"ours\": {\n    \"x\": 1\n  },\n  \"a\": 1\n}}", "{\"servers\": {\n  \"a\": 1\n}}"},
		{"in between", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {},\n  \"b\": 1\n}}", "{\"servers\": {\n  \"a\": 1,\n  \"b\": 1\n}}"},
		{"only", "{\"servers\": {\n  \"ours\": {}\n}}", "{\"servers\": {}}"},
		{"only, with a comma", "{\"servers\": {\n  \"ours\": {},\n}}", "{\"servers\": {}}"},
		{"only, on one line", `{ "servers": { "ours": {} } }`, `{ "servers": { } }`},
		{"only, below a comment", "{\"servers\": {\n  // mine\n  \"ours\": {}\n}}", "{\"servers\": {\n  // mine\n}}"},
		{"compact, last", `{"servers":{"a":1,"ours":{}}}`, `{"servers":{"a":1}}`},
		{"compact, first", `{"servers":{"ours":{},"a":1}}`, `{"servers":{"a":1}}`},
		{"compact, only", `{"servers":{"ours":{}}}`, `{"servers":{}}`},
		{"one line, in between", `{ "servers": { "a": 1, "ours": {}, "b": 2 } }`, `{ "servers": { "a": 1, "b": 2 } }`},
		{"line ends of Windows", "{\"servers\": {\r\n\t\"a\": 1,\r\n\t\"ours\": {}\r\n}}\r\n", "{\"servers\": {\r\n\t\"a\": 1\r\n}}\r\n"},
		{"comma after the last", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {},\n}}", "{\"servers\": {\n  \"a\": 1,\n}}"},
		{"comment above", "{\"servers\": {\n  // ours\n  \"ours\": {},\n  // a\n  \"a\": 1\n}}", "{\"servers\": {\n  // ours\n  // a\n  \"a\": 1\n}}"},
		{"comment behind", "{\"servers\": {\n  \"a\": 1, // a\n  \"ours\": {}, // ours\n  \"b\": 1 // b\n}}", "{\"servers\": {\n  \"a\": 1, // a\n  // ours\n  \"b\": 1 // b\n}}"},
		{"comment behind the last", "{\"servers\": {\n  \"a\": 1, // a\n  \"ours\": {} // ours\n}}", "{\"servers\": {\n  \"a\": 1 // a\n  // ours\n}}"},
		{"comment behind the first", "{\"servers\": {\n  \"ours\": {}, // ours\n  \"a\": 1\n}}", "{\"servers\": {\n  // ours\n  \"a\": 1\n}}"},
		{"comment before the comma", "{\"servers\": {\n  \"ours\": {} /* x */, \"a\": 1\n}}", "{\"servers\": {\n  /* x */ \"a\": 1\n}}"},
		{"comment inside", "{\"servers\": {\"a\": 1, \"ours\": {/* x */}}}", "{\"servers\": {\"a\": 1}}"},
		{"comment between name and value", "{\"servers\": {\"ours\" /* x */ : {}, \"a\": 1}}", "{\"servers\": {\"a\": 1}}"},
		{"the bracket behind a comment", "{\"servers\": {\n  \"a\": 1, // a\n  \"ours\": {} }}", "{\"servers\": {\n  \"a\": 1 // a\n  }}"},
		{"the next on its line", "{\"servers\": {\n  \"ours\": {}, \"a\": 1\n}}", "{\"servers\": {\n  \"a\": 1\n}}"},
		{"behind another on its line", "{\"servers\": {\n  \"a\": 1, \"ours\": {},\n  \"b\": 1\n}}", "{\"servers\": {\n  \"a\": 1,\n  \"b\": 1\n}}"},
		{"on the bracket's line", "{\"servers\": {\"ours\": {},\n  // a\n  \"a\": 1\n}}", "{\"servers\": {\n  // a\n  \"a\": 1\n}}"},
		{"comma on the line below", "{\"servers\": {\n  \"a\": 1\n  , \"ours\": {}\n  , \"b\": 1\n}}", "{\"servers\": {\n  \"a\": 1\n  , \"b\": 1\n}}"},
		{"blank lines", "{\"servers\": {\n  \"a\": 1,\n\n  \"ours\": {},\n\n  \"b\": 1\n}}", "{\"servers\": {\n  \"a\": 1,\n\n\n  \"b\": 1\n}}"},
		{"blanks at the line's end", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {}  \n}}", "{\"servers\": {\n  \"a\": 1  \n}}"},
		{"blanks at the line's end below a comment", "{\"servers\": {\n  \"a\": 1, // a\n  \"ours\": {}  \n}}", "{\"servers\": {\n  \"a\": 1 // a\n}}"},
		{"block comment before it", "{\"servers\": {\n  /* // */ \"ours\": {},\n  \"a\": 1\n}}", "{\"servers\": {\n  /* // */\n  \"a\": 1\n}}"},
		{"another spelling", `{"servers":{"\u006Furs":{},"Ours":1}}`, `{"servers":{"Ours":1}}`},
	} {
		r.run(t, jsonServers, goes)
	}
}

// C-55: what an addition put in goes with a removal, also without the journal.
func TestJSONAddedAndRemovedIsAsBefore(t *testing.T) {
	for _, doc := range []string{
		"{\n  \"servers\": {}\n}\n",
		`{"servers":{}}`,
		"{\n  \"servers\": {\n    \"a\": 1\n  }\n}\n",
		"{\n  \"servers\": {\n    \"a\": 1, // a\n    // b\n  }\n}\n",
		"{\r\n  \"servers\": {\r\n    \"a\": 1   \r\n  }\r\n}",
		"{\n  \"servers\": {\n    // none\n  }\n}\n",
		"{\n  \"servers\": { \"a\": 1 }\n}\n",
		"{\n  \"servers\": {\n    \"a\": 1\r\n  }\n}\n",
		"{\n  \"servers\": {\n    \"a\": 1 }}",
		`{"servers":{"a":1 /* x */ } }`,
	} {
		if got := plan(t, plan(t, doc, jsonServers, oursShort), jsonServers, goes); got != doc {
			t.Errorf("got  %q\nwant %q", got, doc)
		}
	}
}
