package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// step is one named piece of a verb that passes or fails.
type step struct {
	name string
	do   func(ctx context.Context) error
}

// perform runs the steps one after the other, goes on after a failure so that
// one run tells all, and closes with a table and a count.
func (b *builder) perform(ctx context.Context, steps []step) error {
	var table strings.Builder
	passed, failed := 0, 0
	start := time.Now()
	for i, s := range steps {
		b.say("== %d/%d %s", i+1, len(steps), s.name)
		began := time.Now()
		err := s.do(ctx)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		verdict := "ok"
		if err != nil {
			verdict = "FAIL"
			failed++
			b.say("%v", err)
		} else {
			passed++
		}
		took := time.Since(began).Round(100 * time.Millisecond)
		b.say("%-4s %s (%s)\n", verdict, s.name, took)
		fmt.Fprintf(&table, "%-4s %-44s %8s\n", verdict, s.name, took)
	}
	b.say("%s%-49s %8s\n", table.String(), "all", time.Since(start).Round(time.Second))
	b.say("%d passed, %d failed", passed, failed)
	if failed > 0 {
		return exitError(1)
	}
	return nil
}
