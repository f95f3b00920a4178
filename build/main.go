// Command build is the task runner of this repository: go run ./build VERB.
//
// It promises that each verb works on a fresh clone with nothing but Go and a
// network: what else a verb needs it names, with the reason, and gets. Nothing
// is installed outside the clone except system packages, and those only through
// the system's package manager and, when that takes sudo, only after asking.
// It runs programs, never a shell. What a test or a benchmark does is left to
// packages e2e and bench.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = `go run ./build VERB

  run          build the helper, add the demo server and start "drawbridge up"
  test         everything: format, vet, staticcheck, unit tests with the race
               detector, fuzzing for seconds, end-to-end tests with real servers,
               the conformance suite
  build        the helper, into build/bin
  conformance  the official MCP conformance suite with Drawbridge in the middle
               (arguments are handed on)
  bench        measure Drawbridge against other bridges (arguments are handed on)
  lint         format, vet, staticcheck, and golangci-lint where it is installed
  help         this text
`

// exitError ends the runner with a code and nothing more to say.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := perform(ctx, os.Args[1:])
	stop()
	var code exitError
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func perform(ctx context.Context, args []string) error {
	verb := "help"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if len(args) > 0 && verb != "bench" && verb != "conformance" {
		return misuse("%s takes no arguments, got %q", verb, args)
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	b := &builder{root: root, out: os.Stdout, errs: os.Stderr}
	switch verb {
	case "run":
		return b.run(ctx)
	case "test":
		return b.test(ctx)
	case "build":
		return b.helper(ctx)
	case "bench":
		return b.bench(ctx, args)
	case "conformance":
		return b.conformance(ctx, args)
	case "lint":
		return b.lint(ctx)
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(os.Stdout, usage)
		return err
	default:
		return misuse("unknown verb %q", verb)
	}
}

func misuse(format string, args ...any) error {
	fmt.Fprintf(os.Stderr, format+"\n\n%s", append(args, usage)...)
	return exitError(2)
}

// findRoot is the folder of go.mod, here or above.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod in %s or above it: run this inside the clone", dir)
		}
	}
}
