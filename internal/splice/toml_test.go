package splice

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	servers   = Place{Format: TOML, Container: []string{"servers"}}
	listing   = Place{Format: TOML, Container: []string{"servers"}, List: true}
	ourFields = Object{{"command", "/new/bridge"}, {"args", List{"connect", "notes"}}}
)

// plan makes a plan and checks that its inverse restores doc and that a second
// run changes nothing.
func plan(t *testing.T, doc string, p Place, c Change) string {
	t.Helper()
	got, err := Make([]byte(doc), p, c)
	if err != nil {
		t.Fatalf("Make: %v\n%s", err, doc)
	}
	back, err := Apply(got.After, got.Inverse)
	if err != nil || string(back) != doc && len(got.Edits) > 0 {
		t.Fatalf("the inverse gives %q, %v; want %q", back, err, doc)
	}
	again, err := Make(got.After, p, c)
	if err != nil || len(again.Edits) != 0 {
		t.Fatalf("a second run gives %d edits, %v; after the first:\n%s", len(again.Edits), err, got.After)
	}
	return string(got.After)
}

func refused(t *testing.T, doc string, p Place, c Change) *Error {
	t.Helper()
	got, err := Make([]byte(doc), p, c)
	var refusal *Error
	if !errors.As(err, &refusal) {
		t.Fatalf("Make of %q = %q, %v; want a refusal", doc, got.After, err)
	}
	return refusal
}

type row struct{ name, doc, want string }

func (r row) run(t *testing.T, p Place, c Change) {
	t.Run(r.name, func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(strings.Split(r.want, "\n"), strings.Split(plan(t, r.doc, p, c), "\n")); diff != "" {
			t.Errorf("the document after the change (-want +got):\n%s", diff)
		}
	})
}

// C-15, C-31, C-34
func TestTOMLAddsATableAtTheEnd(t *testing.T) {
	const block = "[servers.ours]\ncommand = \"/new/bridge\"\nargs = [\"connect\", \"notes\"]"
	crlf := strings.ReplaceAll(block, "\n", "\r\n")
	for _, r := range []row{
		{"nothing there", "", block + "\n"},
		{"white space only", "\r\n\r\n", "\r\n\r\n" + crlf + "\r\n"},
		{"other tables", "a = 1\n[servers.kelp]\ncommand = \"k\"\n", "a = 1\n[servers.kelp]\ncommand = \"k\"\n\n" + block + "\n"},
		{"blank line at the end", "a = 1\n\n", "a = 1\n\n" + block + "\n"},
		{"no line break at the end", "a = 1\r\nb = 2", "a = 1\r\nb = 2\r\n\r\n" + crlf},
		{"comment without line break", "a = 1\n# the end", "a = 1\n# the end\n\n" + block},
		{"dotted keys at the root", "servers.kelp.command = \"k\"\n[tui]\n", "servers.kelp.command = \"k\"\n[tui]\n\n" + block + "\n"},
		{"container opened by header", "[servers]\nkelp = { command = \"k\" }\n", "[servers]\nkelp = { command = \"k\" }\n\n" + block + "\n"},
		{"header in a string", "s = '''\n[servers.ours]\n'''\n", "s = '''\n[servers.ours]\n'''\n\n" + block + "\n"},
		{"header in a comment", "#[servers.ours]\n", "#[servers.ours]\n\n" + block + "\n"},
		{"text of TOML 1.1", "a = { b = \"\\e\",\n}\n", "a = { b = \"\\e\",\n}\n\n" + block + "\n"},
	} {
		r.run(t, servers, Change{Name: "ours", Entry: ourFields})
	}
}

// C-34
func TestTOMLAddsInsideAnInlineContainer(t *testing.T) {
	for _, r := range []row{
		{"members", `servers = { kelp = { command = "k" } } # c`, `servers = { kelp = { command = "k" }, ours = { command = "x" } } # c`},
		{"none", "servers = {}\n", `servers = { ours = { command = "x" } }` + "\n"},
		{"only blanks", "servers = { }\n", `servers = { ours = { command = "x" } }` + "\n"},
		{"trailing comma of TOML 1.1", "servers = { a = {}, }\n", `servers = { a = {}, ours = { command = "x" }, }` + "\n"},
	} {
		r.run(t, servers, Change{Name: "ours", Entry: Object{{"command", "x"}}})
	}
	deep := Place{Format: TOML, Container: []string{"a", "b"}}
	row{"a table above is inline", "a = { c = 1 }\n", `a = { c = 1, b = { ours = { command = "x" } } }` + "\n"}.
		run(t, deep, Change{Name: "ours", Entry: Object{{"command", "x"}}})
}

