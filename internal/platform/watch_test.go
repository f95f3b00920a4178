package platform

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watching starts a Watch that ends with the test and gives its calls.
func watching(t *testing.T, path string) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	calls, done := make(chan struct{}, 1000), make(chan error, 1)
	go func() { done <- Watch(ctx, path, func() { calls <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Watch ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Watch did not return after its context ended")
		}
	})
	wantCall(t, calls, "the beginning")
	return calls
}

func wantCall(t *testing.T, calls <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-calls:
	case <-time.After(20 * time.Second): // less than watchLook: events must tell
		t.Fatalf("no call for %s", what)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestWatchTellsOfEachKindOfChange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	calls := watching(t, path)
	write(t, path, "one", 0o600)
	wantCall(t, calls, "a new file")
	write(t, path, "two", 0o600)
	wantCall(t, calls, "a file truncated and written")
	if err := ReplaceFile(path, []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "a file replaced by rename")
	if err := ReplaceFile(path, []byte("3hree"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "a second replacement, of the same size")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "a removed file")
	write(t, path, "four", 0o600)
	wantCall(t, calls, "a file made again")
}

func TestWatchSeesAFolderMadeLater(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b", "f")
	calls := watching(t, path)
	if err := ReplaceFile(path, []byte("x"), 0o600); err != nil { // makes the folders
		t.Fatal(err)
	}
	wantCall(t, calls, "a file in a new folder")
	if err := os.RemoveAll(filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "a removed folder")
	if err := ReplaceFile(path, []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "a folder made again")
	write(t, path, "z", 0o600)
	wantCall(t, calls, "a change in the folder made again")
}

func TestWatchSeesAFolderSwappedForAnother(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "d", "f")
	if err := ReplaceFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := watching(t, path)
	rename(t, filepath.Join(root, "d"), filepath.Join(root, "away"))
	wantCall(t, calls, "a folder moved away")
	if err := ReplaceFile(path, []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCall(t, calls, "another folder in its place")
	write(t, path, "z", 0o600)
	wantCall(t, calls, "a change in the other folder")
}

func TestWatchFollowsLinks(t *testing.T) {
	root := t.TempDir()
	first, second := filepath.Join(root, "one", "f"), filepath.Join(root, "two", "f")
	link := filepath.Join(root, "home", "f")
	for _, p := range []string{first, second, link} {
		if err := ReplaceFile(p, []byte(p), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	symlink(t, "../one/f", link)
	calls := watching(t, link)
	write(t, first, "changed", 0o600)
	wantCall(t, calls, "a change of the link's target")
	symlink(t, "../two/f", link+".new")
	rename(t, link+".new", link)
	wantCall(t, calls, "a link that leads elsewhere")
	write(t, second, "changed again", 0o600)
	wantCall(t, calls, "a change of the new target")
}

func TestWatchIsSilentWhenTheContentStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "same", 0o600)
	calls := watching(t, path)
	for range 3 {
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
		if err := ReplaceFile(path, []byte("same"), 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "neighbour"), now.String(), 0o600)
	}
	write(t, path, "other", 0o600)
	wantCall(t, calls, "the one real change")
	select {
	case <-calls:
		t.Error("a second call, though nothing else changed")
	default:
	}
}

func TestWatchTellsOfAFileThatNeverRests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	calls := watching(t, path)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for i := byte(0); ; i++ {
		select {
		case <-calls:
			return
		case <-late:
			t.Fatal("no call while the file kept changing")
		case <-tick.C:
			write(t, path, string(rune('a'+i%26)), 0o600)
		}
	}
}
