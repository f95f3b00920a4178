package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// F-124, P-10: what every message carries.
func TestHeadersOfALegacyConversation(t *testing.T) {
	f := newFake(t)
	p := dial(t, catalog.Server{Transport: catalog.HTTP, URL: f.URL + "/mcp",
		Headers: map[string]string{"X-Test": " value ", "accept": "text/plain"}}, options())
	p.greet()
	p.ok(2, "tools/list", "")
	hello, ready, list := f.await(t, "POST", "initialize"), f.await(t, "POST", "notifications/initialized"), f.await(t, "POST", "tools/list")
	for _, s := range []seen{hello, ready, list} {
		for k, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"User-Agent": "drawbridge/1.2.3", "X-Test": "value", "Accept-Encoding": "", "Cookie": ""} {
			if got := s.head.Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", s.method, k, got, want)
			}
		}
	}
	if hello.head.Get("Mcp-Session-Id") != "" || hello.head.Get("Mcp-Protocol-Version") != "" {
		t.Errorf("initialize carries a session: %v", hello.head)
	}
	for _, s := range []seen{ready, list} {
		if s.head.Get("Mcp-Session-Id") != "session-1" || s.head.Get("Mcp-Protocol-Version") != "2025-11-25" {
			t.Errorf("%s: session %q, version %q", s.method, s.head.Get("Mcp-Session-Id"), s.head.Get("Mcp-Protocol-Version"))
		}
	}
}

// S-02.
func TestMessagesArriveByteByByteAsSent(t *testing.T) {
	f := newFake(t)
	p := dialTo(t, f.URL)
	p.greet()
	raw := `{ "jsonrpc":"2.0","id":9007199254740993,"method":"echo", "params":{"n":1.0,"x":123456789012345678901234567890}, "vendor":[1] }`
	m, err := jsonrpc.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	p.send(m)
	if got := f.await(t, "POST", "echo").body; got != raw {
		t.Errorf("sent %s, want %s", got, raw)
	}
	if got := p.message(); string(got.ID()) != "9007199254740993" || string(got.Result()) != `{"n":1.0,"x":123456789012345678901234567890}` {
		t.Errorf("got %s", got.Bytes())
	}
}

func TestHeadersOfAModernMessage(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Meta() != nil {
			answer(w, m)
		}
		return m.Meta() != nil
	}
	p := dialTo(t, f.URL)
	p.greet() // A session that modern messages must not name.
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	for _, row := range []struct{ method, params, name string }{
		{"server/discover", ``, ""},
		{"tools/call", `"name":"echo",`, "echo"},
		{"prompts/get", `"name":" a",`, "=?base64?IGE=?="},
		{"resources/read", `"uri":"file:///ü",`, "=?base64?ZmlsZTovLy/DvA==?="},
		{"tools/call", `"name":"=?base64?YQ==?=",`, "=?base64?PT9iYXNlNjQ/WVE9PT89?="},
		{"tools/call", `"name":"a\nb",`, "=?base64?YQpi?="},
	} {
		p.ok(5, row.method, `{`+row.params+meta+`}`)
		h := f.await(t, "POST", row.method).head
		if h.Get("Mcp-Protocol-Version") != "2026-07-28" || h.Get("Mcp-Method") != row.method || h.Get("Mcp-Name") != row.name || h.Get("Mcp-Session-Id") != "" {
			t.Errorf("%s %s: headers %v", row.method, row.params, h)
		}
	}
}

func TestBadConfigurationIsRefusedAtDial(t *testing.T) {
	for name, row := range map[string]struct {
		s    catalog.Server
		code fault.Code
	}{
		"CR LF in a value": {catalog.Server{URL: "http://a/", Headers: map[string]string{"A": "b\r\nC: s3cret"}}, fault.HeaderInvalid},
		"space in a name":  {catalog.Server{URL: "http://a/", Headers: map[string]string{"A b": "c"}}, fault.HeaderInvalid},
		"empty name":       {catalog.Server{URL: "http://a/", Headers: map[string]string{"": "c"}}, fault.HeaderInvalid},
		"other scheme":     {catalog.Server{URL: "ftp://a/"}, fault.URLInvalid},
		"no host":          {catalog.Server{URL: "http:///mcp"}, fault.URLInvalid},
		"no CA file":       {catalog.Server{URL: "https://a/", TLS: &catalog.TLS{CA: "/nonexistent.pem"}}, fault.CatalogInvalid},
	} {
		for _, kind := range []catalog.Transport{catalog.HTTP, catalog.SSE, catalog.Auto} {
			row.s.Transport, row.s.Name = kind, "demo"
			c, err := Dial(t.Context(), row.s, options())
			if err == nil {
				c.Close()
			}
			if !fault.IsCode(err, row.code) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s, %s: got %v, want %s", name, kind, err, row.code)
			}
		}
	}
}

