package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// score is what a cell brought.
type score struct {
	ID       string    `json:"cell"`
	What     string    `json:"what"`
	Set      string    `json:"set"`
	Want     int       `json:"required"`
	Passed   int       `json:"passed"`
	Peers    string    `json:"peers,omitempty"`
	Reached  bool      `json:"reached_before"`
	Trouble  string    `json:"trouble,omitempty"` // why the cell could not run
	Left     []string  `json:"left_to_login,omitempty"`
	Seconds  float64   `json:"seconds"`
	Outcomes []outcome `json:"scenarios"`
}

// score runs a cell.
func (r *rig) score(ctx context.Context, c cell) *score {
	s := &score{ID: c.ID, What: c.What, Set: c.Set.Name, Want: c.Want, Peers: c.Peers, Reached: slices.Contains(reached, c.ID)}
	began := time.Now()
	if err := r.runCell(ctx, c, s); err != nil {
		s.Trouble = err.Error()
	}
	s.Seconds = time.Since(began).Round(100 * time.Millisecond).Seconds()
	for _, o := range s.Outcomes {
		if o.Passed && o.Unscored == "" {
			s.Passed++
		}
	}
	return s
}

func (r *rig) runCell(ctx context.Context, c cell, s *score) error {
	if c.Set == setFidelity {
		return r.runFidelity(ctx, c, s)
	}
	if c.To.Fixture == "" {
		return r.runClient(ctx, c, s)
	}
	return r.runServer(ctx, c, s)
}

// runServer runs a set against a fixture, with Drawbridge before it or without.
func (r *rig) runServer(ctx context.Context, c cell, s *score) error {
	f := c.To.Fixture
	args := append([]string{"--"}, f.command(r, "")...)
	var url string
	if c.To.Face == faceDirect || f.behind() == overHTTP {
		p, at, err := r.serveFixture(ctx, f)
		if err != nil {
			return err
		}
		defer p.end()
		url, args = at, []string{at}
	}
	if c.To.Face == faceHTTP {
		p, at, err := r.serveProxy(ctx, args...)
		if err != nil {
			return err
		}
		defer p.end()
		url = at
	}
	var err error
	s.Outcomes, err = r.againstServer(ctx, c.Set, url)
	return err
}

// runClient runs a set's client scenarios one by one: together they would judge
// the machine.
func (r *rig) runClient(ctx context.Context, c cell, s *score) error {
	list, err := r.clientScenarios(ctx, c.Set)
	if err != nil {
		return err
	}
	command := []string{r.program("everything-client")}
	if c.To.Face == faceStdio {
		command = []string{r.program("driver"), "-era", string(c.To.Driver), r.helper, "mcp", "connect", "{url}"}
	}
	for _, q := range list {
		if c.To.Face == faceStdio && strings.HasPrefix(q.scenario, "auth/") {
			s.Left = append(s.Left, q.scenario)
			continue
		}
		if c.To.Face == faceDirect && q.unscored != "" {
			continue // it proves nothing of the rig
		}
		o, err := r.withClient(ctx, c.Set, q, command)
		if err != nil {
			return fmt.Errorf("%s: %w", q.scenario, err)
		}
		s.Outcomes = append(s.Outcomes, o)
	}
	return nil
}

// full tells whether every required scenario ran and passed.
func (s *score) full() bool {
	return s.Trouble == "" && s.Passed == s.Want && len(s.failing()) == 0
}

// failing are the required scenarios that failed.
func (s *score) failing() []outcome {
	return slices.DeleteFunc(slices.Clone(s.Outcomes), func(o outcome) bool { return o.Passed || o.Unscored != "" })
}

// extras counts the scenarios that are run and not scored, and names those that
// fail.
func (s *score) extras() (passed, all int, failing []outcome) {
	for _, o := range s.Outcomes {
		switch {
		case o.Unscored == "":
			continue
		case o.Passed:
			passed++
		default:
			failing = append(failing, o)
		}
		all++
	}
	return passed, all, failing
}

// state is the cell's standing in one word or three.
func (s *score) state() string {
	switch {
	case s.full():
		return "full marks"
	case s.Reached:
		return "LOST"
	default:
		return "not reached yet"
	}
}

func (s *score) line() string {
	text := fmt.Sprintf("%-22s %-11s %2d/%-2d %-15s %5.1f s", s.ID, s.Set, s.Passed, s.Want, s.state(), s.Seconds)
	if s.Trouble != "" {
		text += " " + ending(s.Trouble)
	}
	return text
}
