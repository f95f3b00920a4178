package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"drawbridge/build/bench/client"
)

// endScenarios are how a bridge ends.
func endScenarios() []scenario {
	return []scenario{
		{"eof", "stdin closed: exits", afterHandshake(closed)},
		{"eof-inflight", "stdin closed with a call in flight: exits", afterHandshake(func(l *lab) outcome {
			go func() { _, _ = l.c.Tool(20*time.Second, "sleep", `{"ms":15000}`) }() // ends with the bridge
			time.Sleep(300 * time.Millisecond)
			return closed(l)
		})},
		{"eof-before-init", "stdin closed before any message: exits", beforeHandshake("/mcp", closed)},
		{"sigterm", "SIGTERM: exits", afterHandshake(func(l *lab) outcome { return exitOutcome(l.c.Terminate(3*time.Second), client.BySignal) })},
		{"delete", "ends the remote session (DELETE) on exit", afterHandshake(func(l *lab) outcome {
			l.c.Close(3 * time.Second)
			if l.count("deletes") > 0 {
				return good("yes")
			}
			return bad("no")
		})},
	}
}

func closed(l *lab) outcome { return exitOutcome(l.c.Close(4*time.Second), client.ByEOF) }

func exitOutcome(e client.Exit, want client.How) outcome {
	if e.How != want {
		return bad("needed %s", e.How)
	}
	if e.Left > 0 {
		return bad("%.0f ms, code %d, %d left behind", e.MS, e.Code, e.Left)
	}
	return good("%.0f ms, code %d", e.MS, e.Code)
}

// faultScenarios are remotes that are down, lose the session or refuse.
func faultScenarios() []scenario {
	return []scenario{
		{"down-start", "remote down at start", downAtStart},
		{"restart", "remote killed, then restarted", restartOf(afterHandshake)},
		{"expire", "session expired (404): next call", afterHandshake(func(l *lab) outcome {
			l.control("expire")
			r := l.recover(3)
			return judged(r.atOnce(), "%s", r)
		})},
		{"expire8", "session expired, 8 calls at once", afterHandshake(expiredForEight)},
		{"cut", "connection cut without an answer", afterHandshake(func(l *lab) outcome {
			a := l.try(callPatience, "http", `{"status":0,"times":1,"key":"a"}`)
			r := l.recover(2)
			return judged(r.atOnce() && a.answered(), "%s; %s", a, r)
		})},
		{"500", "HTTP 500 to a call", afterHandshake(func(l *lab) outcome {
			a := l.try(callPatience, "http", `{"status":500,"times":1,"key":"a","body":"boom detail"}`)
			r := l.recover(2)
			o := judged(r.atOnce() && a.refused(), "%s; %s", a, r)
			o.Detail = fmt.Sprint(a.err)
			return o
		})},
		{"429", "HTTP 429 with Retry-After: 1", afterHandshake(busy(429))},
		{"503", "HTTP 503 with Retry-After: 1", afterHandshake(busy(503))},
		{"401-mid", "401 in mid-session, then good again", afterHandshake(func(l *lab) outcome {
			l.control("unauth?on=1")
			a := l.try(8*time.Second, "echo", `{"text":"x"}`)
			l.control("unauth?on=0")
			r := l.recover(2)
			return judged(r.atOnce() && a.refused(), "%s; %s", a, r)
		})},
		{"401-start", "bare 401 at start", beforeHandshake("/auth401", refusedAtStart)},
		{"401-oauth", "401 with OAuth metadata at start (nobody signs in)", beforeHandshake("/auth", refusedAtStart)},
		{"html", "200 text/html (captive portal) at start", beforeHandshake("/html", refusedAtStart)},
		{"slow-init", "initialize takes 8 s", beforeHandshake("/slowinit", func(l *lab) outcome {
			if _, err := l.c.Init(20*time.Second, usualVersion); err != nil {
				return bad("%.80s", err)
			}
			a := l.try(15*time.Second, "echo", `{"text":"x"}`)
			return judged(a.err == nil, "%s", a)
		})},
		{"slow-call", "a call takes 70 s", afterHandshake(func(l *lab) outcome {
			a := l.try(80*time.Second, "sleep", `{"ms":70000}`)
			return judged(a.err == nil && a.text == "slept", "%s", a)
		})},
		{"hol", "a fast call passes a slow one", afterHandshake(func(l *lab) outcome {
			go func() { _, _ = l.c.Tool(10*time.Second, "sleep", `{"ms":3000}`) }() // ends with the bridge
			time.Sleep(200 * time.Millisecond)
			a := l.try(5*time.Second, "echo", `{"text":"x"}`)
			return judged(a.err == nil && a.took < time.Second, "%s, %.0f ms", a, a.took.Seconds()*1e3)
		})},
	}
}

