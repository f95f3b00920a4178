package main

import (
	"context"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

func (a *app) rmCommand() *cobra.Command {
	var o fileFlags
	c := &cobra.Command{
		Use:     "rm NAME",
		Aliases: []string{"remove"},
		Short:   "Forget a server and take its entries out of the clients' files",
		Long: "Takes the entries of a server out of the files of all clients, or of those of --client-config alone,\n" +
			"and forgets it on this machine. The server itself is not touched, and neither are entries of others.",
		Args:              between(1, 1, "the server's name"),
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.rm(c.Context(), args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.clients, "client-config", nil, "take the entry out of the file of this `CLIENT` only: a name or a path (repeatable)")
	f.StringVar(&o.dialect, "client-format", "", "the `CLIENT` whose file the path of --client-config is")
	f.BoolVar(&o.dry, "dry", false, "show the change and write nothing")
	f.BoolVar(&o.restart, "restart", false, "restart the client, if it runs, so that it takes up the change")
	completeClientFlags(c)
	return c
}

// removed is what rm did, for machine output.
type removed struct {
	Removed string     `json:"removed"`
	Files   []fileForm `json:"files"`
	Written bool       `json:"written"`
}

func (a *app) rm(ctx context.Context, name string, o fileFlags) error {
	book, err := a.book()
	if err != nil {
		return err
	}
	if _, err := book.Get(name); err != nil {
		return err
	}
	files, err := a.clientFiles(o)
	if err != nil {
		return err
	}
	targets, err := files.chosen()
	if err != nil {
		return err
	}
	previews, err := a.planRemoval(files, targets, func(server string) bool { return server == name })
	if err != nil {
		return err
	}
	out := removed{Removed: name, Files: formsOf(previews)}
	a.show(previews)
	yes, err := a.agreed(ctx, previews, o.dry)
	if err != nil {
		return err
	}
	if yes {
		err = a.forget(ctx, book, files, previews, &out)
	}
	if a.form == text {
		return err
	}
	// An error after a part was written leaves that part in the output.
	if werr := a.form.write(a.stdout, out, lines); werr != nil && err == nil {
		return werr
	}
	return err
}

// forget takes the entries out and then forgets the server: an entry that is
// left starts a server that is not there.
func (a *app) forget(ctx context.Context, book *catalog.File, files clientFiles, previews []*clientconf.Preview, out *removed) error {
	var err error
	if out.Files, err = a.write(ctx, files, previews); err != nil {
		if clientconf.Reason(err) == clientconf.SharedFile { // rm has no --in-place
			n := out.Removed
			return fault.Of(err, "").Step("run `drawbridge mcp config --remove " + n + " --in-place`, then `drawbridge mcp rm " + n + "`")
		}
		return err
	}
	if err := book.Remove(ctx, out.Removed); err != nil {
		return err
	}
	out.Written = true
	a.tell("Removed %s.\n", out.Removed)
	return a.tellLeft(files, out.Removed)
}

// tellLeft tells of entries for a forgotten server that other files hold still.
func (a *app) tellLeft(c clientFiles, server string) error {
	c.flags.clients = nil
	targets, err := c.known()
	if err != nil {
		return err
	}
	left := false
	for _, t := range targets {
		held, err := c.editor.Held(t)
		if err != nil {
			continue // `--show` tells why
		}
		for _, h := range held {
			if h.Ours && serverOf(h) == server {
				left = true
				a.tell("Note    %s is still in %s.\n", h.Name, t.Path)
			}
		}
	}
	if left {
		a.tell("Next: run `drawbridge mcp config --remove %s`.\n", server)
	}
	return nil
}
