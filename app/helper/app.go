package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drawbridge/internal/fault"
)

// app is one run of the program: its streams and the general flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	form    form // -f
	version bool // --version
	debug   bool // --debug
	yes     bool // -y
}

// commands builds the command tree for these arguments. Clients start
// `mcp connect` over and over and wait for it, so it is built without the rest.
func (a *app) commands(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "drawbridge",
		Short:         "Lets any MCP client use any MCP server",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	// Not cobra's own --version: its template links text/template, which looks
	// methods up by name, so that the linker keeps every method of every type
	// (2.1 MB of program, 1.5 MiB of memory in each helper).
	root.Flags().BoolVar(&a.version, "version", false, "print the version")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if !a.version {
			return c.Help()
		}
		_, err := fmt.Fprintf(a.stdout, "drawbridge %s\n", version)
		return err
	}
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateFlagGroups(); err != nil {
			return usage(c, "%s do not go together", strings.Join(exclusive(c), " and "))
		}
		if a.form == inLink && c.Name() != "config" {
			a.form = text
			return usage(c, "only `drawbridge mcp config` prints links")
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, "%v", err) })
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.VarP(&a.form, "format", "f", "output format: text, json or yaml")
	flags.BoolVar(&a.debug, "debug", false, "log more, to stderr")
	flags.BoolVarP(&a.yes, "yes", "y", false, "ask nothing")

	mcp := &cobra.Command{Use: "mcp", Short: "Add, check and use MCP servers"}
	group(mcp)
	root.AddCommand(mcp)
	switch {
	case len(args) > 1 && args[0] == "mcp" && args[1] == "connect":
		mcp.AddCommand(a.connectCommand())
		return root
	case len(args) > 0 && args[0] == "connect":
		root.AddCommand(a.connectCommand())
		return root
	}
	mcp.AddCommand(a.addCommand(), a.lsCommand(), a.rmCommand(), a.checkCommand(), a.toolsCommand(),
		a.callCommand(), a.configCommand(), a.clientsCommand(), a.importCommand(), a.bundleCommand(),
		a.connectCommand(), a.demoCommand())
	proxy := &cobra.Command{Use: "proxy", Short: "Serve MCP servers on a local port"}
	group(proxy)
	proxy.AddCommand(a.proxyCommand())
	root.AddCommand(proxy, a.upCommand(), a.versionCommand(), a.completionCommand(), hidden(a.connectCommand()))
	return root
}

// exclusive are the given flags that exclude others.
func exclusive(c *cobra.Command) []string {
	var list []string
	c.Flags().Visit(func(f *pflag.Flag) {
		if len(f.Annotations["cobra_annotation_mutually_exclusive"]) > 0 {
			list = append(list, "--"+f.Name)
		}
	})
	return list
}

func hidden(c *cobra.Command) *cobra.Command { c.Hidden = true; return c }

// group makes c a command that only holds others: alone it prints its help,
// with an unknown word it is refused.
func group(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := usage(c, "there is no command %q", args[0])
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return err.Step("did you mean `" + c.CommandPath() + " " + near[0] + "`?")
		}
		return err
	}
}

// usage is a command line that was not understood.
func usage(c *cobra.Command, format string, args ...any) *fault.Error {
	return fault.New(fault.UsageInvalid, c.CommandPath()).With(format, args...).Step("run `" + c.CommandPath() + " --help`")
}

// between checks the number of arguments.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage(c, "%s is missing", what)
		case most >= 0 && len(args) > most:
			return usage(c, "%q is one argument too many", args[most])
		default:
			return nil
		}
	}
}

// log is the program's log, on stderr.
func (a *app) log(least slog.Level) *slog.Logger {
	if a.debug || switchedOn(os.Getenv("DRAWBRIDGE_DEBUG")) {
		least = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: least}))
}

// switchedOn reads a variable that is a switch.
func switchedOn(v string) bool {
	switch strings.ToLower(v) {
	case "", "0", "false", "no", "off":
		return false
	default:
		return true
	}
}
