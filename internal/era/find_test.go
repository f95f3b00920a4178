package era

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// place is where conversations with one server are opened.
type place struct {
	t       *testing.T
	o       Options
	servers chan *server
}

// server is the far end of one connection.
type server struct {
	jsonrpc.Conn
	way *way
}

func newPlace(t *testing.T, child bool) *place {
	p := &place{t: t, servers: make(chan *server, 8)}
	p.o = Options{Server: "srv", Log: slog.New(slog.DiscardHandler), Child: child, Memory: &Memory{}, Dial: func(context.Context) (jsonrpc.Conn, error) {
		near, far := jsonrpc.Pipe()
		w := newWay(near)
		p.servers <- &server{far, w}
		return w, nil
	}}
	return p
}

// open opens a conversation, with what reached the server first.
func (p *place) open() (*talker, *server) {
	p.t.Helper()
	c, err := Open(p.t.Context(), p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	client := listenTo(p.t, c.(*conn))
	p.t.Cleanup(func() { client.Close() })
	return client, <-p.servers
}

const (
	discover28  = `{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{"_meta":{` + client28 + `}}}`
	welcome25   = `{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"old"}}`
	discovery28 = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}`
)

// wantMethod takes the server's next message.
func wantMethod(t *testing.T, s jsonrpc.Conn, method string) jsonrpc.Message {
	t.Helper()
	m := recv(t, s)
	if m.Method() != method {
		t.Fatalf("the server got %s, want %s", m.Bytes(), method)
	}
	return m
}

// 3.6.3, section 11: any odd answer to the probe is one of the initialize era,
// and initialize goes to the same process.
func TestOddAnswersToTheProbe(t *testing.T) {
	for _, failed := range []string{
		`"id":"d","error":{"code":-32601,"message":"Method not found"}`,
		`"id":"d","error":{"code":-32602,"message":"Invalid request parameters"}`,
		`"id":"d","error":{"code":-32000,"message":"Bad Request: Server not initialized"}`,
		`"id":"d","error":{"code":-32002,"message":"Server not initialized"}`,
		`"id":"d","error":{"code":0,"message":"odd"}`,
		`"id":"d","error":{"code":-32022,"message":"v","data":{"supported":["2025-11-25"]}}`,
		`"id":"d","result":{}`,
		`"id":"d","result":{"supportedVersions":["2025-11-25"]}`,
		`"id":null,"error":{"code":-32600,"message":"Invalid Request"}`,
	} {
		t.Run(failed, func(t *testing.T) {
			p := newPlace(t, true)
			c, s := p.open()
			send(t, c, discover28)
			wantMethod(t, s, "server/discover")
			begin := time.Now()
			send(t, s, `{"jsonrpc":"2.0",`+failed+`}`)
			reply(t, s, wantMethod(t, s, "initialize"), welcome25)
			if d := time.Since(begin); d >= childProbe {
				t.Errorf("the answer was not read: initialize came after %v", d)
			}
			if m := recv(t, c); m.ID() != `"d"` || m.Result() == nil {
				t.Errorf("the client got %s", m.Bytes())
			}
			if found, ok := p.o.Memory.Found(); found != Legacy || !ok {
				t.Errorf("found %q, %v", found, ok)
			}
		})
	}
}

// 2.6: a recognised modern error is no reason to fall back.
func TestModernErrorsToTheProbe(t *testing.T) {
	for _, failed := range []string{
		`{"code":-32020,"message":"headers"}`,
		`{"code":-32021,"message":"needs","data":{"requiredCapabilities":{"sampling":{}}}}`,
		`{"code":-32022,"message":"v","data":{"supported":["2026-07-28"],"requested":"x"}}`,
	} {
		p := newPlace(t, true)
		c, s := p.open()
		send(t, c, discover28)
		wantMethod(t, s, "server/discover")
		send(t, s, `{"jsonrpc":"2.0","id":"d","error":`+failed+`}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":"d","error":`+failed+`}`)
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{`+client28+`}}}`)
		wantMethod(t, s, "tools/list")
	}
}

// 3.6.2 and 5, section 11 (fastmcp): silence, then initialize on the same
// process; what comes late is ignored, and not taken for settled.
func TestSilenceOnTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, true)
		c, s := p.open()
		send(t, c, discover28)
		wantMethod(t, s, "server/discover")
		begin := time.Now()
		reply(t, s, wantMethod(t, s, "initialize"), welcome25)
		if d := time.Since(begin); d != childProbe {
			t.Errorf("initialize came after %v, want %v", d, childProbe)
		}
		wantMethod(t, s, "notifications/initialized")
		if m := recv(t, c); m.ID() != `"d"` || text(m.Result(), "_meta", metaServerInfo, "name") != "old" {
			t.Errorf("the client got %s", m.Bytes())
		}
		if found, ok := p.o.Memory.Found(); found != Legacy || !ok {
			t.Errorf("found %q, %v", found, ok)
		}
		send(t, s, `{"jsonrpc":"2.0","id":"d","result":`+discovery28+`}`)
		synctest.Wait()
		if len(c.got) > 0 || len(c.bad) > 0 {
			t.Error("a late answer reaches the client")
		}
		if found, ok := p.o.Memory.Found(); found != "" || !ok {
			t.Errorf("after a late answer %q is kept, %v", found, ok)
		}
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{`+client28+`}}}`)
		if m := wantMethod(t, s, "tools/list"); m.Params() != nil && m.Meta() != nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
		c, s = p.open()
		send(t, c, discover28)
		wantMethod(t, s, "initialize") // the next conversation knows
		c.Close()
	})
}

