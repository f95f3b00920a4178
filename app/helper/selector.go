package main

import (
	"strings"

	"github.com/spf13/pflag"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
)

// selector says which servers a command is about.
type selector struct {
	names  []string
	all    bool
	labels string
	query  string
}

func (s *selector) flags(f *pflag.FlagSet) {
	f.BoolVarP(&s.all, "all", "R", false, "every server")
	f.StringVar(&s.labels, "labels", "", "servers with all of these labels: k=v,k2=v2")
	f.StringVar(&s.query, "query", "", "servers that the expression fits, like labels[\"env\"] == \"dev\"")
}

// any tells whether something was selected.
func (s selector) any() bool { return len(s.names) > 0 || s.all || s.labels != "" || s.query != "" }

// pick gives the selected servers, at least one (F-100). Without a selector
// the only server there is is meant.
func (a *app) pick(s selector) ([]catalog.Server, error) {
	used := 0
	for _, given := range []bool{len(s.names) > 0, s.all, s.labels != "", s.query != ""} {
		if given {
			used++
		}
	}
	if used > 1 {
		return nil, fault.New(fault.SelectorConflict, "")
	}
	if len(s.names) > 0 {
		var list []catalog.Server
		for _, name := range s.names {
			one, err := a.lookUp(name)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	}
	list, err := a.servers(s.labels, "", s.query)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0 && (used == 0 || s.all):
		return nil, fault.New(fault.ServerNotFound, "").With("there are no servers yet").Step("add one with `drawbridge mcp add`")
	case len(list) == 0:
		return nil, fault.New(fault.ServerNotFound, "").With("no server fits")
	case used == 0 && len(list) > 1:
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Name
		}
		return nil, fault.New(fault.SelectorRequired, "").With("several servers fit: %s", strings.Join(names, ", "))
	default:
		return list, nil
	}
}
