package era

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// P7: what an earlier process found out is acted on with care.
func TestRecalledEra(t *testing.T) {
	t.Run("a stateless program is asked before it gets initialize", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Memory.Recall(Modern)
		c, s := p.open()
		send(t, c, hello)
		m := wantMethod(t, s, "server/discover")
		if text(m.Meta(), metaClientInfo, "name") != "host" {
			t.Errorf("the server got %s", m.Bytes())
		}
		reply(t, s, m, discovery28)
		if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		if found, ok := p.o.Memory.Found(); found != Modern || !ok {
			t.Errorf("found %q, %v", found, ok)
		}
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		wantMethod(t, s, "tools/list") // and no second discover
	})
	t.Run("one that has changed gets it after all", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Memory.Recall(Modern)
		c, s := p.open()
		send(t, c, hello)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(wantMethod(t, s, "server/discover").ID())+`,"error":{"code":-32601,"message":"no"}}`)
		want(t, recv(t, s), hello)
		reply(t, s, parse(t, hello), welcome25)
		if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		if found, ok := p.o.Memory.Found(); found != Legacy || !ok {
			t.Errorf("found %q, %v", found, ok)
		}
	})
	t.Run("a program of the initialize era is not probed", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Memory.Recall(Legacy)
		c, s := p.open()
		send(t, c, discover28)
		wantMethod(t, s, "initialize")
	})
	t.Run("one that takes no initialize any more is served as it is", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Memory.Recall(Legacy)
		c, s := p.open()
		send(t, c, discover28)
		m := wantMethod(t, s, "initialize")
		send(t, s, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}`)
		want(t, recv(t, s), discover28)
		if found, ok := p.o.Memory.Found(); found == Legacy || !ok {
			t.Errorf("found %q, %v", found, ok)
		}
	})
	t.Run("one that refuses it in words is asked again", func(t *testing.T) {
		p := newPlace(t, false)
		p.o.Memory.Recall(Legacy)
		c, s := p.open()
		send(t, c, discover28)
		m := wantMethod(t, s, "initialize")
		s.way.errs <- &jsonrpc.CallError{ID: m.ID(), Err: fault.New(fault.EndpointNotMCP, "srv")}
		if e := c.failure(); e.ID != `"d"` {
			t.Errorf("got %v", e)
		}
		send(t, c, strings.Replace(discover28, `"d"`, `"e"`, 1))
		wantMethod(t, <-p.servers, "server/discover")
	})
	for name, answer := range map[string]func(*testing.T, *server, jsonrpc.Message){
		"refuses": func(t *testing.T, s *server, m jsonrpc.Message) {
			send(t, s, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"error":{"code":-32601,"message":"no"}}`)
		},
		"refuses in words": func(_ *testing.T, s *server, m jsonrpc.Message) {
			s.way.errs <- &jsonrpc.CallError{ID: m.ID(), Err: fault.New(fault.UpstreamError, "srv")}
		},
	} {
		t.Run("a web server that was stateless a conversation ago "+name, func(t *testing.T) {
			p := newPlace(t, false)
			p.o.Memory.noteStateless(yes)
			c, s := p.open()
			send(t, c, hello)
			m := wantMethod(t, s, "server/discover")
			send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
			answer(t, s, m)
			want(t, recv(t, s), hello)
			wantMethod(t, s, "tools/list")
			reply(t, s, parse(t, hello), welcome25)
			if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
				t.Errorf("the client got %s", m.Bytes())
			}
			if found, ok := p.o.Memory.Found(); found != "" || !ok {
				t.Errorf("found %q, %v", found, ok)
			}
		})
	}
	t.Run("what this process knows is better", func(t *testing.T) {
		m := &Memory{}
		m.noteStateless(yes)
		m.Recall(Legacy)
		if stateless, _, _ := m.know(); stateless != yes {
			t.Errorf("stateless: %q", stateless)
		}
	})
}

// P7: the user's word wins, also over what was found out.
func TestProtocolIsWhatTheUserSays(t *testing.T) {
	t.Run("legacy", func(t *testing.T) {
		p := newPlace(t, false)
		p.o.Protocol = Legacy
		p.o.Memory.Recall(Modern)
		c, s := p.open()
		send(t, c, hello)
		want(t, recv(t, s), hello)
		send(t, s, refused) // and it stays at that
		want(t, recv(t, c), refused)
		send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		wantMethod(t, s, "tools/list") // and not discover
		if found, ok := p.o.Memory.Found(); ok {
			t.Errorf("%q is kept of a server that was not asked", found)
		}
	})
	t.Run("legacy, for a stateless client", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Protocol = Legacy
		c, s := p.open()
		send(t, c, discover28)
		m := wantMethod(t, s, "initialize")
		send(t, s, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"error":{"code":-32022,"message":"no"}}`)
		if e := c.failure(); e.ID != `"d"` {
			t.Errorf("got %v", e)
		}
	})
	for _, modern := range []string{Modern, "2026-07-28"} {
		t.Run(modern, func(t *testing.T) {
			p := newPlace(t, true)
			p.o.Protocol = modern
			c, s := p.open()
			send(t, c, hello)
			reply(t, s, wantMethod(t, s, "server/discover"), discovery28)
			if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
				t.Errorf("the client got %s", m.Bytes())
			}
			send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{`+client28+`}}}`)
			wantMethod(t, s, "tools/list")
		})
	}
	t.Run("a version, section 11 (Stripe)", func(t *testing.T) {
		p := newPlace(t, false)
		p.o.Protocol = "2025-03-26"
		c, s := p.open()
		send(t, c, hello)
		want(t, recv(t, s), strings.Replace(hello, "2025-06-18", "2025-03-26", 1))
		c.Close()
		c, s = p.open()
		send(t, c, discover28)
		if m := wantMethod(t, s, "initialize"); text(m.Params(), "protocolVersion") != "2025-03-26" {
			t.Errorf("the server got %s", m.Bytes())
		}
	})
}

// A program that was of the initialize era long ago and does not answer that
// any more is asked anew by the next request. P7
func TestRecalledEraThatIsWrongIsForgotten(t *testing.T) {
	for _, how := range []string{"silent", "exits"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, true)
				p.o.Memory.Recall(Legacy)
				client, far := p.open()
				w := &world{client, p}
				w.call("1", "a", "{}")
				wantMethod(t, far, "initialize")
				if how == "exits" {
					far.way.errs <- errors.New("exited")
				}
				select {
				case failed := <-w.bad:
					if failed.ID != "1" {
						t.Errorf("the client got %v", failed)
					}
				case <-time.After(2 * greetLimit):
					t.Error("the client's request does not fail")
				}
				if found, ok := p.o.Memory.Found(); found != "" || !ok {
					t.Errorf("the next process is told %q, %v", found, ok)
				}
				w.call("2", "a", "{}")
				next := w.next()
				ask := wantMethod(t, next, "server/discover")
				send(t, next, `{"jsonrpc":"2.0","id":`+string(ask.ID())+`,"result":`+discovery28+`}`)
				if m := recv(t, next); m.Method() != "tools/call" {
					t.Errorf("the server got %s", m.Bytes())
				}
				w.Close()
				far.Close()
				next.Close()
			})
		})
	}
}
