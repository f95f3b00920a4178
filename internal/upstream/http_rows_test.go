package upstream

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// soonEnough is the second of S-51 with room for a busy machine.
const soonEnough = 5 * time.Second

// breakOff ends the connection under an answer: in order, or with a reset.
func breakOff(w http.ResponseWriter, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0) // The end is what counts.
	}
	c.Close()
}

// S-51: a connection that ends within an answer fails the call soon, what came
// of the answer is not handed on, and the conversation goes on.
func TestConnectionThatEndsWithinAnAnswer(t *testing.T) {
	parts := map[string]func(w http.ResponseWriter){
		"before the head": func(http.ResponseWriter) {},
		"in a body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":2,"result":{`)
			w.(http.Flusher).Flush()
		},
		"in an event": func(w http.ResponseWriter) {
			streamHead(w)
			_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n") // The blank line is missing.
			w.(http.Flusher).Flush()
		},
	}
	for name, part := range parts {
		for how, reset := range map[string]bool{"FIN": false, "RST": true} {
			t.Run(how+" "+name, func(t *testing.T) {
				f := newFake(t)
				f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
					part(w)
					breakOff(w, reset)
				})
				p := dialTo(t, f.URL)
				p.greet()
				began := time.Now()
				p.request(2, "tools/call", "")
				wantCode(t, p.failure(2), fault.ConnectionLost)
				if took := time.Since(began); took > soonEnough {
					t.Errorf("the call failed after %v", took)
				}
				p.ok(3, "echo", "")
				if n := f.count("POST", "tools/call"); n != 1 {
					t.Errorf("the call was sent %d times", n)
				}
			})
		}
	}
}

// F-134: one POST a message and one GET to listen.
func TestOnePostAMessageAndOneGet(t *testing.T) {
	f := newFake(t)
	opened := make(chan http.Header, 10)
	f.listening(opened, nil)
	p := dialTo(t, f.URL)
	p.greet()
	<-opened
	for i := range 20 {
		p.ok(2+i, "echo", "")
	}
	p.Close()
	f.await(t, "DELETE", "")
	for method, want := range map[string]int{"initialize": 1, "notifications/initialized": 1, "echo": 20} {
		if n := f.count("POST", method); n != want {
			t.Errorf("%d POSTs of %s, want %d", n, method, want)
		}
	}
	if n := f.count("GET", ""); n != 1 {
		t.Errorf("%d GETs, want 1", n)
	}
}

// S-53: an answer in slices of one byte is read as any other.
func TestAnswerInSlicesOfOneByte(t *testing.T) {
	f := newFake(t)
	f.onCall(func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) {
		w.Header().Set("Content-Type", "application/json")
		for _, b := range []byte(result(m)) {
			_, _ = w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
	})
	p := dialTo(t, f.URL)
	p.greet()
	p.ok(2, "tools/call", "")
}

// names is a resolver whose answer can change. Without an address it answers
// "no such name", and while silent it keeps the questions: Go lets look-ups of
// one name join one that is under way, which would else wait its 10 s out.
type names struct {
	mu     sync.Mutex
	addr   netip.Addr
	silent bool
	kept   []func()
}

// say changes the answer, and gives it to whoever still waits for one.
func (n *names) say(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr, n.silent = addr, false
	for _, reply := range n.kept {
		reply()
	}
	n.kept = nil
}

// hush answers nothing until the next say.
func (n *names) hush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = true
}

func (n *names) resolver(t *testing.T) *net.Resolver {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() { // Ends with the socket.
		b := make([]byte, 1500)
		for {
			size, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			query := bytes.Clone(b[:size])
			reply := func() { _, _ = pc.WriteTo(n.answer(query), from) }
			n.mu.Lock()
			if n.silent {
				n.kept = append(n.kept, reply)
			} else {
				reply()
			}
			n.mu.Unlock()
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// answer is the reply to one question (RFC 1035, 4.1): the header, the question
// again, and an A record that points to it.
func (n *names) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // The root, type and class.
	out := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180)
	for at := 6; at < 12; at += 2 {
		binary.BigEndian.PutUint16(out[at:], 0)
	}
	switch {
	case !n.addr.IsValid():
		out[3] |= 3 // NXDOMAIN
	case binary.BigEndian.Uint16(query[end-4:]) == 1:
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4) // An hour to live, which must not matter.
		out = append(out, n.addr.AsSlice()...)
	}
	return out
}

// S-54: an address that changes is found with the next connection, a name that
// is gone and a resolver that is silent are told apart from a server that is
// down, and the conversation lives through all of it.
func TestNameThatMovesToAnotherAddress(t *testing.T) {
	one, two := newFake(t), newFake(t)
	port := one.Listener.Addr().(*net.TCPAddr).AddrPort().Port()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port).String())
	if err != nil {
		t.Skipf("this machine has one loopback address: %v", err)
	}
	other := &httptest.Server{Listener: ln, Config: &http.Server{Handler: two}}
	other.Start()
	t.Cleanup(func() { other.CloseClientConnections(); other.Close() })

	l, err := newLink(catalog.Server{Name: "demo", URL: "http://" + netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String() + "/"}, options())
	if err != nil {
		t.Fatal(err)
	}
	l.url.Host = "moving.test:" + l.url.Port()
	l.pool.Proxy, l.pool.DisableKeepAlives = nil, true // A request is a dial.
	n := &names{}
	l.sockets.dialer.Resolver, l.sockets.dialer.Timeout = n.resolver(t), 2*time.Second
	p := &peer{t, newStreamable(t.Context(), l)}
	t.Cleanup(func() { p.Close() })

	n.say(netip.MustParseAddr("127.0.0.1"))
	p.greet()
	p.ok(2, "echo", "")
	n.say(netip.Addr{})
	p.request(3, "tools/call", "")
	wantCode(t, p.failure(3), fault.NetworkUnavailable)
	n.hush()
	p.request(4, "tools/call", "")
	wantCode(t, p.failure(4), fault.NetworkUnavailable)
	two.noID = true // It knows the session as well.
	n.say(netip.MustParseAddr("127.0.0.2"))
	p.ok(5, "echo", "")
	if two.count("POST", "echo") != 1 {
		t.Error("the new address was not asked")
	}
}

// S-61: a clock that is a year wrong makes every good certificate look bad, so
// the error speaks of the clock and the next step begins with it.
func TestWrongClockIsSpokenOf(t *testing.T) {
	now := time.Now()
	for name, here := range map[string]time.Time{"a year behind": now.AddDate(-1, 0, 0), "a year ahead": now.AddDate(1, 0, 0)} {
		t.Run(name, func(t *testing.T) {
			cert := &x509.Certificate{NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)}
			err := x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired}
			reason, next := tlsReason(err, here)
			contains(t, reason, "the clock here says "+here.Format(time.DateOnly))
			contains(t, next, "check this computer's date and time")
		})
	}
}