// callPatience is how long a call may take before it counts as hanging.
const callPatience = 6 * time.Second

// tellsAtStart does the handshake against a server that cannot be used. A
// bridge may answer initialize with an error, or by itself and the calls with
// an error; what it may not do is leave its client waiting, or end.
func tellsAtStart(l *lab) (what string, told bool) {
	start := time.Now()
	_, err := l.c.Init(10*time.Second, usualVersion)
	took := time.Since(start)
	var refusal *client.InitError
	switch {
	case errors.As(err, &refusal):
		return fmt.Sprintf("error answer after %.1f s", took.Seconds()), true
	case err != nil:
		return ended(err, took), false
	}
	a := l.try(10*time.Second, "echo", `{"text":"x"}`)
	return fmt.Sprintf("initialize answered after %.1f s, a call: %s", took.Seconds(), a), a.refused()
}

func refusedAtStart(l *lab) outcome {
	what, told := tellsAtStart(l)
	return judged(told, "%s", what)
}

func downAtStart(ctx context.Context, l *lab) outcome {
	port, err := freePort()
	if err != nil {
		return bad("%v", err)
	}
	l.addr = "127.0.0.1:" + port
	if err := l.open(ctx, l.bridge.HTTP, "/mcp"); err != nil {
		return bad("%v", err)
	}
	what, told := tellsAtStart(l)
	select {
	case <-l.c.Exited():
		return bad("%s, code %d", what, l.c.ExitCode())
	default:
	}
	if err := l.startUp(ctx, l.addr); err != nil {
		return bad("%s; %v", what, err)
	}
	if strings.HasPrefix(what, "initialize answered") {
		r := l.recover(4)
		return judged(told && r.tries > 0, "%s; once it is up %s", what, r)
	}
	if _, err := l.c.Init(8*time.Second, usualVersion); err != nil {
		return judged(told, "%s; a second initialize fails", what)
	}
	return judged(told, "%s; a second initialize works once it is up", what)
}

// restartOf kills the remote between two calls.
func restartOf(after func(func(*lab) outcome) func(context.Context, *lab) outcome) func(context.Context, *lab) outcome {
	return func(ctx context.Context, l *lab) outcome {
		return after(func(l *lab) outcome {
			if a := l.try(5*time.Second, "echo", `{"text":"x"}`); a.err != nil {
				return bad("first call: %s", a)
			}
			addr := l.addr
			l.killUp()
			down := l.try(callPatience, "echo", `{"text":"down"}`)
			if err := l.startUp(ctx, addr); err != nil {
				return bad("restart: %v", err)
			}
			time.Sleep(1500 * time.Millisecond)
			r := l.recover(4)
			return judged(r.atOnce() && down.refused(), "down: %s; %s", down, r)
		})(ctx, l)
	}
}

func expiredForEight(l *lab) outcome {
	before := l.count("initialize")
	l.control("expire")
	var wg sync.WaitGroup
	attempts := make([]attempt, 8)
	for i := range attempts {
		wg.Go(func() { attempts[i] = l.try(8*time.Second, "echo", `{"text":"x"}`) })
	}
	wg.Wait()
	worked, other := 0, ""
	for _, a := range attempts {
		if a.err == nil && a.text == "x" {
			worked++
		} else {
			other = ", else " + a.String()
		}
	}
	sessions := l.count("initialize") - before
	return judged(worked == 8 && sessions == 1, "%d of 8 work, %d new sessions%s", worked, sessions, other)
}

// busy is a server that asks for patience: an error at once or a retry are good.
func busy(status int) func(l *lab) outcome {
	return func(l *lab) outcome {
		a := l.try(callPatience, "http", fmt.Sprintf(`{"status":%d,"times":1,"key":"a"}`, status))
		if a.err == nil {
			return good("retried: %s", a.text)
		}
		return judged(a.refused(), "%s", a)
	}
}
