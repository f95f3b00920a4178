package upstream

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// W-04: a call that is on its way while the stream ends is not given up before
// its POST tells whether the server took it. One that a restarted server does
// not know may be sent again, and the conversation goes on.
func TestPostUnderWayAtTheEndOfTheStream(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		lost   bool
	}{"taken": {202, false}, "not known": {404, true}} {
		t.Run(name, func(t *testing.T) {
			o := newOldServer()
			let := make(chan struct{})
			var done atomic.Bool
			o.onPost = func(w http.ResponseWriter, m jsonrpc.Message) bool {
				if m.Method() != "tools/call" || done.Swap(true) {
					return false
				}
				o.cutAll()
				<-let
				w.WriteHeader(row.status)
				return true
			}
			p := dialOld(t, serveOld(t, o))
			p.greet()
			p.request(2, "tools/call", "")
			c := p.Conn.(*legacy)
			eventually(t, "the end of the stream is seen", func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.now != nil && c.now.idle != nil
			})
			close(let)
			err := p.failure(2)
			if !row.lost {
				wantCode(t, err, fault.ConnectionLost)
				return
			}
			if !errors.Is(err, ErrSessionLost) {
				t.Fatalf("got %v, want a lost session", err)
			}
			p.greet()
			p.ok(3, "tools/call", "")
		})
	}
}

// S-57, W-03: over HTTP+SSE, too, what is harmless is sent once more when its
// connection broke, as an idle one does with a server that restarts; a call
// never is.
func TestCutConnectionRepeatsNoCallOverSSE(t *testing.T) {
	for method, posts := range map[string]int{"tools/call": 1, "tools/list": 2, "initialize": 2} {
		t.Run(method, func(t *testing.T) {
			o := newOldServer()
			var times atomic.Int32
			o.onPost = func(w http.ResponseWriter, m jsonrpc.Message) bool {
				if m.Method() != method || times.Add(1) > 1 {
					return false
				}
				hangUp(w)
				return true
			}
			p := dialOld(t, serveOld(t, o))
			if method == "initialize" {
				p.ok(1, method, helloParams)
			} else {
				p.greet()
				_, err := p.call(2, method, "")
				if posts > 1 && err != nil {
					t.Errorf("it was not repeated: %v", err)
				} else if posts == 1 {
					wantCode(t, err, fault.ConnectionLost)
				}
			}
			if got := int(times.Load()); got != posts {
				t.Errorf("sent %d times, want %d", got, posts)
			}
			p.ok(3, "tools/call", "")
		})
	}
}

// W-03: when the session turns out to be forgotten, none of the calls on their way
// is given up before its own POST tells whether the server took it.
func TestCallsUnderWayWhenTheOldSessionIsForgotten(t *testing.T) {
	o := newOldServer()
	var calls atomic.Int64
	let := make(chan struct{})
	o.onPost = func(w http.ResponseWriter, m jsonrpc.Message) bool {
		if m.Method() != "tools/call" {
			return false
		}
		if calls.Add(1) > 1 {
			<-let
		}
		http.Error(w, "no such session", http.StatusNotFound)
		return true
	}
	p := dialOld(t, serveOld(t, o))
	p.greet()
	const n = 8
	for id := range n {
		p.request(2+id, "tools/call", "")
	}
	for id := range n {
		_, err := p.next()
		if !errors.Is(err, ErrSessionLost) {
			t.Errorf("got %v, want a lost session", err)
		}
		if id == 0 {
			close(let)
		}
	}
}
