package proxy

import (
	"testing"
	"time"
)

func TestPausesGrowAndBeginAnewAfterAGoodWhile(t *testing.T) {
	var got []time.Duration
	pause := time.Duration(0)
	for range 9 {
		pause = pauseAfter(pause, time.Second)
		got = append(got, pause)
	}
	if got[0] != time.Second || got[3] != 8*time.Second || got[8] != 2*time.Minute {
		t.Errorf("pauses %v, want 1 s, doubled up to 2 min", got)
	}
	if p := pauseAfter(2*time.Minute, time.Minute); p != time.Second {
		t.Errorf("after a good minute the pause is %v, want 1 s", p)
	}
}
