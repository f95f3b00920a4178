package main

import (
	"log/slog"
	"os/user"

	"github.com/spf13/cobra"

	"drawbridge/internal/demo"
	"drawbridge/internal/downstream"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Run the built-in demo server on stdin and stdout",
		Long: "Runs the built-in demo server, for a client to try: " + demo.Description + ".\n" +
			"Add it with:\n\n  drawbridge mcp add demo -- drawbridge mcp demo",
		Args: between(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := untilClientGone(c.Context())
			defer stop()
			client := downstream.Stdio(a.stdin, a.stdout, 0, a.log(slog.LevelInfo))
			defer client.Close()
			server := demo.Local(userName(), version)
			return orEnd(ctx, func() error { return server.Serve(ctx, client) })
		},
	}
}

// userName is the name of the user this runs as.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown" // a user id without an entry, as in containers
	}
	return u.Username
}
