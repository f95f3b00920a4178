package splice

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	extensions = Place{Format: YAML, Container: []string{"ext"}}
	yamlList   = Place{Format: YAML, Container: []string{"ext"}, List: true}
	setCmd     = Change{Name: "ours", Entry: Object{{"cmd", "x"}, {"args", List{"a", "b"}}}}
)

// C-15, C-31, C-32, C-35
func TestYAMLAddsBehindTheLastEntry(t *testing.T) {
	const ours = "  ours:\n    cmd: \"x\"\n    args: [\"a\", \"b\"]"
	crlf := strings.ReplaceAll(ours, "\n", "\r\n")
	for _, r := range []row{
		{"nothing there", "", "ext:\n" + ours + "\n"},
		{"white space only", "\r\n\r\n", "\r\n\r\next:\r\n" + crlf + "\r\n"},
		{"tabs and blanks only", " \n\t \n \t", " \n \n \next:\n" + ours},
		{"comments only", "# a\n# b", "# a\n# b\next:\n" + ours},
		{"begin of a document only", "---\n# a\n...\n# b\n", "---\n# a\next:\n" + ours + "\n...\n# b\n"},
		{"container missing", "a: 1\n\n# end\n", "a: 1\next:\n" + ours + "\n\n# end\n"},
		{"container missing, deep root", "a:\n    b: 1\n...\n", "a:\n    b: 1\next:\n    ours:\n        cmd: \"x\"\n        args: [\"a\", \"b\"]\n...\n"},
		{"container empty", "ext:   # none\n\nb: 1\n", "ext:   # none\n" + ours + "\n\nb: 1\n"},
		{"container null", "ext: ~   # none\nb: 1\n", "ext:    # none\n" + ours + "\nb: 1\n"},
		{"container null, no more", "ext: null\nb: 1\n", "ext:\n" + ours + "\nb: 1\n"},
		{"container empty, comment in it", "ext:\n  # none\n# b\nb: 1\n", "ext:\n  # none\n" + ours + "\n# b\nb: 1\n"},
		{"container of empty braces", "ext: {} # none\nb: 1\n", "ext:  # none\n" + ours + "\nb: 1\n"},
		{"empty braces at the end", "ext: { }", "ext:\n" + ours},
		{"container with an anchor", "ext: &e {}\n", "ext: &e\n" + ours + "\n"},
		{"before the next key", "ext:\n  k:\n    cmd: k\n\nb: 1\n", "ext:\n  k:\n    cmd: k\n" + ours + "\n\nb: 1\n"},
		{"comments of the entry before", "ext:\n  k:\n    cmd: k\n    # in k\n  # of k\n# of b\nb: 1\n", "ext:\n  k:\n    cmd: k\n    # in k\n  # of k\n" + ours + "\n# of b\nb: 1\n"},
		{"CRLF, no line break at the end", "ext:\r\n  k:\r\n    cmd: k", "ext:\r\n  k:\r\n    cmd: k\r\n" + crlf},
		{"other indentation", "ext:\n   k:\n     cmd: k\n", "ext:\n   k:\n     cmd: k\n   ours:\n     cmd: \"x\"\n     args: [\"a\", \"b\"]\n"},
		{"after folded text", "ext:\n  k:\n    t: >-\n      a\n\n      b\n\nb: 1\n", "ext:\n  k:\n    t: >-\n      a\n\n      b\n" + ours + "\n\nb: 1\n"},
		{"after text that keeps its blank lines", "ext:\n  k:\n    t: |+\n      a # b\n\n\nb: 1\n", "ext:\n  k:\n    t: |+\n      a # b\n\n\n" + ours + "\nb: 1\n"},
		{"after plain text on lines", "ext:\n  k:\n    t: a\n      b\n\n      c # d\nb: 1\n", "ext:\n  k:\n    t: a\n      b\n\n      c # d\n" + ours + "\nb: 1\n"},
		{"after quoted text on lines", "ext:\n  k: 'a ''\n\n # b'\nb: 1\n", "ext:\n  k: 'a ''\n\n # b'\n" + ours + "\nb: 1\n"},
		{"after brackets on lines", "ext:\n  k: [a, {b: 'c]', d}, # e\n   \"f\\\"]\", http://g,]\nb: 1\n", "ext:\n  k: [a, {b: 'c]', d}, # e\n   \"f\\\"]\", http://g,]\n" + ours + "\nb: 1\n"},
		{"after an alias", "a: &a {}\next:\n  k: *a # c\n", "a: &a {}\next:\n  k: *a # c\n" + ours + "\n"},
		{"after a null with an anchor", "ext:\n  k: &a !!null\n  # c\n", "ext:\n  k: &a !!null\n  # c\n" + ours + "\n"},
		{"a decoy in text", "a: |\n  ext:\n    ours:\next:\n  k:\n", "a: |\n  ext:\n    ours:\next:\n  k:\n" + ours + "\n"},
		{"characters of several bytes", "é: \"ü\"\n\"ext\": # ö\n  ü: {é: 'ü'} # é\n", "é: \"ü\"\n\"ext\": # ö\n  ü: {é: 'ü'} # é\n" + ours + "\n"},
	} {
		r.run(t, extensions, setCmd)
	}
}

