package catalog

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

type told struct {
	list []Server
	err  error
}

// watching starts a Watch that ends with the test.
func watching(t *testing.T, f *File) <-chan told {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	calls, done := make(chan told, 100), make(chan error, 1)
	go func() { done <- f.Watch(ctx, func(list []Server, err error) { calls <- told{list, err} }) }()
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
	return calls
}

func wantTold(t *testing.T, calls <-chan told, want string) {
	t.Helper()
	select {
	case got := <-calls:
		if got.err != nil || names(got.list) != want {
			t.Fatalf("told %q, %v; want %q", names(got.list), got.err, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("not told of %q", want)
	}
}

func TestWatchTellsTheServers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "later")
	f := Open(platform.Dirs{Config: dir, State: dir})
	calls := watching(t, f)
	wantTold(t, calls, "")
	if err := f.Add(t.Context(), added); err != nil { // makes the folder
		t.Fatal(err)
	}
	wantTold(t, calls, "new")
	put(t, f, `{"servers":{"a":{"command":"x"}}}`) // truncates and writes
	wantTold(t, calls, "a")
	put(t, f, "// a comment is no change\n"+`{"servers":{"a":{"command":"x"}}}`)
	if err := f.Add(t.Context(), added); err != nil {
		t.Fatal(err)
	}
	wantTold(t, calls, "a new")
	if err := os.Rename(f.Path(), f.Path()+".away"); err != nil {
		t.Fatal(err)
	}
	wantTold(t, calls, "")
	if err := os.Rename(f.Path()+".away", f.Path()); err != nil {
		t.Fatal(err)
	}
	wantTold(t, calls, "a new")
}

func TestWatchTellsABrokenFileAndItsRepair(t *testing.T) {
	f, _ := open(t)
	put(t, f, `{"servers":{"a":{"command":"x"}}}`)
	calls := watching(t, f)
	wantTold(t, calls, "a")
	put(t, f, `{"servers":{"a":{"command":"x"}}`)
	select {
	case got := <-calls:
		if !fault.IsCode(got.err, fault.CatalogInvalid) {
			t.Fatalf("told %v, %v", got.list, got.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not told of the broken file")
	}
	put(t, f, `{"servers":{"a":{"command":"x"}}}`)
	wantTold(t, calls, "a")
}

func TestWatchOverlooksAFileThatIsJustBeingWritten(t *testing.T) {
	f, _ := open(t)
	put(t, f, `{"servers":{"a":{"command":"x"}}}`)
	calls := watching(t, f)
	wantTold(t, calls, "a")
	put(t, f, "")
	half := time.After(600 * time.Millisecond) // Watch has met it empty by then
	<-half
	put(t, f, `{"servers":{"a":{"command":"x"},"b":{"command":"x"}}}`)
	wantTold(t, calls, "a b")
}
