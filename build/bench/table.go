package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// setReport is the outcome of one comparison.
type setReport struct {
	ID    string    `json:"set"`
	Title string    `json:"title"`
	Rows  []*report `json:"rows"`
}

// find returns the first row of a kind, nil when there is none that worked.
func (s *setReport) find(k kind) *report {
	for _, r := range s.Rows {
		if r.Kind == k && r.Seq != nil {
			return r
		}
	}
	return nil
}

// ratio prints x as a multiple of base, nothing where either is unknown.
func ratio(x, base float64) string {
	if x == 0 || base == 0 {
		return ""
	}
	if r := x / base; r < 10 {
		return fmt.Sprintf(" ×%.2f", r)
	}
	return fmt.Sprintf(" ×%.0f", x/base)
}

// table prints a comparison as Markdown.
func (s *setReport) table(levels []int) string {
	var b strings.Builder
	b.WriteString("| " + s.Title + " | start → init ms | list ms | call ms p50 | p99 | CPU µs/call |")
	for _, k := range levels {
		fmt.Fprintf(&b, " %d in flight /s (p99 ms) |", k)
	}
	b.WriteString(" 1 MiB ms | idle RSS (PSS) MiB | peak RSS MiB | exit |\n|---|" + strings.Repeat("---:|", 9+len(levels)) + "\n")
	base := s.find(raw)
	if base == nil {
		base = &report{}
	}
	for _, r := range s.Rows {
		b.WriteString(r.line(base, levels))
	}
	b.WriteString(s.remarks())
	return b.String()
}

func (r *report) line(base *report, levels []int) string {
	var cells []string
	add := func(format string, args ...any) { cells = append(cells, fmt.Sprintf(format, args...)) }
	add("%s", r.Name)
	if r.Startup == nil {
		add("failed")
	} else {
		add("%.1f%s", r.Startup.P50, ratio(r.Startup.P50, base.Startup.p50()))
	}
	if r.Seq == nil {
		for range 8 + len(levels) {
			add("–")
		}
		return "| " + strings.Join(cells, " | ") + " |\n"
	}
	add("%.2f", r.List.p50())
	add("%.3f%s", r.Seq.P50, ratio(r.Seq.P50, base.Seq.p50()))
	add("%.2f%s", r.Seq.P99, ratio(r.Seq.P99, base.Seq.p99()))
	if r.CPUCall > 0 {
		add("%.0f%s", r.CPUCall, ratio(r.CPUCall, base.CPUCall))
	} else {
		add("n/a")
	}
	for _, k := range levels {
		cells = append(cells, r.Flights[k].cell(base.Flights[k]))
	}
	if r.Big == nil {
		add("failed")
	} else {
		add("%.1f%s", r.Big.P50, ratio(r.Big.P50, base.Big.p50()))
	}
	if r.Procs == 0 {
		add("n/a")
		add("n/a")
	} else {
		add("%.1f (%.1f)%s", r.IdleRSS, r.IdlePSS, ratio(r.IdleRSS, base.IdleRSS))
		add("%.1f%s", r.PeakRSS, ratio(r.PeakRSS, base.PeakRSS))
	}
	cells = append(cells, r.exitCell())
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (f flightReport) cell(base flightReport) string {
	if f.PerSecond == 0 {
		return "failed"
	}
	s := fmt.Sprintf("%.0f (%.1f)%s", f.PerSecond, f.P99, ratio(f.PerSecond, base.PerSecond))
	if f.Failed > 0 {
		s += fmt.Sprintf(" **%d failed**", f.Failed)
	}
	return s
}

func (r *report) exitCell() string {
	if len(r.ExitHow) == 0 {
		return "–"
	}
	var how []string
	for k, n := range r.ExitHow {
		how = append(how, k+" ("+strconv.Itoa(n)+")")
	}
	slices.Sort(how)
	s := fmt.Sprintf("%.0f ms, %s", r.ExitMS, strings.Join(how, ", "))
	if r.Left > 0 {
		s += fmt.Sprintf(", **%d left behind**", r.Left)
	}
	return s
}

// remarks says below the table what went wrong.
func (s *setReport) remarks() string {
	var b strings.Builder
	for _, r := range s.Rows {
		if len(r.Errors) > 0 {
			fmt.Fprintf(&b, "- %s: %s\n", r.Name, cellText(strings.Join(r.Errors, "; ")))
		}
		if len(r.Garbage) > 0 {
			fmt.Fprintf(&b, "- %s writes to stdout what is not JSON-RPC: %q\n", r.Name, r.Garbage)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}

// cellText makes text fit a table's cell.
func cellText(s string) string {
	return strings.NewReplacer("|", "/", "\n", " ", "\r", " ").Replace(strings.TrimSpace(s))
}
