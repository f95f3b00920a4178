package clientconf

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
)

func TestTheLastTenBackupsAreKeptAndPrivate(t *testing.T) { // C-44, S-37
	d := newRig(t, ptr(other))
	var texts []string
	for range 7 {
		for _, w := range []Wish{d.put("one"), d.remove("one")} {
			texts = append(texts, d.text())
			d.do(w)
		}
	}
	var got []string
	for _, path := range d.backups() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
		if st, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v", path, st.Mode(), err)
		}
	}
	if diff := cmp.Diff(texts[len(texts)-10:], got); diff != "" {
		t.Errorf("the backups (-want +got)\n%s", diff)
	}
	if runtime.GOOS != "windows" {
		for _, path := range []string{d.ledgerPath(), d.journalPath(d.target.Path)} {
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("%s is %v, %v", path, st.Mode(), err)
			}
		}
	}
	for range 10 {
		d.undo()
	}
	if _, err := d.PlanUndo(d.target); !fault.IsCode(err, fault.NothingToUndo) {
		t.Errorf("an eleventh undo: %v", err)
	}
}

func TestBackupsOfWhatWasTakenBackAreKeptToo(t *testing.T) { // C-44
	d := newRig(t, ptr(other))
	for range 7 {
		d.do(d.put("one"))
		d.undo()
	}
	if got := len(d.backups()); got != keptBackups {
		t.Errorf("there are %d backups, want %d", got, keptBackups)
	}
}

func TestRecordsOfVersionOneAreRead(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join("testdata", "records-1", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	d := newRig(t, ptr(read("mcp.json")))
	home := filepath.ToSlash(filepath.Dir(d.state))
	for name, path := range map[string]string{"ledger.json": d.ledgerPath(), "journal.json": d.journalPath(d.target.Path)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(read(name), "HOME", home)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := d.Held(d.target)
	if err != nil || len(list) != 2 || runtime.GOOS != "windows" && (list[1].Record == nil || !list[1].Record.Same(list[1].Entry)) {
		t.Errorf("the file holds %+v, %v", list, err)
	}
	d.undo()
	d.wantText(other)
}

func TestRecordsOfANewerVersionAreLeft(t *testing.T) {
	for _, which := range []string{"ledger", "journal"} {
		t.Run(which, func(t *testing.T) {
			d := newRig(t, ptr(other))
			d.do(d.put("one"))
			path := d.ledgerPath()
			if which == "journal" {
				path = d.journalPath(d.target.Path)
			}
			var record map[string]any
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(b), "{\n\t\"version\": 1,") {
				t.Errorf("%s begins with %.30s", path, b)
			}
			if err := json.Unmarshal(b, &record); err != nil {
				t.Fatal(err)
			}
			record["version"] = 2
			if b, err = json.Marshal(record); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			file, kept := still(t, d.target.Path), still(t, path)
			p, err := d.Plan(d.target, d.put("two"))
			if err == nil {
				_, err = d.Apply(t.Context(), p, Consent{})
			}
			if !fault.IsCode(err, fault.StateNewer) {
				t.Errorf("got %v", err)
			}
			file()
			kept()
		})
	}
}

// macOS makes no file with half a character in its name.
func TestNoNameIsCutWithinACharacter(t *testing.T) {
	home := t.TempDir()
	for shift := range 3 {
		d := rigAt(t, filepath.Join(home, "state"), filepath.Join(home, "client", strings.Repeat("a", shift)+strings.Repeat("설정", 15)+".json"))
		if err := os.MkdirAll(filepath.Dir(d.target.Path), 0o700); err != nil {
			t.Fatal(err)
		}
		d.save("{}")
		if _, err := d.Apply(t.Context(), d.plan(d.put("one")), Consent{}); err != nil {
			t.Fatal(err)
		}
	}
	files := 0
	err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		if files++; !utf8.ValidString(path) {
			t.Errorf("there is %q", path)
		}
		return err
	})
	if err != nil || files < 12 {
		t.Errorf("%d files, %v", files, err)
	}
}
