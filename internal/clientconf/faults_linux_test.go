//go:build e2e

package clientconf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"drawbridge/internal/splice"
)

// The tests of this file disturb a process at each of its system calls with
// strace. Plain `go test` does not have them; `go run ./build test` sees to it
// that there is strace.

const partVariable = "DRAWBRIDGE_CLIENTCONF_PART"

// TestPlayPart is the process that is disturbed.
func TestPlayPart(t *testing.T) {
	part, home, playing := strings.Cut(os.Getenv(partVariable), ":")
	if !playing {
		return
	}
	runtime.LockOSThread() // strace counts the calls of each thread by itself
	d := operations[part].rig(t, home)
	p, err := operations[part].plan(d)
	if err == nil {
		_, err = d.Apply(t.Context(), p, Consent{InPlace: part == inPlace})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// operation is one change that is disturbed.
type operation struct {
	before func(d *rig) // what was done before it
	plan   func(d *rig) (*Preview, error)
	format splice.Format // "" for JSON
}

// inPlace is the operation that may leave a part of the new file.
const inPlace = "in place"

var operations = map[string]operation{
	"add": {func(d *rig) { d.save(other) }, planPut, ""},
	"update": {func(d *rig) {
		d.save(other)
		w := d.put("one")
		w.Shape = Entry(d.target, w.Name, Launch{Program: "/old/drawbridge", Args: []string{"mcp", "connect", "one"}})
		d.do(w)
	}, planPut, ""},
	"remove":   {func(d *rig) { d.save(other); d.do(d.put("one")) }, planRemove, ""},
	"undo":     {func(d *rig) { d.save(other); d.do(d.put("one")) }, planUndo, ""},
	"create":   {func(*rig) {}, planPut, ""},
	"delete":   {func(d *rig) { d.do(d.put("one")) }, planUndo, ""},
	"add TOML": {func(d *rig) { d.save("# mine\nmodel = \"x\"\n") }, planPut, splice.TOML},
	inPlace: {func(d *rig) {
		d.save(other)
		if err := os.Link(d.target.Path, d.state+".other"); err != nil {
			d.t.Fatal(err)
		}
	}, planPut, ""},
	"remove YAML": {func(d *rig) { d.save("# mine\nextensions:\n  a: {}\n"); d.do(d.put("one")) }, planRemove, splice.YAML},
}

func planPut(d *rig) (*Preview, error)    { return d.Plan(d.target, d.put("one")) }
func planRemove(d *rig) (*Preview, error) { return d.Plan(d.target, d.remove("one")) }
func planUndo(d *rig) (*Preview, error)   { return d.PlanUndo(d.target) }

// rig is the rig of a folder; its file lies in a folder that may be missing.
func (o operation) rig(t testing.TB, home string) *rig {
	d := rigAt(t, filepath.Join(home, "state"), filepath.Join(home, "client", "mcp.json"))
	switch o.format {
	case splice.TOML:
		d.target.Client, d.target.Place = "codex", splice.Place{Format: splice.TOML, Container: []string{"mcp_servers"}}
	case splice.YAML:
		d.target.Client, d.target.Place = "goose", splice.Place{Format: splice.YAML, Container: []string{"extensions"}}
	}
	return d
}

// scene is an operation that is about to be done, and the file before and after
// it.
func scene(t *testing.T, name string) (d *rig, before, after []byte) {
	t.Helper()
	home, err := os.MkdirTemp("/dev/shm", "drawbridge-") // where fsync takes no time
	if err != nil {
		home = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	d = operations[name].rig(t, home)
	if name != "create" && name != "delete" {
		if err := os.Mkdir(filepath.Dir(d.target.Path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	operations[name].before(d)
	p, err := operations[name].plan(d)
	if err != nil {
		t.Fatal(err)
	}
	return d, p.made.before, p.made.after
}

// disturbed does the operation in a process of its own while strace injects what
// is said, and tells how it ended and whether anything was injected.
func disturbed(t *testing.T, d *rig, name string, injects ...string) (ended *os.ProcessState, stderr string, hit bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Dir(d.state)
	log := filepath.Join(home, "strace.log")
	args, trace := []string{"-f", "-o", log}, []string{}
	for _, inject := range injects {
		calls, _, _ := strings.Cut(inject, ":")
		args, trace = append(args, "-e", "inject="+inject), append(trace, calls)
	}
	args = append(args, "-e", "trace="+strings.Join(trace, ","), exe, "-test.run=^TestPlayPart$")
	c := exec.CommandContext(t.Context(), "strace", args...)
	c.Env = append(os.Environ(), partVariable+"="+name+":"+home)
	var out bytes.Buffer
	c.Stderr = &out
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return c.ProcessState, out.String(), bytes.Contains(b, []byte("INJECTED")) || bytes.Contains(b, []byte("killed by"))
}

// wantOneOf wants the file to be one of the texts, nil for none.
func wantOneOf(t *testing.T, d *rig, what string, texts ...[]byte) {
	t.Helper()
	got, err := os.ReadFile(d.target.Path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if os.IsNotExist(err) {
		got = nil
	}
	for _, want := range texts {
		if bytes.Equal(got, want) && (got == nil) == (want == nil) {
			return
		}
	}
	t.Fatalf("%s: the file is %q, want one of %q", what, got, texts)
}

// maxCalls is more system calls of one kind than an operation makes.
const maxCalls = 120

func TestAChangeKilledAtAnySystemCallLeavesTheOldFileOrTheNew(t *testing.T) { // S-29
	for name := range operations {
		if name == inPlace {
			continue
		}
		for _, call := range []string{"openat", "write", "fchmod", "fsync", "close", "flock", "mkdirat", "renameat", "renameat2", "unlinkat"} {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				kills := 0
				for k := 1; k < maxCalls; k++ {
					d, before, after := scene(t, name)
					_, stderr, hit := disturbed(t, d, name, fmt.Sprintf("%s:signal=SIGKILL:when=%d", call, k))
					what := fmt.Sprintf("killed at %s %d", call, k)
					if !hit {
						wantOneOf(t, d, "not killed, and it said "+stderr, after)
						break
					}
					kills++
					wantOneOf(t, d, what, before, after)
					if err := d.Recover(t.Context()); err != nil {
						t.Fatal(err)
					}
					wantNoEmptyFolder(t, d, what)
					settleAndGoOn(t, d, what, before, after)
				}
				t.Logf("%d kills", kills)
				if kills == 0 && call != "mkdirat" && call != "unlinkat" && !(name == "create" && call == "renameat") {
					// Not every operation makes or removes something, and what did not
					// exist is put in place by renameat2 alone.
					t.Error("it was never disturbed")
				}
			})
		}
	}
}

// settleAndGoOn is the next run: it leaves the file, cleans up, knows what was
// done, and can work on.
func settleAndGoOn(t *testing.T, d *rig, what string, before, after []byte) {
	t.Helper()
	was, _ := os.ReadFile(d.target.Path) // there may be none
	if err := d.Recover(t.Context()); err != nil {
		t.Fatalf("%s: recover: %v", what, err)
	}
	now, _ := os.ReadFile(d.target.Path) // the same
	if !bytes.Equal(was, now) {
		t.Fatalf("%s: the next run made %q of %q", what, now, was)
	}
	wantNothingBeside(t, d, what+", after the next run")
	wantLedger(t, d, what)
	d.do(d.put("two"))
	wantLedger(t, d, what)
	d.undo()
	wantOneOf(t, d, what+", after the next change and its undo", before, after)
	d.wantTidy()
}

// wantLedger wants the ledger to hold our entries of the file and no other.
func wantLedger(t *testing.T, d *rig, what string) {
	t.Helper()
	list, err := d.Held(d.target)
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for _, h := range list {
		if h.Ours {
			ours = append(ours, h.Name)
		}
		if h.Ours && (h.Record == nil || !h.Record.Same(h.Entry)) {
			t.Errorf("%s: the ledger has %s as %+v", what, h.Name, h.Record)
		}
	}
	if got, want := d.ledgerNames(), strings.Join(ours, " "); got != want {
		t.Errorf("%s: the ledger holds %q, want %q", what, got, want)
	}
}

func TestAnErrorOfAnySystemCallLeavesTheOldFile(t *testing.T) { // S-30
	errors := map[string][]string{
		"openat":    {"EACCES", "EROFS", "EIO", "EMFILE", "EINTR", "ENOSPC"},
		"write":     {"ENOSPC", "EDQUOT", "EIO", "EINTR"},
		"fchmod":    {"EPERM", "EROFS"},
		"fsync":     {"EIO", "ENOSPC", "EDQUOT", "EINTR"},
		"close":     {"EIO"},
		"flock":     {"ENOLCK", "EINTR"},
		"mkdirat":   {"EACCES", "ENOSPC", "EROFS"},
		"renameat":  {"EBUSY", "EXDEV", "EACCES", "EPERM", "EROFS", "ENOSPC", "EIO"},
		"renameat2": {"EBUSY", "EXDEV", "EACCES", "EPERM", "EROFS", "ENOSPC", "EIO", "EINVAL"},
		"unlinkat":  {"EBUSY", "EACCES", "EROFS", "EIO"},
	}
	for name := range operations {
		if name == inPlace {
			continue
		}
		for call, list := range errors {
			for _, errno := range list {
				t.Run(name+" "+call+" "+errno, func(t *testing.T) {
					t.Parallel()
					failures := 0
					for k := 1; k < maxCalls; k++ {
						d, before, after := scene(t, name)
						ended, stderr, hit := disturbed(t, d, name, fmt.Sprintf("%s:error=%s:when=%d", call, errno, k))
						if !hit {
							wantOneOf(t, d, "not disturbed, and it said "+stderr, after)
							break
						}
						if strings.Contains(stderr, "loading shared libraries") || strings.Contains(stderr, "runtime: ") {
							continue // it hit what comes before our program
						}
						want, what := after, fmt.Sprintf("%s %s %d", call, errno, k)
						if !ended.Success() {
							failures++
							want = before
							if !strings.Contains(stderr, "[DB_") {
								t.Errorf("%s: it ended with %v and said %q", what, ended, stderr)
							}
						}
						wantOneOf(t, d, what+" "+stderr, want)
						wantNothingBeside(t, d, what)
						if name != "delete" || call != "unlinkat" { // it was told that the folder cannot be removed
							wantNoEmptyFolder(t, d, what)
						}
						if !t.Failed() {
							settleAndGoOn(t, d, what, want, want)
						}
					}
					t.Logf("%d failures", failures)
					always := call == "write" || call == "fsync" || call == "renameat" && name != "create" || call == "renameat2" && name == "create"
					if failures == 0 && always && errno != "EINTR" && errno != "EINVAL" { // by which a file system says that it has no renameat2
						t.Error("it never failed")
					}
				})
			}
		}
	}
}

// A disk that takes neither the new text nor the old one back leaves a part of
// each: then the next run has what it needs to mend the file.
func TestAFileThatCouldNotBeWrittenInPlaceIsMendedLater(t *testing.T) { // C-50
	d, before, after := scene(t, inPlace)
	ended, stderr, _ := disturbed(t, d, inPlace, "ftruncate:error=EIO", "pwrite64:error=EIO:when=2+")
	if got := d.text(); ended.Success() || got == string(before) {
		t.Fatalf("the file was not torn, and it said %s", stderr)
	}
	if err := d.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOneOf(t, d, "the next run", before, after)
	if len(d.backups()) == 0 {
		t.Error("there is no backup")
	}
}

// wantNoEmptyFolder wants the file's folder to be there for the file only.
func wantNoEmptyFolder(t *testing.T, d *rig, what string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Dir(d.target.Path)); err == nil && len(entries) == 0 {
		t.Errorf("%s: an empty folder is left", what)
	}
}

// wantNothingBeside wants the file's folder to hold the file, if anything.
func wantNothingBeside(t *testing.T, d *rig, what string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(d.target.Path))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(d.target.Path) {
			t.Errorf("%s: %s is left", what, e.Name())
		}
	}
}
