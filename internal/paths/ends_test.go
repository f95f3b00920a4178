package paths

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/mcp"
)

// T8: a client's cancellation reaches the server in the words of the server's era
// and under the server's id, nothing comes of the call any more, and the next call
// is answered. What a server takes back of its own reaches the client.
func TestCancellationReachesTheOtherEnd(t *testing.T) {
	each(t, func(t *testing.T, p path) {
		l := open(t, p)
		came := l.play()
		l.send(l.call(big, ""))
		in := l.arrives(came)
		if l.sharesIDs() {
			l.client.(*webClient).leave(big)
		} else {
			l.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + big + `,"reason":"\u0041"}}`)
		}
		if p.era == modern && p.far != program {
			select {
			case <-in.gone:
			case <-time.After(tooLong):
				t.Fatal("the server's POST goes on")
			}
		} else {
			note := l.arrives(came)
			if note.Method != "notifications/cancelled" || !strings.Contains(note.body, `"requestId":`+string(in.ID)) {
				t.Fatalf("the server got %s, want the cancellation of %s", note.body, in.ID)
			}
		}
		in.done()
		if p.asksBack() {
			l.takeBack(came)
		}
		l.send(l.call("8", ""))
		in = l.arrives(came)
		in.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, in.ID))
		if got := l.nextBut(big); !strings.Contains(got.body, `"id":8,"result":`) {
			t.Errorf("the client got %s, want the answer to 8", got.body)
		}
	})
}

// takeBack has the server ask and take that back.
func (l *line) takeBack(came <-chan incoming) {
	l.t.Helper()
	l.send(l.call("7", ""))
	in := l.arrives(came)
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"n":1.0}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q","x":1.0}}`,
	} {
		in.say(m)
		if got := l.nextBut(big); got.body != m {
			l.t.Errorf("the client got %s, want %s", got.body, m)
		}
	}
	in.answer(`{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`)
	if got := l.nextBut(big); !strings.Contains(got.body, `"id":7,"result":`) {
		l.t.Errorf("the client got %s, want the answer to 7", got.body)
	}
}

// nextBut is what the client hears next, but for an error in answer to a call that
// it has cancelled: a POST may end with that.
func (l *line) nextBut(id string) heard {
	l.t.Helper()
	h := l.next()
	if strings.Contains(h.body, `"id":`+id+`,"error":`) {
		return l.next()
	}
	return h
}

// call is a tool call with this argument.
func (p path) call(id, text string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"tell","arguments":{"text":"` + text + `"},"_meta":{` + p.meta("") + `}}}`
}

func (l *line) arrives(came <-chan incoming) incoming {
	l.t.Helper()
	in, err := arrives(came)
	if err != nil {
		l.t.Fatal(err)
	}
	return in
}

// T8: large messages pass both ways, and another call passes beside them.
// DRAWBRIDGE_LARGE is their size in MiB. One version of each era stands for the
// others, which take the same way.
func TestLargeMessagesPassOnEveryPath(t *testing.T) {
	text := strings.Repeat(`x\u00e9`, number(t, "DRAWBRIDGE_LARGE", 1)<<20/7)
	each(t, func(t *testing.T, p path) {
		if p.face != sseFace && p.version != mcp.V2025_11_25 && p.version != mcp.V2026_07_28 {
			return
		}
		l := open(t, p)
		came := l.play()
		l.send(l.call("1", text))
		in := l.arrives(came)
		if !strings.Contains(in.body, `"arguments":{"text":"`+text+`"}`) {
			t.Errorf("%d bytes came to the server and not those sent", len(in.body))
		}
		l.send(l.call("2", ""))
		small := l.arrives(came)
		in.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[],"text":"%s"}}`, in.ID, text))
		small.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, small.ID))
		bodies, err := l.hears(2, 0)
		if err != nil {
			t.Fatal(err)
		}
		large := bodies[0]
		if len(bodies[1]) > len(large) {
			large = bodies[1]
		}
		if !strings.Contains(large, `"id":1,"result":{"content":[],"text":"`+text+`"`) {
			t.Errorf("%d bytes came to the client and not those sent", len(large))
		}
	})
}

// T8: a client whose stream breaks in the midst of a call takes it up again with
// Last-Event-ID and misses nothing, however the server is reached. Only streamable
// HTTP of the initialize era knows this.
func TestBrokenStreamIsTakenUpAgainOnEveryPath(t *testing.T) {
	each(t, func(t *testing.T, p path) {
		if p.face != httpFace || p.fromModern() || p.silent() {
			return
		}
		l := open(t, p)
		came := l.play()
		ctx, cut := context.WithCancel(t.Context())
		defer cut()
		c := l.client.(*webClient)
		posted := make(chan *http.Response, 1)
		go func() {
			posted <- c.raw(ctx, t, http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tell","_meta":{"progressToken":5}}}`, "")
		}()
		in := l.arrives(came)
		in.say(progress(1))
		id := lastID(t, await(t, posted), progress(1))
		cut()
		wanted := []string{progress(2), progress(3), `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`}
		if p.aside() {
			wanted = wanted[2:] // the words come by another connection, so maybe later
		}
		for _, m := range wanted {
			in.say(m)
		}
		in.done()
		resp := c.raw(t.Context(), t, http.MethodGet, "", id)
		defer resp.Body.Close()
		var got []string
		if err := readEvents(resp.Body, func(_, data string) { got = append(got, data) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("after the break came %q, want %q", got, wanted)
		}
	})
}

func progress(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":%d}}`, n)
}

func await(t *testing.T, from <-chan *http.Response) *http.Response {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(tooLong):
		t.Fatal("the POST has no head")
		panic("unreachable")
	}
}

// raw makes a request of the session by hand.
func (c *webClient) raw(ctx context.Context, t *testing.T, method, body, last string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		panic("paths: " + err.Error()) // a URL that worked before
	}
	r.Header.Set("Content-Type", "application/json")
	c.dress(r, head{})
	if last != "" {
		r.Header.Set("Last-Event-Id", last)
	}
	resp, err := c.http.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %v %v", method, resp, err)
		return &http.Response{Body: http.NoBody}
	}
	return resp
}

// lastID reads up to an event and gives its id.
func lastID(t *testing.T, resp *http.Response, until string) (id string) {
	t.Helper()
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF || err != nil {
			t.Fatalf("the stream ended before %s: %v", until, err)
		}
		if v, ok := strings.CutPrefix(line, "id:"); ok {
			id = strings.TrimSpace(v)
		}
		if strings.HasPrefix(line, "data:") && strings.Contains(line, until) {
			return id
		}
	}
}