func TestYAMLAddsToAList(t *testing.T) {
	for _, r := range []row{
		{"at the indentation of the key", "ext:\n- name: k\n# of b\nb: 1\n", "ext:\n- name: k\n- name: \"ours\"\n  cmd: \"x\"\n# of b\nb: 1\n"},
		{"wider", "ext:\n    -   name: k\n        a:\n        - b\n", "ext:\n    -   name: k\n        a:\n        - b\n    -   name: \"ours\"\n        cmd: \"x\"\n"},
		{"dash on its own line", "ext:\n  -\n    name: k\n", "ext:\n  -\n    name: k\n  - name: \"ours\"\n    cmd: \"x\"\n"},
		{"missing", "a: 1\n", "a: 1\next:\n  - name: \"ours\"\n    cmd: \"x\"\n"},
		{"empty", "ext: []\n", "ext:\n  - name: \"ours\"\n    cmd: \"x\"\n"},
	} {
		r.run(t, yamlList, Change{Name: "ours", Entry: Object{{"cmd", "x"}}})
	}
}

// C-20
func TestYAMLQuotesNames(t *testing.T) {
	for name, key := range map[string]string{
		"a.b": "a.b", "": `""`, "é": `"é"`, "on": `"on"`, "1": `"1"`, "a: b": `"a: b"`, "<<": `"<<"`, "t\u0085\x01\U0001F600": "\"t\\u0085\\u0001\U0001F600\"", "~": `"~"`,
	} {
		row{name, "ext:\n  k: 1\n", "ext:\n  k: 1\n  " + key + ":\n    c: 1\n"}.run(t, extensions, Change{Name: name, Entry: Object{{"c", Number("1")}}})
	}
}

