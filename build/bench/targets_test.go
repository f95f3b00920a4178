package main

import (
	"strings"
	"testing"
)

func TestBoundsHoldOnlyForWhatWasMeasured(t *testing.T) {
	for _, c := range []struct {
		b       bound
		x, base float64
		want    bool
	}{
		{bound{maxRatio: 1.5}, 15, 10, true},
		{bound{maxRatio: 1.5}, 15.1, 10, false},
		{bound{maxRatio: 1.5}, 15, 0, false},
		{bound{minRatio: 0.85}, 85, 100, true},
		{bound{minRatio: 0.85}, 84, 100, false},
		{bound{maxValue: 11}, 11, 0, true},
		{bound{maxValue: 11}, 11.1, 0, false},
		{bound{maxValue: 11}, 0, 0, false},
	} {
		if got := c.b.holds(c.x, c.base); got != c.want {
			t.Errorf("%s of %v (base %v): %v, want %v", c.b, c.x, c.base, got, c.want)
		}
	}
}

func TestTargetsNameTheBestPeerAndWhatIsMissed(t *testing.T) {
	slow, fast := measured(400, 2), measured(300, 1.5)
	res := &results{Sets: []*setReport{{ID: setForward, Rows: []*report{
		summariseRow(row{Name: "base", Kind: raw}, []round{measured(5, 1)}),
		summariseRow(row{Name: "ours", Kind: own}, []round{measured(6, 1.3)}),
		summariseRow(row{Name: "slow", Kind: npm}, []round{slow}),
		summariseRow(row{Name: "fast", Kind: npm}, []round{fast}),
	}}}}
	by := map[string]targetResult{}
	for _, r := range judge(res) {
		by[r.Figure] = r
	}
	if r := by["start → initialize ms"]; !r.Reached || !strings.HasSuffix(r.Best, "fast") {
		t.Errorf("start: %+v", r)
	}
	if r := by["call p50 ms"]; r.Reached || !strings.Contains(r.Got, "×1.30") {
		t.Errorf("call p50 at 1.3 of the limit: %+v", r)
	}
	if table := targetTable(judge(res)); !strings.Contains(table, "**no**") {
		t.Errorf("what is missed does not show:\n%s", table)
	}
}

func TestTargetsAreSilentAboutWhatDidNotRun(t *testing.T) {
	if got := judge(&results{}); len(got) != 0 {
		t.Errorf("targets of an empty run: %+v", got)
	}
}

func TestSoakCountsOnlyExactlyOnce(t *testing.T) {
	whole := soakReport{Calls: 10, Right: 10, Arrived: 10, First: level{RSS: 10}, Last: level{RSS: 11}}
	if !whole.once() || !whole.flat() {
		t.Errorf("a whole soak: once %v flat %v", whole.once(), whole.flat())
	}
	for name, change := range map[string]func(r *soakReport){
		"lost":           func(r *soakReport) { r.Right = 9 },
		"answered twice": func(r *soakReport) { r.Unasked = 1 },
		"sent twice":     func(r *soakReport) { r.Arrived = 11 },
		"broken":         func(r *soakReport) { r.Err = "x" },
	} {
		r := whole
		change(&r)
		if r.once() {
			t.Errorf("%s counts as exactly once", name)
		}
	}
	grown := whole
	grown.Last.RSS = 20
	if grown.flat() {
		t.Error("memory that doubles counts as flat")
	}
}
