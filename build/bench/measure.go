package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/wire"
)

// caller is a client of an MCP server, over stdio or over HTTP.
type caller interface {
	Call(ctx context.Context, method, params string) (wire.Message, error)
}

// effort is how much is measured of one row in one round.
type effort struct {
	Calls      int           `json:"calls"`       // sequential
	WarmUp     int           `json:"warm_up"`     // before them
	Lists      int           `json:"lists"`       // tools/list
	InFlight   []int         `json:"in_flight"`   // levels of concurrency
	FlightN    int           `json:"in_flight_n"` // calls of each level
	BigBytes   int           `json:"big_bytes"`   // of the big payload
	Bigs       int           `json:"bigs"`        // calls with it
	Startups   int           `json:"startups"`    // in a round, of what starts in milliseconds
	SlowStarts int           `json:"slow_starts"` // of an npm peer
	Patience   time.Duration `json:"patience"`    // for an end by itself after stdin's
	Stop       time.Duration `json:"stop"`        // for an end after SIGTERM
	CallLimit  time.Duration `json:"call_limit"`  // for one answer
	IdleBefore time.Duration `json:"idle_before"` // the memory of an idle bridge is read
	Version    string        `json:"protocol_version"`
}

func fullEffort() effort {
	return effort{Calls: 1000, WarmUp: 100, Lists: 20, InFlight: []int{8, 64}, FlightN: 3000, BigBytes: 1 << 20, Bigs: 10, Startups: 10, SlowStarts: 3,
		Patience: time.Second, Stop: 3 * time.Second, CallLimit: 20 * time.Second, IdleBefore: time.Second, Version: "2025-06-18"}
}

func quickEffort() effort {
	e := fullEffort()
	e.Calls, e.WarmUp, e.FlightN, e.Bigs, e.Startups, e.IdleBefore = 300, 50, 1300, 10, 5, 500*time.Millisecond
	return e
}

func (e effort) startups(k kind) int {
	if k == npm {
		return e.SlowStarts
	}
	return e.Startups
}

// echoTool is the tool that is called: what it returns is prefix and what was sent.
type echoTool struct{ name, arg, prefix string }

func (t echoTool) params(text string) string {
	return client.CallParams(t.name, `{"`+t.arg+`":`+wire.Quote(text)+`}`)
}

// flight is one level of concurrency.
type flight struct {
	perSecond []float64 // of each block
	latency   sample
	failed    int
}

// session is what one connection yields.
type session struct {
	list, seq, big sample
	cpu            float64 // seconds used in the sequential calls; 0 when unknown
	flights        map[int]*flight
	errors         []string
}

// cpuPerCall is in µs, 0 when unknown.
func (s *session) cpuPerCall() float64 {
	if len(s.seq) == 0 {
		return 0
	}
	return s.cpu / float64(len(s.seq)) * 1e6
}

// probe measures one open connection.
type probe struct {
	effort
	c    caller
	tool echoTool
	cpu  func() float64 // seconds used by what is measured, nil when unknown

	broken bool // a phase failed, so that none follows

	mu sync.Mutex
	s  session
}

func newProbe(e effort, c caller, tool echoTool, cpu func() float64) *probe {
	return &probe{effort: e, c: c, tool: tool, cpu: cpu, s: session{flights: map[int]*flight{}}}
}

// blocks is into how many parts the calls of a phase are cut. Connections that
// are compared take turns, a block each, so that what else the machine does
// hurts all alike.
const blocks = 10

// phase is one kind of call; run makes a block of them.
type phase struct {
	blocks int
	run    func(p *probe, ctx context.Context) error
}

func (e effort) phases() []phase {
	all := []phase{{1, (*probe).lists}, {1, (*probe).warmUp}, {blocks, (*probe).sequential}}
	for _, k := range e.InFlight {
		all = append(all, phase{blocks, func(p *probe, ctx context.Context) error { return p.fly(ctx, k) }})
	}
	return append(all, phase{blocks, (*probe).bigs})
}

// block is the part of n calls that one block makes.
func block(n int) int { return (n + blocks - 1) / blocks }