// A server may keep silent and be of the younger era all the same.
func TestSlowModernProgramIsNotTakenForLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Memory.Recall(Modern)
		c, s := p.open()
		send(t, c, hello)
		wantMethod(t, s, "server/discover")
		wantMethod(t, s, "initialize")
		send(t, s, refused)
		reply(t, s, wantMethod(t, s, "server/discover"), discovery28)
		if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		c.Close()
	})
}

// 3.6.4, section 11 (copilot-cli#4809): a program that ends on the probe is
// started again, and never probed again.
func TestProgramThatEndsOnTheProbe(t *testing.T) {
	p := newPlace(t, true)
	c, s := p.open()
	send(t, c, discover28)
	wantMethod(t, s, "server/discover")
	s.way.errs <- fault.New(fault.CommandExited, "srv")
	s = <-p.servers
	reply(t, s, wantMethod(t, s, "initialize"), welcome25)
	if m := recv(t, c); m.ID() != `"d"` || m.Result() == nil {
		t.Errorf("the client got %s", m.Bytes())
	}
	if found, ok := p.o.Memory.Found(); found != Legacy || !ok {
		t.Errorf("found %q, %v", found, ok)
	}
	c.Close()
	c, s = p.open()
	send(t, c, discover28)
	wantMethod(t, s, "initialize")
}

// 3.6.6: a client of the initialize era needs no probe of a program.
func TestProgramIsNotProbedForAClientOfTheInitializeEra(t *testing.T) {
	p := newPlace(t, true)
	c, s := p.open()
	send(t, c, hello)
	want(t, recv(t, s), hello)
	reply(t, s, parse(t, hello), welcome25)
	if m := recv(t, c); m.ID() != "1" {
		t.Errorf("the client got %s", m.Bytes())
	}
	if found, ok := p.o.Memory.Found(); ok {
		t.Errorf("%q is kept of a server that was not asked", found)
	}
}

// 3.7: a 401 on the probe is not an answer about the era: the client hears of it,
// and the next initialize begins with the probe.
func TestSignInIsNoAnswerToTheProbe(t *testing.T) {
	for _, code := range []fault.Code{fault.LoginRequired, fault.EndpointUnreachable, fault.NetworkUnavailable} {
		p := newPlace(t, false)
		c, s := p.open()
		send(t, c, hello)
		m := wantMethod(t, s, "server/discover")
		s.way.errs <- &jsonrpc.CallError{ID: m.ID(), Err: fault.New(code, "srv")}
		if e := c.failure(); e.ID != "1" || !fault.IsCode(e.Err, code) {
			t.Errorf("%s: the client got %v", code, e)
		}
		if found, ok := p.o.Memory.Found(); ok {
			t.Errorf("%s: %q is kept", code, found)
		}
		send(t, c, hello)
		s = <-p.servers
		wantMethod(t, s, "server/discover")
	}
}

