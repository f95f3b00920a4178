package clientconf

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/fault"
)

func TestAMissingFileIsMadeAndItsUndoRemovesIt(t *testing.T) { // C-47, C-55, F-107
	d := newRig(t, nil)
	d.target.Path = filepath.Join(filepath.Dir(d.target.Path), "deep", "er", "mcp.json")
	check := func() {
		t.Helper()
		p := d.plan(d.put("one"))
		if !p.Creates || len(p.Folders) != 2 || !strings.Contains(p.Diff, "--- /dev/null") {
			t.Errorf("the preview is %+v", p)
		}
		d.make(p)
		if runtime.GOOS != "windows" {
			for path, want := range map[string]fs.FileMode{d.target.Path: 0o600, filepath.Dir(d.target.Path): fs.ModeDir | 0o700} {
				if st, err := os.Stat(path); err != nil || st.Mode() != want {
					t.Errorf("%s is %v, %v; want %v", path, st.Mode(), err, want)
				}
			}
		}
	}
	gone := func() {
		t.Helper()
		if _, err := os.Lstat(filepath.Dir(filepath.Dir(d.target.Path))); !os.IsNotExist(err) {
			t.Errorf("a folder is left: %v", err)
		}
	}
	check()
	made := d.text()
	d.undo()
	gone()
	check()
	d.do(d.remove("one")) // F-121
	gone()
	d.undo() // of the removal
	d.wantText(made)
	d.undo()
	gone()
}

func TestARemovedEntryLeavesTheFileAsBefore(t *testing.T) { // F-121
	for name, was := range map[string]string{
		"with entries":      other,
		"without any":       "{\"mcpServers\": {}}",
		"no collection":     "{\"z\": 1}",
		"empty":             "",
		"a null collection": "{\"mcpServers\": null}\n",
	} {
		for _, order := range []string{"one two", "two one"} {
			t.Run(name+", "+order, func(t *testing.T) {
				d := newRig(t, &was)
				d.do(d.put("one"))
				withOne := d.text()
				d.do(d.put("two"))
				first, second, _ := strings.Cut(order, " ")
				d.do(d.remove(first))
				if first == "two" {
					d.wantText(withOne)
				}
				if got := d.names(); !strings.HasSuffix(got, "drawbridge-"+second) || strings.Contains(got, "drawbridge-"+first) {
					t.Errorf("the file holds %s", got)
				}
				d.do(d.remove(second))
				d.wantText(was)
				if d.ledgerNames() != "" {
					t.Errorf("the ledger holds %s", d.ledgerNames())
				}
				for range 4 {
					d.undo()
				}
				d.wantText(was)
			})
		}
	}
}

func TestBothRemovedAtOnceLeaveTheFileAsBefore(t *testing.T) {
	d := newRig(t, ptr("{}"))
	d.do(d.put("one"), d.put("two"))
	if r := d.do(d.remove("one"), d.remove("two")); len(r.Entries) != 2 {
		t.Errorf("got %+v", r)
	}
	d.wantText("{}")
}

func TestAnEntryIsRemovedFromAFileThatOthersChanged(t *testing.T) { // C-55
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	d.save(strings.Replace(d.text(), `"z": 1`, `"z": 2`, 1))
	d.do(d.remove("one"))
	d.wantText(strings.Replace(other, `"z": 1`, `"z": 2`, 1))
}

func TestToRemoveWhatSomebodyTookOutForgetsIt(t *testing.T) { // C-25, C-46
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	d.save(other)
	untouched := still(t, d.target.Path)
	if r := d.do(d.remove("one")); r.Written || r.Entries[0].Effect != Unchanged {
		t.Errorf("got %+v", r)
	}
	untouched()
	if got := d.ledgerNames(); got != "" {
		t.Errorf("the ledger holds %s", got)
	}
}

