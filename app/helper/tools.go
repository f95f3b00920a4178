package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/inspector"
	"drawbridge/internal/policy"
	"drawbridge/internal/upstream"
)

// askLimit bounds the handshake and a listing; a tool may take as long as its
// server's entry or --timeout allows.
const askLimit = 30 * time.Second

func (a *app) toolsCommand() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use:   "tools NAME|URL",
		Short: "List a server's tools",
		Long: "Lists the tools of a server that are allowed here, with their descriptions.\n" +
			"With -f json they are printed as the server sent them, with their schemas.",
		Args:              between(1, 1, "the server's name or URL"),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.find(t.with(args[0]))
			if err != nil {
				return err
			}
			return a.converse(c.Context(), s, func(ctx context.Context, i *inspector.Inspector) error {
				return a.listTools(ctx, i, s)
			})
		},
	}
	t.flags(c)
	return c
}

func (a *app) listTools(ctx context.Context, i *inspector.Inspector, s catalog.Server) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	list, err := i.Tools(ctx)
	if err != nil {
		return err
	}
	may, err := toolRules(s)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(t inspector.Tool) bool { return !may.Allows(t.Name) })
	switch {
	case a.form == inYAML:
		raw := make([]any, len(list))
		for n := range list {
			raw[n] = list[n].Raw
		}
		return a.form.write(a.stdout, raw, lines)
	case a.form == inJSON:
		return writeRaw(a.stdout, list)
	case len(list) == 0:
		_, err = fmt.Fprintln(a.stdout, "No tools.")
		return err
	}
	out := table{header: []string{"Name", "Description"}}
	for _, tool := range list {
		first, _, _ := strings.Cut(strings.TrimSpace(tool.Description), "\n")
		out.rows = append(out.rows, []string{tool.Name, first})
	}
	return out.write(a.stdout, terminalColumns(a.stdout))
}

// toolRules are the rules of the server's entry. Both verbs apply them as a
// client of `mcp connect` meets them.
func toolRules(s catalog.Server) (*policy.Rules, error) {
	var allow, deny []string
	if s.Tools != nil {
		allow, deny = s.Tools.Allow, s.Tools.Deny
	}
	r, err := policy.Compile(allow, deny, policy.Options{Unlisted: policy.AllowUnlisted, Syntax: policy.Globs})
	if err != nil {
		return nil, fault.New(fault.CatalogInvalid, s.Name).With("its tool rules cannot be read").Because(err)
	}
	return r, nil
}

// writeRaw prints the tools' own bytes as a JSON list, one a line.
func writeRaw(w io.Writer, list []inspector.Tool) error {
	var b bytes.Buffer
	b.WriteByte('[')
	for n, tool := range list {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		b.Write(tool.Raw)
	}
	if len(list) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	_, err := w.Write(b.Bytes())
	return err
}

// converse opens a conversation with s, does the handshake, and hands it to use.
func (a *app) converse(ctx context.Context, s catalog.Server, use func(context.Context, *inspector.Inspector) error) error {
	conn, err := upstream.Dial(ctx, s, upstream.Options{Log: a.log(slog.LevelError + 1), Version: version, Patience: upstream.UserStop})
	if err != nil {
		return fault.Of(err, s.Name)
	}
	i := inspector.New(conn, s.Name, version)
	defer i.Close()
	hello, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if _, err := i.Initialize(hello); err != nil {
		return refused(s.Name, err)
	}
	return refused(s.Name, use(ctx, i))
}

// refused gives a server's refusal of a request its code.
func refused(server string, err error) error {
	var r *inspector.Refusal
	if !errors.As(err, &r) {
		return err
	}
	return fault.New(fault.ToolFailed, server).With("the server refused the request").
		Because(fmt.Errorf("%s, code %d", r.Message, r.Code)).
		Step("correct the request; `drawbridge mcp tools " + server + " -f json` shows what each tool takes")
}
