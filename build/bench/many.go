package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
)

// manyInstances is how many a client with as many servers starts when it opens.
const manyInstances = 10

// manyReport is one bridge started several times at once.
type manyReport struct {
	Name   string    `json:"name"`
	Kind   kind      `json:"kind"`
	First  []float64 `json:"first_ready_ms"`
	Last   []float64 `json:"last_ready_ms"`
	RSS    []float64 `json:"rss_mib"`
	PSS    []float64 `json:"pss_mib"`
	Procs  int       `json:"procs"`
	Failed int       `json:"failed"`
}

// many starts instances of each bridge at once, as a client does when it opens:
// when were the first and the last ready, and what do they weigh together?
func (w *world) many(ctx context.Context, c choice) ([]*manyReport, error) {
	up, err := w.startUpstream(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer up.stop()
	var rows []row
	for _, r := range c.rows(forward("{base}/mcp", streamable), map[string]string{"{base}": up.url()}) {
		if r.Args != nil {
			rows = append(rows, r)
		}
	}
	reports := make([]*manyReport, len(rows))
	for i, r := range rows {
		reports[i] = &manyReport{Name: r.Name, Kind: r.Kind}
	}
	for n := range min(c.rounds, 3) {
		for i := range rows {
			j := (i + n) % len(rows)
			reports[j].add(w.startMany(ctx, rows[j].Args, c.effort))
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		note("%s round %d", setMany, n+1)
	}
	return reports, nil
}

// herd is one start of many.
type herd struct {
	ready []float64
	usage proc.Usage
}

func (w *world) startMany(ctx context.Context, args []string, e effort) herd {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var h herd
	var clients []*client.Stdio
	start := time.Now()
	for range manyInstances {
		wg.Go(func() {
			c, err := w.start(ctx, args)
			if err != nil {
				return
			}
			if _, err := c.Init(60*time.Second, e.Version); err != nil {
				c.Kill()
				return
			}
			mu.Lock()
			defer mu.Unlock()
			clients, h.ready = append(clients, c), append(h.ready, ms(start))
		})
	}
	wg.Wait()
	time.Sleep(2 * e.IdleBefore)
	for _, c := range clients {
		h.usage = h.usage.Add(c.Usage())
	}
	for _, c := range clients {
		c.Close(e.Patience)
	}
	return h
}

func (r *manyReport) add(h herd) {
	r.Failed += manyInstances - len(h.ready)
	if len(h.ready) == 0 {
		return
	}
	r.First, r.Last = append(r.First, quantile(h.ready, 0)), append(r.Last, quantile(h.ready, 1))
	r.RSS, r.PSS, r.Procs = append(r.RSS, h.usage.RSS), append(r.PSS, h.usage.PSS), h.usage.Procs
}

func manyTable(reports []*manyReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %d instances started at once | first ready ms | last ready ms | processes | RSS MiB | PSS MiB | failed |\n|---|---:|---:|---:|---:|---:|---:|\n", manyInstances)
	for _, r := range reports {
		processes, rss, pss := "n/a", "n/a", "n/a"
		if r.Procs > 0 {
			processes, rss, pss = fmt.Sprint(r.Procs), fmt.Sprintf("%.0f", median(r.RSS)), fmt.Sprintf("%.0f", median(r.PSS))
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s | %s | %s | %d |\n", r.Name, median(r.First), median(r.Last), processes, rss, pss, r.Failed)
	}
	return b.String()
}
