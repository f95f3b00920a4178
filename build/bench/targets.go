package main

import (
	"fmt"
	"strings"
)

// targetResult is one figure the project set itself, and what this run gave.
type targetResult struct {
	Set     string `json:"set"`
	Figure  string `json:"figure"`
	Bound   string `json:"bound"`
	Got     string `json:"got"`
	Best    string `json:"best_npm_peer,omitempty"`
	Reached bool   `json:"reached"`
}

// bound is a limit of a figure; exactly one of the fields is set.
type bound struct {
	maxRatio, minRatio float64 // to rawbridge of the same run
	maxValue           float64
}

func (b bound) String() string {
	switch {
	case b.maxRatio > 0:
		return fmt.Sprintf("≤ %.2f× raw", b.maxRatio)
	case b.minRatio > 0:
		return fmt.Sprintf("≥ %.2f× raw", b.minRatio)
	}
	return fmt.Sprintf("≤ %g", b.maxValue)
}

// holds judges a value; a value that could not be measured does not hold.
func (b bound) holds(x, base float64) bool {
	switch {
	case x == 0:
		return false
	case b.maxRatio > 0:
		return base > 0 && x <= b.maxRatio*base
	case b.minRatio > 0:
		return base > 0 && x >= b.minRatio*base
	}
	return x <= b.maxValue
}

// figure is a column of the comparison that has a bound.
type figure struct {
	name  string
	bound bound
	of    func(r *report) float64
}

// higherIsBetter tells how to find the best peer.
func (f figure) higherIsBetter() bool { return f.bound.minRatio > 0 }

func perSecond(k int) func(r *report) float64 {
	return func(r *report) float64 { return r.Flights[k].PerSecond }
}

func callFigures() []figure {
	return []figure{
		{"call p50 ms", bound{maxRatio: 1.15}, func(r *report) float64 { return r.Seq.p50() }},
		{"call p99 ms", bound{maxRatio: 1.5}, func(r *report) float64 { return r.Seq.p99() }},
		{"CPU µs/call", bound{maxRatio: 1.25}, func(r *report) float64 { return r.CPUCall }},
		{"8 in flight /s", bound{minRatio: 0.85}, perSecond(8)},
		{"64 in flight /s", bound{minRatio: 0.85}, perSecond(64)},
		{"1 MiB echo ms", bound{maxRatio: 1.3}, func(r *report) float64 { return r.Big.p50() }},
	}
}

func forwardFigures() []figure {
	return append(append([]figure{{"start → initialize ms", bound{maxRatio: 1.5}, func(r *report) float64 { return r.Startup.p50() }}}, callFigures()...),
		figure{"idle RSS MiB", bound{maxValue: 11}, func(r *report) float64 { return r.IdleRSS }},
		figure{"idle PSS MiB", bound{maxValue: 9.5}, func(r *report) float64 { return r.IdlePSS }},
		figure{"peak RSS MiB", bound{maxRatio: 1.5}, func(r *report) float64 { return r.PeakRSS }})
}

func reverseFigures() []figure {
	all := callFigures()
	return []figure{all[0], all[4]}
}

// judge compares what was measured with what is to be reached. A figure that
// this run did not measure has no line.
func judge(res *results) []targetResult {
	var out []targetResult
	for _, s := range res.Sets {
		figures := forwardFigures()
		switch s.ID {
		case setReverse, setReverseSSE:
			figures = reverseFigures()
		case setEverything, setEverythingSSE:
			continue // the server's own time hides the bridge's
		}
		for _, f := range figures {
			if r, ok := s.judge(f); ok {
				out = append(out, r)
			}
		}
	}
	out = append(out, judgeMany(res.Many)...)
	if res.HelperBytes > 0 {
		mb := float64(res.HelperBytes) / 1e6
		out = append(out, targetResult{Figure: "helper, stripped, MB", Bound: "≤ 15", Got: fmt.Sprintf("%.1f", mb), Reached: mb <= 15})
	}
	for _, v := range []*verdicts{res.Robust, res.ReverseRobust} {
		out = append(out, judgeVerdicts(v)...)
	}
	for _, s := range res.Soak {
		out = append(out, targetResult{Set: setSoak, Figure: s.Direction + ": every call answered once", Bound: "all", Got: fmt.Sprintf("%d of %d", s.Right, s.Calls), Reached: s.once()},
			targetResult{Set: setSoak, Figure: s.Direction + ": memory, threads, files flat", Bound: "flat", Got: fmt.Sprintf("%.1f → %.1f MiB", s.First.RSS, s.Last.RSS), Reached: s.flat()})
	}
	return out
}

func (s *setReport) judge(f figure) (targetResult, bool) {
	base, ours := s.find(raw), s.find(own)
	if ours == nil || base == nil {
		return targetResult{}, false
	}
	x, y := f.of(ours), f.of(base)
	r := targetResult{Set: s.ID, Figure: f.name, Bound: f.bound.String(), Reached: f.bound.holds(x, y), Got: "n/a"}
	if x > 0 {
		r.Got = number(x) + ratio(x, y)
	}
	best := 0.0
	for _, p := range s.Rows {
		v := f.of(p)
		if p.Kind != npm || v == 0 {
			continue
		}
		if best == 0 || f.higherIsBetter() == (v > best) {
			best, r.Best = v, number(v)+ratio(v, y)+" "+p.Name
		}
	}
	return r, true
}

func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

func judgeMany(reports []*manyReport) []targetResult {
	last := targetResult{Set: setMany, Figure: "ten at once: last ready ms", Bound: "≤ 100", Got: "failed"}
	pss := targetResult{Set: setMany, Figure: "ten at once: PSS of all, MiB", Bound: "≤ 45", Got: "n/a"}
	bestLast, bestPSS, found := 0.0, 0.0, false
	for _, r := range reports {
		l, p := median(r.Last), median(r.PSS)
		switch r.Kind {
		case own:
			found = true
			if r.Failed == 0 {
				last.Got, last.Reached = number(l), l <= 100
				pss.Got, pss.Reached = number(p), p > 0 && p <= 45
			}
		case npm:
			if l > 0 && (bestLast == 0 || l < bestLast) {
				bestLast, last.Best = l, number(l)+" "+r.Name
			}
			if p > 0 && (bestPSS == 0 || p < bestPSS) {
				bestPSS, pss.Best = p, number(p)+" "+r.Name
			}
		case raw, physical, earlier: // no peers
		default:
			panic("bench: unknown kind of row " + string(r.Kind))
		}
	}
	if !found {
		return nil
	}
	return []targetResult{last, pss}
}

func judgeVerdicts(v *verdicts) []targetResult {
	if v == nil {
		return nil
	}
	var out []targetResult
	for _, b := range bridges() {
		if b.Kind == own && len(v.Scenarios) > 0 && v.Outcomes[v.Scenarios[0]][b.Name].Cell != "" {
			got := fmt.Sprintf("%d of %d", v.good(b.Name), len(v.Scenarios))
			failed := v.failed(b.Name)
			if len(failed) > 0 {
				got += ", not: " + strings.Join(failed, ", ")
			}
			out = append(out, targetResult{Figure: v.Title, Bound: "all", Got: got, Reached: len(failed) == 0})
		}
	}
	return out
}

func targetTable(targets []targetResult) string {
	var b strings.Builder
	b.WriteString("| set | figure | to reach | Drawbridge | reached | best npm peer |\n|---|---|---|---|---|---|\n")
	for _, t := range targets {
		reached := "yes"
		if !t.Reached {
			reached = "**no**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", t.Set, t.Figure, t.Bound, t.Got, reached, t.Best)
	}
	return b.String()
}
