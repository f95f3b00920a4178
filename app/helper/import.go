package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

// importFlags are what import was asked for.
type importFlags struct {
	files   fileFlags
	servers []string
	all     bool
}

func (a *app) importCommand() *cobra.Command {
	var o importFlags
	c := &cobra.Command{
		Use:   "import [CLIENT | PATH]",
		Short: "Take over servers from clients' files",
		Long: "Lists the servers that MCP clients have in their files, or one client, and adds those you choose to the\n" +
			"servers of this machine. The clients' files stay as they are and nothing is started. A value that looks\n" +
			"like a secret is not copied: it is named, and stays where it is.",
		Example: "  drawbridge mcp import\n" +
			"  drawbridge mcp import cursor --server github --server files\n" +
			"  drawbridge mcp import claude --all",
		Args:              between(0, 1, ""),
		ValidArgsFunction: clientNames,
		RunE: func(c *cobra.Command, args []string) error {
			o.files.clients = args
			return a.importServers(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.servers, "server", nil, "take over the server of this `NAME` (repeatable)")
	f.BoolVarP(&o.all, "all", "R", false, "take over all that can be")
	f.BoolVar(&o.files.dry, "dry", false, "show what would be taken over and write nothing")
	f.StringVar(&o.files.dialect, "client-format", "", "the `CLIENT` whose file PATH is")
	c.MarkFlagsMutuallyExclusive("server", "all")
	completeFlag(c, "client-format", clientNames)
	return c
}

// candidate is a server found in a client's file.
type candidate struct {
	Name     string   `json:"name"` // as it would be called here
	Entry    string   `json:"entry"`
	Client   string   `json:"client,omitempty"`
	File     string   `json:"file"`
	Type     string   `json:"type"`
	Starts   string   `json:"starts"` // the program, or the host of the address
	Disabled bool     `json:"disabled,omitempty"`
	Left     []string `json:"left,omitempty"`    // what stays behind
	Refused  string   `json:"refused,omitempty"` // why it cannot be taken over
	Imported bool     `json:"imported"`

	server catalog.Server
}

func (a *app) importServers(ctx context.Context, o importFlags) error {
	c, err := a.clientFiles(o.files)
	if err != nil {
		return err
	}
	targets, err := c.chosen()
	if err != nil {
		return err
	}
	if err := there(o.files.clients, targets); err != nil {
		return err
	}
	found, err := a.candidates(c, targets)
	if err != nil {
		return err
	}
	if a.form == text {
		if err := a.listCandidates(found); err != nil || len(found) == 0 {
			return err
		}
	}
	chosen, err := a.chooseCandidates(ctx, found, o)
	if err != nil {
		return err
	}
	if err := a.takeOver(ctx, chosen, o.files.dry); err != nil {
		return err
	}
	if a.form != text {
		return a.form.write(a.stdout, found, lines)
	}
	return nil
}

// there refuses a path that leads to no file. A client need not have made its
// file yet.
func there(names []string, targets []clientconf.Target) error {
	for _, name := range names {
		if _, err := clientconf.Find(name); err == nil {
			continue
		}
		for _, t := range targets {
			if _, err := os.Stat(t.Path); errors.Is(err, fs.ErrNotExist) {
				return fault.New(fault.ClientConfigNotAFile, t.Path).With("there is no such file")
			}
		}
	}
	return nil
}

// candidates are the servers in the files, other than our own entries.
func (a *app) candidates(c clientFiles, targets []clientconf.Target) ([]*candidate, error) {
	known, err := a.servers("", "", "")
	if err != nil {
		return nil, err
	}
	taken := map[string]string{}
	for _, s := range known {
		taken[s.Name] = "there is a server of this name"
	}
	found := []*candidate{}
	for _, t := range targets {
		held, _, err := a.heldIn(c, t)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			if f, ok := clientconf.Read(t, h.Entry); ok && !h.Ours {
				found = append(found, candidateOf(t, f, taken))
			}
		}
	}
	return found, nil
}

// candidateOf makes a candidate of an entry. taken says by name why no server can
// be called that.
func candidateOf(t clientconf.Target, f clientconf.Foreign, taken map[string]string) *candidate {
	c := &candidate{Name: serverName(f.Name), Entry: f.Name, Client: t.Client, File: t.Path, Disabled: f.Disabled}
	c.Left = append(c.Left, f.Missing...)
	c.server = catalog.Server{Name: c.Name, Transport: catalog.Stdio, Command: f.Program, Dir: f.Dir}
	c.Starts = f.Program
	if f.Program == "" {
		c.server = catalog.Server{Name: c.Name, Transport: transportOf(f.Transport), URL: f.URL.Reveal()}
		c.Starts = siteOf(f.URL.Reveal())
	}
	c.Type = c.server.TypeLabel()
	for _, s := range f.Args {
		c.server.Args = append(c.server.Args, s.Reveal())
	}
	c.server.Env, c.Left = keep(f.Env, "variable", c.Left)
	c.server.Headers, c.Left = keep(f.Headers, "header", c.Left)
	c.Refused = refusal(c, f, taken)
	if c.Refused == "" {
		taken[c.Name] = "one of this name is found in " + t.Path
	}
	return c
}

// refusal says why an entry cannot be taken over, "" when it can.
func refusal(c *candidate, f clientconf.Foreign, taken map[string]string) string {
	for _, s := range append(slices.Clone(f.Args), f.URL) {
		what := "the address"
		if s.Name != "" {
			what = "argument " + s.Name
		}
		switch {
		case s.Secret:
			return what + " looks like a secret"
		case s.Expansion != "":
			return what + " holds " + s.Expansion + ", which only the client fills in"
		}
	}
	if taken[c.Name] != "" {
		return taken[c.Name]
	}
	if err := c.server.Validate(); err != nil {
		return fault.Of(err, "").What()
	}
	return ""
}

// keep are the settings that can be copied; the others are named in left.
func keep(list []clientconf.Setting, what string, left []string) (map[string]string, []string) {
	var kept map[string]string
	for _, s := range list {
		switch {
		case s.Secret:
			left = append(left, fmt.Sprintf("the %s %s looks like a secret and stays in the client's file", what, s.Name))
		case s.Expansion != "":
			left = append(left, fmt.Sprintf("the %s %s holds %s, which only the client fills in", what, s.Name, s.Expansion))
		case kept == nil:
			kept = map[string]string{s.Name: s.Reveal()}
		default:
			kept[s.Name] = s.Reveal()
		}
	}
	return kept, left
}

func transportOf(kind string) catalog.Transport {
	switch kind {
	case "sse":
		return catalog.SSE
	case "http":
		return catalog.HTTP
	default:
		return catalog.Auto
	}
}

// serverName makes a server's name of an entry's.
func serverName(entry string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		default:
			return '-'
		}
	}, entry)
	name = strings.TrimLeft(name, "-.")
	if len(name) > catalog.MaxName {
		name = name[:catalog.MaxName]
	}
	return name
}

