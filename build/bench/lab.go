package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/wire"
)

// lab is one scenario's world: its own upstream and its own bridge in front of it.
type lab struct {
	w      *world
	bridge bridge
	up     *upstreamProcess // nil while it is down
	addr   string           // of the upstream, also while it is down
	c      *client.Stdio    // the bridge

	mu            sync.Mutex
	notifications []string
}

// The versions that the scenarios ask for.
const (
	usualVersion  = "2025-06-18"
	latestVersion = "2025-11-25"
)

func (l *lab) startUp(ctx context.Context, addr string) error {
	up, err := l.w.startUpstream(ctx, addr)
	if err != nil {
		return err
	}
	l.up, l.addr = up, up.addr
	return nil
}

func (l *lab) killUp() {
	if l.up != nil {
		l.up.stop()
		l.up = nil
	}
}

func (l *lab) close() {
	if l.c != nil {
		l.c.Kill()
	}
	l.killUp()
}

// control asks the upstream for something, see its /_ctl/ addresses.
func (l *lab) control(path string) string {
	resp, err := http.Get("http://" + l.addr + "/_ctl/" + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// count is one of the upstream's counters.
func (l *lab) count(key string) int {
	var stats map[string]any
	if json.Unmarshal([]byte(l.control("stats")), &stats) != nil {
		return 0
	}
	n, _ := stats[key].(float64)
	return int(n)
}

// open starts the bridge on a path of the upstream, without any handshake.
func (l *lab) open(ctx context.Context, args []string, path string) error {
	c, err := l.w.start(ctx, replaceAll(args, "{url}", "http://"+l.addr+path))
	if err != nil {
		return err
	}
	c.OnNotification, c.OnRequest = l.notified, clientAnswers
	l.c = c
	return nil
}

// begin starts upstream and bridge without a handshake.
func (l *lab) begin(ctx context.Context, args []string, path string) error {
	if err := l.startUp(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	return l.open(ctx, args, path)
}

// ready starts upstream and bridge and does the handshake.
func (l *lab) ready(ctx context.Context, args []string, path string) error {
	if err := l.begin(ctx, args, path); err != nil {
		return err
	}
	_, err := l.c.Init(20*time.Second, usualVersion)
	return err
}

func (l *lab) notified(m wire.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notifications = append(l.notifications, m.Method+" "+string(m.Params))
}

// clientAnswers is what the bench's client says to the server's requests.
func clientAnswers(m wire.Message) []byte {
	switch m.Method {
	case "sampling/createMessage":
		return wire.Result(m.ID, `{"role":"assistant","content":{"type":"text","text":"sampled"},"model":"bench"}`)
	case "elicitation/create":
		return wire.Result(m.ID, `{"action":"accept","content":{"name":"elicited"}}`)
	case "roots/list":
		return wire.Result(m.ID, `{"roots":[{"uri":"file:///rooted","name":"r"}]}`)
	case "ping":
		return wire.Result(m.ID, `{}`)
	}
	return nil
}

// seen counts the notifications that begin with prefix.
func (l *lab) seen(prefix string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.notifications {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// seenText reports whether any notification contains text.
func (l *lab) seenText(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.notifications, "\n"), text)
}

// try calls a tool and says how that ended.
func (l *lab) try(limit time.Duration, tool, args string) attempt {
	start := time.Now()
	text, err := l.c.Tool(limit, tool, args)
	return attempt{text, err, time.Since(start)}
}

// attempt is how a call ended.
type attempt struct {
	text string
	err  error
	took time.Duration
}

func (a attempt) String() string { return ended(a.err, a.took) }

// refused reports a call that was answered with an error.
func (a attempt) refused() bool {
	var refusal *client.RPCError
	return errors.As(a.err, &refusal)
}

// answered reports a call that did not leave its client waiting.
func (a attempt) answered() bool { return a.err == nil || a.refused() }

// ended describes how a call or a handshake ended.
func ended(err error, took time.Duration) string {
	var refusal *client.RPCError
	var init *client.InitError
	var status *client.HTTPError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refusal), errors.As(err, &init):
		return fmt.Sprintf("error after %.1f s", took.Seconds())
	case errors.As(err, &status):
		return fmt.Sprintf("HTTP %d after %.1f s", status.Code, took.Seconds())
	case errors.Is(err, client.ErrTimeout):
		return fmt.Sprintf("hang (%.0f s)", took.Seconds())
	case errors.Is(err, client.ErrGone):
		return fmt.Sprintf("bridge exited after %.1f s", took.Seconds())
	}
	return err.Error()
}

// recovery is at which try a call worked again.
type recovery struct {
	tries  int // 0: never
	before []string
}

// recover calls echo until it works, half a second apart.
func (l *lab) recover(n int) recovery {
	var r recovery
	for i := 1; i <= n; i++ {
		a := l.try(5*time.Second, "echo", `{"text":"again"}`)
		if a.err == nil && a.text == "again" {
			r.tries = i
			return r
		}
		r.before = append(r.before, a.String())
		if errors.Is(a.err, client.ErrGone) {
			return r
		}
		time.Sleep(500 * time.Millisecond)
	}
	return r
}

// atOnce reports that the first call worked.
func (r recovery) atOnce() bool { return r.tries == 1 }

func (r recovery) String() string {
	switch r.tries {
	case 0:
		return "then broken (" + strings.Join(r.before, ", ") + ")"
	case 1:
		return "then works"
	}
	return fmt.Sprintf("then works at try %d (%s)", r.tries, strings.Join(r.before, ", "))
}

// afterHandshake is a scenario on a streamable HTTP session that is up.
func afterHandshake(f func(l *lab) outcome) func(context.Context, *lab) outcome {
	return func(ctx context.Context, l *lab) outcome {
		if err := l.ready(ctx, l.bridge.HTTP, "/mcp"); err != nil {
			return bad("no handshake: %.80s", err)
		}
		return f(l)
	}
}

// afterLegacyHandshake is the same over HTTP+SSE.
func afterLegacyHandshake(f func(l *lab) outcome) func(context.Context, *lab) outcome {
	return func(ctx context.Context, l *lab) outcome {
		if err := l.ready(ctx, l.bridge.SSE, "/sse"); err != nil {
			return bad("no handshake: %.80s", err)
		}
		return f(l)
	}
}

// beforeHandshake is a scenario on a bridge that has read nothing yet.
func beforeHandshake(path string, f func(l *lab) outcome) func(context.Context, *lab) outcome {
	return func(ctx context.Context, l *lab) outcome {
		if err := l.begin(ctx, l.bridge.HTTP, path); err != nil {
			return bad("%v", err)
		}
		return f(l)
	}
}
