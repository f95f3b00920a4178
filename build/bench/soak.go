package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
	"drawbridge/build/bench/wire"
)

// soakInFlight is how many calls of a soak are under way at once.
const soakInFlight = 32

// soakReport is one long run of calls through Drawbridge.
type soakReport struct {
	Direction string  `json:"direction"`
	Calls     int     `json:"calls"`
	Right     int     `json:"answered_right"`  // with their own nonce
	Unasked   int     `json:"answers_unasked"` // second answers, or answers to nothing
	Arrived   int     `json:"calls_arrived"`   // as the server counted
	PerSecond float64 `json:"per_s"`
	First     level   `json:"first_quarter"`
	Last      level   `json:"last_quarter"`
	Err       string  `json:"error,omitempty"`
}

// level is the median of what the bridge's process used over some time.
type level struct {
	RSS     float64 `json:"rss_mib"`
	Threads float64 `json:"threads"`
	Files   float64 `json:"files"`
}

// once reports that every call was answered exactly once, rightly, and arrived
// exactly once.
func (r *soakReport) once() bool {
	return r.Err == "" && r.Right == r.Calls && r.Unasked == 0 && r.Arrived == r.Calls
}

// flat allows what a garbage collector's heap moves by.
func (r *soakReport) flat() bool {
	return r.Last.RSS <= r.First.RSS*1.15+2 && r.Last.Threads <= r.First.Threads+4 && r.Last.Files <= r.First.Files+8
}

// soak sends many calls through Drawbridge in both directions.
func (w *world) soak(ctx context.Context, c choice) ([]*soakReport, error) {
	var out []*soakReport
	for _, b := range bridges() {
		if b.Kind != own || !c.only.MatchString(b.Name) {
			continue
		}
		for _, run := range []func(context.Context, bridge, int) *soakReport{w.soakForward, w.soakReverse} {
			rep := run(ctx, b, c.soakCalls)
			note("%s %-14s %d of %d right, %.0f/s %s", setSoak, rep.Direction, rep.Right, rep.Calls, rep.PerSecond, rep.Err)
			out = append(out, rep)
		}
	}
	return out, ctx.Err()
}

func (w *world) soakForward(ctx context.Context, b bridge, calls int) *soakReport {
	rep := &soakReport{Direction: "stdio → HTTP", Calls: calls}
	l := &lab{w: w, bridge: b}
	defer l.close()
	if err := l.ready(ctx, b.HTTP, "/mcp"); err != nil {
		rep.Err = err.Error()
		return rep
	}
	before := l.count("calls")
	rep.run(ctx, l.c, l.c.PID())
	rep.Unasked, rep.Arrived = int(l.c.Unasked()), l.count("calls")-before
	return rep
}

func (w *world) soakReverse(ctx context.Context, b bridge, calls int) *soakReport {
	rep := &soakReport{Direction: "HTTP → stdio", Calls: calls}
	p, url, err := w.startServe(ctx, b.Serve, "http://127.0.0.1:{port}/mcp")
	if err != nil {
		rep.Err = err.Error()
		return rep
	}
	defer p.Kill()
	c, err := dial(ctx, p, target{url: url}, fullEffort())
	if err != nil {
		rep.Err = err.Error()
		return rep
	}
	defer c.Close()
	rep.run(ctx, c, p.PID())
	rep.Unasked = int(c.Unasked())
	stats, err := c.Tool(callPatience, "stats", `{}`)
	if err != nil {
		rep.Err = err.Error()
		return rep
	}
	_, _ = fmt.Sscan(string(wire.Get([]byte(stats), "calls")), &rep.Arrived) // stays 0, which shows
	rep.Arrived--                                                            // the call for the counters
	return rep
}

// run makes the calls and watches the bridge meanwhile.
func (r *soakReport) run(ctx context.Context, c caller, pid int) {
	var next, right atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	watched := make(chan []proc.Usage, 1)
	go func() { watched <- watch(pid, done) }()
	start := time.Now()
	for range soakInFlight {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(r.Calls) || ctx.Err() != nil {
					return
				}
				if nonceEchoed(ctx, c, n) {
					right.Add(1)
				}
			}
		})
	}
	wg.Wait()
	r.Right, r.PerSecond = int(right.Load()), float64(r.Calls)/time.Since(start).Seconds()
	close(done)
	seen := <-watched
	quarter := max(len(seen)/4, 1)
	if len(seen) > 0 {
		r.First, r.Last = levelOf(seen[:quarter]), levelOf(seen[len(seen)-quarter:])
	}
}

// nonceEchoed sends a text that no other call sends.
func nonceEchoed(ctx context.Context, c caller, n int64) bool {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	nonce := fmt.Sprintf("nonce-%d-%x", n, n*2654435761)
	m, err := c.Call(ctx, "tools/call", client.CallParams("echo", `{"text":"`+nonce+`"}`))
	return err == nil && wire.Text(m.Result) == nonce
}

// watch reads what the process uses ten times a second.
func watch(pid int, done <-chan struct{}) []proc.Usage {
	if !proc.Known() {
		return nil
	}
	var seen []proc.Usage
	for {
		select {
		case <-done:
			return seen
		case <-time.After(100 * time.Millisecond):
			seen = append(seen, proc.One(pid))
		}
	}
}

func levelOf(seen []proc.Usage) level {
	var rss, threads, files []float64
	for _, u := range seen {
		rss, threads, files = append(rss, u.RSS), append(threads, float64(u.Threads)), append(files, float64(u.Files))
	}
	return level{median(rss), median(threads), median(files)}
}

func soakTable(reports []*soakReport) string {
	var b strings.Builder
	b.WriteString("| soak of Drawbridge | calls | answered once, rightly | arrived once | calls/s | RSS MiB, first → last quarter | threads | open files |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range reports {
		fmt.Fprintf(&b, "| %s | %d | %d, %d unasked | %d | %.0f | %.1f → %.1f | %.0f → %.0f | %.0f → %.0f |\n", r.Direction, r.Calls, r.Right, r.Unasked, r.Arrived, r.PerSecond,
			r.First.RSS, r.Last.RSS, r.First.Threads, r.Last.Threads, r.First.Files, r.Last.Files)
		if r.Err != "" {
			fmt.Fprintf(&b, "\n- %s: %s\n", r.Direction, cellText(r.Err))
		}
	}
	return b.String()
}