// F-133.
func TestNothingIsDialledBeforeTheFirstMessage(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var dials atomic.Int32
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			c.Close()
		}
	}()
	for _, kind := range []catalog.Transport{catalog.HTTP, catalog.SSE, catalog.Auto} {
		p := dial(t, catalog.Server{Transport: kind, URL: "http://" + ln.Addr().String()}, options())
		p.Close()
		if _, err := p.next(); err != io.EOF {
			t.Errorf("%s: Recv after Close gave %v", kind, err)
		}
		if err := p.Send(t.Context(), jsonrpc.NewRequest("1", "ping", nil)); err == nil {
			t.Errorf("%s: Send after Close worked", kind)
		}
	}
	if n := dials.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// S-56, S-57, S-58: each status has its code, and the server's text is shown.
func TestStatusesBecomeCodedErrors(t *testing.T) {
	rows := []struct {
		name   string
		status int
		kind   string
		body   string
		head   string
		code   fault.Code
		part   string
	}{
		{"401", 401, "text/plain", "who are you", "", fault.LoginRequired, "sign-in"},
		{"401 with the id", 401, "application/json", `{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"no token"}}`, "", fault.LoginRequired, "no token"},
		{"403", 403, "text/plain", "not you", "", fault.UpstreamError, "not you"},
		{"403 scope", 403, "", "", `Bearer error="insufficient_scope"`, fault.LoginRequired, "does not cover"},
		{"405", 405, "text/plain", "", "", fault.EndpointNotMCP, "405"},
		{"408", 408, "text/plain", "", "", fault.Timeout, "408"},
		{"413", 413, "text/plain", "", "", fault.MessageTooLarge, "413"},
		{"429", 429, "text/plain", "slow down", "", fault.UpstreamError, "wait 30s"},
		{"500", 500, "text/plain", "boom detail", "", fault.UpstreamError, "boom detail"},
		{"500 JSON without id", 500, "application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"inner boom"}}`, "", fault.UpstreamError, "inner boom"},
		{"502 HTML", 502, "text/html", "<html><h1>Bad\nGateway</h1></html>", "", fault.UpstreamError, "Bad Gateway"},
		{"503", 503, "text/plain", "busy", "", fault.UpstreamError, "busy"},
		{"504", 504, "text/plain", "", "", fault.Timeout, "504"},
		{"secret echoed", 500, "text/plain", "you sent s3cret-token here", "", fault.UpstreamError, "you sent … here"},
		{"202", 202, "", "", "", fault.ProtocolError, "no answer"},
		{"204", 204, "", "", "", fault.ProtocolError, "no answer"},
		{"200 empty", 200, "application/json", "", "", fault.ProtocolError, "no answer"},
		{"200 HTML", 200, "text/html; charset=utf-8", "<html>Sign in to the corporate proxy</html>", "", fault.EndpointNotMCP, "Sign in to the corporate proxy"},
		{"200 text", 200, "text/plain", "hello", "", fault.ProtocolError, "text/plain"},
		{"200 garbage", 200, "application/json", "{nope", "", fault.ProtocolError, "not valid MCP"},
		{"200 not an object", 200, "application/json", "null", "", fault.ProtocolError, "not valid MCP"},
		{"200 two ways to read", 200, "application/json", `{"jsonrpc":"2.0","id":2,"result":{},"Result":{}}`, "", fault.ProtocolError, "not valid MCP"},
		{"200 other id", 200, "application/json", `{"jsonrpc":"2.0","id":3,"result":{}}`, "", fault.ProtocolError, "id 3 in place of 2"},
		{"200 null id", 200, "application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}`, "", fault.UpstreamError, "what?"},
		{"200 only a notification", 200, "application/json", `{"jsonrpc":"2.0","method":"n"}`, "", fault.ProtocolError, "no request"},
	}
	for _, row := range rows {
		t.Run("S-58 "+row.name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if m.Method() != "tools/call" {
					return false
				}
				w.Header()["Content-Type"] = nil
				if row.kind != "" {
					w.Header().Set("Content-Type", row.kind)
				}
				if row.head != "" {
					w.Header().Set("WWW-Authenticate", row.head)
				}
				w.Header().Set("Retry-After", "1000000000")
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
				return true
			}
			p := dial(t, catalog.Server{Transport: catalog.HTTP, URL: f.URL,
				Headers: map[string]string{"Authorization": "Bearer s3cret-token"}}, options())
			p.greet()
			p.request(2, "tools/call", `{"name":"x"}`)
			err := error(nil)
			for err == nil {
				_, err = p.next()
			}
			e := wantCode(t, err, row.code)
			contains(t, e.Error(), row.part)
			if strings.Contains(e.Error(), "s3cret") {
				t.Errorf("the error shows a secret: %v", e)
			}
			if n := f.count("POST", "tools/call"); n != 1 {
				t.Errorf("the call was sent %d times", n)
			}
			p.ok(3, "echo", "") // The conversation goes on.
		})
	}
}

