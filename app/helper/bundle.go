package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

func (a *app) bundleCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "bundle NAME -o FILE.mcpb",
		Short: "Make a Claude Desktop bundle of a server",
		Long: "Makes a file that Claude Desktop installs when it is opened: for when the app keeps dropping entries\n" +
			"from its configuration. The bundle starts this program where it is now and holds no secret.",
		Example:           "  drawbridge mcp bundle files -o files.mcpb",
		Args:              between(1, 1, "the server's name"),
		ValidArgsFunction: a.completeNames,
		RunE:              func(_ *cobra.Command, args []string) error { return a.bundle(args[0], out) },
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file to make, NAME.mcpb if not given")
	return c
}

func (a *app) bundle(name, out string) error {
	s, err := a.lookUp(name)
	if err != nil {
		return err
	}
	if out == "" {
		out = name + ".mcpb"
	}
	if out, err = filepath.Abs(out); err != nil {
		return fmt.Errorf("the path of the bundle: %w", err)
	}
	launches, err := a.launches([]catalog.Server{s}, entryOptions{})
	if err != nil {
		return err
	}
	b, err := clientconf.Bundle(platform.OS(), s.Name, version, launches[0])
	if err != nil {
		return err
	}
	if err := platform.ReplaceFile(out, b, 0o644); err != nil {
		e := fault.New(fault.UsageInvalid, out).With("the bundle could not be written").Step("choose another file with -o")
		e.Err = err
		return e
	}
	if a.form != text {
		return a.form.write(a.stdout, map[string]any{"file": out, "server": s.Name, "bytes": len(b)}, lines)
	}
	_, err = fmt.Fprintf(a.stdout, "Made    %s\nNext: open it with Claude Desktop.\n", out)
	return err
}