// Some clients put a plain file in the place of the link when they save.
func TestAnEntryStaysOursWhenItsLinkBecameAFile(t *testing.T) { // C-26, C-46
	d := newRig(t, nil)
	real := filepath.Join(filepath.Dir(d.state), "dotfiles.json")
	if err := os.WriteFile(real, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, d.target.Path); err != nil {
		t.Skipf("this account cannot make links: %v", err)
	}
	shape, err := EntryHTTP(d.target, EntryName("one"), "http://127.0.0.1:1/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.do(Wish{Server: "one", Shape: shape})
	text := d.text()
	if err := os.Remove(d.target.Path); err != nil {
		t.Fatal(err)
	}
	d.save(text)
	if list, err := d.Held(d.target); err != nil || len(list) != 2 || !list[1].Ours || list[1].Record == nil {
		t.Errorf("got %+v, %v", list, err)
	}
	d.do(d.remove("one"))
	if got := d.names() + ", " + d.ledgerNames(); got != "theirs, " {
		t.Errorf("the file and the ledger hold %s", got)
	}
}

func TestUndoKnowsTheCollection(t *testing.T) { // C-55
	d := newRig(t, ptr(`{"mcpServers": {}, "servers": {}, "z": 1}`))
	second := d.target
	second.Place.Container = []string{"servers"}
	p, err := d.Plan(second, d.put("one"))
	if err != nil {
		t.Fatal(err)
	}
	d.make(p)
	d.save(strings.Replace(d.text(), `"z": 1`, `"z": 2`, 1))
	d.undo() // of a change that was made by the other name
	if strings.Contains(d.text(), "drawbridge") {
		t.Errorf("the file holds %s", d.text())
	}
}

func TestAnUndoShowsNoSecretOfTheUser(t *testing.T) { // C-59
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	d.save(strings.Replace(d.text(), `"command": "`+helperPath+`"`, `"env": {"MINE": "my-value-1"}, "command": "`+helperPath+`"`, 1))
	d.do(d.remove("one"))
	p, err := d.PlanUndo(d.target)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.Diff, "my-value-1") || !strings.Contains(p.Diff, helperPath) {
		t.Errorf("the diff is\n%s", p.Diff)
	}
	d.make(p)
	if !strings.Contains(d.text(), "my-value-1") {
		t.Errorf("the file holds %s", d.text())
	}
}

func TestUndoGoesBackStepByStep(t *testing.T) { // C-55
	d := newRig(t, ptr(other))
	var texts []string
	for _, w := range []Wish{d.put("one"), d.put("two"), d.remove("one"), d.put("three")} {
		texts = append(texts, d.text())
		d.do(w)
	}
	for _, want := range slices.Backward(texts) {
		d.undo()
		d.wantText(want)
	}
}

func TestUndoLeavesWhatOthersChangedSince(t *testing.T) { // C-55
	change := func(s string) string { return strings.Replace(s, `"z": 1`, `"z": [2]`, 1) }
	t.Run("added", func(t *testing.T) {
		d := newRig(t, ptr(other))
		d.do(d.put("one"))
		d.save(change(d.text()))
		d.undo()
		d.wantText(change(other))
	})
	t.Run("removed", func(t *testing.T) {
		d := newRig(t, ptr(other))
		d.do(d.put("one"))
		d.do(d.remove("one"))
		d.save(change(d.text()))
		d.undo()
		if got := d.names(); got != "theirs drawbridge-one" || d.ledgerNames() != "drawbridge-one" {
			t.Errorf("the file holds %s, the ledger %s", got, d.ledgerNames())
		}
	})
	t.Run("updated", func(t *testing.T) {
		d := newRig(t, ptr(other))
		w := d.put("one")
		w.Shape = Entry(d.target, w.Name, Launch{Program: "/old/drawbridge", Args: []string{"mcp", "connect", "one", "-v"}})
		d.do(w)
		old := d.text()
		d.do(d.put("one"))
		d.save(change(d.text()))
		d.undo()
		d.wantText(change(old))
	})
	t.Run("replaced", func(t *testing.T) {
		was := strings.ReplaceAll(other, "theirs", "drawbridge-one")
		d := newRig(t, &was)
		w := d.put("one")
		w.Replace = true
		d.do(w)
		d.save(change(d.text()))
		d.undo()
		list, err := d.Held(d.target)
		if err != nil || len(list) != 1 || list[0].Ours || !strings.Contains(d.text(), "sk-secret-12345") || !strings.Contains(d.text(), `"z": [2]`) {
			t.Errorf("got %+v, %v in %s", list, err, d.text())
		}
	})
	t.Run("gone already", func(t *testing.T) {
		d := newRig(t, ptr(other))
		d.do(d.put("one"))
		d.save(change(other))
		untouched := still(t, d.target.Path)
		if r := d.undo(); r.Written {
			t.Errorf("got %+v", r)
		}
		untouched()
		if _, err := d.PlanUndo(d.target); !fault.IsCode(err, fault.NothingToUndo) {
			t.Errorf("a second undo: %v", err)
		}
	})
	t.Run("made another's", func(t *testing.T) {
		d := newRig(t, ptr(other))
		d.do(d.put("one"))
		d.save(strings.Replace(d.text(), helperPath, "/theirs", 1))
		untouched := still(t, d.target.Path)
		if _, err := d.PlanUndo(d.target); !fault.IsCode(err, fault.NothingToUndo) || !strings.Contains(err.Error(), "drawbridge-one") {
			t.Errorf("got %v", err)
		}
		untouched()
	})
}
