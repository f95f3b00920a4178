package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
	"drawbridge/internal/upstream"
)

// S-49: twenty thousand calls to a server that dies, forgets the session, is
// not there, answers late or not at all: every call that was not cancelled is
// answered once, none is carried out twice, only one without an answer runs into
// the limit, what was said about a call comes before its result, and no
// goroutine is left (the bubble fails on one).
func TestSoak(t *testing.T) {
	for _, eager := range []bool{false, true} {
		t.Run(fmt.Sprintf("eager %v", eager), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { soak(t, 10_000, eager) })
		})
	}
}

func soak(t *testing.T, calls int, eager bool) {
	w := &world{t: t, rng: rand.New(rand.NewPCG(rand.Uint64(), 1)), done: map[string]int{}, silent: map[string]bool{}}
	near, far := jsonrpc.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), near, Options{
			Server: "srv", Log: quiet(), Dial: w.dial, Reconnect: true, Eager: eager, Limit: time.Minute,
		})
	}()
	c := &soaker{t: t, world: w, conn: far, open: map[string]bool{}, room: make(chan struct{}, 16)}
	var wg sync.WaitGroup
	wg.Go(c.hear)
	for try := 0; c.tally() == 0; try++ {
		id := fmt.Sprint("i", try)
		c.room <- struct{}{}
		c.await(id)
		c.send(strings.Replace(hello, `"i"`, `"`+id+`"`, 1))
		synctest.Wait()
	}
	c.send(ready)
	for i := range calls {
		id := fmt.Sprint("c", i)
		c.room <- struct{}{}
		c.await(id)
		c.send(toolCall(id))
		if w.chance(0.03) {
			c.send(cancelOf(id))
			c.giveUp(id)
		}
	}
	limit := time.After(10 * time.Minute)
	for left := c.left(); len(left) > 0; left = c.left() {
		select {
		case <-limit:
			t.Fatalf("no answer to %d calls, such as %s", len(left), left[0])
		case <-time.After(time.Second):
		}
	}
	far.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	wg.Wait()
	t.Logf("%d connections, %d sessions, %d calls carried out, %d results, %d errors", w.dials, w.sessions, len(w.done), c.results, c.failures)
	if w.dials < 10 || w.sessions < w.dials+10 || c.results < calls/2 {
		t.Error("that was too quiet to prove anything")
	}
}

// soaker is the client.
type soaker struct {
	t     *testing.T
	world *world
	conn  jsonrpc.Conn
	room  chan struct{}

	mu                sync.Mutex
	open              map[string]bool // true is open, false answered or cancelled
	results, failures int
}

func (c *soaker) send(s string) {
	if err := c.conn.Send(c.t.Context(), parse(c.t, s)); err != nil {
		c.t.Error("send:", err)
	}
}

func (c *soaker) await(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[id] = true
}

// giveUp is what a client does that cancelled: an answer may come or not.
func (c *soaker) giveUp(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[id] {
		delete(c.open, id)
		<-c.room
	}
}

func (c *soaker) tally() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.results
}

func (c *soaker) left() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, open := range c.open {
		if open {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *soaker) hear() {
	for {
		m, err := c.conn.Recv(context.Background())
		if err != nil {
			return
		}
		switch m.Kind() {
		case jsonrpc.Request:
			c.send(result(m.ID(), `{}`))
		case jsonrpc.Notification:
			c.noted(m)
		case jsonrpc.Response:
			c.answered(m)
		}
	}
}

func (c *soaker) answered(m jsonrpc.Message) {
	id := strings.Trim(string(m.ID()), `"`)
	c.mu.Lock()
	defer c.mu.Unlock()
	open, known := c.open[id]
	if !known { // cancelled
		return
	}
	if !open {
		c.t.Errorf("%s was answered twice, now with %s", id, m.Bytes())
		return
	}
	c.open[id] = false
	<-c.room
	if m.Result() != nil {
		c.results++
		return
	}
	if strings.Contains(string(m.Error()), string(fault.Timeout)) && !c.world.isSilent(id) {
		c.t.Errorf("%s got no answer of the server's and none of the relay's", id)
	}
	c.failures++
	delete(c.open, id) // and what the lost connection said of it may still come
}

func (c *soaker) noted(m jsonrpc.Message) {
	token, _ := jsonrpc.Member(m.Params(), "progressToken")
	c.mu.Lock()
	defer c.mu.Unlock()
	if open, known := c.open[strings.Trim(string(token), `"`)]; known && !open {
		c.t.Errorf("%s came after the result", m.Bytes())
	}
}

// world is where the server lives and dies.
type world struct {
	t *testing.T

	mu              sync.Mutex
	rng             *rand.Rand
	done            map[string]int  // calls carried out
	silent          map[string]bool // and not answered
	dials, sessions int
}

func (w *world) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Float64() < p
}

