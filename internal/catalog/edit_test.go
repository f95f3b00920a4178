package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
)

var added = Server{Name: "new", Transport: Stdio, Command: "npx", Args: []string{"-y", "a&b"}}

func mustParse(t testing.TB, text string) *document {
	t.Helper()
	d, err := parseDocument("f", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d
}

func mustAdd(t testing.TB, text string, s Server) string {
	t.Helper()
	out, err := mustParse(t, text).withServer(s)
	if err != nil {
		t.Fatalf("add to\n%s\n%v", text, err)
	}
	return string(out)
}

func mustRemove(t testing.TB, text, name string) string {
	t.Helper()
	out, err := mustParse(t, text).withoutServer(name)
	if err != nil {
		t.Fatalf("remove from\n%s\n%v", text, err)
	}
	return string(out)
}

// The entry "new" as it is written into a file indented by two.
const newEntry = `    "new": {
      "transport": "stdio",
      "command": "npx",
      "args": ["-y", "a&b"]
    }`

const web = `{"url": "http://h/"}` // an entry that needs no more

func TestAddTouchesNothingElse(t *testing.T) { // S-33
	tabs := strings.ReplaceAll(newEntry, "  ", "\t")
	oneLine := `"new":{"transport":"stdio","command":"npx","args":["-y","a&b"]}`
	for _, c := range []struct{ name, in, want string }{
		{"first server of a new file", fresh, "{\n  \"version\": 1,\n  \"servers\": {\n" + newEntry + "\n  }\n}\n"},
		{"after the last", "{\n  \"servers\": {\n    \"a\": " + web + "\n  }\n}\n",
			"{\n  \"servers\": {\n    \"a\": " + web + ",\n" + newEntry + "\n  }\n}\n"},
		{"after a comma", "{\n  \"servers\": {\n    \"a\": " + web + ",\n  },\n}\n",
			"{\n  \"servers\": {\n    \"a\": " + web + ",\n" + newEntry + ",\n  },\n}\n"},
		{"comment behind the last", "{\n  \"servers\": {\n    \"a\": " + web + " // about a\n    // the end\n  }\n}",
			"{\n  \"servers\": {\n    \"a\": " + web + ", // about a\n" + newEntry + "\n    // the end\n  }\n}"},
		{"comments behind the comma", "{\n  \"servers\": {\n    \"a\": " + web + " /* 1 */, /* 2 */ // 3\n  }\n}",
			"{\n  \"servers\": {\n    \"a\": " + web + " /* 1 */, /* 2 */ // 3\n" + newEntry + ",\n  }\n}"},
		{"only comments", "// top\n{\n  \"servers\": {\n    // none yet, not even \"http://x\"\n  } // end\n}// last",
			"// top\n{\n  \"servers\": {\n    // none yet, not even \"http://x\"\n" + newEntry + "\n  } // end\n}// last"},
		{"CRLF", "{\r\n  \"servers\": {\r\n    \"a\": " + web + " // é\r\n  }\r\n}",
			"{\r\n  \"servers\": {\r\n    \"a\": " + web + ", // é\r\n" + strings.ReplaceAll(newEntry, "\n", "\r\n") + "\r\n  }\r\n}"},
		{"tabs", "{\n\t\"servers\": {\n\t\t\"a\": " + web + "\n\t}\n}\n", "{\n\t\"servers\": {\n\t\t\"a\": " + web + ",\n" + tabs + "\n\t}\n}\n"},
		{"byte order mark", "\ufeff{\n  \"servers\": {}\n}", "\ufeff{\n  \"servers\": {\n" + newEntry + "\n  }\n}"},
		{"no servers", "{\n  \"version\": 1 // ours\n}\n",
			"{\n  \"version\": 1, // ours\n  \"servers\": {\n" + newEntry + "\n  }\n}\n"},
		{"nothing at all", "{}", "{\n  \"servers\": {\n" + newEntry + "\n  }\n}"},
		{"one line", `{"version":1,"servers":{"a":{"url":"http://h/"}}}`, `{"version":1,"servers":{"a":{"url":"http://h/"},` + oneLine + `}}`},
		{"one line with spaces", `{ "servers": { "a": {"url":"http://h/"}, "b": {"url":"http://h/"} } }`,
			`{ "servers": { "a": {"url":"http://h/"}, "b": {"url":"http://h/"}, "new": { "transport": "stdio", "command": "npx", "args": ["-y", "a&b"] } } }`},
		{"unknown members", "{\n  \"$schema\": \"x\",\n  \"servers\": {\n    \"a\": {\"url\": \"http://h/\", \"x-n\": 12345678901234567890}\n  },\n  \"z\": 1.0\n}\n",
			"{\n  \"$schema\": \"x\",\n  \"servers\": {\n    \"a\": {\"url\": \"http://h/\", \"x-n\": 12345678901234567890},\n" + newEntry + "\n  },\n  \"z\": 1.0\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustAdd(t, c.in, added)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if c.name != "no servers" && c.name != "nothing at all" {
				if back := mustRemove(t, got, "new"); back != c.in {
					t.Errorf("removed again (-want +got)\n%s", cmp.Diff(c.in, back))
				}
			}
		})
	}
}

