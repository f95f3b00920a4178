package clientconf

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"drawbridge/internal/platform"
)

// desk is a home folder with Drawbridge's state in it and a Watcher of the
// clients.
type desk struct {
	t        *testing.T
	home     string
	editor   *Editor
	system   System
	cursor   string // its file
	reported chan Snapshot
	slowest  time.Duration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	home := t.TempDir()
	d := &desk{t: t, home: home, editor: NewEditor(platform.Dirs{State: filepath.Join(home, "drawbridge")}),
		cursor: filepath.Join(home, ".cursor", "mcp.json"), reported: make(chan Snapshot, 1000)}
	d.system = System{OS: platform.OS(), Home: home, Dir: home, Env: func(string) string { return "" }, Stat: os.Stat, Folders: folders}
	return d
}

// watch runs a Watcher until the test ends and waits for its first report.
func (d *desk) watch() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	w := NewWatcher(d.editor, d.system, slog.New(slog.DiscardHandler))
	go func() { done <- w.Run(ctx, func(s Snapshot) { d.reported <- s }) }()
	d.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				d.t.Errorf("Run ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			d.t.Error("Run did not return after its context ended")
		}
		d.t.Logf("slowest report after %v", d.slowest.Round(time.Millisecond))
	})
}

// want does something and waits until Cursor's file is reported in the state.
// The limit is below the 30 s of the looks without an event; how long it took is
// logged.
func (d *desk) want(state State, do func()) Status {
	d.t.Helper()
	begun := time.Now()
	do()
	late := time.After(20 * time.Second)
	for {
		select {
		case s := <-d.reported:
			for _, c := range s.Statuses {
				if c.Target.Client == "cursor" && c.State == state {
					d.slowest = max(d.slowest, time.Since(begun))
					return c
				}
			}
		case <-late:
			d.t.Fatalf("no report of %q", state)
		}
	}
}

// owns enters our entry for Cursor in the ledger.
func (d *desk) owns(path, name string) {
	d.t.Helper()
	o := wroteOurs(d.t, cursorTarget(d.t, path), name)
	err := d.editor.changeLedger(d.t.Context(), func(l *ledger) { l.set(o.Real, o.Container, o.Name, &o) })
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) do(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) write(path, text string) {
	d.t.Helper()
	d.do(os.MkdirAll(filepath.Dir(path), 0o700))
	d.do(os.WriteFile(path, []byte(text), 0o600))
}

// saves are the ways in which programs save a file.
var saves = map[string]func(path, text string) error{
	"truncated and written": func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) },
	"replaced by rename":    func(path, text string) error { return platform.ReplaceFile(path, []byte(text), 0o600) },
	"as vim does": func(path, text string) error {
		if err := os.Rename(path, path+"~"); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		return os.Remove(path + "~")
	},
	"as vim does with backupcopy": func(path, text string) error {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+"~", old, 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		return os.Remove(path + "~")
	},
	"removed and made": func(path, text string) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o600)
	},
	"by vim itself": func(path, text string) error {
		vim, err := exec.LookPath("vim")
		if err != nil {
			return errNoVim
		}
		c := exec.Command(vim, "-u", "NONE", "-i", "NONE", "-es", "-c", "set backup writebackup backupcopy=no",
			"-c", "%delete _", "-c", fmt.Sprintf("call setline(1, '%s')", text), "-c", "wq", path)
		return c.Run()
	},
}

var errNoVim = fmt.Errorf("vim is not here: %w", exec.ErrNotFound)

