package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the whole run.
type report struct {
	About  string   `json:"about"`
	Scores []*score `json:"cells"`
}

func about() string {
	return fmt.Sprintf("Made by `%s` on %s, %s/%s, with the conformance suite 0.1.16 and 0.2.0-alpha.12 and no expected failures. The peers' scores were measured on 21 November 2026 in the same way.",
		strings.Join(append([]string{"go run ./build conformance"}, os.Args[1:]...), " "), time.Now().UTC().Format("2 January 2006"), runtime.GOOS, runtime.GOARCH)
}

// text is the table for a terminal, and under it what failed.
func (r *report) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCELL\tWHAT\tSET\tREQUIRED\tCHECKS\tUNSCORED\tPEERS\tSTATE")
	for _, s := range r.Scores {
		fmt.Fprintln(w, strings.Join(s.columns(), "\t"))
	}
	_ = w.Flush() // a Builder does not fail
	b.WriteString(r.details())
	return b.String()
}

// markdown is the table as a README takes it.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| Cell | What | Set | Required | Checks | Unscored | Peers | State |\n|---|---|---|---|---|---|---|---|\n", r.About)
	for _, s := range r.Scores {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(s.columns(), " | "))
	}
	if d := r.details(); d != "" {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimSpace(d))
	}
	return b.String()
}

func (s *score) columns() []string {
	good, bad := 0, 0
	for _, o := range s.Outcomes {
		good, bad = good+o.Good, bad+o.Bad
	}
	passed, all, _ := s.extras()
	unscored := "–"
	if all > 0 {
		unscored = fmt.Sprintf("%d/%d", passed, all)
	}
	peers := s.Peers
	if peers == "" {
		peers = "–"
	}
	return []string{s.ID, s.What, s.Set, fmt.Sprintf("%d/%d", s.Passed, s.Want), fmt.Sprintf("%d/%d", good, bad), unscored, peers, s.state()}
}

// details name what failed and what was left out.
func (r *report) details() string {
	var b strings.Builder
	for _, s := range r.Scores {
		failing := append(s.failing(), r.worse(s)...)
		if s.full() && len(failing) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s (%s)\n", s.ID, s.state())
		if s.Trouble != "" {
			fmt.Fprintf(&b, "  could not run: %s\n", ending(s.Trouble))
		}
		for _, o := range failing {
			mark := "required"
			if o.Unscored != "" {
				mark = "unscored, " + o.Unscored
			}
			fmt.Fprintf(&b, "  ✗ %s (%s): %d checks passed, %d failed\n", o.Scenario, mark, o.Good, o.Bad)
			for _, line := range o.Says {
				fmt.Fprintf(&b, "      %s\n", line)
			}
		}
	}
	if alike := r.alike(); len(alike) > 0 {
		fmt.Fprintf(&b, "\nUnscored, for extensions that the fixtures lack, and the same without Drawbridge: %s\n", strings.Join(alike, ", "))
	}
	if left := r.left(); len(left) > 0 {
		fmt.Fprintf(&b, "\nNot run on the stdio face, for they need a sign-in: %s\n", strings.Join(left, ", "))
	}
	return b.String()
}

// worse are the unscored scenarios of a cell that fail and do not come out as
// they do without Drawbridge.
func (r *report) worse(s *score) []outcome {
	_, _, failing := s.extras()
	return slices.DeleteFunc(failing, func(o outcome) bool { return r.bare(s.Set, o) })
}

// bare tells whether a scenario came out like this without Drawbridge.
func (r *report) bare(set string, o outcome) bool {
	for _, s := range r.Scores {
		if !strings.HasPrefix(s.ID, "direct-") || s.Set != set {
			continue
		}
		for _, d := range s.Outcomes {
			if d.Scenario == o.Scenario && d.Good == o.Good && d.Bad == o.Bad {
				return true
			}
		}
	}
	return false
}

// alike are the unscored scenarios that fail with and without Drawbridge.
func (r *report) alike() []string {
	var names []string
	for _, s := range r.Scores {
		_, _, failing := s.extras()
		for _, o := range failing {
			if r.bare(s.Set, o) && !slices.Contains(names, o.Scenario) {
				names = append(names, o.Scenario)
			}
		}
	}
	return names
}

// left are the scenarios about signing in, each once.
func (r *report) left() []string {
	var all []string
	for _, s := range r.Scores {
		for _, name := range s.Left {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// verdict fails the run when a cell has lost what it had reached.
func (r *report) verdict() error {
	var errs []error
	full := 0
	for _, s := range r.Scores {
		switch {
		case s.full():
			full++
			if !s.Reached {
				say("%s has full marks now: add it to the table reached in cells.go", s.ID)
			}
		case s.Reached:
			errs = append(errs, fmt.Errorf("%s had full marks before and has %d of %d now", s.ID, s.Passed, s.Want))
		}
	}
	say("%d of %d cells have full marks", full, len(r.Scores))
	return errors.Join(errs...)
}
