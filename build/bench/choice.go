package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// choice is what the command line asks for.
type choice struct {
	sets      []string
	only      *regexp.Regexp
	scenarios *regexp.Regexp
	peers     peerChoice
	rounds    int
	effort    effort
	soakCalls int
	jsonFile  string
	mdFile    string
	before    string
}

// peerChoice says where the npm peers take part.
type peerChoice string

const (
	noPeers       peerChoice = "none"
	comparedPeers peerChoice = "compare" // in the measured sets
	allPeers      peerChoice = "all"     // in the tables of scenarios too
)

var defaultSets = []string{setForward, setForwardSSE, setForwardLegacy, setReverse, setReverseSSE, setMany, setRobust, setReverseRobust, setSoak}

var optionalSets = []string{setEverything, setEverythingSSE}

func parseChoice(args []string) (choice, error) {
	c := choice{effort: fullEffort()}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	sets := fs.String("sets", strings.Join(defaultSets, ","), "what to run; there are also "+strings.Join(optionalSets, " and "))
	only := fs.String("only", "", "regular expression of the rows to run")
	scenarios := fs.String("scenarios", "", "regular expression of the scenarios to run")
	peers := fs.String("peers", string(comparedPeers), "npm peers: none, compare (measured), all (scenarios too)")
	quick := fs.Bool("quick", false, "one short round, 5,000 calls of soak: a look, not a measurement")
	fs.IntVar(&c.rounds, "rounds", 9, "rounds; every row runs once in each (npm peers in every third), in rotating order")
	fs.IntVar(&c.effort.Calls, "n", c.effort.Calls, "sequential calls of a row in a round")
	fs.IntVar(&c.soakCalls, "soak", 100_000, "calls of each soak")
	fs.StringVar(&c.jsonFile, "json", "", "write all results here")
	fs.StringVar(&c.mdFile, "md", "", "write the tables here")
	fs.StringVar(&c.before, "before", "", "an earlier build of drawbridge, to measure beside this one")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if *quick {
		c.rounds, c.effort, c.soakCalls = 1, quickEffort(), 5000
	}
	c.sets, c.peers = strings.Split(*sets, ","), peerChoice(*peers)
	var err1, err2 error
	c.only, err1 = regexp.Compile(*only)
	c.scenarios, err2 = regexp.Compile(*scenarios)
	return c, errors.Join(err1, err2, c.check())
}

func (c choice) check() error {
	switch c.peers {
	case noPeers, comparedPeers, allPeers:
	default:
		return fmt.Errorf("-peers %q: none, compare or all", c.peers)
	}
	for _, s := range c.sets {
		if !slices.Contains(defaultSets, s) && !slices.Contains(optionalSets, s) {
			return fmt.Errorf("-sets %q: there are %s, %s", s, strings.Join(defaultSets, ", "), strings.Join(optionalSets, ", "))
		}
	}
	if c.rounds < 1 || c.effort.Calls < 1 || c.soakCalls < 1 {
		return errors.New("-rounds, -n and -soak must be positive")
	}
	return nil
}

// runs reports whether a set was asked for.
func (c choice) runs(id string) bool { return slices.Contains(c.sets, id) }

// measured reports whether any set is compared in rounds.
func (c choice) measured() bool {
	return slices.ContainsFunc(c.sets, func(id string) bool { return id != setRobust && id != setReverseRobust && id != setSoak })
}

// wants reports whether rows of a kind will run, so that they are worth building.
func (c choice) wants(k kind) bool {
	if k == npm && (c.peers == noPeers || c.peers == comparedPeers && !c.measured()) {
		return c.runs(setEverything) || c.runs(setEverythingSSE)
	}
	return slices.ContainsFunc(bridges(), func(b bridge) bool { return b.Kind == k && c.only.MatchString(b.Name) })
}

// rows are the chosen ones with their variables filled.
func (c choice) rows(all []row, vars map[string]string) []row {
	var out []row
	for _, r := range all {
		if r.Kind == npm && c.peers == noPeers || r.Kind == earlier && c.before == "" || !c.only.MatchString(r.Name) {
			continue
		}
		for key, value := range vars {
			r.Args = replaceAll(r.Args, key, value)
			r.URL = strings.ReplaceAll(r.URL, key, value)
		}
		out = append(out, r)
	}
	return out
}

// examined are the bridges whose scenarios run: ours, and with -peers all
// everybody's.
func (c choice) examined() []bridge {
	return slices.DeleteFunc(bridges(), func(b bridge) bool {
		return !c.only.MatchString(b.Name) || b.Kind != own && c.peers != allPeers
	})
}
