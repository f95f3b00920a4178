package main

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

func (a *app) clientsCommand() *cobra.Command {
	var all, watch bool
	c := &cobra.Command{
		Use:   "clients",
		Short: "List the MCP clients of this machine and our entries in their files",
		Long: "Lists the MCP clients that are here, where their files are, and the state of our entries in them. Files\n" +
			"that hold none of our entries are looked for and not read: `drawbridge mcp config --show` reads them.",
		Args: between(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if watch {
				return a.watchClients(c.Context(), all)
			}
			return a.listClients(all)
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "go on until interrupted, and tell what becomes of our entries")
	c.Flags().BoolVarP(&all, "all", "R", false, "list the known clients that are not here, too")
	return c
}

// clientRow is a client in the listing.
type clientRow struct {
	Client  string           `json:"client,omitempty"`
	Name    string           `json:"name,omitempty"`
	State   clientconf.State `json:"state"`
	File    string           `json:"file,omitempty"`
	Places  []string         `json:"places,omitempty"` // when the file is one of these
	Entries []clientEntryRow `json:"entries,omitempty"`
	Problem *errorForm       `json:"problem,omitempty"`
}

type clientEntryRow struct {
	Name   string           `json:"name"`
	Server string           `json:"server,omitempty"`
	State  clientconf.State `json:"state"`
}

func (a *app) listClients(all bool) error {
	c, err := a.clientFiles(fileFlags{})
	if err != nil {
		return err
	}
	statuses, err := c.editor.Statuses(c.system)
	if err != nil {
		return err
	}
	rows := clientRows(statuses, all)
	if a.form != text {
		return a.form.write(a.stdout, rows, lines)
	}
	if len(rows) == 0 {
		a.tell("No MCP clients were found here; --all lists those that are known.\n")
		return nil
	}
	columns := terminalColumns(a.stdout)
	t := table{header: []string{"Client", "Flag", "State", "Entries", "File"}}
	for _, r := range rows {
		where := r.where()
		if columns > 0 { // a program gets the path as it is
			where = belowHome(where, c.system.Home)
		}
		t.rows = append(t.rows, []string{cmp.Or(r.Name, "(a file)"), r.Client, string(r.State), r.names(), where})
	}
	return t.write(a.stdout, columns)
}

// belowHome writes ~ for the home folder in a text of paths, since a terminal's
// line is short.
func belowHome(text, home string) string {
	if len(home) < 2 { // the root
		return text
	}
	sep := string(filepath.Separator)
	return strings.ReplaceAll(" "+text, " "+home+sep, " ~"+sep)[1:]
}

func clientRows(statuses []clientconf.Status, all bool) []clientRow {
	rows := []clientRow{}
	for _, s := range statuses {
		if s.State != clientconf.StateNotInstalled || all {
			rows = append(rows, rowOfClient(s))
		}
	}
	return rows
}

// watchClients prints the state of each client and then each change of one, a
// line each; in a machine format the whole list each time. Nothing is written to
// the clients' files.
func (a *app) watchClients(ctx context.Context, all bool) error {
	c, err := a.clientFiles(fileFlags{})
	if err != nil {
		return err
	}
	told := map[string]string{}
	return clientconf.NewWatcher(c.editor, c.system, a.log(slog.LevelWarn)).Run(ctx, func(s clientconf.Snapshot) {
		rows := clientRows(s.Statuses, all)
		if a.form != text {
			// A reader that left is noticed by the next signal.
			_ = a.form.write(a.stdout, rows, compact)
			return
		}
		now := map[string]string{}
		for _, r := range rows {
			key := r.Client + "\n" + r.File
			now[key] = strings.Join(slices.DeleteFunc([]string{r.Name, string(r.State), r.names(), r.where()}, func(s string) bool { return s == "" }), ", ")
			if told[key] != now[key] {
				a.tell("%s  %s\n", time.Now().Format(time.TimeOnly), printable(now[key]))
			}
		}
		told = now
	})
}

func rowOfClient(s clientconf.Status) clientRow {
	r := clientRow{Client: s.Target.Client, Name: nameOf(s.Target), State: s.State, File: s.Target.Path, Places: s.Places}
	if r.Client == "" {
		r.Name = "" // of no known client
	}
	for _, e := range s.Entries {
		r.Entries = append(r.Entries, clientEntryRow{e.Name, e.Server, e.State})
	}
	if s.Problem != nil && s.State != clientconf.StateNotInstalled {
		f := formOf(fault.Of(s.Problem, s.Target.Path))
		r.Problem = &f
	}
	return r
}

// names are our entries, those that are not as they should be with their state.
func (r clientRow) names() string {
	var list []string
	for _, e := range r.Entries {
		if e.State == clientconf.StateAdded {
			list = append(list, e.Name)
		} else {
			list = append(list, e.Name+" ("+string(e.State)+")")
		}
	}
	return strings.Join(list, ", ")
}

// where is the file, and what is wrong with it.
func (r clientRow) where() string {
	switch {
	case len(r.Places) > 0:
		return "one of " + strings.Join(r.Places, ", ")
	case r.Problem != nil:
		return r.Problem.Server + ": " + r.Problem.Message
	default:
		return r.File
	}
}
