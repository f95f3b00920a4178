package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
)

// F-093, F-089.
func TestTableIsCutInItsLastColumnOnly(t *testing.T) {
	tests := []struct {
		name    string
		columns int
		want    string
	}{
		{"not a terminal", 0, "Name  Labels\n----- ----------\nab    env=dev,x=1\n서버  z\n"},
		{"wide", 60, "Name  Labels\n----- ----------\nab    env=dev,x=1\n서버  z\n"},
		{"narrow", 12, "Name Labels\n---- -------\nab   env=de…\n서버 z\n"},
		{"narrower than the first columns", 3, "Name …\n---- -\nab   …\n서버 z\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := table{header: []string{"Name", "Labels"}, rows: [][]string{{"ab", "env=dev,x=1"}, {"서버", "z"}}}
			var b bytes.Buffer
			if err := list.write(&b, tt.columns); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("Name  Labels\n----- ----------\nab    ", "Name Labels\n---- -----------\nab   ", "서버  ", "서버 ").Replace(tt.want)
			if d := cmp.Diff(want, b.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCellsCannotMoveTheCursor(t *testing.T) {
	if got := printable("a\x1b[2Jb\r\nc\u202e"); strings.ContainsAny(got, "\x1b\r\n\u202e") {
		t.Errorf("printable = %q", got)
	}
}

// F-091.
func TestInternalLabelsNeedVerbose(t *testing.T) {
	labels := map[string]string{"z": "1,2", "a": "x", "drawbridge.internal/k": "v"}
	if got := labelCell(labels, false); got != "a=x,z=1,2" {
		t.Errorf("labels = %q", got)
	}
	if got := labelCell(labels, true); got != "a=x,drawbridge.internal/k=v,z=1,2" {
		t.Errorf("labels with -v = %q", got)
	}
}

// F-095.
func TestServersWithoutAnyAllowedToolAreMarked(t *testing.T) {
	tests := []struct {
		tools *catalog.Tools
		none  bool
		cell  string
	}{
		{nil, false, "*"},
		{&catalog.Tools{Deny: []string{"a"}}, false, "* not a"},
		{&catalog.Tools{Allow: []string{"a"}}, false, "a"},
		{&catalog.Tools{Allow: []string{}}, true, "none [!]"},
		{&catalog.Tools{Deny: []string{"*"}}, true, "none [!]"},
		{&catalog.Tools{Allow: []string{"a"}, Deny: []string{"a"}}, true, "none [!]"},
	}
	for _, tt := range tests {
		s := catalog.Server{Tools: tt.tools}
		if got := noneAllowed(s); got != tt.none {
			t.Errorf("noneAllowed(%+v) = %v", tt.tools, got)
		}
		if got := toolCell(s); got != tt.cell {
			t.Errorf("toolCell(%+v) = %q, want %q", tt.tools, got, tt.cell)
		}
	}
}

// F-109.
func TestLayoutKeepsOrderAndScalars(t *testing.T) {
	const in = `{"z":9007199254740993,"a":{"url":"http://x/?a=1&b=<2>"},"l":["p","q"],"e":{},"n":[],"f":1.0,"o":null}`
	tests := []struct {
		name  string
		style layout
		want  string
	}{
		{"compact", compact, `{ "z": 9007199254740993, "a": { "url": "http://x/?a=1&b=<2>" }, "l": ["p", "q"], "e": {}, "n": [], "f": 1.0, "o": null }` + "\n"},
		{"sample", sample, "{\n  \"z\": 9007199254740993,\n  \"a\": {\n    \"url\": \"http://x/?a=1&b=<2>\"\n  },\n  \"l\": [\"p\", \"q\"],\n  \"e\": {},\n  \"n\": [],\n  \"f\": 1.0,\n  \"o\": null\n}\n"},
		{"narrow", layout{40, 6}, "{\n  \"z\": 9007199254740993,\n  \"a\": { \"url\": \"http://x/?a=1&b=<2>\" },\n  \"l\": [\n    \"p\",\n    \"q\"\n  ],\n  \"e\": {},\n  \"n\": [],\n  \"f\": 1.0,\n  \"o\": null\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.style.apply([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestYAMLKeepsStringsStrings(t *testing.T) {
	got, err := toYAML([]byte(`{"b":"yes","a":["1","x: y","",null,true,1.50,"a\nb",[],["p",{"q":"r","s":1}]],"c":{},"n":"on","u":"http://x/?a=1","k #":"a #b","ko":"서버 <é>","t":"x:","-":"*","sp":"a ","d":"2026-01-01"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `b: "yes"
a:
  - "1"
  - 'x: y'
  - ""
  - null
  - true
  - 1.50
  - |-
    a
    b
  - []
  - - p
    - q: r
      s: 1
c: {}
"n": "on"
u: http://x/?a=1
'k #': 'a #b'
ko: 서버 <é>
t: 'x:'
'-': '*'
sp: 'a '
d: "2026-01-01"
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

// W-29: one form, on stderr, and the exit code of the code's row.
func TestErrorsHaveOneForm(t *testing.T) {
	tests := []struct {
		name string
		err  error
		form form
		want string
		exit int
	}{
		{"none", nil, text, "", 0},
		{"coded", fault.New(fault.ServerNotFound, "x"), text,
			"[DB_SERVER_NOT_FOUND] x: there is no server of this name.\nNext: run `drawbridge mcp ls`.\n", 4},
		{"JSON", fault.New(fault.EndpointUnreachable, "http://h/?<&>"), inJSON,
			"{\n  \"error\": {\n    \"code\": \"DB_ENDPOINT_UNREACHABLE\",\n    \"server\": \"http://h/?<&>\",\n    \"message\": \"nothing accepts connections there.\",\n    \"next\": \"start the MCP server, or correct the address.\"\n  }\n}\n", 5},
		{"not coded", errors.New("odd"), text,
			"[DB_REQUEST_FAILED] the request failed (odd).\nNext: run it again with `--debug` to see more.\n", 1},
		{"interrupted", fmt.Errorf("call: %w", context.Canceled), text, "[DB_REQUEST_FAILED] interrupted.\nNext: run it again.\n", 1},
		{"shown before", shown{fault.New(fault.LoginRequired, "x")}, text, "", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			a := &app{stdout: &out, stderr: &errs, form: tt.form}
			if got := a.report(tt.err); got != tt.exit {
				t.Errorf("exit code %d, want %d", got, tt.exit)
			}
			if d := cmp.Diff(tt.want, errs.String()); d != "" || out.Len() > 0 {
				t.Errorf("stdout %q, stderr %s", out.String(), d)
			}
		})
	}
}

func TestFormIsFoundInWhatWasNotParsed(t *testing.T) {
	for args, want := range map[string]form{
		"mcp ls":                         text,
		"mcp ls --odd -f json":           inJSON,
		"mcp ls -fyaml":                  inYAML,
		"mcp ls --format=json":           inJSON,
		"mcp ls -f odd":                  text,
		"mcp add x --odd -- cmd -f json": text,
		"mcp ls -f":                      text,
	} {
		if got := formIn(strings.Fields(args)); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

// F-102: the path that survives an update is the link, not what it leads to.
func TestProgramPathKeepsTheLink(t *testing.T) {
	real, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a folder é")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "drawbridge")
	if err := os.Symlink(real, link); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		t.Setenv("PATH", dir)
	}
	for started, want := range map[string]string{
		link:            link,
		real:            real,
		other:           real,
		"/no/such/file": real,
		"no-such-name":  real,
	} {
		if got, err := programPath(started); err != nil || got != want {
			t.Errorf("programPath(%q) = %q, %v, want %q", started, got, err, want)
		}
	}
	if runtime.GOOS != "windows" {
		if got, err := programPath("drawbridge"); err != nil || got != link {
			t.Errorf("by PATH: %q, %v, want %q", got, err, link)
		}
	}
}
