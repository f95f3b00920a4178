package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// The limits of the long steps: several times what they take on two cores.
const (
	unitLimit  = "10m"
	pathsLimit = "15m"
	e2eLimit   = "12m"
	fuzzTime   = "20000x" // by number: a run limited by time can end in a "context deadline exceeded" of go test itself
)

// test is everything that decides whether a change is good.
func (b *builder) test(ctx context.Context) error {
	if err := b.require(ctx, needGCC, needWindowsGCC, needStrace, needVim, needNPM); err != nil {
		return err
	}
	steps := append(b.lintSteps(),
		step{"builds without cgo", func(ctx context.Context) error {
			return b.command(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "./...").Run()
		}},
		step{"helper, at most 15 MB", b.helper},
		step{"unit tests with the race detector", func(ctx context.Context) error {
			return b.command(ctx, []string{"CGO_ENABLED=1"}, "go", "test", "-race", "-timeout", unitLimit, "./...").Run()
		}},
	)
	targets, err := b.fuzzTargets()
	if err != nil {
		return err
	}
	for _, t := range targets {
		steps = append(steps, step{fmt.Sprintf("fuzz %s %s", t.pkg, t.name), func(ctx context.Context) error {
			return b.command(ctx, nil, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", fuzzTime, "./"+t.pkg).Run()
		}})
	}
	if runtime.GOOS == "linux" {
		steps = append(steps, step{"writing files, disturbed at each system call", b.disturb})
	}
	steps = append(steps, step{"every path, at length", b.paths}, step{"end-to-end tests", b.endToEnd}, step{"conformance suite, cells reached", func(ctx context.Context) error { return b.runConformance(ctx, nil) }})
	return b.perform(ctx, steps)
}

// disturb runs the tests that kill a process, or fail a call of it, at each
// system call of its writing.
func (b *builder) disturb(ctx context.Context) error {
	return b.command(ctx, nil, "go", "test", "-tags", "e2e", "-count=1", "-timeout", e2eLimit, "-run", "SystemCall", "./internal/clientconf").Run()
}

// paths runs what every path from a client to a server has to pass with the full
// numbers, which are too much beside the race detector.
func (b *builder) paths(ctx context.Context) error {
	env := []string{"DRAWBRIDGE_CALLS=10000", "DRAWBRIDGE_RANDOM=200", "DRAWBRIDGE_LARGE=32"}
	return b.command(ctx, env, "go", "test", "-count=1", "-timeout", pathsLimit, "./internal/paths").Run()
}

// endToEnd runs the built helper between real servers and clients.
func (b *builder) endToEnd(ctx context.Context) error {
	n, err := b.node(ctx)
	if err != nil {
		return err
	}
	if err := b.npm(ctx, n, forE2E); err != nil {
		return err
	}
	env := append(n.env(), "DRAWBRIDGE_HELPER="+b.helperPath(), "DRAWBRIDGE_NPM="+forE2E.modules(b))
	return b.command(ctx, env, "go", "test", "-tags", "e2e", "-count=1", "-v", "-timeout", e2eLimit, "./build/e2e").Run()
}

// conformance runs the official conformance suite, which has its own program
// and arguments.
func (b *builder) conformance(ctx context.Context, args []string) error {
	if err := b.require(ctx, needNPM); err != nil {
		return err
	}
	if err := b.helper(ctx); err != nil {
		return err
	}
	return b.runConformance(ctx, args)
}

// runConformance wants the helper built.
func (b *builder) runConformance(ctx context.Context, args []string) error {
	n, err := b.node(ctx)
	if err != nil {
		return err
	}
	if err := b.npm(ctx, n, forConformance); err != nil {
		return err
	}
	env := append(n.env(), "DRAWBRIDGE_HELPER="+b.helperPath(), "DRAWBRIDGE_SUITES="+forConformance.modules(b))
	return b.command(ctx, env, "go", append([]string{"run", "./build/conformance"}, args...)...).Run()
}

// target is one fuzz test.
type target struct{ pkg, name string }

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// fuzzTargets finds the fuzz tests by reading the sources, which is quicker
// than compiling every test to ask it.
func (b *builder) fuzzTargets() ([]target, error) {
	var found []target
	err := b.eachGoFile(func(path string) error {
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(b.path(path))
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(src, -1) {
			found = append(found, target{filepath.ToSlash(filepath.Dir(path)), string(m[1])})
		}
		return nil
	})
	return found, err
}

// eachGoFile calls do with every Go file of the clone, its path from the root.
func (b *builder) eachGoFile(do func(path string) error) error {
	return fs.WalkDir(os.DirFS(b.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != "." && strings.HasPrefix(d.Name(), ".")
		if d.IsDir() && (hidden || d.Name() == "node_modules" || path == "build/bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		return do(filepath.FromSlash(path))
	})
}

// shown is how an environment is named in a step.
func shown(goos string) string {
	if goos == runtime.GOOS {
		return goos + " (this system)"
	}
	return goos
}
