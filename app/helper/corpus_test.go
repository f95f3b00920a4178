package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// corpusCase is one example file and what a change of it must come to.
type corpusCase struct {
	ID     string `json:"id"`
	File   string `json:"file"`
	Client string `json:"client_profile"`
	Op     struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"op"`
	Expect    string   `json:"expect"`
	ErrorCode string   `json:"error_code"`
	Checks    []string `json:"checks"`
	Scenario  []string `json:"scenario"`
}

func (c corpusCase) checks(name string) bool { return slices.Contains(c.Checks, name) }

const corpusDir = "../../internal/splice/testdata/corpus"

// corpusRun is one case on disk, with a home of its own.
type corpusRun struct {
	corpusCase
	t        *testing.T
	home     string
	path     string // as it is given to the program
	real     string // the file that changes
	pristine []byte
}

// TestEveryCorpusCaseThroughTheCommandLine runs the program on each example file
// (C-06–C-38, D-57–D-60, W-18). What only a tree shows is tested in package
// splice; here it is the bytes, the exit codes and the words.
func TestEveryCorpusCaseThroughTheCommandLine(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpusDir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Cases []corpusCase }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Cases) != 45 {
		t.Fatalf("%d cases, want 45", len(all.Cases))
	}
	for _, c := range all.Cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			r := newCorpusRun(t, c)
			switch c.Expect {
			case "edit":
				r.edits()
			case "noop":
				r.leaves(0)
			case "refuse":
				r.leaves(6)
			default:
				t.Fatalf("unknown expectation %q", c.Expect)
			}
		})
	}
}

func newCorpusRun(t *testing.T, c corpusCase) *corpusRun {
	r := &corpusRun{corpusCase: c, t: t, home: t.TempDir()}
	r.Client = strings.TrimSuffix(c.Client, "-project")
	text, err := os.ReadFile(filepath.Join(corpusDir, c.File))
	if err != nil {
		t.Fatal(err)
	}
	server := strings.TrimPrefix(c.Op.Name, "drawbridge-")
	if !strings.HasPrefix(c.Op.Name, "drawbridge-") { // entries of ours have the prefix
		text = bytes.Replace(text, []byte(`"`+c.Op.Name+`"`), []byte(`"drawbridge-`+c.Op.Name+`"`), 1)
		r.Op.Name = "drawbridge-" + c.Op.Name
	}
	if c.Op.Kind != "add" {
		text = []byte(ours.Replace(string(text)))
	}
	r.pristine = text
	dir := filepath.Join(r.home, "project")
	r.path = filepath.Join(dir, c.File)
	r.real = r.path
	switch {
	case c.ID == "s07-path-is-a-directory":
		r.real = filepath.Join(r.path, "inside.json")
	case c.ID == "s01-symlink-relative-dotfiles":
		r.real = filepath.Join(r.home, "dotfiles", "cursor", "mcp.json")
		r.path = filepath.Join(r.home, ".cursor", "mcp.json")
		r.must(os.MkdirAll(filepath.Dir(r.path), 0o700))
		r.must(os.Symlink("../dotfiles/cursor/mcp.json", r.path))
	}
	r.must(os.MkdirAll(filepath.Dir(r.real), 0o700))
	r.must(os.WriteFile(r.real, text, 0o640))
	r.must(os.MkdirAll(filepath.Join(r.home, "db"), 0o700))
	r.must(os.WriteFile(filepath.Join(r.home, "db", "catalog.json"), []byte(`{"servers":{"`+server+`":{"command":"npx"}}}`), 0o600))
	return r
}

// ours makes the entries that are to be changed start a program of our name:
// by that they are known as ours, and not by the ledger of another program.
var ours = strings.NewReplacer(
	`"command": "old", "args": ["1"]`, `"command": "/old/drawbridge", "args": ["connect", "1"]`,
	`"drawbridge-notes": { "type": "stdio", "command": "/opt/drawbridge/bridge" }`, `"drawbridge-notes": { "type": "stdio", "command": "/opt/drawbridge", "args": ["connect", "notes"] }`,
	"cmd: /opt/drawbridge/bridge", "cmd: /opt/drawbridge\n    args: [connect, notes]",
	`"/old/bridge"`, `"/old/drawbridge"`,
)

func (r *corpusRun) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// run changes the file once more, and gives the exit code, stdout and stderr.
func (r *corpusRun) run(more ...string) (int, string, string) {
	r.t.Helper()
	args := append([]string{"mcp", "config", "--client-config", r.path, "--client-format", r.Client}, more...)
	if !slices.Contains(more, "--undo") {
		args = append(args, strings.TrimPrefix(r.Op.Name, "drawbridge-"))
	}
	cmd := exec.Command("drawbridge", args...)
	cmd.Env = []string{"HOME=" + r.home, "USERPROFILE=" + r.home, "PATH=" + os.Getenv("PATH"), "DRAWBRIDGE_HOME=" + filepath.Join(r.home, "db"), "GORACE=atexit_sleep_ms=0"}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code is what counts
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (r *corpusRun) text() []byte {
	r.t.Helper()
	text, err := os.ReadFile(r.real)
	r.must(err)
	return text
}

func (r *corpusRun) flag() []string {
	if r.Op.Kind == "remove" {
		return []string{"--remove"}
	}
	return nil
}

// edits makes the change and looks at it.
func (r *corpusRun) edits() {
	t := r.t
	beside := r.listing()
	code, out, errs := r.run(append(r.flag(), "--dry")...)
	if got := r.text(); code != 0 || !bytes.Equal(got, r.pristine) {
		t.Fatalf("--dry: exit code %d, %s; the file is\n%s", code, errs, got)
	}
	shown, _, _ := strings.Cut(out, "Nothing was written")
	code, out, errs = r.run(r.flag()...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if !strings.HasPrefix(out, shown) { // F-116
		t.Errorf("written was\n%s\nand shown was\n%s", out, shown)
	}
	after := r.text()
	if bytes.Equal(after, r.pristine) {
		t.Fatalf("nothing changed: %s", out)
	}
	r.checkSpans(after)
	if got := r.listing(); !slices.Equal(got, beside) {
		t.Errorf("beside the file are %v, before were %v", got, beside)
	}
	if st, err := os.Stat(r.real); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, want 0640", st.Mode())
	}
	if link, err := os.Readlink(r.path); r.real != r.path && (err != nil || link != "../dotfiles/cursor/mcp.json") {
		t.Errorf("the link is %q, %v", link, err)
	}
	r.again(after)
	if code, _, errs := r.run("--undo"); code != 0 || !bytes.Equal(r.text(), r.pristine) {
		t.Errorf("--undo: exit code %d, %s; the file is\n%s", code, errs, r.text())
	}
	if r.Op.Kind != "add" {
		return
	}
	if code, _, errs := r.run(); code != 0 || !bytes.Equal(r.text(), after) {
		t.Errorf("adding it again: exit code %d, %s; the file is\n%s", code, errs, r.text())
	}
	if code, _, errs := r.run("--remove"); code != 0 || !bytes.Equal(r.text(), r.pristine) {
		t.Errorf("--remove: exit code %d, %s; the file is\n%s", code, errs, r.text())
	}
}

// checkSpans looks at where the bytes differ.
func (r *corpusRun) checkSpans(after []byte) {
	t, before := r.t, r.pristine
	p, s := 0, 0
	for p < min(len(before), len(after)) && before[p] == after[p] {
		p++
	}
	for s < min(len(before), len(after))-p && before[len(before)-1-s] == after[len(after)-1-s] {
		s++
	}
	old, new := before[p:len(before)-s], after[p:len(after)-s]
	switch {
	case r.checks("only_span_changed") && len(old) > 0 && string(old) != "null" && string(old) != "~":
		t.Errorf("deleted was %q, and %q is in its place", old, new)
	case r.checks("changed_spans<=2") && !bytes.Contains(new, old):
		t.Errorf("more than two spans: %q became %q", old, new)
	}
	if r.checks("no_newline_inserted") && bytes.ContainsAny(new, "\r\n") {
		t.Errorf("a line break in %q", new)
	}
	if r.checks("inserted_eol_is_crlf") && regexp.MustCompile(`[^\r]\n`).Match(new) {
		t.Errorf("a line ends without CR in %q", new)
	}
	if bom := []byte("\xef\xbb\xbf"); r.checks("bom_kept_once") && (!bytes.HasPrefix(after, bom) || bytes.Count(after, bom) != 1) {
		t.Errorf("the byte order mark is not there once: %q", after[:min(20, len(after))])
	}
	if r.checks("no_final_newline_added") && bytes.HasSuffix(after, []byte("\n")) {
		t.Errorf("a final line break was added")
	}
	for _, kept := range []string{"enabled = false"} {
		if bytes.Contains(before, []byte(kept)) && !bytes.Contains(after, []byte(kept)) {
			t.Errorf("%q is gone", kept)
		}
	}
}

// again makes the change once more, which must not touch the file.
func (r *corpusRun) again(want []byte) {
	r.t.Helper()
	before, err := os.Stat(r.real)
	r.must(err)
	code, out, errs := r.run(r.flag()...)
	after, err := os.Stat(r.real)
	r.must(err)
	if code != 0 || !bytes.Equal(r.text(), want) || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		r.t.Errorf("a second time: exit code %d, %s%s; touched: %v", code, out, errs, !before.ModTime().Equal(after.ModTime()))
	}
}

// leaves runs the program, which must exit with the code and leave everything
// as it is.
func (r *corpusRun) leaves(want int) {
	t := r.t
	before, err := os.Stat(r.real)
	r.must(err)
	beside := r.listing()
	code, _, errs := r.run(r.flag()...)
	after, err := os.Stat(r.real)
	r.must(err)
	if code != want || !bytes.Equal(r.text(), r.pristine) || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("exit code %d, want %d: %s", code, want, errs)
	}
	if got := r.listing(); !slices.Equal(got, beside) {
		t.Errorf("beside the file are %v, before were %v", got, beside)
	}
	if want == 0 {
		return
	}
	if !strings.Contains(errs, r.path) || !strings.Contains(errs, "\nNext: ") {
		t.Errorf("the error names no file or no next step: %s", errs)
	}
	if r.ErrorCode == "invalid_syntax" && !regexp.MustCompile(regexp.QuoteMeta(r.path)+`:\d+:\d+: `).MatchString(errs) {
		t.Errorf("the error gives no line and column: %s", errs)
	}
	if r.checks("error_offers_other_name_or_replace") && !strings.Contains(errs, "--replace") {
		t.Errorf("the error offers no replacement: %s", errs)
	}
	_, _, errs = r.run(append(r.flag(), "-f", "json")...)
	var e struct {
		Error struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(errs), &e); err != nil || e.Error.Reason != r.ErrorCode {
		t.Errorf("the reason is %q, want %q: %s", e.Error.Reason, r.ErrorCode, errs)
	}
}

// listing is what stands in the file's folder.
func (r *corpusRun) listing() []string {
	list, err := os.ReadDir(filepath.Dir(r.real))
	r.must(err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