// C-25, C-28, C-36
func TestYAMLUpdatesOnlyOurFields(t *testing.T) {
	for _, r := range []row{
		{"plain", "ext:\n  \"ours\": # o\n    cmd:  'y'  # c\n    args: [a, \"b\"]\n    on: yes\n", "ext:\n  \"ours\": # o\n    cmd:  \"x\"  # c\n    args: [a, \"b\"]\n    on: yes\n"},
		{"lists on lines", "ext:\n  ours:\n    cmd: x\n    args: # c\n    # d\n    - z\n    # e\n    - y\n    on: 1\n", "ext:\n  ours:\n    cmd: x\n    args: # c\n    # d\n    - \"a\"\n    - \"b\"\n    on: 1\n"},
		{"nothing to something", "ext:\n  ours:\n    cmd:   # c\n    args: ~\n", "ext:\n  ours:\n    cmd: \"x\"   # c\n    args: [\"a\", \"b\"]\n"},
		{"text in a block", "ext:\n  ours:\n    cmd: |\n      y\n\n    args:\n      b: 1\n    on: 1\n", "ext:\n  ours:\n    cmd: \"x\"\n\n    args: [\"a\", \"b\"]\n    on: 1\n"},
		{"fields missing", "ext:\n  ours:\n    on: 1\n    # c\n  k: 1\n", "ext:\n  ours:\n    on: 1\n    cmd: \"x\"\n    args: [\"a\", \"b\"]\n    # c\n  k: 1\n"},
		{"braces", "ext:\n  ours: {on: 1, cmd: y,}\n", "ext:\n  ours: {on: 1, cmd: \"x\", args: [\"a\", \"b\"],}\n"},
		{"empty braces", "ext:\n  ours: {}\n", "ext:\n  ours: {cmd: \"x\", args: [\"a\", \"b\"]}\n"},
		{"null", "ext:\n  ours:\n  k: 1\n", "ext:\n  ours:\n    cmd: \"x\"\n    args: [\"a\", \"b\"]\n  k: 1\n"},
		{"from a merge key", "a: &a\n  cmd: x\n  args: [b]\next:\n  ours:\n    <<: *a\n    on: 1\n", "a: &a\n  cmd: x\n  args: [b]\next:\n  ours:\n    <<: *a\n    on: 1\n    args: [\"a\", \"b\"]\n"},
		{"equal in meaning", "l: &l [a, b]\next:\n  ours:\n    args: *l\n    cmd: >-\n      x\n", "l: &l [a, b]\next:\n  ours:\n    args: *l\n    cmd: >-\n      x\n"},
		{"field dropped", "ext:\n  ours:\n    cmd: x\n    gone:\n      a: 1\n    args: [a, b]\n", "ext:\n  ours:\n    cmd: x\n    args: [a, b]\n"},
		{"last field dropped", "ext:\r\n  ours:\r\n    cmd: x\r\n    args: [a, b]\r\n    gone: 1", "ext:\r\n  ours:\r\n    cmd: x\r\n    args: [a, b]"},
	} {
		c := setCmd
		c.Drop = []string{"gone"}
		r.run(t, extensions, c)
	}
	for _, r := range []row{
		{"in a list", "ext:\n- cmd: y\n  name: ours\n- name: k\n", "ext:\n- cmd: \"x\"\n  name: ours\n- name: k\n"},
		{"the field of the dash", "ext:\n- gone: y\n  name: ours\n  cmd: x\n", "ext:\n- name: ours\n  cmd: x\n"},
	} {
		r.run(t, yamlList, Change{Name: "ours", Entry: Object{{"cmd", "x"}}, Drop: []string{"gone"}})
	}
	row{"a mapping", "ext:\n  ours:\n    env:\n      B: 2 # b\n      A: 0 # a\n    on: 1\n", "ext:\n  ours:\n    env:\n      A: \"1\" # a\n      C: \"3\"\n    on: 1\n"}.
		run(t, extensions, Change{Name: "ours", Entry: Object{{"env", Object{{"A", "1"}, {"C", "3"}}}}})
	row{"a mapping, none of it stays", "ext:\n  ours:\n    env:\n      B: 2", "ext:\n  ours:\n    env:\n      A: \"1\""}.
		run(t, extensions, Change{Name: "ours", Entry: Object{{"env", Object{{"A", "1"}}}}})
	row{"a mapping, to be empty", "ext:\n  ours:\n    env: # c\n      B: 2\n    on: 1\n", "ext:\n  ours:\n    env: {} # c\n    on: 1\n"}.
		run(t, extensions, Change{Name: "ours", Entry: Object{{"env", Object{}}}})
}

