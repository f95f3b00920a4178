package main

import (
	"context"
	"fmt"
	"time"
)

// npmEvery is in which rounds the npm peers run: they take ten times as long as
// the others, and how far behind they are shows early.
const npmEvery = 3

// inTurns says which rows run together in a round, in rotating order. The quick
// ones call in turns with each other; an npm peer, which would disturb them, has
// the machine for itself.
func inTurns(rows []row, n int) [][]int {
	var quick []int
	var out [][]int
	for i := range rows {
		j := (i + n) % len(rows)
		switch {
		case rows[j].Kind != npm:
			quick = append(quick, j)
		case n%npmEvery == 0:
			out = append(out, []int{j})
		}
	}
	if len(quick) > 0 {
		out = append([][]int{quick}, out...)
	}
	return out
}

// compare measures the rows of a set, interleaved, so that a noisy machine hurts
// all alike.
func (w *world) compare(ctx context.Context, s set, c choice) (*setReport, error) {
	up, err := w.startUpstream(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer up.stop()
	vars := map[string]string{"{base}": up.url()}
	if s.Server != nil {
		server, url, err := w.startServer(ctx, s.Server)
		if err != nil {
			return nil, err
		}
		defer server.Kill()
		vars["{server}"] = url
	}
	rows := c.rows(s.Rows, vars)
	if len(rows) == 0 {
		return nil, fmt.Errorf("set %s: no row is chosen", s.ID)
	}
	rounds := make([][]round, len(rows))
	for n := range c.rounds {
		for _, together := range inTurns(rows, n) {
			group := make([]row, len(together))
			for i, j := range together {
				group[i] = rows[j]
			}
			start := time.Now()
			results := w.runTogether(ctx, group, s.Tool, c.effort)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for i, j := range together {
				rounds[j] = append(rounds[j], results[i])
				note("%s round %d/%d  %s %s", s.ID, n+1, c.rounds, rows[j].Name, failure(results[i]))
			}
			note("%s round %d/%d  took %.1f s", s.ID, n+1, c.rounds, time.Since(start).Seconds())
		}
	}
	rep := &setReport{ID: s.ID, Title: s.Title}
	for i, r := range rows {
		rep.Rows = append(rep.Rows, summariseRow(r, rounds[i]))
	}
	return rep, nil
}

func failure(r round) string {
	switch {
	case r.err != nil:
		return "failed: " + r.err.Error()
	case r.session != nil && len(r.session.errors) > 0:
		return "failed: " + r.session.errors[0]
	}
	return ""
}