// C-20
func TestTOMLQuotesNames(t *testing.T) {
	for name, header := range map[string]string{
		"a.b": `["x.y"."a.b"]`, "": `["x.y".""]`, "é/~*": `["x.y"."é/~*"]`, `q"\`: `["x.y"."q\"\\"]`, "t\x01\n": `["x.y"."t\u0001\n"]`,
	} {
		p := Place{Format: TOML, Container: []string{"x.y"}}
		row{name, "[x.y]\n", "[x.y]\n\n" + header + "\nc = 1\n"}.run(t, p, Change{Name: name, Entry: Object{{"c", Number("1")}}})
	}
}

// C-23, C-25, C-28, C-36
func TestTOMLUpdatesOnlyOurFields(t *testing.T) {
	for _, r := range []row{
		{"odd header", "[ servers . \"ours\" ] # ours\ncommand =  '/old'  # c\nargs = [ # one\n 'connect',\n 'notes' ]\nenabled = false\n[servers.z]\n",
			"[ servers . \"ours\" ] # ours\ncommand =  \"/new/bridge\"  # c\nargs = [ # one\n 'connect',\n 'notes' ]\nenabled = false\n[servers.z]\n"},
		{"dotted keys at the root", "servers.ours.command = 1\nservers.'ours' . args = []\n[t]\n",
			"servers.ours.command = \"/new/bridge\"\nservers.'ours' . args = [\"connect\", \"notes\"]\n[t]\n"},
		{"dotted keys below the container", "[servers]\n ours.enabled = true\nz.command = 1\n",
			"[servers]\n ours.enabled = true\n ours.command = \"/new/bridge\"\n ours.args = [\"connect\", \"notes\"]\nz.command = 1\n"},
		{"inline", "[servers]\nours = { enabled = true, args = [], gone = 1 }\n",
			"[servers]\nours = { enabled = true, args = [\"connect\", \"notes\"], command = \"/new/bridge\" }\n"},
		{"inline and dotted in braces", "servers = { ours.gone = 1, z.command = 1 }\n",
			"servers = { z.command = 1, ours.command = \"/new/bridge\", ours.args = [\"connect\", \"notes\"] }\n"},
		{"only a sub-table", "[servers.ours.tools]\na = 1\n",
			"[servers.ours.tools]\na = 1\n\n[servers.ours]\ncommand = \"/new/bridge\"\nargs = [\"connect\", \"notes\"]\n"},
		{"fields missing, comment below", "[servers.ours]\n# note\n\n[z]",
			"[servers.ours]\ncommand = \"/new/bridge\"\nargs = [\"connect\", \"notes\"]\n# note\n\n[z]"},
		{"field dropped", "[servers.ours]\ncommand = \"/new/bridge\"\ngone = 1 # c\nargs = [\"connect\", \"notes\"]",
			"[servers.ours]\ncommand = \"/new/bridge\"\nargs = [\"connect\", \"notes\"]"},
		{"no line break at the end", "[servers.ours]\r\ncommand = \"/new/bridge\"\r\ngone = 1",
			"[servers.ours]\r\ncommand = \"/new/bridge\"\r\nargs = [\"connect\", \"notes\"]"},
		{"equal in meaning", "[servers.ours]\nargs = ['connect', \"not\\u0065s\"]\ncommand = '''/new/bridge'''",
			"[servers.ours]\nargs = ['connect', \"not\\u0065s\"]\ncommand = '''/new/bridge'''"},
	} {
		r.run(t, servers, Change{Name: "ours", Entry: ourFields, Drop: []string{"gone"}})
	}
}

// C-36, C-38
func TestTOMLReplacesSubTables(t *testing.T) {
	env := Object{{"env", Object{{"A", "1"}, {"B", "2"}}}}
	for _, r := range []row{
		{"by header", "[servers.ours]\n[servers.ours.env] # e\nA = '0'\nC = '3'\n", "[servers.ours]\n[servers.ours.env] # e\nA = \"1\"\nB = \"2\"\n"},
		{"dotted", "[servers.ours]\nenv.C = '3'\nenv.A = '1'\nx = 1\n", "[servers.ours]\nenv.A = '1'\nenv.B = \"2\"\nx = 1\n"},
		{"inline", "[servers.ours]\nenv = { A = '1' }\n", "[servers.ours]\nenv = { A = \"1\", B = \"2\" }\n"},
		{"no table before", "[servers.ours]\nenv = 1\n", "[servers.ours]\nenv = { A = \"1\", B = \"2\" }\n"},
		{"array of tables before", "[servers.ours]\n[[servers.ours.env]]\na=1\n", "[servers.ours]\nenv = { A = \"1\", B = \"2\" }\n"},
	} {
		r.run(t, servers, Change{Name: "ours", Entry: env})
	}
	for _, r := range []row{
		{"dotted, to be empty", "[servers.ours]\nenv.A = '1'\nx = 1\n", "[servers.ours]\nx = 1\nenv = {}\n"},
		{"by header, to be empty", "[servers.ours.env]\nA = '1'\n", "[servers.ours.env]\n"},
	} {
		r.run(t, servers, Change{Name: "ours", Entry: Object{{"env", Object{}}}})
	}
	row{"no object any more", "[servers.ours]\n[servers.ours.env]\nA = '1'\n", "[servers.ours]\nenv = true\n"}.
		run(t, servers, Change{Name: "ours", Entry: Object{{"env", true}}})
}

// C-37, C-38
func TestTOMLRemovesAllOfOursAndNothingElse(t *testing.T) {
	for _, r := range []row{
		{"tables in several places", "[servers.ours]\na = 1\n# inside\nb = 2\n# of kelp\n[servers.kelp]\nc = 1\n[ servers . 'ours' . env ]\nA = '1'\n# end\n",
			"# of kelp\n[servers.kelp]\nc = 1\n# end\n"},
		{"dotted", "servers.ours.command = 1\nservers.kelp.command = 2\nservers.ours.env.A = 2\n[t]\n", "servers.kelp.command = 2\n[t]\n"},
		{"dotted and sub-table", "[servers]\nours.command = 1\nz = {}\n[servers.ours.env]\nA = 1\n", "[servers]\nz = {}\n"},
		{"inline, first", "servers = { ours = {a = 1}, z = 1 }", "servers = { z = 1 }"},
		{"inline, last", "servers = { z = 1, ours = {a = 1} }", "servers = { z = 1 }"},
		{"inline, middle", "servers = {y=1,ours={a = [1,'}']},z=1}", "servers = {y=1,z=1}"},
		{"inline, only", "servers = { ours = {a = 1} }", "servers = { }"},
		{"inline, several lines of TOML 1.1", "servers = {\n y = 1, # y\n ours = {a = 1}, # o\n z = 1 # z\n}\n", "servers = {\n y = 1, # y\n # o\n z = 1 # z\n}\n"},
		{"array of tables", "[[servers.ours]]\na = 1\n[[servers.ours]]\na = 2\n[[servers.ours.b]]\n[servers.kelp]\n", "[servers.kelp]\n"},
		{"last without line break", "[z]\r\na = 1\r\n[servers.ours]\r\nb = 1", "[z]\r\na = 1"},
		{"not there", "[servers.kelp]\n", "[servers.kelp]\n"},
		{"a name that begins alike", "[servers.ours2]\n[servers.\"ours.x\"]\n[servers.ours.x]\n", "[servers.ours2]\n[servers.\"ours.x\"]\n"},
	} {
		r.run(t, servers, Change{Name: "ours", Remove: true})
	}
}

func TestTOMLListByName(t *testing.T) {
	const ours = "[[servers]]\nname = \"ours\"\ncommand = \"x\"\n"
	set := Change{Name: "ours", Entry: Object{{"command", "x"}}}
	for _, r := range []row{
		{"missing", "a = 1\n", "a = 1\n\n" + ours},
		{"there", "[[servers]]\nname = 'z'\n[servers.env]\nA = 1\n", "[[servers]]\nname = 'z'\n[servers.env]\nA = 1\n\n" + ours},
		{"update", "[[servers]]\ncommand = 'y'\nname = 'ours'\n[[servers]]\nname = 'z'\n", "[[servers]]\ncommand = \"x\"\nname = 'ours'\n[[servers]]\nname = 'z'\n"},
		{"empty array", "servers = []\nb = 1\n", "servers = [{ name = \"ours\", command = \"x\" }]\nb = 1\n"},
		{"array on one line", "servers = [ {name = 'z'} ]\n", "servers = [ {name = 'z'}, { name = \"ours\", command = \"x\" } ]\n"},
		{"array on lines", "servers = [\n\t{name = 'z'} # z\n]\n", "servers = [\n\t{name = 'z'}, # z\n\t{ name = \"ours\", command = \"x\" }\n]\n"},
		{"array on lines, trailing comma", "servers = [\n\t{name = 'z'}, # z\n]\n", "servers = [\n\t{name = 'z'}, # z\n\t{ name = \"ours\", command = \"x\" },\n]\n"},
	} {
		r.run(t, listing, set)
	}
	for _, r := range []row{
		{"remove", "[[servers]]\nname = 'y'\n[[servers]]\nname = 'ours'\n[servers.env]\nA = 1\n[[servers]]\nname = 'z'\n", "[[servers]]\nname = 'y'\n[[servers]]\nname = 'z'\n"},
		{"remove from an array", "servers = [{name = 'ours'}, {name = 'z'}]\n", "servers = [{name = 'z'}]\n"},
		{"remove from lines", "servers = [\n {name = 'z'}, # z\n {name = 'ours'} \n # end\n]\n", "servers = [\n {name = 'z'} # z\n # end\n]\n"},
	} {
		r.run(t, listing, Change{Name: "ours", Remove: true})
	}
}

// C-17, C-21, C-22, C-23
func TestTOMLRefuses(t *testing.T) {
	for _, r := range []struct {
		name, doc    string
		place        Place
		reason       Reason
		line, column int
		detail       string
	}{
		{"table twice", "[servers.a]\n[servers.a]\n", servers, InvalidSyntax, 2, 10, "opened above"},
		{"key twice", "[x]\n'é' = 1\n\"\\u00e9\" = 2\n", servers, InvalidSyntax, 3, 1, "twice"},
		{"key twice in braces", "x = { a = 1, a.b = 2 }\n", servers, InvalidSyntax, 1, 14, "already"},
		{"key twice in braces in a list", "x = [{ a = 1, a = 2 }]\n", servers, InvalidSyntax, 1, 15, "twice"},
		{"dotted table opened", "servers.a.b = 1\n[servers.a]\n", servers, InvalidSyntax, 2, 10, "dotted"},
		{"dotted key into a table", "[a.b]\n[a]\nb.c = 1\n", servers, InvalidSyntax, 3, 1, "dotted"},
		{"inline table extended", "a = {}\n[a.b]\n", servers, InvalidSyntax, 2, 2, "value"},
		{"array extended", "a = []\n[[a]]\n", servers, InvalidSyntax, 2, 3, "array of tables"},
		{"Windows path", "[x]\ny = \"C:\\Users\\ada\"\n", servers, InvalidSyntax, 2, 10, `doubled`},
		{"cut off", "[servers.a]\nb = \"x", servers, InvalidSyntax, 2, 6, "unterminated"},
		{"merge marker", "a = 1\n<<<<<<< HEAD\n", servers, InvalidSyntax, 2, 1, "merge marker"},
		{"date that is none", "a = 'é'\nb = {'é' = 2026-02-30}\n", servers, InvalidSyntax, 2, 20, ""},
		{"array of tables for tables by name", "\n[[servers]]\nname = 'a'\n", servers, WrongType, 2, 3, "[servers.name]"},
		{"text for tables", "servers = 'a'\n", servers, WrongType, 1, 1, ""},
		{"tables by name for an array", "[servers.a]\n", listing, WrongType, 1, 2, "[[servers]]"},
		{"array of texts", "servers = [{name = 'a'}, 'a']\n", listing, WrongType, 1, 26, ""},
		{"entry of another type", "servers.ours = 1\n", servers, WrongType, 1, 9, ""},
		{"our name twice in a list", "[[servers]]\nname='ours'\n[[servers]]\nname = 'ours'\n", listing, DuplicateKey, 3, 3, "ours"},
		{"names without end", strings.Repeat("[[a]]\n", maxTOMLNames+1), servers, TooLarge, maxTOMLNames + 1, 3, ""},
		{"deep", "a = " + strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), servers, TooDeep, 1, MaxDepth + 5, ""},
		{"deep key", "a" + strings.Repeat(".a", MaxDepth) + " = 1", servers, TooDeep, 1, 2*MaxDepth + 1, ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			got := refused(t, r.doc, r.place, Change{Name: "ours", Entry: ourFields})
			if got.Reason != r.reason || got.Line != r.line || got.Column != r.column || !strings.Contains(got.Detail, r.detail) {
				t.Errorf("refused with %v; want %d:%d: %s, %q", got, r.line, r.column, r.reason, r.detail)
			}
		})
	}
}

func TestTOMLEntries(t *testing.T) {
	doc := "servers.a.n = 1.50\n[servers.b]\nd = 2026-11-21\nl = [true, { x.y = 'z' }]\n[[servers.c]]\n[[servers.c]]\nq = 1\n"
	got, err := Entries([]byte(doc), servers)
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"a", Object{{"n", Number("1.50")}}, 1, 9},
		{"b", Object{{"d", "2026-11-21"}, {"l", List{true, Object{{"x", Object{{"y", "z"}}}}}}}, 2, 10},
		{"c", List{Object{}, Object{{"q", Number("1")}}}, 5, 11},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
