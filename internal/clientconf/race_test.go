package clientconf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

func TestAFileThatChangedSinceThePreviewNeedsANewOne(t *testing.T) { // C-42, C-48, D-61
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	edited := strings.Replace(other, `"z": 1`, `"z": 2`, 1)
	d.save(edited)
	untouched := still(t, d.target.Path)
	_, err := d.Apply(t.Context(), p, Consent{})
	d.wantRefused(err, fault.ClientConfigChanged, ChangedTooOften)
	untouched()
	d.wantTidy()
	if len(d.backups()) != 0 || d.ledgerNames() != "" {
		t.Errorf("left %v and %s", d.backups(), d.ledgerNames())
	}
	// A command is its own consent to make the change to what is there now.
	if _, err := d.Apply(t.Context(), p, Consent{Again: true}); err != nil {
		t.Fatal(err)
	}
	if d.names() != "theirs drawbridge-one" || !strings.Contains(d.text(), `"z": 2`) {
		t.Errorf("the file holds %s", d.text())
	}
	d.undo()
	d.wantText(edited)
}

func TestAnEntryThatAppearedSinceThePreviewIsNotOverwritten(t *testing.T) { // C-27, C-42
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	d.save(strings.ReplaceAll(other, "theirs", "drawbridge-one"))
	untouched := still(t, d.target.Path)
	_, err := d.Apply(t.Context(), p, Consent{Again: true})
	d.wantRefused(err, fault.EntryNameTaken, NameTaken)
	untouched()
}

func TestAFileThatNeverRestsIsLeftAlone(t *testing.T) { // C-48
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	tries, plan := 0, p.plan
	p.plan = func(o *opened) (*change, error) {
		c, err := plan(o)
		tries++
		d.save(other + strings.Repeat("\n", tries)) // between the plan and the swap
		return c, err
	}
	d.save(other + " ")
	_, err := d.Apply(t.Context(), p, Consent{Again: true})
	d.wantRefused(err, fault.ClientConfigChanged, ChangedTooOften)
	if tries != swapTries {
		t.Errorf("it was planned %d times, want %d", tries, swapTries)
	}
	d.wantText(other + strings.Repeat("\n", tries))
	d.wantTidy()
}

func TestEditorsAtTheSameTimeLoseNothing(t *testing.T) { // C-43, S-34
	d := newRig(t, ptr(other))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			e := NewEditor(platform.Dirs{State: d.state}) // as another process has one
			for i := range 10 {
				p, err := e.Plan(d.target, d.put(fmt.Sprintf("s%d-%d", w, i)))
				if err == nil {
					_, err = e.Apply(t.Context(), p, Consent{Again: true})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(strings.Fields(d.names())); got != 41 {
		t.Errorf("the file holds %d entries, want 41", got)
	}
	if list, err := d.Ledger(); err != nil || len(list) != 40 {
		t.Errorf("the ledger holds %d entries, %v; want 40", len(list), err)
	}
	d.wantTidy()
}

func TestABusyFileIsNotWaitedForWithoutEnd(t *testing.T) { // C-43
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	unlock, err := platform.Lock(t.Context(), d.lockPath(d.target.Path))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	untouched := still(t, d.target.Path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = d.Apply(ctx, p, Consent{}); !fault.IsCode(err, fault.ClientConfigWrite) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	untouched()
}

func TestAnEntryThatTheClientTakesOutIsToldAndNotAddedAgain(t *testing.T) { // C-46, C-53, C-54, F-118
	d := newRig(t, ptr(other))
	r := d.do(d.put("one"))
	synctest.Test(t, func(t *testing.T) {
		if err := d.Confirm(t.Context(), r, 0, 300*time.Millisecond, 2*time.Second); err != nil {
			t.Errorf("an entry that is there: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Second, func() {
			if err := os.WriteFile(d.target.Path, []byte(other), 0o600); err != nil {
				t.Error(err)
			}
		})
		begun := time.Now()
		err := d.Confirm(t.Context(), r, 0, 300*time.Millisecond, 2*time.Second)
		if !fault.IsCode(err, fault.EntryRemoved) || time.Since(begun) != 2*time.Second {
			t.Errorf("after %v: got %v, want %s", time.Since(begun), err, fault.EntryRemoved)
		}
	})
	d.wantText(other)
	if got := d.ledgerNames(); got != "drawbridge-one (removed)" {
		t.Errorf("the ledger holds %s", got)
	}
	if p, err := d.PlanRepair(d.target, "/new/drawbridge"); err != nil || !p.Nothing() {
		t.Errorf("a repair would do %+v, %v", p, err)
	}
	d.save(strings.Replace(other, "\n  },", ",\n    \"drawbridge-one\": {\"command\": \""+helperPath+"\", \"args\": [\"mcp\", \"connect\", \"one\"]}\n  },", 1))
	if r := d.do(d.put("one")); r.Written || d.ledgerNames() != "drawbridge-one" { // the user put it back by hand
		t.Errorf("got %+v, the ledger holds %s", r, d.ledgerNames())
	}
	d.save(other)
	d.do(d.put("one")) // by the user's wish
	if got := d.ledgerNames(); got != "drawbridge-one" {
		t.Errorf("the ledger holds %s", got)
	}
}

func TestAFileThatIsBeingSavedIsLookedAtAgain(t *testing.T) { // C-53, C-63
	d := newRig(t, ptr(other))
	r := d.do(d.put("one"))
	whole := d.text()
	d.save(whole[:20])
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Second, func() {
			if err := os.WriteFile(d.target.Path, []byte(whole), 0o600); err != nil {
				t.Error(err)
			}
		})
		if err := d.Confirm(t.Context(), r, 0, 2*time.Second); err != nil {
			t.Error(err)
		}
	})
}

