package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// builder knows the clone and where to write.
type builder struct {
	root string
	out  io.Writer // what is being done, and the output of programs
	errs io.Writer
}

// stopGrace is what an interrupted program has to end before it is killed.
// go test needs some of it to end the tests it started.
const stopGrace = 8 * time.Second

// maxHelper is the most the stripped helper may weigh.
const maxHelper = 15_000_000

func (b *builder) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

func (b *builder) path(parts ...string) string {
	return filepath.Join(append([]string{b.root}, parts...)...)
}

// command is a program that runs in the clone, shows its output, and is
// interrupted, not killed, when ctx ends. env is added to ours.
func (b *builder) command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = b.root
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = b.out, b.errs
	c.WaitDelay = stopGrace
	if runtime.GOOS != "windows" { // which knows no interrupt of one process
		c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	}
	return c
}

// capture runs a program and returns what it printed on stdout.
func (b *builder) capture(ctx context.Context, name string, args ...string) (string, error) {
	c := b.command(ctx, nil, name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// helperPath is where the helper is built.
func (b *builder) helperPath() string {
	name := "drawbridge"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return b.path("build", "bin", name)
}

// helper builds the helper and weighs it.
func (b *builder) helper(ctx context.Context) error {
	out := b.helperPath()
	flags := "-s -w -X main.version=" + b.version(ctx)
	c := b.command(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-o", out, "./app/helper")
	if err := c.Run(); err != nil {
		return fmt.Errorf("build the helper: %w", err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(b.root, out)
	if err != nil {
		return err
	}
	b.say("%s, %.1f MB", filepath.ToSlash(rel), float64(info.Size())/1e6)
	if info.Size() > maxHelper {
		return fmt.Errorf("the helper has %d bytes, more than the %d it may have", info.Size(), maxHelper)
	}
	return nil
}

// version is the newest tag, with the distance to it, or a fixed word in a
// clone without tags or git.
func (b *builder) version(ctx context.Context) string {
	tag, err := b.capture(ctx, "git", "describe", "--tags", "--match", "v[0-9]*", "--dirty")
	if err != nil || tag == "" {
		return "0.1.0-dev" // no git, no tag: a version is a label, not a need
	}
	return strings.TrimPrefix(tag, "v")
}

// bench runs the benchmark, which has its own program and arguments.
func (b *builder) bench(ctx context.Context, args []string) error {
	if err := b.require(ctx, needNPM); err != nil {
		return err
	}
	if err := b.helper(ctx); err != nil {
		return err
	}
	node, err := b.node(ctx)
	if err != nil {
		return err
	}
	c := b.command(ctx, node.env(), "go", append([]string{"run", "./build/bench"}, args...)...)
	return c.Run()
}
