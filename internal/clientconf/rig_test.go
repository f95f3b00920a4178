package clientconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
	"drawbridge/internal/splice"
)

// rig is an Editor and a file of a client in a folder of its own.
type rig struct {
	*Editor
	t      testing.TB
	state  string
	target Target
}

const helperPath = "/opt/drawbridge/bin/drawbridge"

// newRig makes a rig; there is no file for nil.
func newRig(t testing.TB, text *string) *rig {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := rigAt(t, filepath.Join(home, "state"), filepath.Join(home, "client", "mcp.json"))
	if err := os.Mkdir(filepath.Dir(d.target.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if text != nil {
		d.save(*text)
	}
	return d
}

// rigAt is an Editor that keeps its records in state, and the file at path.
func rigAt(t testing.TB, state, path string) *rig {
	return &rig{NewEditor(platform.Dirs{Config: state, State: state}), t, state, Target{
		Client: "cursor", Path: path, Place: splice.Place{Format: splice.JSON, Container: []string{"mcpServers"}},
	}}
}

// save writes the file as another program does.
func (d *rig) save(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.target.Path, []byte(text), 0o640); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(d.target.Path, 0o640); err != nil {
		d.t.Fatal(err)
	}
}

// put is the wish for the entry of a server.
func (d *rig) put(server string) Wish {
	return Wish{Server: server, Shape: Entry(d.target, EntryName(server), Launch{Program: helperPath, Args: []string{"mcp", "connect", server}})}
}

func (d *rig) remove(server string) Wish {
	return Wish{Server: server, Shape: Shape{Name: EntryName(server)}, Remove: true}
}

// plan plans the wishes and wants it to work.
func (d *rig) plan(wishes ...Wish) *Preview {
	d.t.Helper()
	p, err := d.Plan(d.target, wishes...)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// do plans the wishes and makes the change.
func (d *rig) do(wishes ...Wish) *Result {
	d.t.Helper()
	return d.make(d.plan(wishes...))
}

func (d *rig) make(p *Preview) *Result {
	d.t.Helper()
	r, err := d.Apply(d.t.Context(), p, Consent{})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(r.Warnings) > 0 {
		d.t.Errorf("warnings %q", r.Warnings)
	}
	d.wantTidy()
	return r
}

func (d *rig) undo() *Result {
	d.t.Helper()
	p, err := d.PlanUndo(d.target)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.make(p)
}

func (d *rig) text() string {
	d.t.Helper()
	b, err := os.ReadFile(d.target.Path)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

func (d *rig) wantText(want string) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.text()); diff != "" {
		d.t.Errorf("the file (-want +got)\n%s", diff)
	}
}

// wantTidy wants nothing but the file in its folder.
func (d *rig) wantTidy() {
	d.t.Helper()
	for _, dir := range []string{filepath.Dir(d.target.Path), d.state, filepath.Join(d.state, "journal"), d.backupFolder(d.target.Path)} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			d.t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".drawbridge") || (dir == filepath.Dir(d.target.Path) && e.Name() != filepath.Base(d.target.Path)) {
				d.t.Errorf("%s is left in %s", e.Name(), dir)
			}
		}
	}
}

// names are those of the entries in the file.
func (d *rig) names() string {
	d.t.Helper()
	list, err := d.Held(d.target)
	if err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, h := range list {
		names = append(names, h.Name)
	}
	return strings.Join(names, " ")
}

func (d *rig) ledgerNames() string {
	d.t.Helper()
	list, err := d.Ledger()
	if err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, o := range list {
		name := o.Name
		if !o.Removed.IsZero() {
			name += " (removed)"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func (d *rig) backups() (list []string) {
	d.t.Helper()
	list, err := filepath.Glob(filepath.Join(d.backupFolder(d.target.Path), "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// wantRefused wants the error, with its reason, and the file untouched.
func (d *rig) wantRefused(err error, code fault.Code, why splice.Reason) {
	d.t.Helper()
	if !fault.IsCode(err, code) || Reason(err) != why {
		d.t.Errorf("got %v (%s), want %s (%s)", err, Reason(err), code, why)
	}
}

// still notes a file, to see later that nobody touched it.
func still(t testing.TB, path string) (check func()) {
	t.Helper()
	before, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path) // a folder has none
	return func() {
		t.Helper()
		after, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := os.ReadFile(path) // the same
		if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || before.Mode() != after.Mode() || string(now) != string(text) {
			t.Errorf("%s was touched: %v, %v", path, before, after)
		}
	}
}

func ptr(s string) *string { return &s }

const other = "{\n  \"mcpServers\": {\n    \"theirs\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"env\": {\"TOKEN\": \"sk-secret-12345\"}}\n  },\n  \"z\": 1\n}\n"
