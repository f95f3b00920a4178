package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"drawbridge/build/bench/proc"
	"drawbridge/build/bench/wire"
)

// featureScenarios are what the protocol offers besides calls.
func featureScenarios() []scenario {
	return []scenario{
		{"identity", "initialize passes both ways (client info, capabilities, instructions)", beforeHandshake("/mcp", identity)},
		{"versions", "protocol versions negotiated end to end", versions},
		{"progress", "5 progress notifications before the result", afterHandshake(func(l *lab) outcome {
			m, err := l.c.CallFor(callPatience, "tools/call", `{"name":"progress","arguments":{"n":5,"ms":30},"_meta":{"progressToken":"tok-1"}}`)
			if err != nil || m.Error != nil {
				return bad("%s %.60s", ended(err, callPatience), m.Error)
			}
			n := l.seen("notifications/progress")
			return judged(n == 5 && l.seenText(`"tok-1"`), "%d of 5", n)
		})},
		{"cancel", "cancellation reaches the remote", afterHandshake(func(l *lab) outcome {
			go func() { // ends with the bridge
				_, _ = l.raw(callPatience, "99", `{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":4000}}}`)
			}()
			time.Sleep(400 * time.Millisecond)
			_ = l.c.Write(wire.Notification("notifications/cancelled", `{"requestId":99,"reason":"bench"}`)) // seen by the counters
			time.Sleep(800 * time.Millisecond)
			told, stopped := l.count("cancelNotif"), l.count("cancelCtx")
			return judged(told+stopped > 0, "notification %d, work stopped %d", told, stopped)
		})},
		{"sampling", "sampling, elicitation, roots reach the client", afterHandshake(func(l *lab) outcome {
			var lost []string
			for _, want := range [][2]string{{"sample", "sampled"}, {"elicit", "elicited"}, {"roots", "rooted"}} {
				if a := l.try(10*time.Second, want[0], `{}`); a.err != nil || !strings.Contains(a.text, want[1]) {
					lost = append(lost, want[0]+": "+a.String()+" "+ending(a.text, 60))
				}
			}
			return nothing("lost", lost)
		})},
		{"listchanged", "tools/list_changed on the GET stream", afterHandshake(func(l *lab) outcome {
			time.Sleep(700 * time.Millisecond)
			return listChanged(l)
		})},
		{"getcut", "GET stream cut: reopened, list_changed 4 s later", afterHandshake(func(l *lab) outcome {
			time.Sleep(700 * time.Millisecond)
			l.control("cutget")
			time.Sleep(4 * time.Second)
			return listChanged(l)
		})},
		{"resume", "SSE answer cut: resumed with Last-Event-ID", afterHandshake(resumed(`{}`))},
		{"resume-clean", "SSE answer ended early by the server (SEP-1699): resumed", afterHandshake(resumed(`{"clean":true}`))},
		{"idle-cpu", "CPU while idle for 10 s", afterHandshake(func(l *lab) outcome {
			time.Sleep(2 * time.Second)
			before := l.c.CPU()
			time.Sleep(10 * time.Second)
			used := l.c.CPU() - before
			return judged(used < 0.1 && proc.Known(), "%.0f ms", used*1e3)
		})},
	}
}

func identity(l *lab) outcome {
	m, err := l.c.Init(15*time.Second, usualVersion)
	if err != nil {
		return bad("%.80s", err)
	}
	var lost []string
	for _, k := range []string{"raw-upstream", "bench instructions", "bench/x"} {
		if !strings.Contains(string(m.Result), k) {
			lost = append(lost, "server "+k)
		}
	}
	stats := l.control("stats")
	for _, k := range []string{"bridgebench", "sampling", "elicitation", "roots"} {
		if !strings.Contains(stats, k) {
			lost = append(lost, "client "+k)
		}
	}
	return nothing("lost", lost)
}

func versions(ctx context.Context, l *lab) outcome {
	if err := l.startUp(ctx, "127.0.0.1:0"); err != nil {
		return bad("%v", err)
	}
	var wrong []string
	for _, v := range []string{"2024-11-05", "2025-03-26", usualVersion, latestVersion} {
		if err := l.open(ctx, l.bridge.HTTP, "/mcp"); err != nil {
			return bad("%v", err)
		}
		m, err := l.c.Init(15*time.Second, v)
		got := strings.Trim(string(wire.Get(m.Result, "protocolVersion")), `"`)
		if err != nil || got != v {
			wrong = append(wrong, fmt.Sprintf("%s → %s %s", v, got, ended(err, 15*time.Second)))
		}
		l.c.Kill()
	}
	return nothing("wrong", wrong)
}

