package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// outcome is one cell of a table of scenarios.
type outcome struct {
	Good   bool   `json:"good"`
	Cell   string `json:"cell"`
	Detail string `json:"detail,omitempty"`
}

func good(format string, args ...any) outcome {
	return outcome{Good: true, Cell: fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) outcome { return outcome{Cell: fmt.Sprintf(format, args...)} }

// judged is good if ok is.
func judged(ok bool, format string, args ...any) outcome {
	return outcome{Good: ok, Cell: fmt.Sprintf(format, args...)}
}

// scenario is one thing that happens to a bridge. Each run has its own lab.
type scenario struct {
	ID, What string
	Run      func(ctx context.Context, l *lab) outcome
}

// suite is a table of scenarios.
type suite struct {
	Title     string
	Scenarios []scenario
}

// verdicts are the outcomes of a suite, by scenario and bridge.
type verdicts struct {
	Title     string                        `json:"title"`
	Bridges   []string                      `json:"bridges"`
	Scenarios []string                      `json:"scenarios"`
	What      map[string]string             `json:"what"`
	Outcomes  map[string]map[string]outcome `json:"outcomes"`
}

// together is how many scenarios run at once: they wait more than they work.
const together = 2

// examine runs the chosen scenarios of a suite for every examined bridge.
func (w *world) examine(ctx context.Context, s suite, c choice) *verdicts {
	v := &verdicts{Title: s.Title, What: map[string]string{}, Outcomes: map[string]map[string]outcome{}}
	under := c.examined()
	for _, b := range under {
		v.Bridges = append(v.Bridges, b.Name)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	free := make(chan struct{}, together)
	for _, sc := range s.Scenarios {
		if !c.scenarios.MatchString(sc.ID) {
			continue
		}
		v.Scenarios = append(v.Scenarios, sc.ID)
		v.What[sc.ID], v.Outcomes[sc.ID] = sc.What, map[string]outcome{}
		outcomes := v.Outcomes[sc.ID]
		for _, b := range under {
			free <- struct{}{}
			wg.Go(func() {
				defer func() { <-free }()
				o := w.try(ctx, sc, b)
				mu.Lock()
				defer mu.Unlock()
				outcomes[b.Name] = o
				note("%-16s %-28s %s %s", sc.ID, b.Name, mark(o), o.Cell)
			})
		}
	}
	wg.Wait()
	return v
}

// try runs one scenario for one bridge.
func (w *world) try(ctx context.Context, sc scenario, b bridge) outcome {
	if ctx.Err() != nil {
		return bad("not run")
	}
	l := &lab{w: w, bridge: b}
	defer l.close()
	o := sc.Run(ctx, l)
	if l.c == nil {
		return o
	}
	if garbage := l.c.Garbage(); len(garbage) > 0 {
		o.Detail += " stdout: " + garbage[0]
	}
	if !o.Good && o.Detail == "" {
		o.Detail = ending(l.c.Stderr(), 300)
	}
	return o
}

func mark(o outcome) string {
	if o.Good {
		return "✓"
	}
	return "✗"
}

// failed names the scenarios that a bridge did not pass.
func (v *verdicts) failed(name string) []string {
	var out []string
	for _, id := range v.Scenarios {
		if !v.Outcomes[id][name].Good {
			out = append(out, id)
		}
	}
	return out
}

// good counts those it passed.
func (v *verdicts) good(name string) int { return len(v.Scenarios) - len(v.failed(name)) }

func (v *verdicts) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary>%s: %d scenarios</summary>\n\n| %s | %s |\n|---|%s\n", v.Title, len(v.Scenarios), v.Title, strings.Join(v.Bridges, " | "), strings.Repeat("---|", len(v.Bridges)))
	for _, id := range v.Scenarios {
		fmt.Fprintf(&b, "| %s: %s |", id, v.What[id])
		for _, name := range v.Bridges {
			o := v.Outcomes[id][name]
			fmt.Fprintf(&b, " %s %s |", mark(o), cellText(o.Cell))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "| **good of %d** |", len(v.Scenarios))
	for _, name := range v.Bridges {
		fmt.Fprintf(&b, " **%d** |", v.good(name))
	}
	return b.String() + "\n\n</details>\n"
}
