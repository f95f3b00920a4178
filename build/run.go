package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

const runIntro = `
Drawbridge is built, and the demo server is in the list of servers on this machine.

%s
Other servers:   %[2]s mcp add NAME URL
                 %[2]s mcp add NAME -- COMMAND ARG…
What is there:   %[2]s mcp ls

Clients that take an address instead use the ones below. Ctrl-C ends them.

`

// run builds the helper and keeps it up with the demo server until Ctrl-C.
func (b *builder) run(ctx context.Context) error {
	if err := b.helper(ctx); err != nil {
		return err
	}
	helper := b.helperPath()
	if err := b.addDemo(ctx, helper); err != nil {
		return err
	}
	sample, err := b.capture(ctx, helper, "mcp", "config", "demo")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, runIntro, sample+"\n", helper)
	c := b.command(ctx, nil, helper, "up")
	err = c.Run()
	if ctx.Err() != nil {
		return nil // Ctrl-C is how this ends
	}
	return err
}

// listed is what mcp ls tells of a server.
type listed struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		MCP struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		} `json:"mcp"`
	} `json:"spec"`
}

// addDemo puts the demo server into the catalog unless that name is taken. An
// entry of a clone that is gone makes room.
func (b *builder) addDemo(ctx context.Context, helper string) error {
	out, err := b.capture(ctx, helper, "mcp", "ls", "--format", "json")
	if err != nil {
		return err
	}
	var list []listed
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return fmt.Errorf("read the list of servers: %w", err)
	}
	at := slices.IndexFunc(list, func(l listed) bool { return l.Metadata.Name == "demo" })
	if at >= 0 && !abandoned(list[at]) {
		return nil
	}
	if at >= 0 {
		if _, err := b.capture(ctx, helper, "mcp", "rm", "demo"); err != nil {
			return err
		}
	}
	_, err = b.capture(ctx, helper, "mcp", "add", "demo", "--description", "three tools to try", "--", helper, "mcp", "demo")
	return err
}

// abandoned tells whether the demo server belongs to a helper that is gone.
func abandoned(l listed) bool {
	_, err := os.Stat(l.Spec.MCP.Command)
	return slices.Equal(l.Spec.MCP.Args, []string{"mcp", "demo"}) && errors.Is(err, fs.ErrNotExist)
}
