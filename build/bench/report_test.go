package main

import (
	"errors"
	"math"
	"strings"
	"testing"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
)

func measured(startup, call float64) round {
	return round{
		startup: sample{startup},
		exits:   []client.Exit{{How: client.ByEOF, MS: 2}},
		idle:    proc.Usage{Procs: 1, RSS: 8, PSS: 7},
		busy:    proc.Usage{Procs: 1, RSS: 9, Peak: 30},
		session: &session{
			list: sample{1}, seq: sample{call, call}, big: sample{10}, cpu: 200e-6,
			flights: map[int]*flight{8: {perSecond: []float64{1000}, latency: sample{3}}, 64: {perSecond: []float64{2000}, latency: sample{9}}},
		},
	}
}

func TestReportPoolsLatenciesAndTakesMedianRounds(t *testing.T) {
	a, b, c := measured(5, 1), measured(7, 2), measured(9, 3)
	b.session.flights[8].perSecond, c.session.cpu = []float64{500}, 600e-6
	rep := summariseRow(row{Name: "x", Kind: own}, []round{a, b, c})
	if rep.Startup.P50 != 7 || rep.Seq.N != 6 || rep.Seq.P50 != 2 {
		t.Errorf("startup %+v, sequential %+v", rep.Startup, rep.Seq)
	}
	if math.Abs(rep.CPUCall-100) > 1e-9 || rep.Flights[8].PerSecond != 1000 || rep.IdlePSS != 7 || rep.PeakRSS != 30 {
		t.Errorf("medians: %+v", rep)
	}
	if rep.ExitHow["stdin-eof, code 0"] != 3 {
		t.Errorf("exits: %v", rep.ExitHow)
	}
}

func TestFailedRowsStayInTheTable(t *testing.T) {
	s := &setReport{Title: "t", Rows: []*report{
		summariseRow(row{Name: "base", Kind: raw}, []round{measured(5, 1)}),
		summariseRow(row{Name: "broken", Kind: npm}, []round{{err: errors.New("would not | start")}}),
	}}
	table := s.table([]int{8, 64})
	lines := strings.Split(table, "\n")
	for _, line := range lines[:4] {
		if got := strings.Count(line, "|"); got != strings.Count(lines[0], "|") {
			t.Errorf("%d cells, want as in the head: %s", got, line)
		}
	}
	if !strings.Contains(table, "| broken | failed |") || !strings.Contains(table, "would not / start") {
		t.Errorf("the failure does not show:\n%s", table)
	}
}

func TestRatiosAreToTheRawBridge(t *testing.T) {
	s := &setReport{Rows: []*report{
		summariseRow(row{Name: "base", Kind: raw}, []round{measured(5, 1)}),
		summariseRow(row{Name: "ours", Kind: own}, []round{measured(10, 1.1)}),
	}}
	if table := s.table(nil); !strings.Contains(table, "10.0 ×2.00") || !strings.Contains(table, "1.100 ×1.10") {
		t.Errorf("table:\n%s", table)
	}
}
