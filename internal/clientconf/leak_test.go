package clientconf

import (
	"fmt"
	"strings"
	"testing"

	"drawbridge/internal/splice"
)

// formatRig is a rig whose file is of another format.
func formatRig(t *testing.T, format splice.Format, text string) *rig {
	d := newRig(t, &text)
	d.target.Place.Format = format
	switch format {
	case splice.TOML:
		d.target.Client, d.target.Place.Container = "codex", []string{"mcp_servers"}
	case splice.YAML:
		d.target.Client, d.target.Place.Container = "goose", []string{"extensions"}
	case splice.JSON, splice.JSONC: // as it is
	}
	return d
}

// A text of several lines may look like anything in each of them.
func TestForeignTextsOfSeveralLinesAreMasked(t *testing.T) { // C-41, C-59
	const secret, base64 = "hunter2abcd", "c2VjcmV0dmFsdWVmb3J5b3U="
	inTOML := func(text string) string {
		return "[mcp_servers.a]\ncommand = \"x\"\n[mcp_servers.a.env]\nK = " + text + "\n"
	}
	inYAML := func(text string) string {
		return "extensions:\n  a:\n    cmd: x\n    envs:\n      K: " + text + "\n"
	}
	for _, c := range []struct {
		name, doc, secret string
	}{
		{"TOML, the end of base64", inTOML("\"\"\"\n" + base64 + "\n\"\"\""), base64},
		{"TOML, like a header", inTOML("'''\n[" + secret + "]\n'''"), secret},
		{"TOML, like a comment", inTOML("'''\n# " + secret + "\n'''"), secret},
		{"TOML, behind quotes", inTOML("\"\"\"\\\"\"\"\\\n# " + secret + "\n\"\"\"\"\""), secret},
		{"TOML, behind a comment with quotes", "# \"\"\"\n" + inTOML("'''\n# "+secret+"\n'''"), secret},
		{"YAML, like a name", inYAML("|\n        " + secret + ":\n        b"), secret},
		{"YAML, like a comment", inYAML("|- # c\n\n        # " + secret), secret},
		{"YAML, like an anchor", inYAML("&k >\n        &" + secret), secret},
		{"YAML, like an item", inYAML("|2\n        - &" + secret), secret},
		{"YAML, between quotes", inYAML("\"foo\n        type: " + secret + "\""), secret},
		{"YAML, between single quotes", inYAML("'it''s\n        type: " + secret + "'"), secret},
		{"YAML, in a list", inYAML("[a, 'it''s\n        type: " + secret + "']"), secret},
		{"YAML, an item", "extensions:\n  a:\n    args:\n    - |\n     # " + secret + "\n    - x\n", secret},
		{"YAML, the first name of an item", "extensions:\n  a:\n    args:\n    - k: |\n        # " + secret + "\n      l: x\n", secret},
	} {
		t.Run(c.name, func(t *testing.T) {
			format := splice.YAML
			if strings.HasPrefix(c.name, "TOML") {
				format = splice.TOML
			}
			d := formatRig(t, format, c.doc)
			if p := d.plan(d.put("one")); strings.Contains(p.Diff, c.secret) || !strings.Contains(p.Diff, helperPath) {
				t.Errorf("add shows\n%s", p.Diff)
			}
			w := d.put("one")
			w.Shape = Entry(d.target, "a", Launch{Program: helperPath, Args: []string{"mcp", "connect", "one"}})
			w.Replace = true
			p := d.plan(w)
			if strings.Contains(p.Diff, c.secret) || !strings.Contains(p.Diff, helperPath) {
				t.Errorf("replace shows\n%s", p.Diff)
			}
			d.make(p)
			p, err := d.PlanUndo(d.target)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(p.Diff, c.secret) {
				t.Errorf("undo shows\n%s", p.Diff)
			}
		})
	}
}

func TestAYAMLTextEndsWhereItDoes(t *testing.T) {
	for _, c := range []struct{ doc, inside string }{
		{"a: |\n  x\n\n  y\nb: 1\n", "  x||  y"},
		{"a:\n  - k: |-\n      x\n    l: 1\n", "      x"},
		{"- |\n x\n- 1\n", " x"},
		{"- - |\n   x\n  - 1\n", "   x"},
		{"a: \"x\n  y\" # \"\nb: 'z'\nc: it's\nd: 1\n", "  y\" # \""},
		{"a: b 'c\nd: 1\n", ""},
		{"a: [b, # 'c\n  d, 'e\n f', g]\nh: 1\n", " f', g]"},
		{"# 'a\n'b: c': 1\nd: 2\n", ""},
	} {
		var got []string
		in := insides([]byte(c.doc), splice.YAML)
		for at := 0; at < len(c.doc); at = lineEnd([]byte(c.doc), at) {
			if in[at] {
				got = append(got, strings.TrimSuffix(c.doc[at:lineEnd([]byte(c.doc), at)], "\n"))
			}
		}
		if s := strings.Join(got, "|"); s != c.inside {
			t.Errorf("%q: inside is %q, want %q", c.doc, s, c.inside)
		}
	}
}

