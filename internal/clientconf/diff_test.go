package clientconf

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/splice"
)

// edited gives a text after edits, and the comparison of the two.
func edited(was string, edits ...splice.Edit) *comparison {
	p := piecesOf([]byte(was)).edited(edits)
	return &comparison{name: "f", format: splice.JSON, was: []byte(was), is: p.text(), hunks: p.since([]byte(was))}
}

func TestADiffShowsTheLinesThatChange(t *testing.T) { // C-41
	was := "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3,\n  \"d\": 4,\n  \"e\": {\n    \"x\": {}\n  }\n}"
	at := strings.Index(was, "{}") + 2
	c := edited(was, splice.Edit{At: at, Insert: []byte(",\n    \"y\": {\"command\": \"/d\"}")})
	want := `--- f
+++ f
@@ -4,6 +4,7 @@
   "c": •••,
   "d": •••,
   "e": {
-    "x": {}
+    "x": {},
+    "y": {"command": "/d"}
   }
 }
\ No newline at end of file
`
	if diff := cmp.Diff(want, c.unified()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestADiffOfANewOrADeletedFileNamesNone(t *testing.T) {
	c := edited("", splice.Edit{Insert: []byte("{}\n")})
	c.was = nil
	if got, want := c.unified(), "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+{}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c = edited("{}\n", splice.Edit{Delete: 3})
	c.is = nil
	if got, want := c.unified(), "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-{}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestALongLineIsShownAroundTheChange(t *testing.T) {
	was := "{" + strings.Repeat(`"name":{"command":"npx"},`, 2000) + `"z":{}}`
	c := edited(was, splice.Edit{At: len(was) - 1, Insert: []byte(`,"ours":{"command":"/d"}`)})
	got := c.unified()
	if len(got) > 2000 || !strings.Contains(got, `"ours":{"command":"/d"}`) {
		t.Errorf("got %d bytes: %.3000s", len(got), got)
	}
}

// randomEdits are some edits in order, and text from a small alphabet with many
// line ends.
func randomEdits(r *rand.Rand, n int) (list []splice.Edit) {
	at := 0
	for range r.IntN(4) {
		at += r.IntN(max(1, n-at+1))
		e := splice.Edit{At: at, Delete: r.IntN(n - at + 1), Insert: someText(r, 6)}
		at += e.Delete
		list = append(list, e)
	}
	return list
}

func someText(r *rand.Rand, n int) []byte {
	out := make([]byte, r.IntN(n+1))
	for i := range out {
		out[i] = "ab\n"[r.IntN(3)]
	}
	return out
}

// apply is edits one after the other, from the back.
func apply(text []byte, edits []splice.Edit) []byte {
	for _, e := range slices.Backward(edits) {
		text = slices.Concat(text[:e.At], e.Insert, text[e.At+e.Delete:])
	}
	return text
}

func TestPlansOneAfterTheOtherAreOneListOfEdits(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		was := someText(r, 20)
		parts, is := piecesOf(was), bytes.Clone(was)
		for range 1 + r.IntN(3) {
			list := randomEdits(r, len(is))
			parts, is = parts.edited(list), apply(is, list)
			if got := parts.text(); !bytes.Equal(got, is) {
				t.Fatalf("seed %d: got %q, want %q", seed, got, is)
			}
		}
		c := &comparison{name: "f", was: was, is: is, hunks: parts.since(was)}
		if got := apply(was, edits(c.hunks)); !bytes.Equal(got, is) {
			t.Fatalf("seed %d: the edits give %q, want %q", seed, got, is)
		}
		if got := apply(is, inverse(c.hunks)); !bytes.Equal(got, was) {
			t.Fatalf("seed %d: the inverse gives %q, want %q", seed, got, was)
		}
		wantPatch(t, c)
		if (c.unified() == "") != bytes.Equal(was, is) {
			t.Fatalf("seed %d: %q to %q has the diff %q", seed, was, is, c.unified())
		}
	}
}

// wantPatch checks that a unified diff, read as patch(1) does, leads from the
// one text to the other.
func wantPatch(t *testing.T, c *comparison) {
	t.Helper()
	c.foreignGone, c.foreignFresh = false, false
	var out []byte
	at := 0
	for _, b := range c.blocks() {
		if b.was0 < at || !atLineStart(c.was, b.was0) || !atLineStart(c.is, b.is0) {
			t.Fatalf("%q to %q: the block %+v is out of order or not of lines", c.was, c.is, b)
		}
		out = slices.Concat(out, c.was[at:b.was0], c.is[b.is0:b.is1])
		at = b.was1
	}
	if out = append(out, c.was[at:]...); !bytes.Equal(out, c.is) {
		t.Fatalf("the blocks lead from %q to %q, want %q", c.was, out, c.is)
	}
}

func TestForeignValuesAreMasked(t *testing.T) { // C-41, C-59
	for _, c := range []struct {
		name   string
		format splice.Format
		line   string
		want   string
	}{
		{"a variable", splice.JSON, `  "API_KEY": "sk-1",`, `  "API_KEY": "•••",`},
		{"a program", splice.JSON, `  "command": "npx",`, `  "command": "npx",`},
		{"a program with arguments", splice.JSON, `  "command": "npx --token abc",`, `  "command": "•••",`},
		{"arguments", splice.JSON, `  "args": ["-y", "--token", "abc"],`, `  "args": ["•••", "•••", "•••"],`},
		{"an argument alone", splice.JSON, `    "secret"`, `    "•••"`},
		{"the end of the line before", splice.JSON, `  "KEY":`, `  "KEY":`},
		{"quotes in a value", splice.JSON, `  "K": "a\"b: c", "x": true`, `  "K": "•••", "x": true`},
		{"a number", splice.JSON, `  "pin": 123456`, `  "pin": •••`},
		{"a minified entry", splice.JSON, `{"e":{"command":"x","env":{"A":"b"}}}`, `{"e":{"command":"x","env":{"A":"•••"}}}`},
		{"a comment", splice.JSONC, `  // my servers`, `  // my servers`},
		{"a commented entry", splice.JSONC, `  // "KEY": "abc"`, `  //•••`},
		{"a slash in a string", splice.JSONC, `  "url": "https://u:p@h/", // ok`, `  "url": "•••", // ok`},
		{"no end", splice.JSON, `  "K": "abc`, `  "K": "•••`},
		{"TOML header", splice.TOML, `[mcp_servers."a b".env]`, `[mcp_servers."a b".env]`},
		{"TOML list line", splice.TOML, `["secret"]`, `["•••"]`},
		{"TOML value", splice.TOML, `TOKEN = 'abc' # why`, `TOKEN = '•••' # why`},
		{"TOML dotted", splice.TOML, `env.TOKEN = "abc"`, `env.TOKEN = "•••"`},
		{"TOML inline", splice.TOML, `env = { A = "b", command = "x" }`, `env = { A = "•••", command = "x" }`},
		{"TOML inside", splice.TOML, `some secret text`, `••• ••• •••`},
		{"YAML value", splice.YAML, `    TOKEN: abc def # why`, `    TOKEN: ••• ••• # why`},
		{"YAML program", splice.YAML, `  - command: uvx`, `  - command: uvx`},
		{"YAML item", splice.YAML, `    - --token=abc`, `    - •••`},
		{"YAML block", splice.YAML, `  key: |-`, `  key: |-`},
		{"YAML block's inside", splice.YAML, `    MIIEpAIBAAKC`, `    •••`},
		{"YAML mapping", splice.YAML, `  env:`, `  env:`},
		{"YAML flow", splice.YAML, `  env: {A: b, "C": "d"}`, `  env: {A: •••, "C": "•••"}`},
		{"YAML anchor", splice.YAML, `  env: &e`, `  env: &e`},
		{"YAML end", splice.YAML, `---`, `---`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (&comparison{format: c.format}).shown(c.line, nil); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatATerminalWouldActOnIsNotShown(t *testing.T) {
	if got := (&comparison{format: splice.JSONC}).shown("// a\x1b[31m\u202eb", nil); got != "// a·[31m·b" {
		t.Errorf("got %q", got)
	}
}

// Whatever stands around it: a value of somebody else's is not shown.
func FuzzForeignValues(f *testing.F) {
	const secret = "S3CR3T-S3CR3T-S3CR3T-S3CR3T"
	for _, s := range []string{`{"a": "b", `, `- `, `[x]`, `// "`, `# '`, `a: {b: 'c\`, `"""`, "\xff"} {
		f.Add(s, ", 1}", 0)
	}
	formats := []splice.Format{splice.JSON, splice.JSONC, splice.TOML, splice.YAML}
	f.Fuzz(func(t *testing.T, before, after string, n int) {
		if strings.ContainsAny(before+after, "\n\r:=.") || n < 0 { // what could make a name of it
			return
		}
		format := formats[n%len(formats)]
		c := &comparison{format: format}
		if got := c.shown(before+`"`+secret+`"`+after, nil); strings.Contains(got, secret) {
			t.Errorf("%s: %q shows it: %q", format, before+`"`+secret+`"`+after, got)
		}
	})
}
