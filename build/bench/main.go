// Bench compares Drawbridge with other bridges between stdio and HTTP, in one
// run: a raw byte bridge (the practical limit), a direct client (the physical
// limit) and the npm peers. It runs them interleaved, checks every answer, puts
// each through faults and a soak, and ends with what the project set itself to
// reach, reached or not.
//
//	go run ./build bench                              everything, about 20 minutes
//	go run ./build bench -quick                       the same, short and rough
//	go run ./build/bench -peers none -sets forward    without the npm peers
//	go run ./build/bench -sets robust -scenarios 'expire|restart'
//
// Ratios are to the raw byte bridge of the same run; compare them across runs,
// not milliseconds. All traffic stays on the loopback interface, where a
// bridge's time is not hidden behind a network's. Client, bridge and server
// share the processors. Memory and processor time are read on Linux only.
//
// It leaves the correctness of single packages to their tests.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := parseChoice(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil {
		err = bench(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// note tells the person who waits.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// results are what all sets brought.
type results struct {
	About         string         `json:"about"`
	Sets          []*setReport   `json:"sets,omitempty"`
	Many          []*manyReport  `json:"many,omitempty"`
	Robust        *verdicts      `json:"robust,omitempty"`
	ReverseRobust *verdicts      `json:"reverse_robust,omitempty"`
	Soak          []*soakReport  `json:"soak,omitempty"`
	HelperBytes   int64          `json:"helper_bytes,omitempty"`
	Targets       []targetResult `json:"targets,omitempty"`
}

func bench(ctx context.Context, c choice) error {
	w, err := build(ctx, c)
	if err != nil {
		return err
	}
	defer w.close()
	begin, load := time.Now(), loadAverage()
	var res results
	if info, err := os.Stat(w.expandOne("{bin}/drawbridge" + exeSuffix())); err == nil {
		res.HelperBytes = info.Size()
	}
	if err := w.runSets(ctx, c, &res); err != nil {
		return err
	}
	res.Targets = judge(&res)
	res.About = fmt.Sprintf("Made by `%s` on %s: %s %s/%s, %d CPUs, %d rounds interleaved, load %s before and %s after, took %s.",
		strings.Join(append([]string{"go run ./build bench"}, os.Args[1:]...), " "), begin.Format("2 January 2006"), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), c.rounds, load, loadAverage(), time.Since(begin).Round(time.Second))
	text := res.markdown(c)
	fmt.Print(text)
	return errors.Join(write(c.mdFile, []byte(text)), writeJSON(c.jsonFile, res))
}

func (w *world) runSets(ctx context.Context, c choice, res *results) error {
	for _, s := range comparedSets() {
		if !c.runs(s.ID) {
			continue
		}
		rep, err := w.compare(ctx, s, c)
		if err != nil {
			return err
		}
		res.Sets = append(res.Sets, rep)
	}
	var err error
	if c.runs(setMany) {
		if res.Many, err = w.many(ctx, c); err != nil {
			return err
		}
	}
	if c.runs(setRobust) {
		res.Robust = w.examine(ctx, forwardScenarios(), c)
	}
	if c.runs(setReverseRobust) {
		res.ReverseRobust = w.examine(ctx, reverseScenarios(), c)
	}
	if c.runs(setSoak) {
		if res.Soak, err = w.soak(ctx, c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// markdown is the whole report, as the README takes it.
func (res *results) markdown(c choice) string {
	parts := []string{res.About + "\n× is the ratio to rawbridge, the least a bridge can do, in the same run: compare ratios, not milliseconds."}
	for _, s := range res.Sets {
		parts = append(parts, s.table(c.effort.InFlight))
	}
	if t := beforeTable(res.Sets); t != "" {
		parts = append(parts, t)
	}
	if res.Many != nil {
		parts = append(parts, manyTable(res.Many))
	}
	for _, v := range []*verdicts{res.Robust, res.ReverseRobust} {
		if v != nil {
			parts = append(parts, v.table())
		}
	}
	if res.Soak != nil {
		parts = append(parts, soakTable(res.Soak))
	}
	if len(res.Targets) > 0 {
		parts = append(parts, targetTable(res.Targets))
	}
	return strings.Join(trimmed(parts), "\n\n") + "\n"
}

// loadAverage is of the last minute, "n/a" where the system does not tell.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); err == nil && len(f) > 0 {
		return f[0]
	}
	return "n/a"
}

// write does nothing without a path.
func write(path string, b []byte) error {
	if path == "" {
		return nil
	}
	return os.WriteFile(path, b, 0o644)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return write(path, append(b, '\n'))
}

// trimmed takes the line ends off, so that one blank line stands between parts.
func trimmed(parts []string) []string {
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}
