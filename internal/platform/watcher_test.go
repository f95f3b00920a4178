package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// runWatcher runs it until the test ends and gives what it tells.
func runWatcher(t *testing.T, w *Watcher) <-chan Stir {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan Stir, 10_000), make(chan error, 1)
	go func() { done <- w.Run(ctx, func(s Stir) { told <- s }) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run did not return after its context ended")
		}
	})
	return told
}

// wantStir waits for a call with the path. The time is less than watchLook, so
// that it is events that must tell.
func wantStir(t *testing.T, told <-chan Stir, path, what string) Stir {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case s := <-told:
			if slices.Contains(s.Paths, path) {
				return s
			}
		case <-late:
			t.Fatalf("nothing was told of %s", what)
		}
	}
}

// make folders and write a file, as a client does that is installed just now.
// C-62.
func TestAWatcherMissesNoFileInFoldersMadeLater(t *testing.T) {
	t.Parallel()
	if !watchEvents {
		t.Skip("files are only looked at on this system")
	}
	const runs = 200
	root := t.TempDir()
	w := NewWatcher()
	var paths []string
	for i := range runs {
		paths = append(paths, filepath.Join(root, fmt.Sprint("home", i), ".config", "App", "mcp.json"))
	}
	w.Set(paths...)
	told := runWatcher(t, w)
	for left := runs; left > 0; {
		left -= len((<-told).Paths)
	}
	var makers sync.WaitGroup
	for _, p := range paths {
		makers.Go(func() {
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(p, []byte("{}"), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	makers.Wait()
	seen, late := map[string]bool{}, time.After(20*time.Second)
	for len(seen) < runs {
		select {
		case s := <-told:
			for _, p := range s.Paths {
				if b, err := os.ReadFile(p); err == nil && string(b) == "{}" {
					seen[p] = true
				}
			}
		case <-late:
			t.Fatalf("%d of %d files were missed", runs-len(seen), runs)
		}
	}
}

// What is made between the look and the watch sends no event. Here everything
// is.
func TestAWatcherLooksAgainAfterEachFolder(t *testing.T) {
	t.Parallel()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "a", "b", "c")
	path := filepath.Join(folder, "f")
	w := NewWatcher()
	w.events = true
	w.add = func(n *fsnotify.Watcher, dir string) error {
		rest, below := strings.CutPrefix(folder, dir+string(filepath.Separator))
		if next, _, _ := strings.Cut(rest, string(filepath.Separator)); below {
			_ = os.Mkdir(filepath.Join(dir, next), 0o700) // it may be there already
		}
		return addWatch(n, dir)
	}
	w.Set(path)
	told := runWatcher(t, w)
	wantStir(t, told, path, "the beginning")
	write(t, path, "x", 0o600)
	wantStir(t, told, path, "a file in a folder that was made meanwhile")
}

// C-61: a folder on the way may be a link, and may lead elsewhere later.
func TestAWatcherFollowsLinkedFolders(t *testing.T) {
	t.Parallel()
	if !watchEvents {
		t.Skip("files are only looked at on this system")
	}
	root := t.TempDir()
	write(t, mustMake(t, root, "dotfiles", "one", "f"), "1", 0o600)
	write(t, mustMake(t, root, "dotfiles", "two", "f"), "2", 0o600)
	config := mustMake(t, root, "home", "config")
	symlink(t, "../dotfiles/./one", config)
	path := filepath.Join(config, "f")
	w := NewWatcher()
	w.Set(path)
	told := runWatcher(t, w)
	wantStir(t, told, path, "the beginning")
	write(t, filepath.Join(root, "dotfiles", "one", "f"), "3", 0o600)
	wantStir(t, told, path, "a change behind a linked folder")
	symlink(t, "../dotfiles/two", config+".new")
	rename(t, config+".new", config)
	wantStir(t, told, path, "a folder's link that leads elsewhere")
	write(t, filepath.Join(root, "dotfiles", "two", "f"), "4", 0o600)
	wantStir(t, told, path, "a change behind the new link")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	wantStir(t, told, path, "a link that went")
}

// mustMake makes the folders above a path and gives it.
func mustMake(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAWatcherTellsOfAnythingInAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "Packages")
	all := filepath.Join(dir, Anything)
	w := NewWatcher()
	w.Set(all)
	told := runWatcher(t, w)
	wantStir(t, told, all, "the beginning")
	if err := os.MkdirAll(filepath.Join(dir, "Claude_x"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantStir(t, told, all, "a new folder")
	if err := os.Mkdir(filepath.Join(dir, "Claude_y"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantStir(t, told, all, "a second one")
}

func TestAWatcherTakesUpOtherPathsWhileItRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	w := NewWatcher()
	w.Set(one)
	told := runWatcher(t, w)
	wantStir(t, told, one, "the beginning")
	w.Set(two)
	if s := wantStir(t, told, two, "the second path"); len(s.Paths) != 1 {
		t.Errorf("told of %q", s.Paths)
	}
	write(t, one, "x", 0o600)
	write(t, two, "x", 0o600)
	if s := wantStir(t, told, two, "a change"); len(s.Paths) != 1 {
		t.Errorf("told of %q, of which only the last is watched", s.Paths)
	}
}

// When the system has no more watches to give, files are looked at, and the
// Watcher says so.
func TestAWatcherWithoutWatchesLooks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	w := NewWatcher()
	w.events = true
	w.add = func(*fsnotify.Watcher, string) error { return fmt.Errorf("add: %w", syscall.ENOSPC) }
	w.Set(path)
	told := runWatcher(t, w)
	if s := wantStir(t, told, path, "the beginning"); !errors.Is(s.Polls, syscall.ENOSPC) {
		t.Errorf("Polls = %v", s.Polls)
	}
	begun := time.Now()
	write(t, path, "x", 0o600)
	wantStir(t, told, path, "a file found by looking")
	t.Logf("seen after %v", time.Since(begun))
}

func TestAWatcherLimitsItsFolders(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var paths []string
	for i := range watchFolders + 20 {
		paths = append(paths, mustMake(t, root, fmt.Sprint(i), "f"))
	}
	watched := map[string]bool{}
	w := NewWatcher()
	w.events = true
	w.add = func(n *fsnotify.Watcher, dir string) error {
		if watched[dir] = true; len(watched) > watchFolders {
			t.Errorf("%s is watched, too", dir)
		}
		return addWatch(n, dir)
	}
	w.Set(paths...)
	told := runWatcher(t, w)
	last := paths[len(paths)-1]
	wantStir(t, told, last, "the beginning")
	write(t, last, "x", 0o600)
	wantStir(t, told, last, "a file beyond the limit")
}

func TestATrailNamesEachFolderOnTheWay(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(elem ...string) string { return filepath.Join(append([]string{root}, elem...)...) }
	write(t, mustMake(t, in("real", "sub", "f")), "x", 0o600)
	symlink(t, "real/sub", in("folder"))
	symlink(t, in("folder")+"/../other", in("up")) // beside sub, not beside the link
	symlink(t, "loop", in("loop"))
	for name, row := range map[string]struct {
		path string
		want []string
	}{
		"a file":                  {in("real", "sub", "f"), []string{in("real", "sub")}},
		"a file behind a link":    {in("folder", "f"), []string{root, in("real", "sub")}},
		"what is not there":       {in("real", "a", "b", "c"), []string{in("real")}},
		"a link to nothing":       {in("up"), []string{root, in("real")}},
		"a link to itself":        {in("loop", "f"), []string{root}},
		"below what is no folder": {in("real", "sub", "f", "g"), []string{in("real", "sub")}},
		"a link to a folder":      {in("folder"), []string{root, in("real")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := follow(row.path).dirs; !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
