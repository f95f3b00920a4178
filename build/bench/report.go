package main

import (
	"fmt"
	"slices"
)

// report is the summary of one row over its rounds.
type report struct {
	Name    string               `json:"name"`
	Kind    kind                 `json:"kind"`
	Rounds  int                  `json:"rounds"`
	Startup *summary             `json:"startup_ms,omitempty"`
	List    *summary             `json:"tools_list_ms,omitempty"`
	Seq     *summary             `json:"sequential_ms,omitempty"`
	CPUCall float64              `json:"cpu_us_per_call,omitempty"`
	Flights map[int]flightReport `json:"in_flight,omitempty"`
	Big     *summary             `json:"big_ms,omitempty"`
	IdleRSS float64              `json:"idle_rss_mib,omitempty"`
	IdlePSS float64              `json:"idle_pss_mib,omitempty"`
	BusyRSS float64              `json:"busy_rss_mib,omitempty"`
	PeakRSS float64              `json:"peak_rss_mib,omitempty"`
	Procs   int                  `json:"procs,omitempty"`
	ExitMS  float64              `json:"exit_ms,omitempty"`
	ExitHow map[string]int       `json:"exit_how,omitempty"`
	Left    int                  `json:"processes_left,omitempty"`
	Errors  []string             `json:"errors,omitempty"`
	Stderr  string               `json:"stderr,omitempty"`
	Garbage []string             `json:"stdout_garbage,omitempty"`
}

type flightReport struct {
	PerSecond float64 `json:"per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Failed    int     `json:"failed,omitempty"`
}

// summariseRow pools latencies and takes the median of everything else.
func summariseRow(r row, rounds []round) *report {
	rep := &report{Name: r.Name, Kind: r.Kind, Rounds: len(rounds), ExitHow: map[string]int{}}
	rep.pool(rounds)
	rep.memory(rounds)
	rep.flights(rounds)
	for _, x := range rounds {
		if x.err != nil {
			rep.Errors = append(rep.Errors, x.err.Error())
		}
		if x.session != nil {
			rep.Errors = append(rep.Errors, x.session.errors...)
		}
		if x.stderr != "" {
			rep.Stderr = x.stderr
		}
		rep.Garbage = append(rep.Garbage, x.garbage...)
	}
	rep.Errors = slices.Compact(rep.Errors)
	rep.Errors = rep.Errors[:min(len(rep.Errors), 6)]
	rep.Garbage = rep.Garbage[:min(len(rep.Garbage), 3)]
	return rep
}

func (rep *report) pool(rounds []round) {
	var startup, list, seq, big sample
	var cpu, exit []float64
	for _, x := range rounds {
		startup = append(startup, x.startup...)
		for _, e := range x.exits {
			rep.ExitHow[fmt.Sprintf("%s, code %d", e.How, e.Code)]++
			exit = append(exit, e.MS)
			rep.Left += e.Left
		}
		if s := x.session; s != nil {
			list, seq, big = append(list, s.list...), append(seq, s.seq...), append(big, s.big...)
			if used := s.cpuPerCall(); used > 0 {
				cpu = append(cpu, used)
			}
		}
	}
	rep.Startup, rep.List, rep.Seq, rep.Big = startup.summarise(), list.summarise(), seq.summarise(), big.summarise()
	rep.CPUCall, rep.ExitMS = median(cpu), median(exit)
}

func (rep *report) memory(rounds []round) {
	var idle, pss, busy, peak []float64
	for _, x := range rounds {
		if x.idle.Procs == 0 {
			continue
		}
		rep.Procs = x.idle.Procs
		idle, pss = append(idle, x.idle.RSS), append(pss, x.idle.PSS)
		busy, peak = append(busy, x.busy.RSS), append(peak, x.busy.Peak)
	}
	rep.IdleRSS, rep.IdlePSS, rep.BusyRSS, rep.PeakRSS = median(idle), median(pss), median(busy), median(peak)
}

func (rep *report) flights(rounds []round) {
	perSecond := map[int][]float64{}
	latency := map[int]sample{}
	failed := map[int]int{}
	for _, x := range rounds {
		if x.session == nil {
			continue
		}
		for k, f := range x.session.flights {
			perSecond[k] = append(perSecond[k], f.perSecond...)
			latency[k] = append(latency[k], f.latency...)
			failed[k] += f.failed
		}
	}
	rep.Flights = map[int]flightReport{}
	for k, ps := range perSecond {
		sum := latency[k].summarise()
		rep.Flights[k] = flightReport{PerSecond: median(ps), P50: sum.p50(), P99: sum.p99(), Failed: failed[k]}
	}
}
