package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/proc"
	"drawbridge/build/bench/wire"
)

// reverseScenarios are what a bridge that exposes a stdio server over HTTP
// survives and carries, over both transports where they differ.
func reverseScenarios() suite {
	s := suite{Title: "survives and carries, stdio server → HTTP"}
	for _, t := range []transport{streamable, legacySSE} {
		s.Scenarios = append(s.Scenarios, transportScenarios(t)...)
	}
	s.Scenarios = append(s.Scenarios,
		scenario{"lost-session", "an unknown session is told so (404)", exposed(streamable, lostSession)},
		scenario{"evil-origin", "a web page's Origin is refused", exposed(streamable, strangers("Origin", "http://evil.example"))},
		scenario{"evil-host", "a foreign Host name is refused (DNS rebinding)", exposed(streamable, strangers("Host", "evil.example"))},
		scenario{"delete-ends", "a session's child ends with its DELETE", exposed(streamable, deleteEnds)},
	)
	return s
}

func transportScenarios(t transport) []scenario {
	suffix, name := "", "streamable HTTP"
	if t == legacySSE {
		suffix, name = "-sse", "HTTP+SSE"
	}
	of := func(id, what string, f func(x *exposure) outcome) scenario {
		return scenario{id + suffix, name + ": " + what, exposed(t, f)}
	}
	return []scenario{
		of("isolation", "4 clients with the same ids get their own answers", isolation),
		of("notify-one", "a notification for one client reaches that one alone", notifyOne),
		of("crash", "the child crashes: an answer, then a new session works", crash),
		of("features", "progress, sampling, elicitation and roots reach the client", reverseFeatures),
		of("cancel", "a cancellation reaches the child", reverseCancel),
		of("numbers", "numbers pass unchanged", func(x *exposure) outcome {
			in := `{"a":9007199254740993,"b":1.0,"c":123456789012345678901234567890}`
			got, err := x.first().Tool(callPatience, "mirror", in)
			return judged(err == nil && got == in, "%s %s", ended(err, callPatience), difference(got, in))
		}),
		of("16m", "16 MiB argument echoed", func(x *exposure) outcome {
			text := strings.Repeat("0123456789abcdef", 1<<20)
			start := time.Now()
			got, err := x.first().Tool(25*time.Second, "echo", `{"text":"`+text+`"}`)
			return judged(err == nil && got == text, "%s, %d bytes back after %.1f s", ended(err, time.Since(start)), len(got), time.Since(start).Seconds())
		}),
		of("sigterm", "SIGTERM with 3 sessions open: ends, nothing left behind", func(x *exposure) outcome {
			for range 3 {
				x.client(nil)
			}
			return exitOutcome(x.l.c.Terminate(7*time.Second), client.BySignal)
		}),
	}
}

func difference(got, want string) string {
	if got == want {
		return ""
	}
	return "changed: " + ending(got, 80)
}

// exposure is a stdio server that a bridge serves over HTTP, and its clients.
type exposure struct {
	l       *lab
	at      target
	clients []*client.HTTP
	err     error // of a client that could not connect
}

// exposed runs a scenario against a bridge that listens.
func exposed(t transport, f func(x *exposure) outcome) func(context.Context, *lab) outcome {
	return func(ctx context.Context, l *lab) outcome {
		args, path := l.bridge.Serve, "/mcp"
		if t == legacySSE {
			args, path = l.bridge.ServeSSE, "/sse"
		}
		if args == nil {
			return bad("n/a")
		}
		p, url, err := l.w.startServe(ctx, args, "http://127.0.0.1:{port}"+path)
		if err != nil {
			return bad("%v", err)
		}
		l.c = p
		x := &exposure{l: l, at: target{url, t == legacySSE}}
		defer x.close()
		first, err := dial(ctx, p, x.at, fullEffort())
		if err != nil {
			return bad("no handshake: %.80s", err)
		}
		first.OnRequest = clientAnswers
		x.clients = append(x.clients, first)
		return f(x)
	}
}

func (x *exposure) first() *client.HTTP { return x.clients[0] }

// client connects another client, with a stream for what the server says by
// itself; nil when that fails, see err.
func (x *exposure) client(onNotification func(wire.Message)) *client.HTTP {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	c := client.NewHTTP(x.at.url)
	if x.at.legacy {
		if c, x.err = client.OpenSSE(ctx, x.at.url); x.err != nil {
			return nil
		}
	}
	c.OnNotification, c.OnRequest = onNotification, clientAnswers
	_, x.err = c.Init(callPatience, usualVersion)
	if x.err == nil && !x.at.legacy {
		x.err = c.Listen(ctx)
	}
	if x.err != nil {
		c.Close()
		return nil
	}
	x.clients = append(x.clients, c)
	return c
}

func (x *exposure) close() {
	for _, c := range x.clients {
		c.Close()
	}
}

