package main

import (
	"slices"
	"strings"
	"testing"
)

func TestChoiceOfRowsAndPrograms(t *testing.T) {
	for _, c := range []struct {
		args     string
		own, npm bool
	}{
		{"", true, true},
		{"-peers none", true, false},
		{"-only ^rawbridge -sets forward", false, false},
		{"-sets robust,soak", true, false},
		{"-sets robust -peers all", true, true},
	} {
		got, err := parseChoice(strings.Fields(c.args))
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		if got.wants(own) != c.own || got.wants(npm) != c.npm {
			t.Errorf("%q builds drawbridge %v and installs peers %v, want %v and %v", c.args, got.wants(own), got.wants(npm), c.own, c.npm)
		}
	}
}

func TestChoiceRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range []string{"-sets nonsense", "-peers some", "-only (", "-rounds 0", "forward"} {
		if _, err := parseChoice(strings.Fields(args)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestEverySetHasALimitAndDrawbridge(t *testing.T) {
	for _, s := range comparedSets() {
		var kinds []kind
		for _, r := range s.Rows {
			kinds = append(kinds, r.Kind)
		}
		for _, want := range []kind{physical, raw, own, npm} {
			if !slices.Contains(kinds, want) {
				t.Errorf("set %s has no %s row", s.ID, want)
			}
		}
	}
}

func TestScenariosHaveTheirOwnIDs(t *testing.T) {
	for _, s := range []suite{forwardScenarios(), reverseScenarios()} {
		seen := map[string]bool{}
		for _, sc := range s.Scenarios {
			if seen[sc.ID] {
				t.Errorf("two scenarios are called %s", sc.ID)
			}
			seen[sc.ID] = true
		}
	}
	if got := len(forwardScenarios().Scenarios); got != 51 {
		t.Errorf("%d scenarios from stdio to remote, the targets speak of 51", got)
	}
}
