package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

func (a *app) configCommand() *cobra.Command {
	var o configFlags
	c := &cobra.Command{
		Use:   "config [NAME… | --all | --labels k=v | --query EXPR]",
		Short: "Print the entry that a client's configuration needs, or write it there",
		Long: "Prints what the configuration of an MCP client needs so that the client starts drawbridge for a\n" +
			"server. With --client-config it changes the client's file: its own entry and nothing else. It shows\n" +
			"the change first, asks on a terminal, and --undo takes it back.",
		Example: "  drawbridge mcp config files --client-config=claude --dry\n" +
			"  drawbridge mcp config --all --client-config=cursor --client-config=vscode\n" +
			"  drawbridge mcp config files --client-config=PROJECT/.mcp.json\n" +
			"  drawbridge mcp config --undo --client-config=claude\n" +
			"  drawbridge mcp config --show",
		Args:              between(0, -1, ""),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			o.pick.names = args
			if a.form == inLink {
				o.links, a.form = true, text
			}
			if err := o.fromEnvironment(c); err != nil {
				return err
			}
			if c.Flags().Changed("auto-reconnect") || c.Flags().Changed("no-auto-reconnect") {
				o.entry.reconnect = "--auto-reconnect"
				if o.entry.never || !o.entry.again {
					o.entry.reconnect = "--no-auto-reconnect"
				}
			}
			return a.config(c.Context(), o)
		},
	}
	f := c.Flags()
	o.pick.flags(f)
	o.files.flags(f)
	f.BoolVar(&o.entry.again, "auto-reconnect", true, "write --auto-reconnect into the entry")
	f.BoolVar(&o.entry.never, "no-auto-reconnect", false, "write --no-auto-reconnect into the entry")
	f.StringArrayVarP(&o.entry.headers, "header", "H", nil, "write this `HEADER` into the entry: \"Name: value\" (repeatable; servers reached by URL)")
	f.BoolVar(&o.entry.http, "http", false, "write the local address that drawbridge up serves, in place of a command")
	f.BoolVar(&o.files.dry, "dry", false, "show the change and write nothing")
	f.BoolVar(&o.remove, "remove", false, "take the entries out of the files of --client-config, without it out of all")
	f.BoolVar(&o.undo, "undo", false, "take back the last change of the files of --client-config")
	f.BoolVar(&o.repair, "repair", false, "make all entries start this program, after it was moved or renamed")
	f.BoolVar(&o.show, "show", false, "list the entries of the files of --client-config, without it of all")
	f.Var(&o.style, "json-format", "pretty, compact, auto or none")
	c.MarkFlagsMutuallyExclusive("remove", "undo", "repair", "show")
	completeClientFlags(c)
	completeFlag(c, "json-format", cobra.FixedCompletions([]string{"pretty", "compact", "auto", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// configFlags are what config was asked for.
type configFlags struct {
	pick                       selector
	entry                      entryOptions
	files                      fileFlags
	style                      jsonFormat
	remove, undo, repair, show bool
	links                      bool
}

// fromEnvironment takes the defaults that variables give (F-111).
func (o *configFlags) fromEnvironment(c *cobra.Command) error {
	o.files.fromEnvironment()
	const name = "DRAWBRIDGE_MCP_CONFIG_JSON_FORMAT"
	v := os.Getenv(name)
	if v == "" || c.Flags().Changed("json-format") {
		return nil
	}
	if err := o.style.Set(v); err != nil {
		return fault.New(fault.UsageInvalid, name).With("%v", err).Step("correct or unset the variable")
	}
	return nil
}

func (a *app) config(ctx context.Context, o configFlags) error {
	switch {
	case o.show:
		return a.showEntries(o)
	case o.undo:
		return a.undoChange(ctx, o)
	case o.repair:
		return a.repairEntries(ctx, o)
	case o.remove:
		return a.removeEntries(ctx, o)
	}
	list, err := a.pick(o.pick)
	if err != nil {
		return err
	}
	if o.links {
		return a.printLinks(list, o)
	}
	if len(o.files.clients) > 0 {
		return a.writeEntries(ctx, list, o)
	}
	if o.files.dry || o.files.needClients() {
		return noClients("mcp config")
	}
	return a.printConfig(list, o.entry, o.style)
}

// entryOptions are what an entry's arguments say besides the name.
type entryOptions struct {
	again, never bool
	reconnect    string // the flag to write; "" is none
	headers      []string
	http         bool // a URL entry for a proxy in the background
}

// configEntry is one entry of a client's file: an address or a program.
type configEntry struct {
	Type    string            `json:"type,omitempty"` // of an address
	URL     string            `json:"url,omitempty"`
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

func (a *app) printConfig(list []catalog.Server, o entryOptions, style jsonFormat) error {
	entries, err := a.entries(list, o)
	if err != nil {
		return err
	}
	out := map[string]any{"mcpServers": entries}
	if a.form != text {
		return a.form.write(a.stdout, out, style.layout())
	}
	b, err := encode(out)
	if err != nil {
		return err
	}
	if b, err = style.layout().apply(b); err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	tip := configTip
	if o.http { // which Claude Desktop's file does not take
		tip = "These addresses answer while `drawbridge up` runs.\n\n" + strings.Replace(configTip, claudeTip, "", 1)
	}
	_, err = fmt.Fprintf(a.stdout, "Selected MCP servers:\n%s\n\nPut this into the configuration of your MCP client:\n%s\n%s",
		strings.Join(names, "\n"), b, tip)
	return err
}

const claudeTip = "  --client-config=claude       Claude Desktop\n"

const configTip = "Drawbridge can write it for you:\n" + claudeTip + `  --client-config=claude-code  Claude Code
  --client-config=cursor       Cursor, all projects
  --client-config=vscode       Visual Studio Code
  --client-config=PATH         any file with an "mcpServers" object, for example
                               PROJECT/.cursor/mcp.json for one Cursor project
`

func (a *app) entries(list []catalog.Server, o entryOptions) (map[string]configEntry, error) {
	launches, err := a.launches(list, o)
	if err != nil {
		return nil, err
	}
	entries := map[string]configEntry{}
	for i, l := range launches {
		if o.http {
			url, err := localAddress(list[i].Name)
			if err != nil {
				return nil, err
			}
			entries[clientconf.EntryName(list[i].Name)] = configEntry{Type: "http", URL: url}
			continue
		}
		e := configEntry{Command: l.Program, Args: l.Args}
		for _, p := range l.Env {
			e.Env = map[string]string{p.Name: p.Value}
		}
		entries[clientconf.EntryName(list[i].Name)] = e
	}
	return entries, nil
}

// launches are what a client starts for each of the servers.
func (a *app) launches(list []catalog.Server, o entryOptions) ([]clientconf.Launch, error) {
	if _, err := headers(nil, o.headers); err != nil {
		return nil, err
	}
	program, err := programPath(os.Args[0])
	if err != nil {
		return nil, err
	}
	env, err := entryEnv()
	if err != nil {
		return nil, err
	}
	for _, h := range o.headers {
		a.warnOfHeader(h)
	}
	var launches []clientconf.Launch
	for _, s := range list {
		l := clientconf.Launch{Program: program, Args: []string{"mcp", "connect", s.Name}, Env: env}
		if o.reconnect != "" {
			l.Args = append(l.Args, o.reconnect)
		}
		if len(o.headers) > 0 && s.Transport == catalog.Stdio {
			fmt.Fprintf(a.stderr, "%s is started as a command, so -H is left out of its entry.\n", s.Name)
		} else {
			for _, h := range o.headers {
				l.Args = append(l.Args, "-H", h)
			}
		}
		launches = append(launches, l)
	}
	return launches, nil
}

// warnOfHeader tells that a header which signs in should not stand in a client's
// file (F-110).
func (a *app) warnOfHeader(h string) {
	name, _, _ := strings.Cut(h, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "authorization", "cookie", "x-api-key":
		fmt.Fprintf(a.stderr, "The header %s would stand in the entry, and other programs read clients' files. Give it to `drawbridge mcp add` instead.\n", strings.TrimSpace(name))
	default:
	}
}

// entryEnv is what the started process must be told because clients strip the
// environment (F-103); nil is nothing.
func entryEnv() ([]clientconf.Pair, error) {
	home := os.Getenv("DRAWBRIDGE_HOME")
	if home == "" {
		return nil, nil
	}
	home, err := filepath.Abs(home) // the client starts us in another folder
	if err != nil {
		return nil, fmt.Errorf("the path of DRAWBRIDGE_HOME: %w", err)
	}
	return []clientconf.Pair{{Name: "DRAWBRIDGE_HOME", Value: home}}, nil
}

// programPath is the absolute path of this program as it was started. A link
// such as /usr/local/bin/drawbridge stays true when an update replaces what it
// leads to, so links are not followed, and the way that the system took to the
// file (os.Executable follows links on Linux) is only the last resort.
func programPath(started string) (string, error) {
	real, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the path of this program: %w", err)
	}
	path := started
	if !strings.ContainsRune(path, filepath.Separator) && !strings.ContainsRune(path, '/') {
		if path, err = exec.LookPath(started); err != nil {
			return real, nil //nolint:nilerr // started by a name that leads nowhere
		}
	}
	if path, err = filepath.Abs(path); err != nil {
		return real, nil //nolint:nilerr // without a current folder
	}
	one, err := os.Stat(path)
	if err != nil {
		return real, nil //nolint:nilerr // the name was made up
	}
	other, err := os.Stat(real)
	if err != nil || !os.SameFile(one, other) {
		return real, nil //nolint:nilerr // it leads to another program
	}
	return path, nil
}

// jsonFormat is the value of --json-format (F-109); "" is auto.
type jsonFormat string

// Set takes the value of the flag.
func (j *jsonFormat) Set(s string) error {
	switch s {
	case "pretty", "compact", "auto", "none":
		*j = jsonFormat(s)
		return nil
	default:
		return errors.New("the JSON formats are pretty, compact, auto and none")
	}
}

func (j *jsonFormat) String() string { return string(*j) }

// Type names the value in the help text.
func (j *jsonFormat) Type() string { return "STYLE" }

func (j jsonFormat) layout() layout {
	if j == "compact" {
		return compact
	}
	return sample
}