// isolation: every client counts its ids from 1, so the same ids are under way
// in all of them.
func isolation(x *exposure) outcome {
	const clients, calls = 4, 50
	for len(x.clients) < clients {
		if x.client(nil) == nil {
			return bad("client %d: %s", len(x.clients)+1, ended(x.err, callPatience))
		}
	}
	var wrong, failed atomic.Int64
	var wg sync.WaitGroup
	for i, c := range x.clients {
		wg.Go(func() {
			for n := range calls {
				want := fmt.Sprintf("client %d call %d", i, n)
				got, err := c.Tool(callPatience, "echo", `{"text":"`+want+`"}`)
				switch {
				case err != nil:
					failed.Add(1)
				case got != want:
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return judged(wrong.Load()+failed.Load() == 0, "%d of %d wrong, %d failed", wrong.Load(), clients*calls, failed.Load())
}

func notifyOne(x *exposure) outcome {
	const clients = 3
	var seen [clients]atomic.Int64
	var cs [clients]*client.HTTP
	for i := range clients {
		cs[i] = x.client(func(m wire.Message) {
			if m.Method == "notifications/tools/list_changed" {
				seen[i].Add(1)
			}
		})
		if cs[i] == nil {
			return bad("client %d: %s", i+1, ended(x.err, callPatience))
		}
	}
	time.Sleep(300 * time.Millisecond)
	if _, err := cs[1].Tool(callPatience, "notify", `{}`); err != nil {
		return bad("%s", ended(err, callPatience))
	}
	time.Sleep(500 * time.Millisecond)
	own, others := seen[1].Load(), seen[0].Load()+seen[2].Load()
	return judged(own == 1 && others == 0, "own client saw %d, others %d", own, others)
}

// crash ends the first client's child in the middle of a call.
func crash(x *exposure) outcome {
	other := x.client(nil)
	if other == nil {
		return bad("second client: %s", ended(x.err, callPatience))
	}
	start := time.Now()
	_, err := x.first().Tool(callPatience, "crash", `{}`)
	told := ended(err, time.Since(start))
	answered := err != nil && !errors.Is(err, client.ErrTimeout)
	_, err = other.Tool(callPatience, "echo", `{"text":"x"}`)
	neighbour := ended(err, callPatience)
	renewed := "a new session fails: "
	if c := x.client(nil); c == nil {
		renewed += ended(x.err, callPatience)
	} else if got, err := c.Tool(callPatience, "echo", `{"text":"x"}`); err != nil || got != "x" {
		renewed += ended(err, callPatience)
	} else {
		renewed = "a new session works"
	}
	return judged(answered && neighbour == "ok" && renewed == "a new session works", "the call: %s; another client: %s; %s", told, neighbour, renewed)
}

func reverseFeatures(x *exposure) outcome {
	var progress atomic.Int64
	c := x.client(func(m wire.Message) {
		if m.Method == "notifications/progress" {
			progress.Add(1)
		}
	})
	if c == nil {
		return bad("%s", ended(x.err, callPatience))
	}
	var lost []string
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	if _, err := c.Call(ctx, "tools/call", `{"name":"progress","arguments":{"n":5,"ms":30},"_meta":{"progressToken":"tok-1"}}`); err != nil || progress.Load() != 5 {
		lost = append(lost, fmt.Sprintf("progress: %d of 5, %s", progress.Load(), ended(err, callPatience)))
	}
	for _, want := range [][2]string{{"sample", "sampled"}, {"elicit", "elicited"}, {"roots", "rooted"}} {
		if got, err := c.Tool(10*time.Second, want[0], `{}`); err != nil || !strings.Contains(got, want[1]) {
			lost = append(lost, want[0]+": "+ended(err, 10*time.Second)+" "+ending(got, 60))
		}
	}
	return nothing("lost", lost)
}

func reverseCancel(x *exposure) outcome {
	c := x.first()
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	go func() {
		defer close(done)
		_, _ = c.CallRaw(ctx, "99", []byte(`{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":4000}}}`)) // seen by the counters
	}()
	time.Sleep(400 * time.Millisecond)
	if err := c.Notify(ctx, wire.Notification("notifications/cancelled", `{"requestId":99,"reason":"bench"}`)); err != nil {
		return bad("%v", err)
	}
	time.Sleep(400 * time.Millisecond)
	stats, err := c.Tool(callPatience, "stats", `{}`)
	cancel()
	<-done
	if err == nil && strings.Contains(stats, `"cancelNotif":1`) {
		return good("arrived")
	}
	return bad("lost, %s", ended(err, callPatience))
}

// post sends initialize with another header than a client's, and returns the status.
func (x *exposure) post(header, value string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.at.url, strings.NewReader(string(wire.Request(1, "initialize", client.InitParams(usualVersion)))))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set(header, value)
	if header == "Host" {
		req.Host = value
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func strangers(header, value string) func(x *exposure) outcome {
	return func(x *exposure) outcome {
		status, err := x.post(header, value)
		if err != nil {
			return bad("%v", err)
		}
		return judged(status == http.StatusForbidden || status == http.StatusMisdirectedRequest, "HTTP %d", status)
	}
}

func lostSession(x *exposure) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.at.url, strings.NewReader(string(wire.Request(1, "tools/list", "{}"))))
	if err != nil {
		return bad("%v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Mcp-Session-Id", "no-such-session")
	req.Header.Set("Mcp-Protocol-Version", usualVersion)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return bad("%v", err)
	}
	_ = resp.Body.Close() // only the status counts
	return judged(resp.StatusCode == http.StatusNotFound, "HTTP %d", resp.StatusCode)
}

// deleteEnds compares the processes before, with and after three more sessions.
func deleteEnds(x *exposure) outcome {
	if !proc.Known() {
		return bad("n/a")
	}
	before := len(proc.Tree(x.l.c.PID()))
	var more []*client.HTTP
	for range 3 {
		c := x.client(nil)
		if c == nil {
			return bad("%s", ended(x.err, callPatience))
		}
		more = append(more, c)
	}
	during := len(proc.Tree(x.l.c.PID()))
	for _, c := range more {
		c.Close()
	}
	limit := time.Now().Add(5 * time.Second)
	after := during
	for after > before && time.Now().Before(limit) {
		time.Sleep(50 * time.Millisecond)
		after = len(proc.Tree(x.l.c.PID()))
	}
	return judged(after <= before, "%d processes, with 3 more sessions %d, after DELETE %d", before, during, after)
}