func TestRemoveTouchesNothingElse(t *testing.T) { // S-33
	e := func(name string) string { return `"` + name + `": ` + web }
	for _, c := range []struct{ name, remove, in, want string }{
		{"first", "a", "{\"servers\": {\n  " + e("a") + ",\n  " + e("b") + "\n}}", "{\"servers\": {\n  " + e("b") + "\n}}"},
		{"middle", "b", "{\"servers\": {\n  " + e("a") + ",\n  " + e("b") + ",\n  " + e("c") + "\n}}", "{\"servers\": {\n  " + e("a") + ",\n  " + e("c") + "\n}}"},
		{"last", "b", "{\"servers\": {\n  " + e("a") + ",\n  " + e("b") + "\n}}", "{\"servers\": {\n  " + e("a") + "\n}}"},
		{"last with a comma", "b", "{\"servers\": {\n  " + e("a") + ",\n  " + e("b") + ",\n}}", "{\"servers\": {\n  " + e("a") + ",\n}}"},
		{"only", "a", "{\"servers\": {\n  " + e("a") + "\n}}", "{\"servers\": {}}"},
		{"only on one line", "a", "{\"servers\": { " + e("a") + " }}", "{\"servers\": { }}"},
		{"CRLF", "b", "{\"servers\": {\r\n\t" + e("a") + ",\r\n\t" + e("b") + "\r\n}}\r\n", "{\"servers\": {\r\n\t" + e("a") + "\r\n}}\r\n"},
		{"comments stay", "b", "{\"servers\": {\n  " + e("a") + ", // a\n  // on b\n  " + e("b") + " /* b */, // b too\n  " + e("c") + " // c\n}}",
			"{\"servers\": {\n  " + e("a") + ", // a\n  // on b\n  /* b */ // b too\n  " + e("c") + " // c\n}}"},
		{"comment behind the first", "a", "{\"servers\": {\n  " + e("a") + ", // a\n  " + e("b") + "\n}}", "{\"servers\": {\n  // a\n  " + e("b") + "\n}}"},
		{"comment behind the last", "b", "{\"servers\": {\n  " + e("a") + ", // a\n  " + e("b") + " // b\n}}", "{\"servers\": {\n  " + e("a") + " // a\n  // b\n}}"},
		{"a line comment keeps its end", "b", "{\"servers\": {" + e("a") + ", // a\n  " + e("b") + "}}", "{\"servers\": {" + e("a") + " // a\n  }}"},
		{"one line", "b", `{"servers":{"a":{"url":"http://h/"},"b":{"url":"http://h/"},"c":{"url":"http://h/"}}}`, `{"servers":{"a":{"url":"http://h/"},"c":{"url":"http://h/"}}}`},
		{"written with an escape", "b", `{"servers":{"\u0062":{"url":"http://h/"}}}`, `{"servers":{}}`},
		{"an entry that cannot be used", "b", `{"servers":{"b":17}}`, `{"servers":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, mustRemove(t, c.in, c.remove)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPutTouchesOnlyWhatChanges(t *testing.T) { // S-33
	const in = `{
  "servers": {
    // the team's
    "a": {
      "transport": "http", // fast
      "url": "http://h/", /* home */
      "labels": {"env": "dev"},
      "x-unknown": [1.0, 2],
      "description": "old"
    },
    "b": {"url": "http://b/"}
  }
}
`
	for _, c := range []struct {
		name   string
		change func(*Server)
		old    string
		new    string
	}{
		{"nothing", func(*Server) {}, "", ""},
		{"a value", func(s *Server) { s.URL = "http://other/" }, `"http://h/"`, `"http://other/"`},
		{"a member goes", func(s *Server) { s.Labels = nil }, "\n      \"labels\": {\"env\": \"dev\"},", ""},
		{"the last member goes", func(s *Server) { s.Description = "" }, ",\n      \"description\": \"old\"", ""},
		{"a member comes", func(s *Server) { s.Timeout = Duration(3e9) }, "\"old\"", "\"old\",\n      \"timeout\": \"3s\""},
		{"an object", func(s *Server) { s.Labels = map[string]string{"k": "v"} }, `{"env": "dev"}`, `{"k": "v"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustParse(t, in)
			s, err := d.server(&d.entries()[0])
			if err != nil {
				t.Fatal(err)
			}
			c.change(&s)
			got, err := d.withChanged(s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(in, c.old, c.new, 1), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPutReplacesAnEntryThatCannotBeUsed(t *testing.T) {
	got, err := mustParse(t, `{"servers":{"new":17,"b":{}}}`).withChanged(added)
	want := `{"servers":{"b":{},"new":{"transport":"stdio","command":"npx","args":["-y","a&b"]}}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestPutKeepsCommentsWithinWhatChanges(t *testing.T) { // S-33
	const in = "{\"servers\": {\n  \"a\": {\"command\": \"x\", \"env\": {\n    // the team's\n    \"A\": \"1\",\n    \"B\": \"2\" // two\n  }}\n}}"
	d := mustParse(t, in)
	s, err := d.server(&d.entries()[0])
	if err != nil {
		t.Fatal(err)
	}
	s.Env = map[string]string{"A": "3", "B": "2"}
	got, err := d.withChanged(s)
	if diff := cmp.Diff(strings.Replace(in, `"1"`, `"3"`, 1), string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestWhatCannotBeChangedSafelyIsReadAndRefusedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, say string }{
		"a comment that ends where nobody knows": {"{\n  \"servers\": {\"a\": " + web + " // c\r\r\n  }\n}", "f:2:45: a carriage return"},
		"a NUL character in a comment":           {"{\n  \"servers\": {\"a\": " + web + " // \x00\n  }\n}", "f:2:44: a NUL byte"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := first(c.text); err != nil {
				t.Errorf("reading it: %v", err)
			}
			d := mustParse(t, c.text)
			_, adding := d.withServer(added)
			_, removing := d.withoutServer("a")
			for _, err := range []error{adding, removing} {
				if !fault.IsCode(err, fault.CatalogInvalid) || !strings.Contains(err.Error(), c.say) {
					t.Errorf("got %v, want %q", err, c.say)
				}
			}
		})
	}
}

func TestEditsThatDoNotApply(t *testing.T) {
	d := mustParse(t, `{"servers":{"new":{},"b":{}}}`)
	if _, err := d.withServer(added); !fault.IsCode(err, fault.ServerExists) {
		t.Errorf("adding a server that is there: %v", err)
	}
	for _, text := range []string{`{"servers":{"new":{}}}`, `{}`} {
		if _, err := mustParse(t, text).withoutServer("other"); !fault.IsCode(err, fault.ServerNotFound) {
			t.Errorf("removing a server that is not there: %v", err)
		}
	}
}

// FuzzEdit adds a server to whatever can be read and removes it again: the
// bytes come back, and in between every other entry is as it was.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{
		fresh, "{}", `{"servers":{}}`, `{"servers":{"a":{}}}`, "{\"servers\": {\n\t\"a\": 1, // x\n},}",
		"\ufeff// t\r\n{\r\n \"servers\" : { /* n */ } // e\r\n}", "{\n \"servers\": {\"a\":{} // c\r\r\n } }", `{"servers":{"\ud800":{}}}`, "{\"servers\":{\"\":{}\r//\n}}",
		"{\"servers\":{\"a\":\"//\" /* \n */ , /*2*/\"b\":[\"{\"] }\n}", "{\"servers\":{ // c\n}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDocument("f", []byte(text))
		if err != nil || d.indexOf("new") >= 0 {
			return
		}
		before := d.rest("new")
		out, err := d.withServer(added)
		if fault.IsCode(err, fault.CatalogInvalid) && strings.ContainsAny(text, "\r\x00") {
			return // in a comment: programs differ on where it ends
		}
		if err != nil {
			t.Fatalf("add to %q: %v", text, err)
		}
		if after := mustParse(t, string(out)); d.servers != nil && !slices.Equal(before, after.rest("new")) {
			t.Fatalf("%q became %q", text, out)
		}
		back, err := mustParse(t, string(out)).withoutServer("new")
		if err != nil {
			t.Fatalf("remove from %q: %v", out, err)
		}
		switch {
		case d.servers == nil: // the object that was made stays
			if got := mustParse(t, string(back)); len(got.entries()) != 0 || !slices.Equal(before, got.rest("")) {
				t.Errorf("%q became %q and %q", text, out, back)
			}
		case strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r"): // white space that ends no line may go
			if got := mustParse(t, string(back)); !slices.Equal(before, got.rest("new")) {
				t.Errorf("%q became %q and %q", text, out, back)
			}
		case withoutBlanks(mustParse(t, string(back))) != withoutBlanks(d):
			t.Errorf("%q became %q and %q", text, out, back)
		}
		for _, m := range d.entries() { // each other one can go, too
			if strings.Contains(nameOf(&m), "\ufffd") {
				continue // half a surrogate, which is no name that could be given
			}
			if _, err := mustParse(t, string(out)).withoutServer(nameOf(&m)); err != nil {
				t.Errorf("remove %q from %q: %v", nameOf(&m), out, err)
			}
		}
	})
}

// withoutBlanks is the file without the white space behind the last comment of
// "servers" if there are no servers: the one thing that is not given back.
func withoutBlanks(d *document) string {
	text := string(d.bom) + string(d.text)
	if len(d.entries()) > 0 {
		return text
	}
	end := len(d.bom) + d.servers.EndOffset - 1
	return strings.TrimRight(text[:end], " \t\r\n") + text[end:]
}

func TestWrittenEntriesReadBack(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.Name, func(t *testing.T) {
			d := mustParse(t, mustAdd(t, fresh, s))
			got, err := d.server(&d.entries()[0])
			if diff := cmp.Diff(s, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if !json.Valid(d.text) {
				t.Errorf("not JSON:\n%s", d.text)
			}
		})
	}
}

// volume makes an absolute path of a slash on every system.
var volume = filepath.VolumeName(os.TempDir())

// samples are servers that between them use every field.
func samples() []Server {
	return []Server{
		{Name: "full", Transport: HTTP, Description: `<"é"> & \`, Labels: map[string]string{"env": "dev", "b": ""},
			URL: "https://h.example:8443/mcp?x=1&y=2", Headers: map[string]string{"X-A": "b"}, PassAuth: true,
			TLS: &TLS{CA: volume + "/ca", Cert: volume + "/cert", Key: volume + "/key"}, Tools: &Tools{Allow: []string{"a*"}, Deny: []string{"b"}},
			Protocol: "2025-11-25", Timeout: Duration(90e9)},
		{Name: "command", Transport: Stdio, Command: "npx", Args: []string{"", "a b", "\n\"\u2028"}, Env: map[string]string{"A": "=b"}, Dir: volume + "/tmp"},
		{Name: "nothing-allowed", Transport: Auto, URL: "http://h", Tools: &Tools{Allow: []string{}}},
		{Name: "all-allowed", Transport: SSE, URL: "http://h", Tools: &Tools{Deny: []string{"x"}}},
		{Name: "A.b_c-9", Transport: Stdio, Command: "x"},
	}
}
