package splice

import (
	"strings"
	"testing"
)

// W-19, table 2.3.1 of the measurements: what edit libraries get wrong, one row
// each.
func TestWhatEditLibrariesGetWrong(t *testing.T) {
	add := func(name string) Change { return Change{Name: name, Entry: Object{{"command", "db"}}} }
	mcp := Place{Format: JSON, Strict: true, NoBOM: true, Container: []string{"mcpServers"}}
	commented := Place{Format: JSONC, Container: []string{"mcpServers"}}
	for _, r := range []struct {
		row
		p Place
		c Change
	}{
		{row{"a name with a dot", `{"mcpServers":{}}`, `{"mcpServers":{"my.server":{"command":"db"}}}`}, mcp, add("my.server")},
		{row{"a name with a star", `{"mcpServers":{"ab":1}}`, `{"mcpServers":{"ab":1,"a*b":{"command":"db"}}}`}, mcp, add("a*b")},
		{row{"a name that is a number, and no collection", `{"x":1}`, `{"x":1,"mcpServers":{"123":{"command":"db"}}}`}, mcp, add("123")},
		{row{"a name that is a number, and an empty collection", `{"mcpServers":{}}`, `{"mcpServers":{"123":{"command":"db"}}}`}, mcp, add("123")},
		{row{"a comment", "{ // x\n\"mcpServers\":{}}", "{ // x\n\"mcpServers\":{\n  \"ours\":{\n    \"command\":\"db\"\n  }\n}}"}, commented, oursShort},
		{row{"a comma after the last", `{"mcpServers":{"a":1,},}`, `{"mcpServers":{"a":1,"ours":{"command":"db"},},}`}, commented, oursShort},
		{row{"a byte order mark that is kept", "\ufeff{\"mcpServers\":{}}", "\ufeff{\"mcpServers\":{\"ours\":{\"command\":\"db\"}}}"}, commented, oursShort},
		{row{"a byte order mark that goes", "\ufeff{\"mcpServers\":{}}", "{\"mcpServers\":{\"ours\":{\"command\":\"db\"}}}"}, mcp, oursShort},
		{row{"nothing", "", "{\n  \"mcpServers\": {\n    \"ours\": {\n      \"command\": \"db\"\n    }\n  }\n}\n"}, mcp, oursShort},
		{row{"a number in env", `{"mcpServers":{"a":{"env":{"PORT":8080}}}}`, `{"mcpServers":{"a":{"env":{"PORT":8080}},"ours":{"command":"db"}}}`}, mcp, oursShort},
		{row{"tabs and lists over lines", "{\n\t\"n\": [\n\t\t1e3,  2\n\t],\n\t\"mcpServers\": {\n\t\t\"a\": {\"args\": [\n\"x\" ]}\n\t}\n}", "{\n\t\"n\": [\n\t\t1e3,  2\n\t],\n\t\"mcpServers\": {\n\t\t\"a\": {\"args\": [\n\"x\" ]},\n\t\t\"ours\": {\n\t\t\t\"command\": \"db\"\n\t\t}\n\t}\n}"}, mcp, oursShort},
		{row{"null", `{"mcpServers": null}`, `{"mcpServers": {"ours": {"command": "db"}}}`}, mcp, oursShort},
	} {
		r.run(t, r.p, r.c)
	}
	for doc, want := range map[string]Reason{
		`{"mcpServers":{},"mcpServers":{}}`: DuplicateKey,
		"{ // x\n\"mcpServers\":{}}":        NotAccepted,
		`{"mcpServers":{"a":1,}}`:           NotAccepted,
	} {
		if got := refused(t, doc, mcp, oursShort); got.Reason != want || got.Line == 0 {
			t.Errorf("%s: got %v, want %s", doc, got, want)
		}
	}
}

// What other tools do to the bytes of a file, one test each.
func TestWhatOtherToolsBreak(t *testing.T) {
	const doc = "{\n\t// all of mine\n\t\"z\": [1,2],   \"a\": 1.0,\n\t\"servers\": {\n\t\t\"b\": {\"url\": \"https:\\/\\/x/?a=1&b=<2>\"}, // why b\n\t\t\"a\": {\"env\": {\"T\": \"\\u00e9\"}}\n\t}\n}\r\n"
	got := plan(t, doc, jsonServers, oursShort)
	for name, kept := range map[string]string{
		"the layout of the rest":       "\t\"z\": [1,2],   \"a\": 1.0,\n",
		"comments in the collection":   "}, // why b\n\t\t\"a\"",
		"comments elsewhere":           "{\n\t// all of mine\n",
		"escapes and their absence":    `"https:\/\/x/?a=1&b=<2>"`,
		"the spelling of a letter":     `"\u00e9"`,
		"a line end that is different": "\n}\r\n",
	} {
		if !strings.Contains(got, kept) {
			t.Errorf("%s: %q is not in %q", name, kept, got)
		}
	}
	head, tail, _ := strings.Cut(doc, "\n\t}\n}")
	if !strings.HasPrefix(got, head+",") || !strings.HasSuffix(got, "\n\t}\n}"+tail) {
		t.Errorf("more than one span differs: %q", got)
	}
	for _, broken := range []string{doc[:len(doc)-4], `{"servers": {"a": {}`, "servers: {}", `{"servers": {"a": 1 "b": 2}}`, "{]", "null x"} {
		if got := refused(t, broken, jsonServers, oursShort); got.Reason != InvalidSyntax {
			t.Errorf("%q: got %v", broken, got)
		}
	}
}

// A fully commented file is not replaced by our entry alone.
func TestACommentedFileKeepsItsText(t *testing.T) {
	const doc = "// {\n//   \"servers\": {}\n// }\n"
	if got := plan(t, doc, jsonServers, oursShort); !strings.HasPrefix(got, doc[:len(doc)-1]) || !strings.Contains(got, `"ours"`) {
		t.Errorf("got %q", got)
	}
}