func (a *app) listCandidates(found []*candidate) error {
	if len(found) == 0 {
		a.tell("No servers of others in the clients' files.\n")
		return nil
	}
	t := table{header: []string{"Name", "Client", "Type", "Starts", "Note"}}
	for _, c := range found {
		note := strings.Join(c.Left, "; ")
		if c.Refused != "" {
			note = "cannot be taken over: " + c.Refused
		}
		if c.Disabled {
			note = strings.TrimSuffix("switched off there; "+note, "; ")
		}
		t.rows = append(t.rows, []string{c.Entry, c.Client, c.Type, c.Starts, note})
	}
	return t.write(a.stdout, terminalColumns(a.stdout))
}

// chooseCandidates are those that flags name, or a person who is asked.
func (a *app) chooseCandidates(ctx context.Context, found []*candidate, o importFlags) ([]*candidate, error) {
	names, all := o.servers, o.all
	if len(names) == 0 && !all {
		if !a.asks() {
			a.tell("Next: name those to take over with `--server NAME`, or all with `--all`.\n")
			return nil, nil
		}
		line, err := a.ask(ctx, "Take over which? Names with commas, all, or Enter for none: ")
		if err != nil {
			return nil, err
		}
		all = line == "all"
		names = strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' })
	}
	var chosen []*candidate
	for _, c := range found {
		if all && c.Refused == "" {
			chosen = append(chosen, c)
		}
	}
	if all {
		if len(chosen) == 0 {
			a.tell("None of them can be taken over.\n")
		}
		return chosen, nil
	}
	for _, name := range names {
		named := func(c *candidate) bool { return c.Entry == name || c.Name == name }
		at := slices.IndexFunc(found, func(c *candidate) bool { return named(c) && c.Refused == "" })
		if at < 0 {
			at = slices.IndexFunc(found, named)
		}
		if at < 0 {
			return nil, fault.New(fault.ServerNotFound, name).With("no client's file has it").Step("run `drawbridge mcp import` for the list")
		}
		if found[at].Refused != "" {
			return nil, fault.New(fault.AppInvalid, name).With("%s", found[at].Refused).Step("add it with `drawbridge mcp add`")
		}
		chosen = append(chosen, found[at])
	}
	return chosen, nil
}

func (a *app) takeOver(ctx context.Context, chosen []*candidate, dry bool) error {
	book, err := a.book()
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if dry {
			a.tell("Would add %s (%s)\n", c.Name, c.Type)
			continue
		}
		if err := book.Add(ctx, c.server); err != nil {
			return err
		}
		c.Imported = true
		a.tell("Added   %s (%s)\n", c.Name, c.Type)
		for _, l := range c.Left {
			a.tell("Note    %s: %s.\n", c.Name, l)
		}
	}
	if dry {
		a.tell("Nothing was written (--dry).\n")
	}
	return nil
}