// crash leaves the records as a process does that was killed in the middle of
// a change: begun, and not known to be done.
func crash(t *testing.T, d *rig, plan func() (*Preview, error), c Consent) *change {
	t.Helper()
	p, err := plan()
	if err != nil {
		t.Fatal(err)
	}
	var made *change
	err = d.locked(t.Context(), p.File, func() error {
		j, err := d.settled(t.Context(), p.File)
		if err != nil {
			return err
		}
		o, err := openTarget(p.Target)
		if err != nil {
			return err
		}
		made = p.made
		return d.write(o, made, j, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTheNextRunSettlesWhatAKilledOneBegan(t *testing.T) { // C-45, S-29
	theirs := func(s string) string { return strings.Replace(s, `"z": 1`, `"z": 3`, 1) }
	for _, c := range []struct {
		name string
		file func(before, after string) string
		made bool
	}{
		{"before the file was written", func(before, _ string) string { return before }, false},
		{"after it", func(_, after string) string { return after }, true},
		{"before it, and another program wrote since", func(before, _ string) string { return theirs(before) }, false},
		{"after it, and another program wrote since", func(_, after string) string { return theirs(after) }, true},
	} {
		for _, what := range []string{"add", "update", "remove", "undo"} {
			t.Run(what+" "+c.name, func(t *testing.T) {
				d := newRig(t, ptr(other))
				plan := func() (*Preview, error) { return d.Plan(d.target, d.put("one")) }
				switch what {
				case "update":
					w := d.put("one")
					w.Shape = Entry(d.target, w.Name, Launch{Program: "/old/drawbridge", Args: []string{"mcp", "connect", "one"}})
					d.do(w)
				case "remove":
					d.do(d.put("one"))
					plan = func() (*Preview, error) { return d.Plan(d.target, d.remove("one")) }
				case "undo":
					d.do(d.put("one"))
					plan = func() (*Preview, error) { return d.PlanUndo(d.target) }
				}
				j, err := d.loadJournal(d.target.Path)
				if err != nil {
					t.Fatal(err)
				}
				changes, before, ledger := len(j.Changes), d.text(), d.ledgerNames()
				made := crash(t, d, plan, Consent{})
				now := c.file(before, string(made.after))
				d.save(now)
				untouched := still(t, d.target.Path)
				if err := d.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				untouched()
				if j, err = d.loadJournal(d.target.Path); err != nil || j.Pending != nil {
					t.Fatalf("the journal is %+v, %v", j, err)
				}
				if c.made && what == "undo" {
					changes--
				} else if c.made {
					changes++
				}
				if c.made {
					ledger = map[string]string{"add": "drawbridge-one", "update": "drawbridge-one"}[what]
				}
				if len(j.Changes) != changes || d.ledgerNames() != ledger {
					t.Errorf("%d changes and the ledger %q, want %d and %q", len(j.Changes), d.ledgerNames(), changes, ledger)
				}
				if changes > 0 {
					d.undo() // the file is usable
				}
				d.wantTidy()
			})
		}
	}
}

func TestAFileTornWhileItWasWrittenInPlaceIsMended(t *testing.T) { // C-50
	for _, what := range []string{"grows", "shrinks"} {
		before := other
		d := newRig(t, &before)
		plan := func() (*Preview, error) { return d.Plan(d.target, d.put("one")) }
		if what == "shrinks" {
			d.do(d.put("one"))
			before = d.text()
			plan = func() (*Preview, error) { return d.Plan(d.target, d.remove("one")) }
		}
		after := string(crash(t, d, plan, Consent{InPlace: true}).after)
		raw, err := os.ReadFile(d.journalPath(d.target.Path))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(after) + 1 {
			torn := after[:n] + before[min(n, len(before)):]
			d.save(torn)
			if err := os.WriteFile(d.journalPath(d.target.Path), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := d.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := d.text(); got != before && got != after {
				t.Fatalf("%s, torn at %d: got %q", what, n, got)
			}
		}
	}
}

func TestAnUndoAfterAKilledChangeTakesItBack(t *testing.T) { // C-55
	d := newRig(t, ptr(other))
	crash(t, d, func() (*Preview, error) { return d.Plan(d.target, d.put("one")) }, Consent{})
	if d.names() != "theirs drawbridge-one" {
		t.Fatal(d.names())
	}
	d.undo()
	d.wantText(other)
}

// The other program adds one to a number in the file, 2,000 times, while an
// entry is added and taken out. It takes no care itself. A save of its own that
// was in the file when we looked last must survive; how many of those that came
// in the moment after that survived is measured.
func TestAnotherWriterLosesNothing(t *testing.T) { // C-48, C-51, S-34, W-18
	if testing.Short() {
		t.Skip("2,000 saves of another program: takes long")
	}
	const saves = 2000
	for name, save := range map[string]func(path string, text []byte) error{
		"by rename": func(path string, text []byte) error {
			return errors.Join(os.WriteFile(path+".theirs", text, 0o600), os.Rename(path+".theirs", path))
		},
		"in place": func(path string, text []byte) error { return os.WriteFile(path, text, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newRig(t, nil)
			if dir, err := os.MkdirTemp("/dev/shm", "drawbridge-"); err == nil { // so quick that the two really meet
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				d = rigAt(t, filepath.Join(dir, "state"), filepath.Join(dir, "mcp.json"))
			}
			d.save("{\n  \"mcpServers\": {},\n  \"n\": 0\n}\n")
			done := make(chan error, 1)
			go func() {
				var err error
				for n := 0; n < saves && err == nil; n++ {
					err = d.countUp(save)
					spin(time.Duration(n%7) * 150 * time.Microsecond)
				}
				done <- err
			}()
			writes, refused := 0, 0
			for running := true; running; {
				for _, w := range []Wish{d.put("one"), d.remove("one")} {
					if d.writeOver(w) {
						writes++
					} else {
						refused++
					}
				}
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
					running = false
				default:
				}
			}
			lost := saves - d.counter()
			t.Logf("%d saves of the other program, %d of ours, %d not made as the file did not rest: %d saves lost", saves, writes, refused, lost)
			if runtime.GOOS == "linux" && lost > saves/20 { // 0 as measured; without a swap it would be 7 in 100
				t.Errorf("%d saves were lost", lost)
			}
			if writes == 0 {
				t.Error("none of ours was made")
			}
		})
	}
}

var counter = regexp.MustCompile(`"n": (\d+)`)

// spin lets a little time pass, finer than a timer would.
func spin(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
		runtime.Gosched()
	}
}

// countUp is one save of the other program.
func (d *rig) countUp(save func(path string, text []byte) error) error {
	text, err := os.ReadFile(d.target.Path)
	if err != nil {
		return err
	}
	at := counter.FindSubmatchIndex(text)
	if at == nil {
		return fmt.Errorf("there is no counter in %q", text)
	}
	n, err := strconv.Atoi(string(text[at[2]:at[3]]))
	if err != nil {
		return err
	}
	return save(d.target.Path, slices.Concat(text[:at[2]], strconv.AppendInt(nil, int64(n+1), 10), text[at[3]:]))
}

func (d *rig) counter() int {
	n, err := strconv.Atoi(string(counter.FindSubmatch([]byte(d.text()))[1]))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// writeOver makes a wish come true in a file that another program keeps
// changing, and checks that nothing of what the file held was lost.
func (d *rig) writeOver(w Wish) (written bool) {
	p, err := d.Plan(d.target, w)
	var r *Result
	if err == nil {
		r, err = d.Apply(d.t.Context(), p, Consent{Again: true})
	}
	switch {
	case fault.IsCode(err, fault.ClientConfigChanged), fault.IsCode(err, fault.ClientConfigInvalid): // it did not rest, or was half saved
		return false
	case err != nil:
		d.t.Error(err)
		return false
	}
	before, after := counter.Find(r.made.before), counter.Find(r.made.after)
	if string(before) != string(after) {
		d.t.Errorf("we made %s of %s", after, before)
	}
	return r.Written
}