// C-37
func TestYAMLRemovesAnEntryWithItsLines(t *testing.T) {
	for _, r := range []row{
		{"first", "ext:\n  # of ours\n  ours:\n    a: 1 # c\n    # in ours\n\n  # of k\n  k: 1\n", "ext:\n  # of ours\n\n  # of k\n  k: 1\n"},
		{"last", "ext:\n  k: 1\n  ours:\n    a: 1\nb: 1\n", "ext:\n  k: 1\nb: 1\n"},
		{"without line break", "ext:\r\n  k: 1\r\n  ours:\r\n    a: 1", "ext:\r\n  k: 1"},
		{"the only one", "ext: # c\n  ours:\n    a: 1\n", "ext: {} # c\n"},
		{"the only one, with an anchor", "ext: &e # c\n  ours: 1\n", "ext: &e {} # c\n"},
		{"after text that keeps its blank lines", "ext:\n  k: |+\n   a\n\n  ours: 1\n\n\nb: 1\n", "ext:\n  k: |+\n   a\n\nb: 1\n"},
		{"after text, blanks below", "ext:\n  k: |\n   a\n\n  ours: 1\n\n       \n\nb: 1\n", "ext:\n  k: |\n   a\n\n\n\nb: 1\n"},
		{"after text, no line break", "ext:\n  k: |\n   a\n  ours: 1", "ext:\n  k: |\n   a\n"},
		{"an alias", "a: &a 1\next:\n  ours: *a\n  k: 1\n", "a: &a 1\next:\n  k: 1\n"},
		{"text in it", "ext:\n  ours: |\n    a\n\n    k: 1\n  k: 1\n", "ext:\n  k: 1\n"},
		{"not there", "ext:\n  k: 1\n", "ext:\n  k: 1\n"},
		{"an anchor of no use", "ext:\n  ours: &a 1\n  k: 1\n", "ext:\n  k: 1\n"},
	} {
		r.run(t, extensions, Change{Name: "ours", Remove: true})
	}
	for _, r := range []row{
		{"of a list", "ext:\n- name: k\n# ours\n- cmd: x\n  name: ours\n# of l\n- name: l\n", "ext:\n- name: k\n# ours\n# of l\n- name: l\n"},
		{"the only one of a list", "ext:\n- name: ours\nb: 1\n", "ext: []\nb: 1\n"},
		{"dash on its own line", "ext:\n  - # d\n    name: ours\n  - name: k\n", "ext:\n  - name: k\n"},
	} {
		r.run(t, yamlList, Change{Name: "ours", Remove: true})
	}
}

