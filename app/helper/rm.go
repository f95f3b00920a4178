package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME",
		Aliases:           []string{"remove"},
		Short:             "Forget a server",
		Long:              "Forgets a server that was added on this machine. The server itself is not touched.",
		Args:              between(1, 1, "the server's name"),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := a.book()
			if err != nil {
				return err
			}
			if err := f.Remove(c.Context(), args[0]); err != nil {
				return err
			}
			if a.form != text {
				return a.form.write(a.stdout, map[string]string{"removed": args[0]}, lines)
			}
			_, err = fmt.Fprintf(a.stdout, "Removed %s.\nNext: take the entry %s out of your MCP client's configuration.\n", args[0], entryKey(args[0]))
			return err
		},
	}
}
