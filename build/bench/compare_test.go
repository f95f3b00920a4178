package main

import (
	"slices"
	"testing"
)

func TestPeersRunAloneAndTheQuickTogether(t *testing.T) {
	rows := []row{{Kind: physical}, {Kind: raw}, {Kind: own}, {Kind: npm}, {Kind: npm}}
	for n := range 2 * npmEvery {
		groups := inTurns(rows, n)
		quick := slices.Sorted(slices.Values(groups[0]))
		if !slices.Equal(quick, []int{0, 1, 2}) {
			t.Errorf("round %d: %v take turns, want the rows without npm", n, quick)
		}
		want := 1
		if n%npmEvery == 0 {
			want = 3
		}
		if len(groups) != want {
			t.Errorf("round %d: %d groups, want %d", n, len(groups), want)
		}
	}
	if a, b := inTurns(rows, 0)[0], inTurns(rows, 1)[0]; slices.Equal(a, b) {
		t.Errorf("two rounds have one order, %v", a)
	}
}

func TestBlocksMakeAllCalls(t *testing.T) {
	for _, n := range []int{1, 9, 10, 1000, 1001} {
		if got := block(n) * blocks; got < n {
			t.Errorf("%d calls in %d blocks: %d are made", n, blocks, got)
		}
	}
}