func listChanged(l *lab) outcome {
	a := l.try(callPatience, "notify", `{}`)
	if a.err != nil {
		return bad("%s", a)
	}
	time.Sleep(300 * time.Millisecond)
	if l.seen("notifications/tools/list_changed") > 0 {
		return good("delivered")
	}
	return bad("lost (%s)", a.text)
}

func resumed(args string) func(l *lab) outcome {
	return func(l *lab) outcome {
		a := l.try(8*time.Second, "drop", args)
		return judged(a.err == nil && a.text == "resumed", "%s after %.1f s", a, a.took.Seconds())
	}
}

// modernMeta is what every request of 2026-07-28 carries.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"b","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// eraScenarios are meetings with the stateless protocol of 2026-07-28.
func eraScenarios() []scenario {
	return []scenario{
		{"modern", "2026-07-28-only remote, 2025 client", func(ctx context.Context, l *lab) outcome {
			if err := l.ready(ctx, l.bridge.modern(), "/modern"); err != nil {
				return bad("%.90s", err)
			}
			a := l.try(callPatience, "echo", `{"text":"m"}`)
			return judged(a.err == nil && a.text == "m", "%s", a)
		}},
		{"modern-client", "2026-07-28 client (no initialize), 2026-07-28 remote", modernClient},
		{"era-probe", "server/discover first, 2025 remote: an error soon or a modern call that works, then initialize works", beforeHandshake("/mcp", eraProbe)},
	}
}

func (b bridge) modern() []string {
	if b.Modern != nil {
		return b.Modern
	}
	return b.HTTP
}

func modernClient(ctx context.Context, l *lab) outcome {
	if err := l.begin(ctx, l.bridge.modern(), "/modern"); err != nil {
		return bad("%v", err)
	}
	m, err := l.c.CallFor(15*time.Second, "server/discover", `{`+modernMeta+`}`)
	if err != nil || m.Error != nil {
		return bad("discover: %s %.70s", ended(err, 15*time.Second), m.Error)
	}
	m, err = l.c.CallFor(callPatience, "tools/call", `{"name":"echo","arguments":{"text":"m"},`+modernMeta+`}`)
	return judged(err == nil && wire.Text(m.Result) == "m", "call: %s %.70s", ended(err, callPatience), m.Error)
}

func eraProbe(l *lab) outcome {
	start := time.Now()
	m, err := l.c.CallFor(8*time.Second, "server/discover", `{`+modernMeta+`}`)
	took := time.Since(start)
	what := ended(err, took)
	switch {
	case err == nil && m.Error == nil: // a bridge that says it is modern must be
		call, err := l.c.CallFor(callPatience, "tools/call", `{"name":"echo","arguments":{"text":"m"},`+modernMeta+`}`)
		if err != nil || wire.Text(call.Result) != "m" {
			return bad("claims to be modern, a call fails: %s %.60s", ended(err, callPatience), call.Error)
		}
		what = fmt.Sprintf("answered after %.1f s, a modern call works", took.Seconds())
	case err == nil:
		what = fmt.Sprintf("error answer after %.1f s", took.Seconds())
	}
	if _, err := l.c.Init(8*time.Second, latestVersion); err != nil {
		return bad("%s; then initialize fails: %.60s", what, err)
	}
	r := l.recover(1)
	return judged(err == nil && r.atOnce(), "%s; initialize works; %s", what, r)
}

// legacyScenarios are remotes with the event stream of 2024-11-05.
func legacyScenarios() []scenario {
	works := func(l *lab) outcome {
		r := l.recover(1)
		return judged(r.atOnce(), "%s", r)
	}
	return []scenario{
		{"sse", "HTTP+SSE remote works", afterLegacyHandshake(works)},
		{"sse-auto", "HTTP+SSE remote with the streamable command (fallback)", func(ctx context.Context, l *lab) outcome {
			if err := l.ready(ctx, l.bridge.HTTP, "/sse"); err != nil {
				return bad("no: %.70s", err)
			}
			return works(l)
		}},
		{"sse-cut", "HTTP+SSE stream cut: next call", afterLegacyHandshake(func(l *lab) outcome {
			l.control("cutget")
			time.Sleep(2 * time.Second)
			r := l.recover(3)
			return judged(r.atOnce(), "%s", r)
		})},
		{"sse-restart", "HTTP+SSE remote killed, then restarted", restartOf(afterLegacyHandshake)},
		{"sse-eof", "HTTP+SSE: stdin closed: exits", afterLegacyHandshake(closed)},
	}
}