// C-60, C-63.
func TestTheWatcherUnderstandsEveryWayToSave(t *testing.T) {
	for name, save := range saves {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.write(d.cursor, oursIn)
			if err := save(filepath.Join(d.home, ".cursor", "mcp.json"), oursIn); err == errNoVim {
				t.Skip(err)
			}
			d.owns(d.cursor, "a")
			d.want(StateAdded, d.watch)
			d.want(StateChanged, func() { d.do(save(d.cursor, oursMoved)) })
			d.want(StateAdded, func() { d.do(save(d.cursor, oursIn)) })
			d.want(StateRemoved, func() { d.do(save(d.cursor, oursGone)) })
			d.want(StateAdded, func() { d.do(save(d.cursor, oursExtra)) })
			d.want(StateUnreadable, func() { d.do(save(d.cursor, "{ broken")) })
			d.want(StateAdded, func() { d.do(save(d.cursor, oursIn)) })
			d.want(StateRemoved, func() { d.do(os.Remove(d.cursor)) })
		})
	}
}

// C-62: a client that is installed while we run.
func TestTheWatcherFindsAClientInstalledLater(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.want(StateNotInstalled, d.watch)
	s := d.want(StateNotAdded, func() { d.write(d.cursor, "no JSON at all") })
	if s.Read || s.Target.Path != d.cursor {
		t.Errorf("got %+v; a file without an entry of ours is not read", s)
	}
	d.want(StateNotInstalled, func() { d.do(os.RemoveAll(filepath.Dir(d.cursor))) })
	d.want(StateNotAdded, func() { d.write(d.cursor, "{}") })
}

func TestTheWatcherSeesAFolderRemovedAndMadeAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(d.cursor, oursIn)
	d.owns(d.cursor, "a")
	d.want(StateAdded, d.watch)
	d.want(StateNotInstalled, func() { d.do(os.RemoveAll(filepath.Dir(d.cursor))) })
	d.want(StateAdded, func() { d.write(d.cursor, oursIn) })
	d.want(StateChanged, func() { d.write(d.cursor, oursMoved) })
}

// C-61.
func TestTheWatcherFollowsLinkedFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one, two := filepath.Join(d.home, "dotfiles", "one.json"), filepath.Join(d.home, "other", "two.json")
	d.write(one, oursIn)
	d.write(two, oursGone)
	d.do(os.Mkdir(filepath.Dir(d.cursor), 0o700))
	if err := os.Symlink("../dotfiles/one.json", d.cursor); err != nil {
		t.Skip(err) // Windows lets not everybody make links
	}
	d.owns(d.cursor, "a")
	d.want(StateAdded, d.watch)
	d.want(StateChanged, func() { d.write(one, oursMoved) })
	d.want(StateAdded, func() { d.do(platform.ReplaceFile(one, []byte(oursIn), 0o600)) })
	d.want(StateRemoved, func() {
		d.do(os.Symlink(two, d.cursor+".new"))
		d.do(os.Rename(d.cursor+".new", d.cursor))
	})
	d.want(StateAdded, func() { d.write(two, oursIn) })
	d.want(StateUnreadable, func() { d.do(os.Remove(two)) }) // a link to nothing
}

// C-46: what was removed is written down, and nothing puts it back.
func TestTheWatcherRecordsARemovalAndLeavesItAtThat(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(d.cursor, oursIn)
	d.owns(d.cursor, "a")
	d.want(StateAdded, d.watch)
	d.want(StateRemoved, func() { d.write(d.cursor, oursGone) })
	s := d.want(StateRemoved, func() {}) // again, with the time from the ledger
	if s.Entries[0].Since.IsZero() {
		t.Error("it is not said since when")
	}
	owned, err := d.editor.Ledger()
	if err != nil || len(owned) != 1 || owned[0].Removed.IsZero() {
		t.Errorf("ledger: %+v, %v", owned, err)
	}
	if text, err := os.ReadFile(d.cursor); err != nil || string(text) != oursGone {
		t.Errorf("the file holds %q, %v", text, err)
	}
	d.want(StateAdded, func() { d.write(d.cursor, oursIn) }) // a person put it back
	if owned, err := d.editor.Ledger(); err != nil || len(owned) != 1 || !owned[0].Removed.IsZero() {
		t.Errorf("ledger: %+v, %v; what is there is not removed", owned, err)
	}
}

