package upstream

import (
	"testing"
	"time"
)

// S-44, F-135: a user's stop gives a program 2 s to end by itself and 3 s after
// SIGTERM; at our own end all of it has to be over within the second that
// clients give.
func TestPatienceWithAProgram(t *testing.T) {
	if want := (Patience{2 * time.Second, 3 * time.Second}); UserStop != want {
		t.Errorf("the user's stop waits %v, want %v", UserStop, want)
	}
	if OwnEnd.Close <= 0 || OwnEnd.Term <= 0 || OwnEnd.Close+OwnEnd.Term > 800*time.Millisecond {
		t.Errorf("our own end waits %v, want both within 800 ms", OwnEnd)
	}
}
