package splice

import (
	"fmt"
	"strings"
	"testing"
)

var (
	jsonServers = Place{Format: JSONC, Container: []string{"servers"}}
	oursShort   = Change{Name: "ours", Entry: Object{{"command", "db"}}}
	goes        = Change{Name: "ours", Remove: true}
)

// C-30, C-31, C-32: what is new stands behind the last member and looks like
// what is beside it.
func TestJSONAddsBehindTheLastMember(t *testing.T) {
	for _, r := range []row{
		{"two spaces", "{\n  \"servers\": {\n    \"a\": 1\n  }\n}\n", "{\n  \"servers\": {\n    \"a\": 1,\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}\n"},
		{"tabs and CRLF", "{\r\n\t\"servers\": {\r\n\t\t\"a\": 1\r\n\t}\r\n}", "{\r\n\t\"servers\": {\r\n\t\t\"a\": 1,\r\n\t\t\"ours\": {\r\n\t\t\t\"command\": \"db\"\r\n\t\t}\r\n\t}\r\n}"},
		{"line ends that differ", "{\n  \"servers\": {\n    \"a\": 1\r\n  }\n}\n", "{\n  \"servers\": {\n    \"a\": 1,\r\n    \"ours\": {\r\n      \"command\": \"db\"\r\n    }\r\n  }\n}\n"},
		{"an indentation of its own", "{\n \"servers\": {\n       \"a\": 1\n }\n}", "{\n \"servers\": {\n       \"a\": 1,\n       \"ours\": {\n             \"command\": \"db\"\n       }\n }\n}"},
		{"compact", `{"servers":{"a":1},"z":2}`, `{"servers":{"a":1,"ours":{"command":"db"}},"z":2}`},
		{"on one line with spaces", `{ "servers" : { "a" : 1 } }`, `{ "servers" : { "a" : 1, "ours" : { "command" : "db" } } }`},
		{"one line in many", "{\n  \"servers\": {\"a\": 1}\n}", "{\n  \"servers\": {\"a\": 1, \"ours\": {\"command\": \"db\"}}\n}"},
		{"names and values in columns", "{\"servers\": {\n  \"a\":    1,\n  \"bcd\":  1\n}}", "{\"servers\": {\n  \"a\":    1,\n  \"bcd\":  1,\n  \"ours\": {\n    \"command\": \"db\"\n  }\n}}"},
		{"comma before the comment", "{\"servers\": {\n  \"a\": 1 // about a\n  // below\n}}", "{\"servers\": {\n  \"a\": 1, // about a\n  \"ours\": {\n    \"command\": \"db\"\n  }\n  // below\n}}"},
		{"comment over two lines", "{\"servers\": {\n  \"a\": 1 /* x\n y */ // z\n}}", "{\"servers\": {\n  \"a\": 1, /* x\n y */ // z\n  \"ours\": {\n    \"command\": \"db\"\n  }\n}}"},
		{"comma inside a comment", "{\"servers\": {\n  \"a\": 1 /* , */\n}}", "{\"servers\": {\n  \"a\": 1, /* , */\n  \"ours\": {\n    \"command\": \"db\"\n  }\n}}"},
		{"comma after the last", "{\"servers\": {\n  \"a\": 1, // about a\n}}", "{\"servers\": {\n  \"a\": 1, // about a\n  \"ours\": {\n    \"command\": \"db\"\n  },\n}}"},
		{"comma after the last, on a line of its own", "{\"servers\": {\n  \"a\": 1 // x\n  , // y\n}}", "{\"servers\": {\n  \"a\": 1 // x\n  , // y\n  \"ours\": {\n    \"command\": \"db\"\n  },\n}}"},
		{"blanks at the line's end", "{\"servers\": {\n  \"a\": 1  \n}}", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {\n    \"command\": \"db\"\n  }  \n}}"},
		{"bracket on the last member's line", "{\"servers\": {\n  \"a\": 1 }}", "{\"servers\": {\n  \"a\": 1,\n  \"ours\": {\n    \"command\": \"db\"\n  } }}"},
		{"empty", "{\n  \"servers\": {}\n}", "{\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"},
		{"empty on a line of one", `{"servers":{}}`, `{"servers":{"ours":{"command":"db"}}}`},
		{"empty with a blank", "{\n  \"servers\": { }\n}", "{\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"},
		{"empty over lines", "{\n  \"servers\": {\n\n  }\n}", "{\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n\n  }\n}"},
		{"empty but for a comment", "{\n  \"servers\": {\n    // none\n  }\n}", "{\n  \"servers\": {\n    // none\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"},
		{"comment in an empty one-liner", `{"servers": {/* none */}}`, `{"servers": {/* none */ "ours": {"command": "db"}}}`},
		{"null", "{\n  \"servers\": /* a */ null, // b\n  \"z\": 1\n}", "{\n  \"servers\": /* a */ {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }, // b\n  \"z\": 1\n}"},
		{"null on one line", `{"servers":null}`, `{"servers":{"ours":{"command":"db"}}}`},
		{"missing", "{\n\n  \"theme\": \"dark\",\n\n  \"n\": 1\n}\n\n\n", "{\n\n  \"theme\": \"dark\",\n\n  \"n\": 1,\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}\n\n\n"},
		{"missing in nothing", "{}", "{\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"},
		{"of another spelling", "{\n  \"\\u0073ervers\": {\n    \"a\": 1\n  }\n}", "{\n  \"\\u0073ervers\": {\n    \"a\": 1,\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"},
		{"of another case", `{"Servers":{}}`, `{"Servers":{},"servers":{"ours":{"command":"db"}}}`},
		{"byte order mark", "\ufeff{\"servers\":{}}", "\ufeff{\"servers\":{\"ours\":{\"command\":\"db\"}}}"},
		{"decoys in strings and comments", "{\"a\": \"\\\"servers\\\": {\", /* \"servers\": { */ \"servers\": {\"s\": \"}\"}}", "{\"a\": \"\\\"servers\\\": {\", /* \"servers\": { */ \"servers\": {\"s\": \"}\", \"ours\": {\"command\": \"db\"}}}"},
		{"numbers and strings of all spellings", `{"n":[1e400,-0,1.50,12345678901234567890123],"s":"\ud800\u00e9\/","servers":{"a":{"PORT":8080}}}`, `{"n":[1e400,-0,1.50,12345678901234567890123],"s":"\ud800\u00e9\/","servers":{"a":{"PORT":8080},"ours":{"command":"db"}}}`},
	} {
		r.run(t, jsonServers, oursShort)
	}
}

// C-15
func TestJSONFillsAnEmptyDocument(t *testing.T) {
	const content = "{\n  \"servers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}"
	crlf := strings.ReplaceAll(content, "\n", "\r\n")
	for _, r := range []row{
		{"nothing", "", content + "\n"},
		{"blanks", "  \t", content + "\n  \t"},
		{"a line break", "\n", content + "\n"},
		{"line breaks of Windows", "\r\n\r\n", crlf + "\r\n\r\n"},
		{"byte order mark", "\ufeff", "\ufeff" + content + "\n"},
		{"comments", "// mine\r\n", "// mine\r\n" + crlf + "\r\n"},
		{"a comment without a line break", "/* mine */", "/* mine */\n" + content + "\n"},
	} {
		r.run(t, jsonServers, oursShort)
	}
}

// C-20, table 2.3.1: a name is one literal key, whatever it is made of.
func TestJSONNamesAreLiteral(t *testing.T) {
	for _, name := range []string{"my.server", "a*b", "123", "a/b", "a~1b", "~0", "", "with space", `"quoted"`, "日本𝄞", "$ref", "__proto__", "a\nb", "#", "|", "-1", "?"} {
		t.Run(name, func(t *testing.T) {
			key, err := jsonString(name)
			if err != nil {
				t.Fatal(err)
			}
			got := plan(t, `{"servers":{"my":{"server":{}}}}`, jsonServers, Change{Name: name, Entry: Object{{"command", "db"}}})
			if want := `{"servers":{"my":{"server":{}},` + key + `:{"command":"db"}}}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			p := Place{Format: JSON, Container: []string{name}}
			got = plan(t, `{"a":{}}`, p, oursShort)
			if want := `{"a":{},` + key + `:{"ours":{"command":"db"}}}`; got != want {
				t.Errorf("as a collection: got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestJSONCreatesMissingLevels(t *testing.T) {
	nested := Place{Format: JSONC, Container: []string{"mcp", "servers"}}
	for _, r := range []row{
		{"none there", `{"a":1}`, `{"a":1,"mcp":{"servers":{"ours":{"command":"db"}}}}`},
		{"outer there", `{"mcp":{"x":1}}`, `{"mcp":{"x":1,"servers":{"ours":{"command":"db"}}}}`},
		{"outer null", `{"mcp":null}`, `{"mcp":{"servers":{"ours":{"command":"db"}}}}`},
		{"outer empty", "{\n  \"mcp\": {}\n}", "{\n  \"mcp\": {\n    \"servers\": {\n      \"ours\": {\n        \"command\": \"db\"\n      }\n    }\n  }\n}"},
		{"both there", `{"servers":{},"mcp":{"servers":{"a":1}}}`, `{"servers":{},"mcp":{"servers":{"a":1,"ours":{"command":"db"}}}}`},
	} {
		r.run(t, nested, oursShort)
	}
	row{"dotted key", `{"amp":{"mcpServers":{}}}`, `{"amp":{"mcpServers":{}},"amp.mcpServers":{"ours":{"command":"db"}}}`}.
		run(t, Place{Format: JSONC, Container: []string{"amp.mcpServers"}}, oursShort)
}

func TestJSONListsHoldEntriesByTheirName(t *testing.T) {
	list := Place{Format: JSONC, Container: []string{"servers"}, List: true}
	for _, r := range []row{
		{"missing", `{"a":1}`, `{"a":1,"servers":[{"name":"ours","command":"db"}]}`},
		{"empty", `{"servers":[]}`, `{"servers":[{"name":"ours","command":"db"}]}`},
		{"null", `{"servers":null}`, `{"servers":[{"name":"ours","command":"db"}]}`},
		{"others", "{\n  \"servers\": [\n    { \"name\": \"a\" }, // about a\n  ]\n}", "{\n  \"servers\": [\n    { \"name\": \"a\" }, // about a\n    {\n      \"name\": \"ours\",\n      \"command\": \"db\"\n    },\n  ]\n}"},
		{"ours there", `{"servers":[{"name":"a"},{"x":1,"command":"old","name":"\u006furs"}]}`, `{"servers":[{"name":"a"},{"x":1,"command":"db","name":"\u006furs"}]}`},
		{"things that are no entries", `{"servers":[1,"ours",null,{"name":7}]}`, `{"servers":[1,"ours",null,{"name":7}, {"name":"ours","command":"db"}]}`},
	} {
		r.want = strings.ReplaceAll(r.want, "}, {\"name\":\"ours\"", "},{\"name\":\"ours\"")
		r.run(t, list, oursShort)
	}
	row{"remove", `{"servers":[{"name":"a"},{"name":"ours"}]}`, `{"servers":[{"name":"a"}]}`}.run(t, list, goes)
	row{"an element without a name is not the one of the empty name", `{"servers":[{"x":1}]}`, `{"servers":[{"x":1},{"name":"","command":"db"}]}`}.
		run(t, list, Change{Name: "", Entry: Object{{"command", "db"}}})
}

// C-28, C-36
func TestJSONUpdatesOnlyTheFieldsItOwns(t *testing.T) {
	c := Change{Name: "ours", Drop: []string{"type", "gone"}, Entry: Object{
		{"command", "db"}, {"args", List{"connect", "x"}}, {"env", Object{{"A", "1"}, {"B", Number("2")}}},
	}}
	for _, r := range []row{
		{"values", `{"servers":{"ours":{"args":["y"],"disabled":true,"command":"old","env":{"B":2,"A":"0"}}}}`, `{"servers":{"ours":{"args":["connect","x"],"disabled":true,"command":"db","env":{"B":2,"A":"1"}}}}`},
		{"fields that are missing", "{\"servers\": {\n  \"ours\": {\n    \"x\": 1, // mine\n    \"env\": {}\n  }\n}}", "{\"servers\": {\n  \"ours\": {\n    \"x\": 1, // mine\n    \"env\": {\n      \"A\": \"1\",\n      \"B\": 2\n    },\n    \"command\": \"db\",\n    \"args\": [\"connect\", \"x\"]\n  }\n}}"},
		{"fields to drop", "{\"servers\": {\n  \"ours\": {\n    \"type\": \"stdio\", // how\n    \"command\": \"db\",\n    \"args\": [ \"connect\", /* ! */ \"x\" ],\n    // why\n    \"env\": {\"B\": 2, \"A\": \"\\u0031\", \"C\": null},\n    \"gone\": {}\n  }\n}}", "{\"servers\": {\n  \"ours\": {\n    // how\n    \"command\": \"db\",\n    \"args\": [ \"connect\", /* ! */ \"x\" ],\n    // why\n    \"env\": {\"B\": 2, \"A\": \"\\u0031\"}\n  }\n}}"},
		{"an entry of null", `{"servers":{"ours":null}}`, `{"servers":{"ours":{"command":"db","args":["connect","x"],"env":{"A":"1","B":2}}}}`},
		{"comments beside", `{"servers":{"ours":{/*1*/"command"/*2*/:/*3*/"old"/*4*/,/*5*/"args":[],/*6*/"env":{"A":"1","B":2}}}}`, `{"servers":{"ours":{/*1*/"command"/*2*/:/*3*/"db"/*4*/,/*5*/"args":["connect","x"],/*6*/"env":{"A":"1","B":2}}}}`},
		{"a list over lines", "{\"servers\": {\n  \"ours\": {\n    \"command\": \"db\",\n    \"args\": [\n      \"y\"\n    ],\n    \"env\": {\"A\": \"1\", \"B\": 2}\n  }\n}}", "{\"servers\": {\n  \"ours\": {\n    \"command\": \"db\",\n    \"args\": [\n      \"connect\",\n      \"x\"\n    ],\n    \"env\": {\"A\": \"1\", \"B\": 2}\n  }\n}}"},
		{"env of another type", `{"servers":{"ours":{"command":"db","args":["connect","x"],"env":["A"]}}}`, `{"servers":{"ours":{"command":"db","args":["connect","x"],"env":{"A":"1","B":2}}}}`},
		{"env with a name twice", `{"servers":{"ours":{"command":"db","args":["connect","x"],"env":{"A":"1","A":"2"}}}}`, `{"servers":{"ours":{"command":"db","args":["connect","x"],"env":{"A":"1","B":2}}}}`},
	} {
		r.run(t, jsonServers, c)
	}
}

func TestJSONTakesAnObjectWithANameTwiceAsItIs(t *testing.T) {
	c := Change{Name: "ours", Entry: Object{{"env", Object{{"A", "1"}, {"A", "2"}}}}}
	row{"", `{"servers":{"ours":{"env":{"A":"3"}}}}`, `{"servers":{"ours":{"env":{"A":"1","A":"2"}}}}`}.run(t, jsonServers, c)
}

// C-25
func TestJSONThatSaysItAlreadyStays(t *testing.T) {
	c := Change{Name: "ours", Drop: []string{"type"}, Entry: Object{{"command", "/db"}, {"args", List{"é", Number("1.50"), nil, true}}, {"env", Object{{"A", "1"}, {"B", "2"}}}}}
	for name, doc := range map[string]string{
		"in another order": `{"servers":{"ours":{"env":{"B":"2","A":"1"},"x":1,"args":["é",1.50,null,true],"command":"/db"}}}`,
		"with escapes":     `{"servers":{"\u006furs":{"command":"\/db","args":["\u00e9",1.50,null,true],"env":{"A":"1","\u0042":"2"}}}}`,
		"with a mark":      "\ufeff" + `{"servers":{"ours":{"command":"/db","args":["é",1.50,null,true],"env":{"A":"1","B":"2"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := jsonServers
			p.NoBOM = true
			if got, err := Make([]byte(doc), p, c); err != nil || len(got.Edits) > 0 || string(got.After) != doc {
				t.Errorf("edits %v, %v; want none", got.Edits, err)
			}
		})
	}
	for _, doc := range []string{"", " ", "{}", `{"servers":null}`, `{"servers":{}}`, `{"servers":{"a":1}}`, "// x"} {
		if got, err := Make([]byte(doc), jsonServers, goes); err != nil || len(got.Edits) > 0 || string(got.After) != doc {
			t.Errorf("removal from %q: edits %v, %v; want none", doc, got.Edits, err)
		}
	}
}

// C-13
func TestAByteOrderMarkGoesWhereTheClientCannotReadIt(t *testing.T) {
	p := jsonServers
	p.NoBOM = true
	got, err := Make([]byte("\ufeff{\"servers\":{}}"), p, oursShort)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"servers":{"ours":{"command":"db"}}}`; string(got.After) != want || len(got.Warnings) != 1 {
		t.Errorf("got %q with %q, want %q with a warning", got.After, got.Warnings, want)
	}
	if back, err := Apply(got.After, got.Inverse); err != nil || string(back) != "\ufeff{\"servers\":{}}" {
		t.Errorf("the inverse gives %q, %v", back, err)
	}
}

// C-33
func TestJSONStringsAreWrittenReadably(t *testing.T) {
	got, err := jsonString("a&b<c>é𝄞/\\\"\n\t\r\x01\x7f\u2028\xed\xa0\x80")
	if want := `"a&b<c>é𝄞/\\\"\n\t\r\u0001\u007f\u2028\ud800"`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if unquote([]byte(got)) != "a&b<c>é𝄞/\\\"\n\t\r\x01\x7f\u2028\xed\xa0\x80" {
		t.Errorf("it reads back as %q", unquote([]byte(got)))
	}
	if got, err := jsonString("a\xff"); err == nil {
		t.Errorf("invalid UTF-8 gives %s", got)
	}
}

// C-21: a foreign name that is there twice is the user's business.
func TestJSONWarnsOfForeignEntriesThatAreThereTwice(t *testing.T) {
	got, err := Make([]byte("{\"servers\":{\n\"a\":1,\n\"a\":2}}"), jsonServers, oursShort)
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "line 3") {
		t.Errorf("warnings %q, %v", got.Warnings, err)
	}
}

// C-19: of a client whose dialect is not known, comments are kept, with a
// warning, and a comma after the last element is not written.
func TestJSONOfAnUnknownDialectIsEditedWithAWarning(t *testing.T) {
	p := Place{Format: JSON, Container: []string{"servers"}}
	got, err := Make([]byte("{\n\"servers\": {\n  \"a\": 1, // x\n}}"), p, oursShort)
	want := "{\n\"servers\": {\n  \"a\": 1, // x\n  \"ours\": {\n    \"command\": \"db\"\n  }\n}}"
	if err != nil || string(got.After) != want || len(got.Warnings) != 2 {
		t.Errorf("got %q with %q, %v; want %q with two warnings", got.After, got.Warnings, err, want)
	}
}

func TestEntriesAreThoseOfTheCollection(t *testing.T) {
	got, err := Entries([]byte("\ufeff{ /* é */ \"servers\": {\"a\": {\"n\": 1e3, \"n\": [null]},\n  /* é𝄞 */ \"\\u0062\": \"x\"}, \"c\": {}}"), jsonServers)
	want := []Entry{
		{"a", Object{{"n", Number("1e3")}, {"n", List{nil}}}, 1, 23},
		{"b", "x", 2, 12},
	}
	if err != nil || !equalEntries(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	list := jsonServers
	list.List = true
	got, err = Entries([]byte(`{"servers": [{"x": 1, "name": "a"}, 7]}`), list)
	want = []Entry{{"a", Object{{"x", Number("1")}, {"name", "a"}}, 1, 31}, {"", Number("7"), 1, 37}}
	if err != nil || !equalEntries(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	if got, err := Entries(nil, jsonServers); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func equalEntries(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x.Name != y.Name || x.Line != y.Line || x.Column != y.Column || !identical(x.Value, y.Value) {
			return false
		}
	}
	return true
}

// A file of one line is read in time, and its columns are right.
func TestEntriesOnOneLineHaveTheirColumns(t *testing.T) { // C-20
	var b strings.Builder
	b.WriteString("{\"mcpServers\":{\n  \"é\":{}")
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"ü%d":{"command":"x","env":{"K":"v"}}`, i)
	}
	b.WriteString(",\n\"last\":{}}}")
	list, err := Entries([]byte(b.String()), Place{Format: JSON, Container: []string{"mcpServers"}})
	if err != nil || len(list) != 100_002 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	for i, want := range map[int][2]int{0: {2, 3}, 1: {2, 10}, 2: {2, 47}, 100_001: {3, 1}} {
		if e := list[i]; [2]int{e.Line, e.Column} != want {
			t.Errorf("entry %d is at %d:%d, want %v", i, e.Line, e.Column, want)
		}
	}
}