// measure takes all probes through the phases, in turns.
func measure(ctx context.Context, probes []*probe, e effort) {
	for _, ph := range e.phases() {
		for n := range ph.blocks {
			for i := range probes {
				p := probes[(i+n)%len(probes)]
				if p.broken || ctx.Err() != nil {
					continue
				}
				if err := ph.run(p, ctx); err != nil {
					p.fail(err)
					p.broken = true
				}
			}
		}
	}
}

func (p *probe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.s.errors) < 8 {
		p.s.errors = append(p.s.errors, err.Error())
	}
}

func (p *probe) lists(ctx context.Context) error {
	for range p.Lists {
		start := time.Now()
		ctx, cancel := context.WithTimeout(ctx, p.CallLimit)
		m, err := p.c.Call(ctx, "tools/list", "{}")
		cancel()
		if err == nil && m.Error != nil {
			err = errors.New(string(m.Error))
		}
		if err != nil {
			return fmt.Errorf("tools/list: %w", err)
		}
		p.s.list = append(p.s.list, ms(start))
	}
	return nil
}

// echo makes one call and returns its time in ms; the answer is checked after
// the clock stopped.
func (p *probe) echo(ctx context.Context, params, want string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, p.CallLimit)
	defer cancel()
	start := time.Now()
	m, err := p.c.Call(ctx, "tools/call", params)
	d := ms(start)
	if err != nil {
		return d, err
	}
	got, err := client.ToolText(m)
	if err != nil {
		return d, err
	}
	if got != p.tool.prefix+want {
		return d, fmt.Errorf("wrong echo: got %d bytes, want %d", len(got), len(p.tool.prefix+want))
	}
	return d, nil
}

const smallText = "the quick brown fox jumps over the lazy dog 0123456789"

func (p *probe) warmUp(ctx context.Context) error {
	params := p.tool.params(smallText)
	for range p.WarmUp {
		if _, err := p.echo(ctx, params, smallText); err != nil {
			return fmt.Errorf("warm-up: %w", err)
		}
	}
	return nil
}

func (p *probe) sequential(ctx context.Context) error {
	params := p.tool.params(smallText)
	before := 0.0
	if p.cpu != nil {
		before = p.cpu()
	}
	for range block(p.Calls) {
		d, err := p.echo(ctx, params, smallText)
		if err != nil {
			return fmt.Errorf("sequential: %w", err)
		}
		p.s.seq = append(p.s.seq, d)
	}
	if p.cpu != nil {
		p.s.cpu += p.cpu() - before
	}
	return nil
}

// fly keeps k calls under way until a block of them is made.
func (p *probe) fly(ctx context.Context, k int) error {
	if p.s.flights[k] == nil {
		p.s.flights[k] = &flight{}
	}
	f := p.s.flights[k]
	params := p.tool.params(smallText)
	var left, made atomic.Int64
	left.Store(int64(block(p.FlightN)))
	var mu sync.Mutex // guards f
	var wg sync.WaitGroup
	start := time.Now()
	for range k {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				d, err := p.echo(ctx, params, smallText)
				if err != nil {
					p.fail(fmt.Errorf("%d in flight: %w", k, err))
				}
				mu.Lock()
				switch {
				case err == nil:
					made.Add(1)
					f.latency = append(f.latency, d)
				default:
					if f.failed++; f.failed > 20 {
						left.Store(0)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.perSecond = append(f.perSecond, float64(made.Load())/time.Since(start).Seconds())
	if f.failed > 20 {
		return fmt.Errorf("%d in flight: given up", k)
	}
	return nil
}

// bigs echoes mostly plain text, with what JSON must escape and some non-ASCII.
func (p *probe) bigs(ctx context.Context) error {
	const unit = "0123456789abcdefghijklmnopqrstuvwxyz \"quoted\" back\\slash\nline é 漢字 🚀 "
	text := strings.Repeat(unit, p.BigBytes/len(unit)+1)
	text = strings.ToValidUTF8(text[:p.BigBytes], "")
	params := p.tool.params(text)
	for range block(p.Bigs) {
		d, err := p.echo(ctx, params, text)
		if err != nil {
			return fmt.Errorf("big payload: %w", err)
		}
		p.s.big = append(p.s.big, d)
	}
	return nil
}

func ms(start time.Time) float64 { return float64(time.Since(start)) / 1e6 }
