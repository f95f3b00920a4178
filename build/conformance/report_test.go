package main

import (
	"slices"
	"strings"
	"testing"
)

func scored(id string, want int, before bool, outcomes ...outcome) *score {
	s := &score{ID: id, What: "what", Set: "set", Want: want, Reached: before, Outcomes: outcomes}
	for _, o := range outcomes {
		if o.Passed && o.Unscored == "" {
			s.Passed++
		}
	}
	return s
}

func TestALostCellFailsTheRunAndAnUnreachedOneDoesNot(t *testing.T) {
	bad := outcome{Scenario: "x", Says: []string{"failure x: the reason"}}
	for name, c := range map[string]struct {
		score *score
		state string
		fails bool
	}{
		"full":              {scored("c", 1, true, outcome{Scenario: "x", Passed: true}), "full marks", false},
		"lost":              {scored("c", 1, true, bad), "LOST", true},
		"not reached":       {scored("c", 1, false, bad), "not reached yet", false},
		"a scenario gone":   {scored("c", 2, true, outcome{Scenario: "x", Passed: true}), "LOST", true},
		"could not run":     {&score{ID: "c", Want: 1, Reached: true, Trouble: "no port"}, "LOST", true},
		"unscored does not": {scored("c", 1, true, outcome{Scenario: "x", Passed: true}, outcome{Scenario: "y", Unscored: "extension"}), "full marks", false},
	} {
		r := &report{Scores: []*score{c.score}}
		if got := c.score.state(); got != c.state {
			t.Errorf("%s: state %q, want %q", name, got, c.state)
		}
		if err := r.verdict(); (err != nil) != c.fails {
			t.Errorf("%s: verdict %v, want failure %v", name, err, c.fails)
		}
		if c.state != "full marks" && c.score.Trouble == "" && len(c.score.failing()) > 0 && !strings.Contains(r.text(), "✗ x (required)") {
			t.Errorf("%s: the failing scenario is not named in %s", name, r.text())
		}
	}
}

func TestWhatWasReachedNamesCells(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range cells() {
		if ids[c.ID] {
			t.Errorf("two cells are called %s", c.ID)
		}
		ids[c.ID] = true
	}
	for _, id := range reached {
		if !ids[id] {
			t.Errorf("%s is reached and no cell", id)
		}
	}
	if d := slices.Compact(slices.Sorted(slices.Values(reached))); len(d) != len(reached) {
		t.Errorf("reached names a cell twice: %v", reached)
	}
}

func TestUnscoredScenariosAreNamedOnlyWhereDrawbridgeMakesThemWorse(t *testing.T) {
	same := outcome{Scenario: "tasks-a", Unscored: "extension", Good: 1, Bad: 2}
	worse := outcome{Scenario: "tasks-b", Unscored: "extension", Bad: 9, Says: []string{"failure b"}}
	bare := worse
	bare.Bad = 3
	r := &report{Scores: []*score{scored("direct-x", 0, true, same, bare), scored("T2-x", 0, true, same, worse)}}
	text := r.details()
	if !strings.Contains(text, "✗ tasks-b (unscored, extension)") || strings.Contains(text, "✗ tasks-a") {
		t.Errorf("details %s, want tasks-b alone", text)
	}
	if !strings.Contains(text, "same without Drawbridge: tasks-a") {
		t.Errorf("details %s, want tasks-a named as the same", text)
	}
}