func TestErrorAnswerOfTheRequestPassesWhateverTheStatus(t *testing.T) {
	for _, status := range []int{400, 404, 500} {
		f := newFake(t)
		body := `{"jsonrpc":"2.0", "id":2,"error":{"code":-32601,"message":"session? no such method","data":1.0}}`
		f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
			if m.Method() != "vendor/x" {
				return false
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
		p := dialTo(t, f.URL)
		p.greet()
		m, err := p.call(2, "vendor/x", "")
		if err != nil || string(m.Bytes()) != body {
			t.Errorf("%d: got %s, %v", status, m.Bytes(), err)
		}
	}
}

// S-57: a reading request waits for a small Retry-After, a call never does.
func TestOnlyReadsAreRepeated(t *testing.T) {
	for name, row := range map[string]struct {
		method, after string
		posts         int
	}{
		"list, 0 s":         {"tools/list", "0", 2},
		"list, negative":    {"tools/list", "-5", 2},
		"list, a past date": {"tools/list", "Sat, 01 Jan 2000 00:00:00 GMT", 2},
		"list, too long":    {"tools/list", "1000000000", 1},
		"list, no header":   {"tools/list", "", 1},
		"list, nonsense":    {"tools/list", "soon", 1},
		"call":              {"tools/call", "0", 1},
	} {
		t.Run("S-57 "+name, func(t *testing.T) {
			f := newFake(t)
			var n atomic.Int32
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if m.Method() != row.method || n.Add(1) > 1 {
					return false
				}
				if row.after != "" {
					w.Header().Set("Retry-After", row.after)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			p := dialTo(t, f.URL)
			p.greet()
			m, err := p.call(2, row.method, "")
			if got := f.count("POST", row.method); got != row.posts {
				t.Errorf("sent %d times, want %d", got, row.posts)
			}
			if (err == nil) != (row.posts == 2) {
				t.Errorf("got %s, %v", m.Bytes(), err)
			}
		})
	}
}

// S-57: after bytes have left, a call is never sent again; neither by us nor
// by net/http, which repeats a POST with an Idempotency-Key.
func TestCutConnectionRepeatsNoCall(t *testing.T) {
	for name, row := range map[string]struct {
		method string
		posts  int
	}{"call": {"tools/call", 1}, "list": {"tools/list", 2}, "initialize": {"initialize", 2}} {
		t.Run("S-57 "+name, func(t *testing.T) {
			f := newFake(t)
			var cut atomic.Bool
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if m.Method() == row.method && !cut.Swap(true) {
					hangUp(w)
				}
				return false
			}
			p := dial(t, catalog.Server{Transport: catalog.HTTP, URL: f.URL, Headers: map[string]string{"Idempotency-Key": "k"}}, options())
			var err error
			if p.greet(); row.method != "initialize" {
				p.ok(2, "echo", "") // The connection is a reused one from here on.
				_, err = p.call(3, row.method, "")
			}
			if got := f.count("POST", row.method); got != row.posts {
				t.Errorf("sent %d times, want %d", got, row.posts)
			}
			if row.posts == 1 {
				wantCode(t, err, fault.ConnectionLost)
				if errors.Is(err, ErrNotSent) {
					t.Error("a call that left is said to be unsent")
				}
			} else if err != nil {
				t.Errorf("it was not repeated: %v", err)
			}
			p.ok(4, "echo", "")
		})
	}
}

// A connection that the server closed while idle costs nothing.
func TestIdleConnectionClosedByTheServer(t *testing.T) {
	f := newFake(t)
	p := dialTo(t, f.URL)
	p.greet()
	for i := range 20 {
		f.CloseClientConnections()
		if _, err := p.call(2+i, "tools/call", ""); err != nil && !fault.IsCode(err, fault.ConnectionLost) {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := map[string]int{}
	for _, s := range f.seen {
		if s.method == "tools/call" {
			if ids[s.id]++; ids[s.id] > 1 {
				t.Errorf("call %s was sent %d times", s.id, ids[s.id])
			}
		}
	}
}

// S-51: a body that ends too early is an error within a moment.
func TestCutInsideAJSONAnswer(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		if m.Method() != "tools/call" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":2,`)
		w.(http.Flusher).Flush()
		hangUp(w)
		return true
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "tools/call", "")
	wantCode(t, p.failure(2), fault.ConnectionLost)
}

// S-65: the limit holds for a told length, an untold one, and an event.
func TestTooLargeAnswers(t *testing.T) {
	big := `{"jsonrpc":"2.0","id":2,"result":{"x":"` + strings.Repeat("x", 20_000) + `"}}`
	for name, write := range map[string]func(w http.ResponseWriter){
		"length": func(w http.ResponseWriter) { reply(w, []byte(big)) },
		"chunked": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, big)
		},
		"event": func(w http.ResponseWriter) {
			streamHead(w)
			event(w, "7", big)
		},
	} {
		t.Run("S-65 "+name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if m.Method() != "tools/call" {
					return false
				}
				write(w)
				return true
			}
			for limit, fits := range map[int]bool{10_000: false, 30_000: true} {
				o := options()
				o.MaxBytes = limit
				p := dial(t, catalog.Server{Transport: catalog.HTTP, URL: f.URL}, o)
				p.greet()
				m, err := p.call(2, "tools/call", "")
				if fits && (err != nil || string(m.Bytes()) != big) {
					t.Errorf("limit %d: %v", limit, err)
				}
				if !fits {
					wantCode(t, err, fault.MessageTooLarge)
				}
			}
		})
	}
}