// 3.7, section 11 (executor#1458): over HTTP what is no modern error is a server
// of the initialize era.
func TestRefusalOfTheProbeOverHTTP(t *testing.T) {
	for _, err := range []error{
		fault.New(fault.UpstreamError, "srv").With("the server answered HTTP 400 Bad Request"),
		fault.New(fault.EndpointNotMCP, "srv"),
		fault.New(fault.ProtocolError, "srv"),
	} {
		p := newPlace(t, false)
		c, s := p.open()
		send(t, c, hello)
		m := wantMethod(t, s, "server/discover")
		s.way.errs <- &jsonrpc.CallError{ID: m.ID(), Err: err}
		want(t, recv(t, s), hello)
		reply(t, s, parse(t, hello), welcome25)
		if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
			t.Errorf("the client got %s", m.Bytes())
		}
		c.Close()
		c, s = p.open()
		send(t, c, hello)
		want(t, recv(t, s), hello)
	}
}

// 3.7, typescript-sdk#2315: a web server of both eras is spoken to in the
// younger, and asked once.
func TestWebServerOfBothErasIsAskedOnce(t *testing.T) {
	p := newPlace(t, false)
	c, s := p.open()
	send(t, c, hello)
	reply(t, s, wantMethod(t, s, "server/discover"), discovery28)
	if m := recv(t, c); m.ID() != "1" || m.Result() == nil {
		t.Errorf("the client got %s", m.Bytes())
	}
	send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if m := wantMethod(t, s, "tools/list"); text(m.Meta(), "io.modelcontextprotocol/protocolVersion") != "2026-07-28" {
		t.Errorf("the server got %s", m.Bytes())
	}
	if found, ok := p.o.Memory.Found(); found != "" || !ok {
		t.Errorf("found %q, %v", found, ok)
	}
}

// Section 11 (copilot-cli#4525): initialize comes 0.58 s after discover, without
// waiting. Both are answered, and no process hears both eras.
func TestInitializeSoonAfterDiscover(t *testing.T) {
	const soon = 580 * time.Millisecond
	for name, server := range map[string]func(t *testing.T, m jsonrpc.Message) string{
		"silent on discover": func(t *testing.T, m jsonrpc.Message) string {
			if m.Method() == "server/discover" {
				return ""
			}
			return `"result":` + welcome25
		},
		"refuses discover": func(t *testing.T, m jsonrpc.Message) string {
			if m.Method() == "initialize" {
				return `"result":` + welcome25
			}
			return `"error":{"code":-32601,"message":"no"}`
		},
		"stateless only": func(t *testing.T, m jsonrpc.Message) string {
			if m.Method() == "initialize" {
				return `"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}`
			}
			return `"result":` + discovery28
		},
		"both eras, one a process": func(t *testing.T, m jsonrpc.Message) string {
			if m.Method() == "initialize" {
				return `"result":` + welcome25
			}
			return `"result":` + discovery28
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, true)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for {
						select {
						case s := <-p.servers:
							go serveOne(t, s, server)
						case <-ctx.Done():
							return
						}
					}
				}()
				opened, err := Open(ctx, p.o)
				if err != nil {
					t.Fatal(err)
				}
				c := listenTo(t, opened.(*conn))
				send(t, c, discover28)
				<-time.After(soon)
				send(t, c, hello)
				begin := time.Now()
				got := map[jsonrpc.ID]bool{}
				for range 2 {
					m := recv(t, c)
					got[m.ID()] = m.Result() != nil
				}
				if !got[`"d"`] || !got["1"] {
					t.Errorf("answered: %v", got)
				}
				if d := time.Since(begin); d > childProbe {
					t.Errorf("answered after %v", d)
				}
				send(t, c, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
				if m := recv(t, c); m.ID() != "2" {
					t.Errorf("the client got %s", m.Bytes())
				}
				c.Close()
				cancel()
			})
		})
	}
}

// serveOne is one process, which hears one era only.
func serveOne(t *testing.T, s *server, answer func(*testing.T, jsonrpc.Message) string) {
	greeted, stateless := false, false
	for {
		m, err := s.Recv(context.Background())
		if err != nil {
			return
		}
		if m.Kind() != jsonrpc.Request {
			continue
		}
		says := answer(t, m)
		if strings.HasPrefix(says, `"result"`) {
			greeted = greeted || m.Method() == "initialize"
			stateless = stateless || m.Method() == "server/discover"
		}
		if greeted && stateless {
			t.Errorf("one process heard both eras, the last being %s", m.Bytes())
		}
		if says != "" && s.Send(context.Background(), parse(t, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,`+says+`}`)) != nil {
			return
		}
	}
}

func TestOpenTellsThatTheServerIsNotReached(t *testing.T) {
	gone := errors.New("not there")
	_, err := Open(t.Context(), Options{Dial: func(context.Context) (jsonrpc.Conn, error) { return nil, gone }})
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}
