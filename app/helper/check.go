package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/internal/catalog"
	"drawbridge/internal/check"
)

func (a *app) checkCommand() *cobra.Command {
	var t target
	var verbose bool
	c := &cobra.Command{
		Use:   "check NAME|URL",
		Short: "Try a server step by step and say where it fails",
		Long: "Tries a server the way a client will: address, connect, tls, http, auth, transport, initialize, tools\n" +
			"(for a command: command, start, initialize, tools). Each step shows its result and time; the first\n" +
			"failure is explained with one next step. A check takes 10 seconds at most and changes nothing.",
		Args:              between(1, 1, "the server's name or URL"),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.find(t.with(args[0]))
			if err != nil {
				return err
			}
			return a.check(c.Context(), s, verbose)
		},
	}
	t.flags(c)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the steps that were skipped, too")
	return c
}

func (a *app) check(ctx context.Context, s catalog.Server, verbose bool) error {
	if a.form == text {
		r := a.tryOut(ctx, s, func(s check.Step) {
			if verbose || s.Result != check.Skipped {
				writeStep(a.stdout, s)
			}
		})
		if r.Err != nil {
			return r.Err
		}
		return nil
	}
	r := a.tryOut(ctx, s, nil)
	if err := a.form.write(a.stdout, reportForm(r), lines); err != nil {
		return err
	}
	if r.Err != nil {
		return shown{r.Err}
	}
	return nil
}

// tryOut checks s. What the parts that do the work have to say is a failure's
// detail, so their log is left to --debug.
func (a *app) tryOut(ctx context.Context, s catalog.Server, step func(check.Step)) check.Report {
	return check.Run(ctx, s, check.Options{Log: a.log(slog.LevelError + 1), Version: version, Step: step})
}

// writeStep prints one line of a check. A terminal that is gone is noticed by
// what is printed after it.
func writeStep(w io.Writer, s check.Step) {
	line := fmt.Sprintf("%-11s %-5s %s", s.Name, s.Result, s.Detail)
	if s.Result != check.Skipped {
		took := fmt.Sprintf("%d ms", s.Took.Round(time.Millisecond)/time.Millisecond)
		if s.Detail != "" {
			took = " (" + took + ")"
		}
		line += took
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

type stepForm struct {
	Step   string       `json:"step"`
	Result check.Result `json:"result"`
	Detail string       `json:"detail,omitempty"`
	Millis float64      `json:"ms"`
}

type checkForm struct {
	Server    string            `json:"server"`
	OK        bool              `json:"ok"`
	Transport catalog.Transport `json:"transport,omitempty"`
	Steps     []stepForm        `json:"steps"`
	Name      string            `json:"server_name,omitempty"`
	Version   string            `json:"server_version,omitempty"`
	Protocol  string            `json:"protocol,omitempty"`
	Tools     *int              `json:"tools,omitempty"`
	Error     *errorForm        `json:"error,omitempty"`
}

func reportForm(r check.Report) checkForm {
	f := checkForm{
		Server: r.Subject, OK: r.Err == nil, Transport: r.Transport, Steps: []stepForm{},
		Name: r.Server.Name, Version: r.Server.Version, Protocol: r.Server.Protocol,
	}
	for _, s := range r.Steps {
		f.Steps = append(f.Steps, stepForm{s.Name, s.Result, s.Detail, float64(s.Took.Microseconds()) / 1000})
	}
	if r.Err != nil {
		e := formOf(r.Err)
		f.Error = &e
	} else {
		f.Tools = &r.Tools
	}
	return f
}
