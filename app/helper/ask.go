package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// asks tells whether a person is there to be asked. A pipe, a machine format
// and --yes are their own consent.
func (a *app) asks() bool {
	return !a.yes && a.form == text && isTerminal(a.stdin) && isTerminal(a.stdout)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// confirm asks a question that Enter alone answers with no. Where nobody is
// asked the answer is yes.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	if !a.asks() {
		return true, nil
	}
	line, err := a.ask(ctx, question+" [y/N] ")
	if err != nil {
		return false, err
	}
	switch strings.ToLower(line) {
	case "y", "yes":
		return true, nil
	default:
		return false, nil
	}
}

// ask prints the prompt and reads one line of at most 64 KiB; the end of the
// input is an empty one. Ctrl-C ends the waiting.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	if _, err := fmt.Fprint(a.stdout, prompt); err != nil {
		return "", err
	}
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	// Nothing ends the reading of a terminal, so after Ctrl-C it lasts as long as
	// the program, which ends then.
	go func() {
		line, err := bufio.NewReader(io.LimitReader(a.stdin, 64<<10)).ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stdout) // what follows begins a line of its own
		return "", ctx.Err()
	case got := <-answers:
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", got.err)
		}
		return strings.TrimSpace(got.line), nil
	}
}
