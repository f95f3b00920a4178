package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"drawbridge/internal/clientconf"
	"drawbridge/internal/fault"
)

// clientProgramLimit bounds a run of a client's own program.
const clientProgramLimit = 30 * time.Second

// apply makes a previewed change: Claude Code's through its own program, when
// that is here and the client was named, and not its file (C-57); all others
// with our own hand.
func (a *app) apply(ctx context.Context, c clientFiles, p *clientconf.Preview) (*clientconf.Result, error) {
	if program := c.ownProgram(p); program != "" {
		r, err := c.editor.ApplyBy(ctx, p, func(ctx context.Context, name, entry string) error { return addJSON(ctx, program, name, entry) })
		if err == nil {
			a.tell("Note    Written by `claude mcp add-json`, as Claude Code rewrites this file all the time.\n")
			return r, nil
		}
		a.tell("Note    `claude mcp add-json` did not do it (%s), so the file is changed here.\n", fault.Excerpt(err.Error()))
		// It may have written something, so what was shown may not hold any more.
		return c.editor.Apply(ctx, p, clientconf.Consent{Again: true, InPlace: c.flags.inPlace})
	}
	return c.editor.Apply(ctx, p, clientconf.Consent{Again: !a.asks(), InPlace: c.flags.inPlace})
}

// ownProgram is the path of the program that is to make the change, "" for none.
func (c clientFiles) ownProgram(p *clientconf.Preview) string {
	client, err := clientconf.Find(p.Target.Client)
	if err != nil || client.CLI == "" || !p.OnlyAdds() {
		return ""
	}
	named := false
	for _, name := range c.flags.clients {
		byName, err := clientconf.Find(name)
		named = named || err == nil && byName.ID == client.ID
	}
	if !named {
		return ""
	}
	path, err := exec.LookPath(client.CLI)
	if err != nil {
		return ""
	}
	return path
}

// addJSON runs `claude mcp add-json`.
func addJSON(ctx context.Context, program, name, entry string) error {
	ctx, cancel := context.WithTimeout(ctx, clientProgramLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "mcp", "add-json", "--scope", "user", name, entry)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, fault.Excerpt(string(out)))
	}
	return nil
}