// sometimes lets others go on.
func (w *world) sometimes() {
	if w.chance(0.02) {
		<-time.After(time.Millisecond)
	}
}

func (w *world) isSilent(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silent[id]
}

func (w *world) dial(context.Context) (jsonrpc.Conn, error) {
	if w.chance(0.2) {
		return nil, fault.New(fault.EndpointUnreachable, "srv")
	}
	w.mu.Lock()
	w.dials++
	life := time.Duration(w.rng.IntN(100)) * 100 * time.Microsecond
	w.mu.Unlock()
	p := &place{world: w, news: make(chan struct{}, 1), over: make(chan struct{})}
	time.AfterFunc(life, p.die)
	return p, nil
}

// place is one connection to the server. Like the real ones it takes what is
// sent without waiting for an answer.
type place struct {
	*world
	mu    sync.Mutex
	out   []jsonrpc.Message
	errs  []error
	known bool // the server knows the session
	asked int
	end   error // why it ended
	news  chan struct{}
	over  chan struct{}
}

func (p *place) Recv(ctx context.Context) (jsonrpc.Message, error) {
	for {
		p.mu.Lock()
		switch {
		case len(p.out) > 0:
			m := p.out[0]
			p.out = p.out[1:]
			p.mu.Unlock()
			return m, nil
		case len(p.errs) > 0:
			err := p.errs[0]
			p.errs = p.errs[1:]
			p.mu.Unlock()
			return jsonrpc.Message{}, err
		case p.end != nil:
			defer p.mu.Unlock()
			return jsonrpc.Message{}, p.end
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case <-p.over:
		case <-ctx.Done():
			return jsonrpc.Message{}, ctx.Err()
		}
	}
}

func (p *place) Send(_ context.Context, m jsonrpc.Message) error {
	die, forget, notice := p.chance(0.001), p.chance(0.004), p.chance(0.5)
	p.sometimes()
	defer p.sometimes()
	p.mu.Lock()
	defer p.mu.Unlock()
	if die {
		p.endLocked(fault.New(fault.CommandExited, "srv"))
	}
	if p.end != nil {
		return errors.New("broken pipe")
	}
	if forget {
		p.known = false
		if notice {
			p.errs = append(p.errs, &jsonrpc.CallError{Err: upstream.ErrSessionLost})
		}
	}
	if m.Kind() == jsonrpc.Request {
		p.requestLocked(m)
	}
	return nil
}

// die ends the server with what it was going to say.
func (p *place) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.errs = nil, nil
	p.endLocked(fault.New(fault.CommandExited, "srv"))
}

func (p *place) requestLocked(m jsonrpc.Message) {
	defer p.tell()
	id := strings.Trim(string(m.ID()), `"`)
	switch {
	case m.Method() == mcp.MethodInitialize:
		p.known = true
		p.world.mu.Lock()
		p.sessions++
		p.world.mu.Unlock()
		p.out = append(p.out, parse(p.t, result(m.ID(), welcome)))
		return
	case !p.known:
		p.errs = append(p.errs, forgotten(id))
		return
	}
	p.world.mu.Lock()
	if p.done[id]++; p.done[id] > 1 {
		p.t.Errorf("%s was carried out %d times", id, p.done[id])
	}
	p.world.mu.Unlock()
	p.out = append(p.out, parse(p.t, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"`+id+`","progress":1}}`))
	switch {
	case p.chance(0.01):
		p.errs = append(p.errs, &jsonrpc.CallError{ID: m.ID(), Err: fault.New(fault.UpstreamError, "srv")})
	case p.chance(0.005):
		p.world.mu.Lock()
		p.silent[id] = true
		p.world.mu.Unlock()
	case p.chance(0.1):
		p.late(m.ID())
	default:
		p.out = append(p.out, parse(p.t, result(m.ID(), `{}`)))
	}
	if p.chance(0.05) {
		p.asked++
		p.out = append(p.out, parse(p.t, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"sampling/createMessage","params":{}}`, p.asked)))
	}
}

// late answers after a while.
func (p *place) late(id jsonrpc.ID) {
	time.AfterFunc(50*time.Millisecond, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.out = append(p.out, parse(p.t, result(id, `{}`)))
		p.tell()
	})
}

func (p *place) tell() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *place) endLocked(err error) {
	if p.end == nil {
		p.end = err
		close(p.over)
	}
}

func (p *place) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(errors.New("closed"))
	return nil
}
