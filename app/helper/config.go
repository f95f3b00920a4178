package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
)

func (a *app) configCommand() *cobra.Command {
	var pick selector
	var e entryOptions
	var style jsonFormat
	c := &cobra.Command{
		Use:   "config [NAME… | --all | --labels k=v | --query EXPR]",
		Short: "Print the entry that a client's configuration needs",
		Long: "Prints what the configuration of an MCP client needs so that the client starts drawbridge for a\n" +
			"server. Nothing is written.",
		Args:              between(0, -1, ""),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			pick.names = args
			list, err := a.pick(pick)
			if err != nil {
				return err
			}
			if c.Flags().Changed("auto-reconnect") || c.Flags().Changed("no-auto-reconnect") {
				e.reconnect = "--auto-reconnect"
				if e.never || !e.again {
					e.reconnect = "--no-auto-reconnect"
				}
			}
			return a.printConfig(list, e, style)
		},
	}
	f := c.Flags()
	pick.flags(f)
	f.BoolVar(&e.again, "auto-reconnect", true, "write --auto-reconnect into the entry")
	f.BoolVar(&e.never, "no-auto-reconnect", false, "write --no-auto-reconnect into the entry")
	f.StringArrayVarP(&e.headers, "header", "H", nil, "write this header into the entry: \"Name: value\" (repeatable; servers reached by URL)")
	f.Var(&style, "json-format", "pretty, compact, auto or none")
	return c
}

// entryOptions are what an entry's arguments say besides the name.
type entryOptions struct {
	again, never bool
	reconnect    string // the flag to write; "" is none
	headers      []string
}

// configEntry is one entry of a client's file.
type configEntry struct {
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env,omitempty"`
}

// entryKey names our entry for a server (F-102).
func entryKey(server string) string { return "drawbridge-" + server }

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
	_, err = fmt.Fprintf(a.stdout, "Selected MCP servers:\n%s\n\nPut this into the configuration of your MCP client:\n%s\n%s",
		strings.Join(names, "\n"), b, configTip)
	return err
}

const configTip = `Where clients keep their configuration:
  Claude Desktop  Settings, Developer, Edit Config
  Claude Code     .mcp.json in the project
  Cursor          ~/.cursor/mcp.json, or .cursor/mcp.json in the project
  VS Code         command "MCP: Open User Configuration"; there "mcpServers" is called "servers"
`

func (a *app) entries(list []catalog.Server, o entryOptions) (map[string]configEntry, error) {
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
	entries := map[string]configEntry{}
	for _, s := range list {
		e := configEntry{Command: program, Args: []string{"mcp", "connect", s.Name}, Env: env}
		if o.reconnect != "" {
			e.Args = append(e.Args, o.reconnect)
		}
		if len(o.headers) > 0 && s.Transport == catalog.Stdio {
			fmt.Fprintf(a.stderr, "%s is started as a command, so -H is left out of its entry.\n", s.Name)
		} else {
			for _, h := range o.headers {
				e.Args = append(e.Args, "-H", h)
			}
		}
		entries[entryKey(s.Name)] = e
	}
	return entries, nil
}

// entryEnv is what the started process must be told because clients strip the
// environment (F-103); nil is nothing.
func entryEnv() (map[string]string, error) {
	home := os.Getenv("DRAWBRIDGE_HOME")
	if home == "" {
		return nil, nil
	}
	home, err := filepath.Abs(home) // the client starts us in another folder
	if err != nil {
		return nil, fmt.Errorf("the path of DRAWBRIDGE_HOME: %w", err)
	}
	return map[string]string{"DRAWBRIDGE_HOME": home}, nil
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
		return fault.New(fault.UsageInvalid, "").With("the JSON formats are pretty, compact, auto and none")
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
