//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/wire"
)

const (
	slowCalls = 100
	slowMS    = 60_000 // longer than the test: the calls end by cancellation
	pings     = 15
	pingBound = 50 * time.Millisecond
)

// W-02, S-53: while 100 calls are under way a ping returns at once and a
// cancellation reaches the server.
func TestSlowCallsHoldUpNothing(t *testing.T) {
	for _, route := range routes {
		t.Run(route.name, func(t *testing.T) {
			r := newRig(t)
			c := route.open(r)
			stats := func() counters {
				t.Helper()
				return r.stats(c)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var calls sync.WaitGroup
			defer calls.Wait()
			defer cancel()
			for i := range slowCalls {
				calls.Go(func() { // ends with ctx: a cancelled call needs no answer
					id := strconv.Itoa(1000 + i)
					_, _ = c.CallRaw(ctx, id, []byte(`{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":`+strconv.Itoa(slowMS)+`}}}`))
				})
			}
			r.eventually(callLimit, "not all calls reached the server", func() bool { return stats().Calls >= slowCalls })
			if got := r.pingTime(c); got > pingBound {
				t.Errorf("a ping took %v beside %d calls, want at most %v", got, slowCalls, pingBound)
			}
			for i := range slowCalls {
				r.must(c.send(t.Context(), cancellation(1000+i)), "cancel call %d", 1000+i)
				if i == 0 {
					r.eventually(callLimit, "the first cancellation did not reach the server", func() bool { return stats().CancelCtx == 1 })
				}
			}
			r.eventually(callLimit, "not all cancellations reached the server", func() bool { return stats().CancelCtx == slowCalls })
		})
	}
}

// loaded is a client of either kind, with cancellation.
type loaded struct {
	rawCaller
	send  func(ctx context.Context, line []byte) error // of a notification
	asked int                                          // calls of the stats tool
}

type rawCaller interface {
	caller
	CallRaw(ctx context.Context, id string, line []byte) (wire.Message, error)
}

func cancellation(id int) []byte {
	return wire.Notification("notifications/cancelled", `{"requestId":`+strconv.Itoa(id)+`,"reason":"enough"}`)
}

// routes are the ways from a client through us to a server that counts.
var routes = []struct {
	name string
	open func(*rig) *loaded
}{
	{"stdio to stdio", func(r *rig) *loaded {
		r.helper("mcp", "add", "slow", "--", fixture.echostdio)
		return r.loadedStdio("slow")
	}},
	{"stdio to streamable HTTP", func(r *rig) *loaded { return r.loadedStdio(r.upstream()+"/mcp", "--transport", "http") }},
	{"stdio to streamable HTTP with event streams", func(r *rig) *loaded { return r.loadedStdio(r.upstream()+"/mcps", "--transport", "http") }},
	{"stdio to HTTP+SSE", func(r *rig) *loaded { return r.loadedStdio(r.upstream()+"/sse", "--transport", "sse") }},
	{"streamable HTTP to stdio", func(r *rig) *loaded {
		return r.loadedHTTP(client.NewHTTP(r.proxy("--", fixture.echostdio) + "/mcp"))
	}},
	{"HTTP+SSE to stdio", func(r *rig) *loaded {
		ctx, cancel := r.limited()
		defer cancel()
		c, err := client.OpenSSE(ctx, r.proxy("--", fixture.echostdio)+"/sse")
		r.must(err, "open the stream")
		return r.loadedHTTP(c)
	}},
}

func (r *rig) upstream() string {
	r.t.Helper()
	_, address := r.firstLine(fixture.upstream)
	return "http://" + address
}

func (r *rig) loadedStdio(args ...string) *loaded {
	r.t.Helper()
	c := r.connect(args...)
	_, err := c.Init(startLimit, protocol)
	r.must(err, "initialize")
	return &loaded{rawCaller: c, send: func(_ context.Context, line []byte) error { return c.Write(line) }}
}

func (r *rig) loadedHTTP(c *client.HTTP) *loaded {
	r.t.Helper()
	r.t.Cleanup(c.Close)
	_, err := c.Init(startLimit, protocol)
	r.must(err, "initialize")
	return &loaded{rawCaller: c, send: c.Notify}
}

// counters are what the server saw, less the calls that asked for them.
type counters struct{ Calls, CancelCtx int }

func (r *rig) stats(c *loaded) counters {
	r.t.Helper()
	ctx, cancel := r.limited()
	defer cancel()
	m, err := c.Call(ctx, "tools/call", client.CallParams("stats", `{}`))
	r.must(err, "tool stats")
	text, err := client.ToolText(m)
	r.must(err, "tool stats")
	var n counters
	r.must(json.Unmarshal([]byte(text), &n), "read %s", text)
	c.asked++
	n.Calls -= c.asked
	return n
}

// pingTime is the median of several, so that one pause of a busy machine does
// not count.
func (r *rig) pingTime(c *loaded) time.Duration {
	r.t.Helper()
	took := make([]time.Duration, pings)
	for i := range took {
		began := time.Now()
		ctx, cancel := r.limited()
		m, err := c.Call(ctx, "ping", `{}`)
		cancel()
		r.must(err, "ping")
		if m.Error != nil {
			r.t.Fatalf("ping answered %s", m.Error)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	r.t.Logf("ping: median %v, worst %v", took[pings/2].Round(time.Microsecond), took[pings-1].Round(time.Microsecond))
	return took[pings/2]
}