// C-17, C-21, C-22, C-24
func TestYAMLRefuses(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for _, n := range "123456789" {
		before := "*a" + string(n-1)
		laughs += "a" + string(n) + ": &a" + string(n) + " [" + before + strings.Repeat(", "+before, 9) + "]\n"
	}
	remove := Change{Name: "ours", Remove: true}
	dropGone := Change{Name: "ours", Drop: []string{"gone"}}
	for _, r := range []struct {
		name, doc    string
		place        Place
		change       Change
		reason       Reason
		line, column int
	}{
		{"mapping cut off", "ext:\n  k: {a\n", extensions, setCmd, InvalidSyntax, 2, 3},
		{"tab", "ext:\n\tk: 1\n", extensions, setCmd, InvalidSyntax, 2, 1},
		{"unknown alias", "é: *b\n", extensions, setCmd, InvalidSyntax, 1, 4},
		{"control character", "é: \x01\n", extensions, setCmd, InvalidSyntax, 1, 4},
		{"line separator", "a: 1\n# \u2028b: 1\n", extensions, setCmd, UnsupportedLayout, 2, 3},
		{"directive", "%YAML 1.2\n---\na: 1\n", extensions, setCmd, UnsupportedLayout, 1, 1},
		{"second document", "a: 1\n---\nb: 1\n", extensions, setCmd, MultipleDocuments, 2, 1},
		{"second document, empty", "a: 1\n--- # c\n", extensions, setCmd, MultipleDocuments, 2, 1},
		{"container twice", "ext:\n  k: 1\n'ext':\n", extensions, setCmd, DuplicateKey, 3, 1},
		{"our name twice", "ext:\n  ours: 1\n  \"o\\x75rs\": 1\n", extensions, setCmd, DuplicateKey, 3, 3},
		{"our field twice", "ext:\n  ours:\n    cmd: 1\n    cmd: 2\n", extensions, setCmd, DuplicateKey, 4, 5},
		{"list for a mapping", "ext:\n- a\n", extensions, setCmd, WrongType, 2, 1},
		{"mapping for a list", "ext: {a: 1}\n", yamlList, setCmd, WrongType, 1, 6},
		{"text at the root", "hello\n", extensions, setCmd, WrongType, 1, 1},
		{"entry of another type", "ext:\n  ours: [a]\n", extensions, setCmd, WrongType, 2, 9},
		{"container is an alias", "a: &a {}\next: *a\n", extensions, setCmd, UnsupportedLayout, 2, 6},
		{"container in braces", "ext: {k: 1}\n", extensions, setCmd, UnsupportedLayout, 1, 6},
		{"container from a merge key", "a: &a {ext: {}}\n<<: *a\n", extensions, setCmd, UnsupportedLayout, 2, 1},
		{"entry is an alias", "a: &a {cmd: y}\next:\n  ours: *a\n", extensions, setCmd, UnsupportedLayout, 3, 9},
		{"field from a merge key", "a: &a {gone: 1}\next:\n  ours:\n    <<: *a\n", extensions, dropGone, UnsupportedLayout, 4, 5},
		{"field in braces", "ext:\n  ours: {gone: 1}\n", extensions, dropGone, UnsupportedLayout, 2, 9},
		{"anchor of a dropped field", "ext:\n- name: ours\n  gone: &a [a]\n- *a\n", yamlList, dropGone, AnchorInUse, 3, 9},
		{"comment between the fields", "ext:\n- gone: 1 # c\n  name: ours\n", yamlList, dropGone, UnsupportedLayout, 2, 3},
		{"entry from a merge key", "a: &a {ours: {cmd: 1}}\next:\n  <<: *a\n  k: 1\n", extensions, setCmd, UnsupportedLayout, 3, 3},
		{"null at the root", "--- ~\n", extensions, setCmd, UnsupportedLayout, 1, 5},
		{"root in braces", "{}\n", extensions, setCmd, UnsupportedLayout, 1, 1},
		{"key without a colon", "a: 1\n? b\n", extensions, setCmd, UnsupportedLayout, 2, 3},
		{"merge marker", "a: 1\n<<<<<<< HEAD\nb: 2\n", extensions, setCmd, InvalidSyntax, 2, 1},
		{"question marks", "? ext\n: k: 1\n", extensions, Change{Name: "k", Remove: true}, UnsupportedLayout, 2, 6},
		{"text without end", "ext:\n  k: |\n    a", extensions, setCmd, UnsupportedLayout, 3, 6},
		{"removed anchor", "ext:\n  ours: &a {cmd: y}\n  k: *a\n", extensions, remove, AnchorInUse, 2, 9},
		{"removed anchor of a field", "ext:\n  ours:\n    cmd: &a y\n  k: *a\n", extensions, remove, AnchorInUse, 3, 10},
		{"changed anchor", "ext:\n  ours: &a {cmd: y}\nk:\n  <<: *a\n", extensions, setCmd, AnchorInUse, 2, 9},
		{"anchor of the container", "ext: &a\n  ours: {cmd: y}\nk: *a\n", extensions, setCmd, AnchorInUse, 1, 6},
		{"billions of values", laughs + "ext:\n  k: *a9\n", extensions, setCmd, UnsupportedLayout, 12, 6},
		{"deep", strings.Repeat("[", MaxDepth+1), extensions, setCmd, TooDeep, 1, 1},
		{"deep in lines", strings.Repeat("- ", MaxDepth+1), extensions, setCmd, TooDeep, 1, 1},
	} {
		t.Run(r.name, func(t *testing.T) {
			got := refused(t, r.doc, r.place, r.change)
			if got.Reason != r.reason || got.Line != r.line || got.Column != r.column {
				t.Errorf("refused with %v; want %d:%d: %s", got, r.line, r.column, r.reason)
			}
		})
	}
	plan(t, laughs+"ext:\n  k: 1\n", extensions, setCmd) // elsewhere they are nobody's business
}

// C-21
func TestYAMLWarnsOfForeignNamesThatAreThereTwice(t *testing.T) {
	got, err := Make([]byte("ext:\n  k: 1\n  k: 2\n"), extensions, setCmd)
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "line 3") {
		t.Errorf("warnings %q, %v; want one that names line 3", got.Warnings, err)
	}
}

func TestYAMLEntries(t *testing.T) {
	doc := "d: &d {x: 1, y: 0x1F}\next:\n  k:\n    <<: *d\n    x: 1.50\n    on: yes\n    t: TRUE\n    n: ~\n  'l': [a, 2026-11-21]\n  ? [q]\n  : 1\n"
	got, err := Entries([]byte(doc), extensions)
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"k", Object{{"x", Number("1.50")}, {"on", "yes"}, {"t", true}, {"n", nil}, {"y", Number("0x1F")}}, 3, 3},
		{"l", List{"a", "2026-11-21"}, 9, 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
