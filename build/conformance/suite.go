package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	serverRunLimit   = 5 * time.Minute  // a whole set against a server
	clientRunLimit   = 60 * time.Second // one scenario with a client
	clientScenario   = 40 * time.Second // the suite's own limit of it, above the driver's
	longestComplaint = 400
)

// outcome is how one scenario went.
type outcome struct {
	Scenario string   `json:"scenario"`
	Passed   bool     `json:"passed"`
	Unscored string   `json:"unscored,omitempty"` // why it does not count; "" is required
	Good     int      `json:"checks_passed"`
	Bad      int      `json:"checks_failed"`
	Says     []string `json:"says,omitempty"` // what the suite complains of
}

// command runs the suite. Its results go into dir.
func (r *rig) suiteCommand(ctx context.Context, s suite, dir string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(r.suites, string(s), "dist", "index.js")}, append(args, "-o", dir)...)
	c := exec.CommandContext(ctx, r.node, args...)
	c.WaitDelay = endGrace
	return c
}

// againstServer runs a whole set against a URL.
func (r *rig) againstServer(ctx context.Context, s set, url string) ([]outcome, error) {
	dir, err := os.MkdirTemp(r.scratch, "results-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, serverRunLimit)
	defer cancel()
	args := []string{"server", "--url", url}
	if s.Rev == "" {
		args = append(args, "--suite", "all")
	} else {
		args = append(args, "--requirements", s.Rev)
	}
	c := r.suiteCommand(ctx, s.Suite, dir, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
		return nil, fmt.Errorf("run the suite: %w", errors.Join(ctx.Err(), err))
	}
	list, err := readSummary(out.String())
	if err != nil {
		return nil, err
	}
	for i, o := range list {
		if list[i].Says, err = complaints(dir, "server-"+o.Scenario+"-"); err != nil {
			return nil, err
		}
	}
	return list, nil
}

var (
	summaryLine  = regexp.MustCompile(`^([✓✗]) (\S+): (\d+) passed, (\d+) failed`)
	unscoredLine = regexp.MustCompile(`^  [✓✗] (\S+) \((.+)\)$`)
)

// readSummary reads what the server command prints at its end: a line for each
// scenario, then those that are not scored.
func readSummary(text string) ([]outcome, error) {
	_, summary, found := strings.Cut(text, "=== SUMMARY ===")
	if !found {
		return nil, fmt.Errorf("the suite printed no summary: %s", ending(text))
	}
	var list []outcome
	for line := range strings.Lines(summary) {
		line = strings.TrimRight(line, "\r\n")
		if m := summaryLine.FindStringSubmatch(line); m != nil {
			good, err := strconv.Atoi(m[3])
			bad, err2 := strconv.Atoi(m[4])
			if err := errors.Join(err, err2); err != nil {
				return nil, err
			}
			list = append(list, outcome{Scenario: m[2], Passed: m[1] == "✓", Good: good, Bad: bad})
		}
		if m := unscoredLine.FindStringSubmatch(line); m != nil {
			for i := range list {
				if list[i].Scenario == m[1] {
					list[i].Unscored = m[2]
				}
			}
		}
	}
	return list, nil
}

// requirement is a client scenario of a revision.
type requirement struct{ scenario, unscored string }

var notScored = regexp.MustCompile(`^\s+- (\S+) \[client\]$`)

// clientScenarios asks the suite what a revision requires of clients.
func (r *rig) clientScenarios(ctx context.Context, s set) ([]requirement, error) {
	c := exec.CommandContext(ctx, r.node, filepath.Join(r.suites, string(s.Suite), "dist", "index.js"), "list", "--requirements", s.Rev)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("list the scenarios of %s: %w", s.Rev, err)
	}
	return readRequirements(string(out)), nil
}

