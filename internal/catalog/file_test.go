package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// The test binary plays other writers, too.
const roleVariable = "DRAWBRIDGE_CATALOG_TEST_ROLE"

func TestMain(m *testing.M) {
	role, dir := os.Getenv(roleVariable), os.Getenv(platform.HomeVariable)
	switch {
	case role == "":
		os.Exit(m.Run())
	case role == "once":
		runtime.LockOSThread() // strace counts the calls of each thread by itself
		if err := Open(platform.Dirs{Config: dir, State: dir}).Add(context.Background(), added); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case role == "flip":
		flip(Open(platform.Dirs{Config: dir, State: dir}))
	default:
		if err := addMany(Open(platform.Dirs{Config: dir, State: dir}), role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// addMany adds 25 servers; a lock that stayed busy is tried again.
func addMany(f *File, prefix string) error {
	for i := range 25 {
		s := added
		s.Name = fmt.Sprintf("%s-%d", prefix, i)
		err := f.Add(context.Background(), s)
		for n := 0; n < 20 && fault.IsCode(err, fault.CatalogWrite); n++ {
			err = f.Add(context.Background(), s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flip adds and removes one server until it is killed.
func flip(f *File) {
	for {
		if err := f.Add(context.Background(), added); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := f.Remove(context.Background(), added.Name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// other makes a process that plays the role on the folder.
func other(t *testing.T, role, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	// The race detector would wait a second at the end of each.
	c.Env = append(os.Environ(), roleVariable+"="+role, platform.HomeVariable+"="+dir, "GORACE=atexit_sleep_ms=0")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	return c, &stderr
}

func open(t testing.TB) (f *File, dir string) {
	dir = t.TempDir()
	return Open(platform.Dirs{Config: dir, State: filepath.Join(dir, "state")}), dir
}

func put(t testing.TB, f *File, text string) {
	t.Helper()
	if err := os.WriteFile(f.Path(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantText(t testing.TB, f *File, want string) {
	t.Helper()
	got, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the file (-want +got)\n%s", diff)
	}
}

func names(list []Server) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

func TestServersAreAddedListedChangedAndRemoved(t *testing.T) {
	f, dir := open(t)
	if list, err := f.Load(); err != nil || len(list) != 0 {
		t.Fatalf("no file: got %v, %v", list, err)
	}
	if _, err := f.Get("x"); !fault.IsCode(err, fault.ServerNotFound) {
		t.Errorf("no file: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("reading left %v, %v", entries, err)
	}
	ctx := t.Context()
	for _, s := range samples() {
		if err := f.Add(ctx, s); err != nil {
			t.Fatal(err)
		}
		got, err := f.Get(s.Name)
		if diff := cmp.Diff(s, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", s.Name, err, diff)
		}
	}
	list, err := f.Load()
	if want := "A.b_c-9 all-allowed command full nothing-allowed"; err != nil || names(list) != want {
		t.Errorf("got %s, %v; want %s", names(list), err, want)
	}
	if err := f.Add(ctx, samples()[0]); !fault.IsCode(err, fault.ServerExists) {
		t.Errorf("added twice: %v", err)
	}
	changed := samples()[0]
	changed.Description = "changed"
	if err := f.Put(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Get(changed.Name); err != nil || got.Description != "changed" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := f.Remove(ctx, changed.Name); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(ctx, changed.Name); !fault.IsCode(err, fault.ServerNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if runtime.GOOS != "windows" {
		if st, err := os.Stat(f.Path()); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("the file is %v, %v; want mode 0600", st.Mode(), err)
		}
	}
}

func TestBadEntriesDoNotHideGoodOnes(t *testing.T) {
	f, _ := open(t)
	put(t, f, "{\n  \"servers\": {\n    \"z\": {\"command\": \"x\"},\n    \"bad\": {\"url\": \"ftp://h/\"},\n    \"a\": {\"url\": \"http://h/\"}\n  }\n}")
	list, err := f.Load()
	if names(list) != "a z" || !fault.IsCode(err, fault.CatalogInvalid) || !strings.Contains(err.Error(), f.Path()+":4:5: ") {
		t.Errorf("got %s, %v", names(list), err)
	}
	if s, err := f.Get("z"); err != nil || s.Transport != Stdio {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := f.Get("bad"); !fault.IsCode(err, fault.CatalogInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestABrokenFileIsNeverWritten(t *testing.T) { // S-35
	for name, text := range map[string]string{
		"syntax":  "{\n  \"servers\": {\n}",
		"empty":   "",
		"newer":   `{"version": 2, "servers": []}`,
		"twice":   `{"servers": {}, "servers": {}}`,
		"UTF-16":  "\xff\xfe{\x00}\x00",
		"an edit": "<<<<<<< mine\n{}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := open(t)
			put(t, f, text)
			for what, err := range map[string]error{
				"add": f.Add(t.Context(), added), "put": f.Put(t.Context(), added), "remove": f.Remove(t.Context(), "a"),
			} {
				want := fault.CatalogInvalid
				if name == "newer" {
					want = fault.StateNewer
				}
				if !fault.IsCode(err, want) {
					t.Errorf("%s: got %v, want %s", what, err, want)
				}
			}
			wantText(t, f, text)
		})
	}
}

func TestWritersOfOneProcessLoseNothing(t *testing.T) { // S-34
	f, _ := open(t)
	put(t, f, "// kept\n{\"servers\": {}}")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := addMany(f, fmt.Sprintf("w%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := f.Load(); err != nil || len(list) != 8*25 {
		t.Errorf("got %d servers, %v; want %d", len(list), err, 8*25)
	}
}

func TestWritersOfSeveralProcessesLoseNothing(t *testing.T) { // S-34
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c, stderr := other(t, fmt.Sprintf("p%d", i), dir)
			if err := c.Run(); err != nil {
				t.Errorf("%v: %s", err, stderr)
			}
		})
	}
	wg.Wait()
	f := Open(platform.Dirs{Config: dir, State: dir})
	if list, err := f.Load(); err != nil || len(list) != 4*25 {
		t.Errorf("got %d servers, %v; want %d", len(list), err, 4*25)
	}
}

func TestAnEditorThatKnowsNoLockLosesNothing(t *testing.T) { // S-34
	f, _ := open(t)
	put(t, f, fresh)
	tries := 0
	err := f.change(t.Context(), func(d *document) ([]byte, error) {
		if tries++; tries == 1 { // the editor saves between our read and our rename
			put(t, f, "// edited\n"+fresh)
		}
		return d.withServer(added)
	})
	if err != nil || tries != 2 {
		t.Errorf("got %v after %d tries, want success after 2", err, tries)
	}
	wantText(t, f, mustAdd(t, "// edited\n"+fresh, added))
}

func TestAFileThatNeverRestsIsLeftAlone(t *testing.T) { // S-34
	f, _ := open(t)
	tries := 0
	err := f.change(t.Context(), func(d *document) ([]byte, error) {
		tries++
		put(t, f, strings.Repeat("\n", tries)+fresh)
		return d.withServer(added)
	})
	if !fault.IsCode(err, fault.CatalogWrite) || tries != swapTries {
		t.Errorf("got %v after %d tries, want %s after %d", err, tries, fault.CatalogWrite, swapTries)
	}
	wantText(t, f, strings.Repeat("\n", tries)+fresh)
}

func TestABusyWriterIsNotWaitedForWithoutEnd(t *testing.T) {
	f, _ := open(t)
	put(t, f, fresh)
	unlock, err := platform.Lock(t.Context(), f.lock)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = f.Add(ctx, added)
	wantUnwritten(t, f, err, context.DeadlineExceeded)
	if !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Load(); err != nil {
		t.Errorf("reading waits, too: %v", err)
	}
}

func TestALinkedFileStaysALink(t *testing.T) { // S-32
	f, dir := open(t)
	target := filepath.Join(dir, "dotfiles", "catalog.json")
	if err := os.Mkdir(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("dotfiles/catalog.json", f.Path()); err != nil {
		t.Skipf("this account cannot make links: %v", err)
	}
	if err := f.Add(t.Context(), added); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(f.Path()); err != nil || to != "dotfiles/catalog.json" {
		t.Errorf("the link is %q, %v", to, err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != mustAdd(t, fresh, added) {
		t.Errorf("the target holds %s, %v", got, err)
	}
}

// TestAKilledWriterLeavesTheOldFileOrTheNew kills a process at many moments of
// its writing.
func TestAKilledWriterLeavesTheOldFileOrTheNew(t *testing.T) { // S-29
	dir := t.TempDir()
	f := Open(platform.Dirs{Config: dir, State: dir})
	old := "// kept\n" + fresh
	put(t, f, old)
	changed := mustAdd(t, old, added)
	for round := range 40 {
		c, stderr := other(t, "flip", dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		awaitWrite(t, f)
		spin(time.Duration(round) * 137 * time.Microsecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		if stderr.Len() > 0 {
			t.Fatalf("the writer ended by itself: %s", stderr)
		}
		got, err := os.ReadFile(f.Path())
		if err != nil || (string(got) != old && string(got) != changed) {
			t.Fatalf("round %d: neither old nor new: %q, %v", round, got, err)
		}
		if err := f.Put(t.Context(), added); err != nil { // the next start
			t.Fatal(err)
		}
		if err := f.Remove(t.Context(), added.Name); err != nil {
			t.Fatal(err)
		}
		wantText(t, f, old)
		if left, err := filepath.Glob(filepath.Join(dir, ".drawbridge-*")); err != nil || len(left) > 0 {
			t.Fatalf("round %d left %v, %v", round, left, err)
		}
	}
}

// awaitWrite waits until the file is another one.
func awaitWrite(t *testing.T, f *File) {
	t.Helper()
	first, err := os.Stat(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); ; runtime.Gosched() {
		now, err := os.Stat(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(first, now) {
			return
		}
		if time.Now().After(until) {
			t.Fatal("the other process wrote nothing")
		}
	}
}

// spin lets a little time pass, finer than a timer would.
func spin(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
		runtime.Gosched()
	}
}

func TestAnUnwritableFolderLeavesTheFile(t *testing.T) { // S-31
	f, dir := open(t)
	put(t, f, fresh)
	// A file in the place of a folder stops root, too.
	if err := os.WriteFile(filepath.Join(dir, "state"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantUnwritten(t, f, f.Add(t.Context(), added), nil)
}

func TestAReadOnlyFileIsLeft(t *testing.T) { // S-31
	f, _ := open(t)
	put(t, f, fresh)
	if err := os.Chmod(f.Path(), 0o400); err != nil {
		t.Fatal(err)
	}
	wantUnwritten(t, f, f.Add(t.Context(), added), fs.ErrPermission)
}

// wantUnwritten checks a failed write of the file that holds fresh.
func wantUnwritten(t *testing.T, f *File, err, cause error) {
	t.Helper()
	if !fault.IsCode(err, fault.CatalogWrite) || (cause != nil && !errors.Is(err, cause)) {
		t.Errorf("got %v, want %s for %v", err, fault.CatalogWrite, cause)
	}
	wantText(t, f, fresh)
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Path()), ".drawbridge-*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestAPipeInThePlaceOfTheFileIsNotOpened(t *testing.T) {
	f, _ := open(t)
	if err := os.Mkdir(f.Path(), 0o700); err != nil { // stands for all that is no file
		t.Fatal(err)
	}
	if _, err := f.Load(); !fault.IsCode(err, fault.CatalogInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestATooLargeFileIsRefused(t *testing.T) {
	f, _ := open(t)
	put(t, f, "{}"+strings.Repeat(" ", MaxBytes))
	if _, err := f.Load(); !fault.IsCode(err, fault.CatalogInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestAFileIsNotMadeTooLarge(t *testing.T) {
	f, _ := open(t)
	text := fresh + strings.Repeat(" ", MaxBytes-len(fresh)-1)
	put(t, f, text)
	if err := f.Add(t.Context(), added); !fault.IsCode(err, fault.CatalogWrite) || !strings.Contains(err.Error(), "more than the 16777216 bytes") {
		t.Errorf("got %v", err)
	}
	wantText(t, f, text)
	if _, err := f.Load(); err != nil {
		t.Error(err)
	}
}

func BenchmarkGet(b *testing.B) {
	f, _ := open(b)
	for i := range 20 {
		s := samples()[i%3]
		s.Name = fmt.Sprintf("server-%d", i)
		if err := f.Add(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Get("server-19"); err != nil {
			b.Fatal(err)
		}
	}
}
