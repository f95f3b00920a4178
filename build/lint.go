package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// staticcheckPin is the newest staticcheck when it was last looked at; it reads
// Go 1.26.
const staticcheckPin = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

// systems are those the helper is built for.
var systems = []string{"linux", "windows", "darwin"}

// lint is what needs no test to run.
func (b *builder) lint(ctx context.Context) error {
	steps := b.lintSteps()
	if path, err := exec.LookPath("golangci-lint"); err == nil {
		steps = append(steps, step{"golangci-lint", func(ctx context.Context) error {
			return b.command(ctx, nil, path, "run", "./...").Run()
		}})
	} else {
		b.say("golangci-lint is not installed; its checks are left out")
	}
	return b.perform(ctx, steps)
}

// lintSteps are shared by lint and test.
func (b *builder) lintSteps() []step {
	steps := []step{{"gofmt", b.format}}
	for _, goos := range systems {
		steps = append(steps, step{"go vet for " + shown(goos), func(ctx context.Context) error {
			env := []string{"CGO_ENABLED=0", "GOOS=" + goos}
			return b.command(ctx, env, "go", "vet", "-tags", "e2e", "./...").Run()
		}})
	}
	return append(steps, step{"staticcheck", func(ctx context.Context) error {
		return b.command(ctx, nil, "go", "run", staticcheckPin, "-tags", "e2e", "./...").Run()
	}})
}

// format fails when a file is not as gofmt writes it.
func (b *builder) format(ctx context.Context) error {
	goroot, err := b.capture(ctx, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	gofmt := filepath.Join(goroot, "bin", "gofmt")
	if runtime.GOOS == "windows" {
		gofmt += ".exe"
	}
	args := []string{"-l"}
	if err := b.eachGoFile(func(path string) error { args = append(args, path); return nil }); err != nil {
		return err
	}
	list, err := b.capture(ctx, gofmt, args...)
	if err != nil {
		return err
	}
	if list != "" {
		return fmt.Errorf("not as gofmt writes them:\n  %s", strings.ReplaceAll(list, "\n", "\n  "))
	}
	return nil
}
