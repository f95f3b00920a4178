package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestAnEarlierBuildIsComparedOnlyWhenGiven(t *testing.T) {
	ours := summariseRow(row{Name: "ours", Kind: own}, []round{measured(10, 2.2)})
	old := summariseRow(row{Name: "old", Kind: earlier}, []round{measured(10, 1.1)})
	with := beforeTable([]*setReport{{Title: "there", Rows: []*report{ours, old}}, {Title: "alone", Rows: []*report{ours}}})
	if !strings.Contains(with, "| there | ") || !strings.Contains(with, "×2.00") || strings.Contains(with, "alone") {
		t.Errorf("the comparison is\n%s\nwant one row, with the ratio of the calls ×2.00", with)
	}
	if without := beforeTable([]*setReport{{Rows: []*report{ours}}}); without != "" {
		t.Errorf("without an earlier build there is %q, want nothing", without)
	}
	c := choice{peers: noPeers}
	c.only = regexp.MustCompile("")
	for _, before := range []string{"", "/some/drawbridge"} {
		c.before = before
		rows := c.rows(comparedSets()[0].Rows, nil)
		found := false
		for _, r := range rows {
			found = found || r.Kind == earlier
		}
		if found != (before != "") {
			t.Errorf("with -before %q the earlier build is measured: %v", before, found)
		}
	}
}