// C-67: until the ledger follows our own removal, the file is ahead of it.
func TestTheWatcherKnowsOurOwnWrites(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(d.cursor, oursIn)
	d.owns(d.cursor, "a")
	d.want(StateAdded, d.watch)
	d.want(StateNotAdded, func() {
		j := &journal{Version: recordVersion, Real: d.cursor, Pending: &change{Real: d.cursor, After: hashOf([]byte(oursGone))}}
		d.do(d.editor.saveJournal(j))
		d.write(d.cursor, oursGone)
	})
	owned, err := d.editor.Ledger()
	if err != nil || len(owned) != 1 || !owned[0].Removed.IsZero() {
		t.Errorf("ledger: %+v, %v; our own removal is nobody else's", owned, err)
	}
}

func TestTheWatcherTakesUpWhatIsAddedMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(d.cursor, oursIn)
	d.want(StateNotAdded, d.watch) // not read, so not known
	d.want(StateAdded, func() { d.owns(d.cursor, "a") })
	d.want(StateChanged, func() { d.write(d.cursor, oursMoved) })
	project := filepath.Join(d.home, "project", ".cursor", "mcp.json")
	d.write(project, oursGone)
	s := d.want(StateRemoved, func() { d.owns(project, "a") })
	if s.Target.Path != project {
		t.Errorf("got %s", s.Target.Path)
	}
}

// stepped is a Watcher whose looks are made by hand.
func (d *desk) stepped(report func(Snapshot)) *watchRun {
	r := &watchRun{Watcher: NewWatcher(d.editor, d.system, slog.New(slog.DiscardHandler)), again: time.NewTimer(time.Hour), report: report}
	r.load()
	r.take()
	return r
}

// A client may come as a program in a folder of PATH, of which no event tells.
func TestASurveyFindsClientsByTheirPrograms(t *testing.T) {
	d := newDesk(t)
	bin := filepath.Join(d.home, "bin")
	d.system.Env = func(name string) string { return map[string]string{"PATH": bin}[name] }
	var state State
	r := d.stepped(func(s Snapshot) {
		for _, c := range s.Statuses {
			if c.Target.Client == "cursor" {
				state = c.State
			}
		}
	})
	r.stirred(t.Context(), platform.Stir{})
	r.tell()
	if state != StateNotInstalled {
		t.Fatalf("got %q", state)
	}
	name := "cursor"
	if d.system.OS == "windows" {
		name += ".exe"
	}
	d.write(filepath.Join(bin, name), "")
	r.survey(t.Context())
	r.tell()
	if state != StateNotAdded {
		t.Errorf("got %q", state)
	}
}

// A file that is met empty or half written is read again before that is told.
// Here the looks are made by hand, so that each meets what it is to meet.
func TestWhatIsEmptyOrBrokenIsReadAgainThreeTimes(t *testing.T) {
	for name, half := range map[string]string{"empty": "", "half": oursIn[:20]} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.write(d.cursor, oursIn)
			d.owns(d.cursor, "a")
			reports := 0
			r := d.stepped(func(Snapshot) { reports++ })
			stir := func() { r.stirred(t.Context(), platform.Stir{Paths: []string{d.cursor}}); r.tell() }
			again := func() {
				for _, w := range r.rows {
					if !w.again.IsZero() {
						w.again = time.Now()
					}
				}
				r.reread(t.Context())
				r.tell()
			}
			stir()
			for range 2 {
				d.write(d.cursor, half)
				stir()
				again()
				stir() // no event starts the count anew
				d.write(d.cursor, oursIn)
				again()
			}
			if reports != 1 {
				t.Fatalf("%d reports of a file that was met half written", reports)
			}
			d.write(d.cursor, half)
			stir()
			for range rereads {
				if reports != 1 {
					t.Fatal("told too early")
				}
				again()
			}
			if reports != 2 {
				t.Errorf("a file that stays so is not told of")
			}
		})
	}
}
