//go:build unix

package platform

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// W-11.
func TestAWatcherLearnsThatItsParentIsGone(t *testing.T) {
	middle, out := startPlain(t, "middle")
	pid := 0
	for _, want := range []string{"watcher", "watching"} {
		line := mustLine(t, out)
		if _, err := fmt.Sscanf(line, "watcher %d", &pid); err != nil && line != "watching\n" {
			t.Fatalf("got %q, want %s", line, want)
		}
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	if err := middle.Kill(); err != nil {
		t.Fatal(err)
	}
	if line := mustLine(t, out); line != "gone\n" {
		t.Errorf("got %q", line)
	}
}

func mustLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestWatchingAParentEndsWithTheContext(t *testing.T) {
	for name, watch := range map[string]func(context.Context, int) bool{"told": watchParent, "polled": pollParent} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			went := make(chan bool)
			go func() { went <- watch(ctx, os.Getppid()) }()
			cancel()
			if <-went {
				t.Error("the parent is said to be gone")
			}
		})
	}
	if !watchParent(t.Context(), os.Getpid()) { // as after the parent's death
		t.Error("a parent that is not ours any more was watched")
	}
}
