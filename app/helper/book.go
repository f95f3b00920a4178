package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// book is the file of servers on this machine.
func (a *app) book() (*catalog.File, error) {
	dirs, err := platform.OurDirs()
	if err != nil {
		return nil, err
	}
	return catalog.Open(dirs), nil
}

// lookUp gives the server of this name.
func (a *app) lookUp(name string) (catalog.Server, error) {
	f, err := a.book()
	if err != nil {
		return catalog.Server{}, err
	}
	return f.Get(name)
}

// servers lists what fits the selection. An entry that cannot be used is told
// and does not hide the others.
func (a *app) servers(labels, words, query string) ([]catalog.Server, error) {
	s, err := catalog.ParseSelector(labels, words, query)
	if err != nil {
		return nil, err
	}
	f, err := a.book()
	if err != nil {
		return nil, err
	}
	list, err := f.Load()
	if err != nil && len(list) == 0 {
		return nil, err
	}
	if err != nil {
		a.report(err)
	}
	return s.Select(list), nil
}

// vacant tells with an error that s cannot be added, before anything is tried.
func vacant(f *catalog.File, s catalog.Server) error {
	if err := s.Validate(); err != nil {
		return err
	}
	_, err := f.Get(s.Name)
	switch {
	case err == nil:
		return fault.New(fault.ServerExists, s.Name)
	case fault.IsCode(err, fault.ServerNotFound):
		return nil
	default:
		return err
	}
}

// follow calls told with the servers, now and after each change of the file.
func follow(ctx context.Context, f *catalog.File, log *slog.Logger, told func([]catalog.Server)) error {
	return f.Watch(ctx, func(list []catalog.Server, err error) {
		if err != nil {
			log.Warn("the list of servers cannot be read in full", "err", err)
		}
		if err == nil || len(list) > 0 {
			told(list) // a file broken by hand ends no endpoint
		}
	})
}

// preview is the entry as lines of the file.
func preview(s catalog.Server) (string, error) {
	b, err := encode(s)
	if err != nil {
		return "", err
	}
	if b, err = sample.apply(b); err != nil {
		return "", err
	}
	var out strings.Builder
	text := fmt.Sprintf("%q: %s", s.Name, b)
	for line := range strings.Lines(text) {
		out.WriteString("  +    " + line)
	}
	return out.String(), nil
}

// completeNames completes the names of servers for shells.
func (a *app) completeNames(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	f, err := a.book()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	list, err := f.Load()
	if err != nil && len(list) == 0 {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range list {
		if strings.HasPrefix(s.Name, begun) {
			names = append(names, cobra.CompletionWithDesc(s.Name, s.About()))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