// W-09.
func TestBatchesAreSplitForOneVersionOnly(t *testing.T) {
	for version, split := range map[string]bool{"2025-03-26": true, "2025-06-18": false} {
		f := newFake(t)
		f.version = version
		f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
			if m.Method() == "tools/call" {
				reply(w, []byte(`[`+progress(1, 1)+`, `+result(m)+`]`))
			}
			return m.Method() == "tools/call"
		}
		p := dialTo(t, f.URL)
		p.greet()
		p.request(2, "tools/call", "")
		if !split {
			wantCode(t, p.failure(2), fault.ProtocolError)
			continue
		}
		if m := p.message(); m.Method() != "notifications/progress" {
			t.Errorf("first of the batch: %s", m.Bytes())
		}
		if m := p.message(); string(m.Bytes()) != `{"jsonrpc":"2.0","id":2,"result":{"ok":true}}` {
			t.Errorf("second of the batch: %s", m.Bytes())
		}
	}
}

// S-58: what is cut or cleaned for showing is not what is compared.
func TestOriginsAreComparedWhole(t *testing.T) {
	host := strings.Repeat("a.", 120) + "example.com"
	for _, c := range [][2]string{
		{"https://" + host + ":8001/", "https://" + host + ":8002/"},
		{"http://a%E2%80%AE.test/", "http://a.test/"},
	} {
		a, err1 := url.Parse(c[0])
		b, err2 := url.Parse(c[1])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if sameOrigin(a, b) {
			t.Errorf("%q and %q are taken for one origin", a.Host, b.Host)
		}
	}
}

// S-58: POST redirects stay within the origin and keep the method.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("another origin was asked") }))
	t.Cleanup(other.Close)
	for name, row := range map[string]struct {
		status int
		to     string
		code   fault.Code
		part   string
	}{
		"307 slash":    {307, "/mcp/", "", ""},
		"308 slash":    {308, "/mcp/", "", ""},
		"307 away":     {307, other.URL + "/x?token=s3cret", fault.EndpointNotMCP, other.URL},
		"301 away":     {301, other.URL + "/x?token=s3cret", fault.EndpointNotMCP, other.URL},
		"302 within":   {302, "/mcp/", fault.EndpointNotMCP, "302"},
		"307 nowhere":  {307, "", fault.EndpointNotMCP, "without a usable address"},
		"307 in rings": {307, "/mcp", fault.EndpointNotMCP, "more than 5"},
		"307 scheme":   {307, "https://127.0.0.1/mcp", fault.EndpointNotMCP, "https://127.0.0.1"},
	} {
		t.Run("S-58 "+name, func(t *testing.T) {
			f := newFake(t)
			var redirects atomic.Int32
			f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
				if r.URL.Path != "/mcp" {
					return false
				}
				redirects.Add(1)
				if row.to != "" {
					w.Header().Set("Location", row.to)
				}
				w.WriteHeader(row.status)
				return true
			}
			p := dialTo(t, f.URL+"/mcp")
			if row.code == "" {
				p.greet()
				p.ok(2, "echo", `{"a":1}`)
				if n := redirects.Load(); n != 1 {
					t.Errorf("%d redirects for three messages", n)
				}
				return
			}
			p.request(1, "initialize", helloParams)
			e := wantCode(t, p.failure(1), row.code)
			contains(t, e.Error(), row.part)
			if strings.Contains(e.Error(), "s3cret") {
				t.Errorf("the error shows the address: %v", e)
			}
		})
	}
}
