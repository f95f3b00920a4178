package clientconf

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

func TestAnEntryIsAddedShownAndTakenBack(t *testing.T) { // C-41, C-44, C-45, C-55, D-61, D-62
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	wantedDiff := "+    \"drawbridge-one\": {"
	if p.Nothing() || p.Creates || p.File != d.target.Path || p.Before != hashOf([]byte(other)) || !strings.Contains(p.Diff, wantedDiff) {
		t.Errorf("the preview is %+v, want a diff with %s", p, wantedDiff)
	}
	if strings.Contains(p.Diff, "sk-secret") || strings.Contains(p.Diff, "\"-y\"") {
		t.Errorf("the diff shows what is not ours:\n%s", p.Diff)
	}
	if _, err := os.Stat(d.state); !os.IsNotExist(err) { // F-116
		t.Errorf("planning wrote something: %v", err)
	}
	r := d.make(p)
	if !r.Written || r.File != d.target.Path || len(r.Entries) != 1 || r.Entries[0].Effect != Added || r.Entries[0].Server != "one" {
		t.Errorf("the result is %+v", r)
	}
	if got := d.names(); got != "theirs drawbridge-one" {
		t.Errorf("the file holds %s", got)
	}
	if got := d.ledgerNames(); got != "drawbridge-one" {
		t.Errorf("the ledger holds %s", got)
	}
	if b, err := os.ReadFile(r.Backup); err != nil || string(b) != other {
		t.Errorf("the backup holds %q, %v", b, err)
	}
	if st, err := os.Stat(d.target.Path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o640 {
		t.Errorf("the file is %v, %v", st, err)
	}
	if wrote, err := d.Wrote(d.target.Path); err != nil || wrote != hashOf([]byte(d.text())) {
		t.Errorf("Wrote gives %s, %v", wrote, err)
	}
	u := d.undo()
	d.wantText(other)
	if !u.Written || u.Entries[0].Effect != Removed || d.ledgerNames() != "" {
		t.Errorf("the undo is %+v, the ledger %s", u, d.ledgerNames())
	}
	if _, err := d.PlanUndo(d.target); !fault.IsCode(err, fault.NothingToUndo) {
		t.Errorf("a second undo: %v", err)
	}
}

func TestAFolderWithSomethingInItStays(t *testing.T) { // D-60
	d := newRig(t, nil)
	d.target.Path = filepath.Join(filepath.Dir(d.target.Path), "made", "mcp.json")
	d.do(d.put("one"))
	theirs := filepath.Join(filepath.Dir(d.target.Path), "theirs")
	if err := os.WriteFile(theirs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := d.PlanUndo(d.target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Apply(t.Context(), p, Consent{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownPathMayLackOneFolder(t *testing.T) { // F-107
	d := newRig(t, nil)
	d.target.Client, d.target.Path = "", filepath.Join(filepath.Dir(d.target.Path), "a", "mcp.json")
	d.plan(d.put("one"))
	d.target.Path = filepath.Join(filepath.Dir(d.target.Path), "b", "mcp.json")
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigNotAFile, NoFolder)
}

func TestWhatIsAsWishedIsNotWritten(t *testing.T) { // C-25, F-117
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	// The same, written another way.
	d.save(strings.Replace(d.text(), `"command": "`+helperPath+`"`, `"command"  :"\u002fopt/drawbridge/bin/drawbridge"`, 1))
	backups := len(d.backups())
	untouched := still(t, d.target.Path)
	for _, w := range []Wish{d.put("one"), d.remove("none")} {
		p := d.plan(w)
		r := d.make(p)
		if !p.Nothing() || p.Diff != "" || r.Written || r.Entries[0].Effect != Unchanged {
			t.Errorf("got %+v, %+v", p, r)
		}
	}
	untouched()
	if got := len(d.backups()); got != backups {
		t.Errorf("there are %d backups, want %d", got, backups)
	}
}

func TestWhatIsAsWishedMayBeReadOnly(t *testing.T) { // C-25
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	if err := os.Chmod(d.target.Path, 0o400); err != nil {
		t.Fatal(err)
	}
	if p := d.plan(d.put("one")); !p.Nothing() {
		t.Errorf("got %+v", p)
	}
}

func TestAnEntryOfSomebodyElseIsNotTouched(t *testing.T) { // C-27, F-117, F-121
	d := newRig(t, ptr(strings.ReplaceAll(other, "theirs", "drawbridge-one")))
	was := d.text()
	untouched := still(t, d.target.Path)
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.EntryNameTaken, NameTaken)
	_, err = d.Plan(d.target, d.remove("one"))
	d.wantRefused(err, fault.EntryNameTaken, NameTaken)
	untouched()

	w := d.put("one")
	w.Replace = true
	p := d.plan(w)
	if strings.Contains(p.Diff, "sk-secret") || !strings.Contains(p.Diff, helperPath) {
		t.Errorf("the diff is\n%s", p.Diff)
	}
	if r := d.make(p); r.Entries[0].Effect != Replaced || strings.Contains(d.text(), "sk-secret") {
		t.Errorf("got %+v, %s", r, d.text())
	}
	u, err := d.PlanUndo(d.target)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(u.Diff, "sk-secret") {
		t.Errorf("the diff of the undo is\n%s", u.Diff)
	}
	d.make(u)
	d.wantText(was)
	if got := d.ledgerNames(); got != "" {
		t.Errorf("the ledger holds %s", got)
	}
}

func TestTheUsersFieldsOfOurEntryStay(t *testing.T) { // C-28
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	d.save(strings.Replace(d.text(), `"command": "`+helperPath+`"`, `"disabled": true, "command": "/old/place/drawbridge", "env": {"MINE": "my-value-1"}`, 1))
	edited := d.text()
	w := d.put("one")
	p := d.plan(w)
	if strings.Contains(p.Diff, "my-value-1") {
		t.Errorf("the diff shows the user's variable:\n%s", p.Diff)
	}
	if r := d.make(p); r.Entries[0].Effect != Updated {
		t.Errorf("got %+v", r)
	}
	d.wantText(strings.Replace(edited, "/old/place/drawbridge", helperPath, 1))
	d.undo()
	d.wantText(edited)
}

// A client may keep two collections in one file.
// The records of each release stay readable.
func TestEntriesOfAMovedProgramAreRepaired(t *testing.T) { // C-26, D-69
	d := newRig(t, ptr(other))
	d.do(d.put("one"))
	renamed := d.put("two")
	renamed.Shape = Entry(d.target, renamed.Name, Launch{Program: "/opt/db-helper", Args: []string{"mcp", "connect", "two"}})
	d.do(renamed) // only the ledger knows that it is ours
	d.save(strings.Replace(d.text(), `"command": "`+helperPath, `"disabled": true, "command": "`+"/elsewhere/drawbridge.exe", 1))
	was := d.text()
	p, err := d.PlanRepair(d.target, "/new/drawbridge")
	if err != nil {
		t.Fatal(err)
	}
	d.make(p)
	d.wantText(strings.NewReplacer("/elsewhere/drawbridge.exe", "/new/drawbridge", "/opt/db-helper", "/new/drawbridge").Replace(was))
	list, err := d.Ledger()
	if err != nil || len(list) != 2 || list[0].Program != "/new/drawbridge" || list[1].Program != "/new/drawbridge" || list[1].Server != "two" {
		t.Errorf("the ledger holds %+v, %v", list, err)
	}
	if p, err := d.PlanRepair(d.target, "/new/drawbridge"); err != nil || !p.Nothing() {
		t.Errorf("a second repair: %+v, %v", p, err)
	}
	d.undo()
	d.wantText(was)
}

// A state file of a client can be large and on one line; no step may look at it
// once for each of its members.
func TestALargeFileOnOneLineIsChanged(t *testing.T) { // S-33
	var text strings.Builder
	text.WriteString("{")
	for i := 0; text.Len() < 2<<20; i++ {
		fmt.Fprintf(&text, `"k%d":{"command":"npx","env":{"A":"b"}},`, i)
	}
	text.WriteString(`"mcpServers":{"z":{}}}`)
	d := newRig(t, ptr(text.String()))
	p := d.plan(d.put("one"))
	if len(p.Diff) > 2000 || !strings.Contains(p.Diff, helperPath) {
		t.Errorf("the diff is %.3000s", p.Diff)
	}
	d.make(p)
	d.undo()
	if d.text() != text.String() {
		t.Error("the undo leaves another file")
	}
}

// A repair of an entry with variables of ours and of the user changes the
// program alone, and shows no value of the user's.
func TestARepairLeavesTheUsersVariables(t *testing.T) { // C-26, C-28, C-41, C-59, D-69
	for _, c := range []struct {
		format splice.Format
		text   string
	}{
		{splice.JSON, `{"mcpServers": {"drawbridge-one": {"command": "/old/drawbridge", "args": ["mcp", "connect", "one"], "env": {"PIN": 123456, "K": "a\u0062cdefgh", "DRAWBRIDGE_HOME": "/h"}}}}`},
		{splice.TOML, "[mcp_servers.drawbridge-one]\ncommand = \"/old/drawbridge\"\nargs = [\"mcp\", \"connect\", \"one\"]\nenv = { PIN = '123456', K = \"a\\u0062cdefgh\", DRAWBRIDGE_HOME = \"/h\" }\n"},
		{splice.YAML, "extensions:\n  drawbridge-one:\n    type: stdio\n    name: drawbridge-one\n    cmd: /old/drawbridge\n    args: [mcp, connect, one]\n    envs:\n      PIN: 123456\n      K: \"a\\x62cdefgh\"\n      DRAWBRIDGE_HOME: /h\n"},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			d := formatRig(t, c.format, c.text)
			launch := Launch{Program: "/old/drawbridge", Args: []string{"mcp", "connect", "one"}, Env: []Pair{{"DRAWBRIDGE_HOME", "/h"}}}
			d.do(Wish{Server: "one", Shape: Entry(d.target, EntryName("one"), launch)}) // is there, and gets a record
			d.wantText(c.text)
			p, err := d.PlanRepair(d.target, "/new/drawbridge")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(p.Diff, "123456") || strings.Contains(p.Diff, "cdefgh") || !strings.Contains(p.Diff, "/new/drawbridge") {
				t.Errorf("shows\n%s", p.Diff)
			}
			d.make(p)
			d.wantText(strings.NewReplacer(`"/old/drawbridge"`, `"/new/drawbridge"`, " /old/drawbridge", ` "/new/drawbridge"`).Replace(c.text))
			list, err := d.Ledger()
			if err != nil || len(list) != 1 || !slices.Equal(list[0].Env, []string{"DRAWBRIDGE_HOME"}) || list[0].Program != "/new/drawbridge" {
				t.Errorf("the ledger has %+v, %v", list, err)
			}
		})
	}
}
