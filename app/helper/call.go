package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/inspector"
	"drawbridge/internal/jsonrpc"
)

func (a *app) callCommand() *cobra.Command {
	var t target
	var args []string
	var object string
	var limit time.Duration
	c := &cobra.Command{
		Use:   "call NAME|URL TOOL [--arg k=v | --json '{}']",
		Short: "Call one tool and print its answer",
		Long: "Calls one tool and prints the text of its answer; with -f json the result as the server sent it.\n" +
			"A value given with --arg is JSON if it reads as JSON (5, true, [1]), else a string.",
		Args:              between(2, 2, "the server's name or URL, or the tool"),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, words []string) error {
			arguments, err := toolArguments(c, args, object)
			if err != nil {
				return err
			}
			s, err := a.find(t.with(words[0]))
			if err != nil {
				return err
			}
			if limit > 0 {
				s.Timeout = catalog.Duration(limit)
			}
			may, err := toolRules(s)
			if err != nil {
				return err
			}
			if !may.Allows(words[1]) {
				return fault.New(fault.ToolDenied, s.Name).With("the tool %s is not allowed by the server's entry", fault.Excerpt(words[1])).
					Step("allow it there: `tools` of " + s.Name + " in the file of servers")
			}
			return a.converse(c.Context(), s, func(ctx context.Context, i *inspector.Inspector) error {
				return a.call(ctx, i, s, words[1], arguments)
			})
		},
	}
	t.flags(c)
	c.Flags().StringArrayVar(&args, "arg", nil, "one argument: NAME=VALUE (repeatable)")
	c.Flags().StringVar(&object, "json", "", "all arguments as one JSON object")
	c.Flags().DurationVar(&limit, "timeout", 0, "wait this long for the answer (default: as the server's entry says)")
	return c
}

func (a *app) call(ctx context.Context, i *inspector.Inspector, s catalog.Server, tool string, arguments []byte) error {
	if s.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
		defer cancel()
		ctx = limited
	}
	answer, err := i.Call(ctx, tool, arguments)
	if err != nil {
		return err
	}
	switch a.form {
	case inJSON:
		_, err = fmt.Fprintf(a.stdout, "%s\n", answer.Raw)
	case inYAML:
		err = a.form.write(a.stdout, answer.Raw, lines)
	default:
		err = writeBlocks(a.stdout, answer.Blocks)
	}
	if err == nil && answer.Failed {
		return fault.New(fault.ToolFailed, s.Name).With("the tool %s answered with an error", fault.Excerpt(tool))
	}
	return err
}

// toolArguments makes the arguments object of --arg or --json.
func toolArguments(c *cobra.Command, args []string, object string) ([]byte, error) {
	if object != "" {
		if len(args) > 0 {
			return nil, usage(c, "--arg and --json cannot be used together")
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal([]byte(object), &v); err != nil || v == nil {
			return nil, usage(c, "--json is not a JSON object")
		}
		return []byte(strings.ReplaceAll(strings.ReplaceAll(object, "\n", " "), "\r", " ")), nil
	}
	var b strings.Builder
	for _, arg := range args {
		k, v, ok := strings.Cut(arg, "=")
		if !ok || k == "" {
			return nil, usage(c, "--arg takes NAME=VALUE")
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.Write(jsonrpc.Quote(k))
		b.WriteByte(':')
		if json.Valid([]byte(v)) {
			b.WriteString(v)
		} else {
			b.Write(jsonrpc.Quote(v))
		}
	}
	return []byte("{" + b.String() + "}"), nil
}

// writeBlocks prints an answer for people: texts as they are, what is not text
// by its kind.
func writeBlocks(w io.Writer, blocks []inspector.Block) error {
	var b strings.Builder
	for _, block := range blocks {
		switch block.Type {
		case "text":
			b.WriteString(block.Text)
		case "resource_link":
			b.WriteString("[resource " + block.URI + "]")
		case "resource":
			if block.Resource.Text != "" {
				b.WriteString(block.Resource.Text)
			} else {
				b.WriteString("[resource " + block.Resource.URI + " " + block.Resource.MIME + "]")
			}
		default:
			b.WriteString("[" + block.Type + " " + block.MIME + "]")
		}
		if s := b.String(); !strings.HasSuffix(s, "\n") {
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