// A variable may have the name of a member whose value is shown.
func TestAVariableCalledLikeAMemberIsMasked(t *testing.T) { // C-41, C-59
	for _, doc := range []string{
		`{"mcpServers":{"a":{"command":"x","env":{"type":"hunter2abcd"}}}}`,
		"{\"mcpServers\":{\"a\":{\"command\":\"x\",\"headers\":{\n\"name\":\"hunter2abcd\"\n}}}}",
	} {
		d := newRig(t, &doc)
		if p := d.plan(d.put("one")); strings.Contains(p.Diff, "hunter2abcd") || !strings.Contains(p.Diff, helperPath) {
			t.Errorf("shows\n%s", p.Diff)
		}
	}
}

// What a user added to our entry is shown in no spelling.
func TestTheUsersSecretsInOurEntryAreMasked(t *testing.T) { // C-41, C-59
	for _, c := range []struct {
		format       splice.Format
		at, put, not string
	}{
		{splice.JSON, `"command": `, `"env": {"PIN": 123456}, "command": `, "123456"},
		{splice.JSON, `"command": `, `"env": {"PIN": "12ab"}, "command": `, "12ab"},
		{splice.JSON, `"command": `, `"env": {"K": "abc\/defghi\/jkl"}, "command": `, "defghi"},
		{splice.JSON, `"command": `, `"env": {"K": "\u0061bcdefghijkl"}, "command": `, "bcdefghijkl"},
		{splice.JSON, `"one"]`, `"one", "--header=Authorization: Bearer hunter2"]`, "hunter2"},
		{splice.TOML, "command = ", "env = { K = 'ab12' }\ncommand = ", "ab12"},
		{splice.TOML, "command = ", "env = { K = '''line1secret\nline2secret''' }\ncommand = ", "line2secret"},
		{splice.TOML, "command = ", "env = { K = \"\\u0061bcdefghijkl\" }\ncommand = ", "bcdefghijkl"},
		{splice.YAML, `    type: "stdio"`, "    envs:\n      K: 1234\n    type: \"stdio\"", "1234"},
		{splice.YAML, `    type: "stdio"`, "    envs:\n      K: |\n        line1secret\n        line2secret\n    type: \"stdio\"", "line2secret"},
		{splice.YAML, `    type: "stdio"`, "    envs:\n      K: 'it''s-secretive'\n    type: \"stdio\"", "s-secretive"},
		{splice.YAML, `    type: "stdio"`, "    envs:\n      K: \"\\x61bcdefghijkl\"\n    type: \"stdio\"", "bcdefghijkl"},
	} {
		text := map[splice.Format]string{
			splice.JSON: "{\n  \"mcpServers\": {\n  }\n}\n", splice.TOML: "x = 1\n", splice.YAML: "extensions:\n  a:\n    cmd: x\n",
		}[c.format]
		d := formatRig(t, c.format, text)
		d.do(d.put("one"))
		was := d.text()
		d.save(strings.Replace(was, c.at, c.put, 1))
		if d.text() == was {
			t.Fatalf("no %q in %s", c.at, was)
		}
		for what, plan := range map[string]func() (*Preview, error){
			"remove": func() (*Preview, error) { return d.Plan(d.target, d.remove("one")) },
			"repair": func() (*Preview, error) { return d.PlanRepair(d.target, "/new/drawbridge") },
			"undo":   func() (*Preview, error) { return d.PlanUndo(d.target) },
		} {
			t.Run(fmt.Sprint(c.put, " ", what), func(t *testing.T) {
				p, err := plan()
				if err != nil {
					if what == "undo" && strings.Contains(c.put, "--header") {
						return // the entry is not as it was added
					}
					t.Fatal(err)
				}
				if strings.Contains(p.Diff, c.not) || !strings.Contains(p.Diff, helperPath) {
					t.Errorf("shows\n%s", p.Diff)
				}
			})
		}
	}
}

// A password that begins with a star is an alias to YAML.
func TestNoErrorShowsAValue(t *testing.T) { // C-59
	for _, c := range []struct {
		format splice.Format
		value  string
	}{
		{splice.YAML, "*hunter2abcd"}, {splice.YAML, "\"\\qhunter2abcd\""}, {splice.YAML, "[hunter2abcd"}, {splice.YAML, "a: hunter2abcd"},
		{splice.YAML, "@hunter2abcd"}, {splice.YAML, "!hunter2abcd! x"}, {splice.YAML, "%hunter2abcd"},
		{splice.TOML, "hunter2abcd"}, {splice.TOML, `"a" hunter2abcd`}, {splice.TOML, `"\xhunter2abcd"`}, {splice.TOML, "2020-13-45Thunter2abcd"},
		{splice.JSON, "hunter2abcd"}, {splice.JSON, `"\xhunter2abcd"`}, {splice.JSON, `"a" hunter2abcd`}, {splice.JSON, "1hunter2abcd"},
	} {
		d := formatRig(t, c.format, map[splice.Format]string{
			splice.JSON: `{"mcpServers": {"a": {"env": {"K": ` + c.value + `}}}}`,
			splice.TOML: "[mcp_servers.a.env]\nK = " + c.value + "\n",
			splice.YAML: "extensions:\n  a:\n    envs:\n      K: " + c.value + "\n",
		}[c.format])
		_, err := d.Plan(d.target, d.put("one"))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2abcd") {
			t.Errorf("%s %s: got %v", c.format, c.value, err)
		}
	}
}