// readRequirements reads what list --requirements prints.
func readRequirements(text string) []requirement {
	var list []requirement
	part, reason := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch name, listed := strings.CutPrefix(line, "  - "); {
		case strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " "):
			part = line
		case listed && strings.HasPrefix(part, "Client scenarios"):
			list = append(list, requirement{name, ""})
		case strings.HasPrefix(part, "Run and reported") && strings.HasSuffix(line, ":"):
			reason, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		case strings.HasPrefix(part, "Run and reported"):
			if m := notScored.FindStringSubmatch(line); m != nil {
				list = append(list, requirement{m[1], reason})
			}
		}
	}
	return list
}

// withClient runs one scenario with a client command. Here a warning counts as
// a failure, as do a client that fails and one that takes too long.
func (r *rig) withClient(ctx context.Context, s set, q requirement, command []string) (outcome, error) {
	o := outcome{Scenario: q.scenario, Unscored: q.unscored}
	dir, err := os.MkdirTemp(r.scratch, "results-")
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(ctx, clientRunLimit)
	defer cancel()
	args := []string{"client", "--command", joined(command), "--scenario", q.scenario, "--timeout", strconv.FormatInt(clientScenario.Milliseconds(), 10)}
	if q.unscored != "extension" { // which belongs to no revision
		args = append(args, "--spec-version", s.Rev)
	}
	c := r.suiteCommand(ctx, s.Suite, dir, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return o, fmt.Errorf("run the suite: %w", err)
	}
	o.Passed = err == nil
	if o.Good, o.Bad, err = counted(dir); err != nil {
		return o, err
	}
	if o.Passed {
		return o, nil
	}
	if o.Says, err = complaints(dir, ""); err != nil {
		return o, err
	}
	if _, trouble, found := strings.Cut(out.String(), "Client exited with code"); found {
		o.Says = append(o.Says, "the client: "+ending(cutAt(trouble, "Results saved")))
	}
	if len(o.Says) == 0 {
		o.Says = []string{ending(out.String())}
	}
	return o, nil
}

// joined is a command line as the suite's shell takes it.
func joined(command []string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = word
		if strings.ContainsAny(word, ` \{}`) {
			quoted[i] = `"` + word + `"`
		}
	}
	return strings.Join(quoted, " ")
}

// check is what the suite writes of each thing it looked at.
type check struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	ErrorMessage string `json:"errorMessage"`
	Description  string `json:"description"`
}

// checks reads the results of the scenarios whose folder begins with prefix.
func checks(dir, prefix string) ([]check, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []check
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), prefix)
		if !ours || prefix != "" && !strings.HasPrefix(rest, "20") { // what follows is the date
			continue
		}
		files, err := findChecks(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			var list []check
			if err := json.Unmarshal(data, &list); err != nil {
				return nil, fmt.Errorf("read %s: %w", f, err)
			}
			all = append(all, list...)
		}
	}
	return all, nil
}

// findChecks finds checks.json, which lies deeper for a scenario with a slash
// in its name.
func findChecks(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "checks.json" {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

// complaints are what the suite says of failures and warnings.
func complaints(dir, prefix string) ([]string, error) {
	list, err := checks(dir, prefix)
	if err != nil {
		return nil, err
	}
	var says []string
	for _, c := range list {
		if c.Status != "FAILURE" && c.Status != "WARNING" {
			continue
		}
		why := c.ErrorMessage
		if why == "" {
			why = c.Description
		}
		says = append(says, fmt.Sprintf("%s %s: %s", strings.ToLower(c.Status), c.ID, ending(why)))
	}
	return says, nil
}

func counted(dir string) (good, bad int, err error) {
	list, err := checks(dir, "")
	for _, c := range list {
		switch c.Status {
		case "SUCCESS":
			good++
		case "FAILURE", "WARNING":
			bad++
		}
	}
	return good, bad, err
}

// ending is the end of a text, on one line.
func ending(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > longestComplaint {
		s = "…" + strings.ToValidUTF8(s[len(s)-longestComplaint:], "")
	}
	return s
}

func cutAt(s, mark string) string {
	before, _, _ := strings.Cut(s, mark)
	return before
}
