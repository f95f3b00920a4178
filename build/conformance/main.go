// Conformance runs the official MCP conformance suite with Drawbridge in the
// middle, and without it to prove the rig, and sets the scores beside those of
// other bridges.
//
//	go run ./build conformance                       every cell, about two minutes
//	go run ./build conformance -cell 'T1|T2'         some of them
//	go run ./build conformance -json scores.json -md scores.md
//
// A cell is one run: which set of scenarios, against what. It promises to run the
// cells one after the other with time limits, to expect no failure (the suite gets
// no list of expected ones), to name every required scenario that fails, and to
// fail itself when a cell that was reached before (table reached) fails one. Other
// cells are printed as not reached yet. All traffic stays on the loopback
// interface, and what was started is ended.
//
// The scenarios about signing in need a login flow in the helper, which the stdio
// cells do not have; they are named, not run. Fetching the suite and Node is left
// to the task runner.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// choice is what the command line asks for.
type choice struct {
	cells    *regexp.Regexp
	jsonFile string
	mdFile   string
	list     bool
}

func parse(args []string) (choice, error) {
	var c choice
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	cells := flags.String("cell", "", "run the cells whose id matches this regular `expression`")
	flags.StringVar(&c.jsonFile, "json", "", "write the scores as JSON into this `file`")
	flags.StringVar(&c.mdFile, "md", "", "write the table as Markdown into this `file`")
	flags.BoolVar(&c.list, "list", false, "list the cells and run none")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if c.cells, err = regexp.Compile(*cells); err != nil {
		return c, fmt.Errorf("-cell: %w", err)
	}
	return c, nil
}

func run(ctx context.Context, args []string) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	var chosen []cell
	for _, cl := range cells() {
		if c.cells.MatchString(cl.ID) {
			chosen = append(chosen, cl)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no cell matches %q", c.cells)
	}
	if c.list {
		for _, cl := range chosen {
			fmt.Printf("%-22s %s\n", cl.ID, cl.What)
		}
		return nil
	}
	r, err := newRig(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	rep := &report{About: about()}
	for _, cl := range chosen {
		s := r.score(ctx, cl)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		say("%s", s.line())
		rep.Scores = append(rep.Scores, s)
	}
	return errors.Join(rep.publish(os.Stdout, c), rep.verdict())
}

// say tells the person who waits.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// publish prints the table and writes the files that were asked for.
func (r *report) publish(out io.Writer, c choice) error {
	if _, err := io.WriteString(out, r.text()); err != nil {
		return err
	}
	var errs []error
	if c.mdFile != "" {
		errs = append(errs, os.WriteFile(filepath.Clean(c.mdFile), []byte(r.markdown()), 0o644))
	}
	if c.jsonFile != "" {
		errs = append(errs, r.writeJSON(filepath.Clean(c.jsonFile)))
	}
	return errors.Join(errs...)
}
