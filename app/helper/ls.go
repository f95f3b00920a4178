package main

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
)

// internalLabels begin with this; only -v shows them (F-091).
const internalLabels = "drawbridge.internal/"

func (a *app) lsCommand() *cobra.Command {
	var search, query string
	var verbose bool
	c := &cobra.Command{
		Use:     "ls [LABELS]",
		Aliases: []string{"list"},
		Short:   "List the servers added here",
		Long: "Lists the servers added on this machine, sorted by name. LABELS is k=v,k2=v2; all must match.\n" +
			"--query takes name, labels[\"k\"], string literals, ==, !=, &&, ||, !, parentheses and search(\"a\", \"b\").",
		Args: between(0, 1, ""),
		RunE: func(_ *cobra.Command, args []string) error {
			labels := ""
			if len(args) > 0 {
				labels = args[0]
			}
			list, err := a.servers(labels, search, query)
			if err != nil {
				return err
			}
			return a.list(list, verbose)
		},
	}
	c.Flags().StringVar(&search, "search", "", "words that must all occur in name, description or labels: a,b")
	c.Flags().StringVar(&query, "query", "", "an expression that must hold, like labels[\"env\"] == \"dev\"")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show commands, allowed tools and internal labels, too")
	return c
}

func (a *app) list(list []catalog.Server, verbose bool) error {
	if a.form != text {
		out := make([]appForm, 0, len(list))
		for _, s := range list {
			out = append(out, formOfServer(s))
		}
		return a.form.write(a.stdout, out, listing)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, "No MCP servers.")
		return err
	}
	t := table{header: []string{"Name", "Description", "Type", "Labels"}}
	if verbose {
		t.header = append(t.header, "Command", "Args", "Allowed Tools", "Source")
	}
	var barred []string
	for _, s := range list {
		if noneAllowed(s) {
			barred = append(barred, s.Name)
		}
		t.rows = append(t.rows, cells(s, verbose))
	}
	if err := t.write(a.stdout, terminalColumns(a.stdout)); err != nil {
		return err
	}
	return noteBarred(a.stdout, barred)
}

func cells(s catalog.Server, verbose bool) []string {
	row := []string{s.Name, s.About(), s.TypeLabel(), labelCell(s.Labels, verbose)}
	if !verbose {
		return row
	}
	args := make([]string, len(s.Args))
	for i, arg := range s.Args {
		args[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \t\n\"") {
			args[i] = strconv.Quote(arg)
		}
	}
	return append(row, s.Command, strings.Join(args, " "), toolCell(s), "local")
}

func labelCell(labels map[string]string, all bool) string {
	var list []string
	for k := range labels {
		if all || !strings.HasPrefix(k, internalLabels) {
			list = append(list, k)
		}
	}
	sort.Strings(list)
	for i, k := range list {
		list[i] = k + "=" + labels[k]
	}
	return strings.Join(list, ",")
}

// rules are the tool patterns of a server, never nil.
func rules(s catalog.Server) (allow, deny []string) {
	allow, deny = []string{"*"}, []string{}
	if s.Tools == nil {
		return allow, deny
	}
	if s.Tools.Allow != nil {
		allow = s.Tools.Allow
	}
	return allow, append(deny, s.Tools.Deny...)
}

// noneAllowed tells whether the rules alone leave no tool.
func noneAllowed(s catalog.Server) bool {
	allow, deny := rules(s)
	denied := map[string]bool{}
	for _, p := range deny {
		denied[p] = true
	}
	if denied["*"] {
		return true
	}
	for _, p := range allow {
		if !denied[p] {
			return false
		}
	}
	return true
}

func toolCell(s catalog.Server) string {
	if noneAllowed(s) {
		return "none [!]" // F-095
	}
	allow, deny := rules(s)
	cell := strings.Join(allow, ",")
	if len(deny) > 0 {
		cell += " not " + strings.Join(deny, ",")
	}
	return cell
}

func noteBarred(w io.Writer, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nNo tool is allowed on: %s.\nA server added here allows tools with `--allow-tool`, a gateway with `allow.mcp.tools` of a role; see `drawbridge mcp add --help`.\n",
		strings.Join(names, ", "))
	return err
}
