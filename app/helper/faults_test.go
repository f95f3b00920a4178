package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// reply is what a client is sent: an answer, or a message of the server.
type reply struct {
	ID     json.RawMessage
	Method string
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    struct{ Code, Server, Next string }
	}
}

// W-05: the methods that a client of the initialize era knows.
var toClients = []string{"ping", "sampling/createMessage", "elicitation/create", "roots/list",
	"notifications/cancelled", "notifications/message", "notifications/progress", "notifications/resources/updated",
	"notifications/resources/list_changed", "notifications/prompts/list_changed", "notifications/tools/list_changed"}

// mustFail wants an error answer with this code, what happened, and one next
// step.
func mustFail(t *testing.T, r reply, code string) {
	t.Helper()
	if r.Error == nil || r.Error.Data.Code != code {
		t.Fatalf("answered %+v %s, want %s", r.Error, short(r.Result), code)
	}
	e := r.Error
	if !slices.Contains([]int{-32600, -32602, -32603, -32700}, e.Code) || e.Data.Next == "" ||
		!strings.HasPrefix(e.Message, "["+code+"] ") || !strings.Contains(e.Message, " Next: ") {
		t.Errorf("the error is not complete: %+v", *e)
	}
}

func mustWork(t *testing.T, r reply) {
	t.Helper()
	if r.Result == nil {
		t.Fatalf("answered %+v, want a result", r.Error)
	}
}

func short(b []byte) string { return fmt.Sprintf("%.200s", b) }

// client is one of the helper, on either face. Requests are numbered by the
// caller.
type client interface {
	hello() reply
	tool(id int, name string) reply
}

// request is a call of a tool, or the listing for the name tools/list.
func request(id int, name string) string {
	if name == "tools/list" {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`, id)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, id, name)
}

// await reads until the answer with this id.
func (p *process) await(id string) reply {
	p.t.Helper()
	for {
		r := decode[reply](p.t, p.line())
		if r.Method != "" && !slices.Contains(toClients, r.Method) {
			p.t.Errorf("W-05: the client was sent %s", r.Method)
		}
		if r.Method == "" {
			if string(r.ID) != id {
				p.t.Fatalf("the answer is to %s, want %s: %+v", r.ID, id, r)
			}
			return r
		}
	}
}

func (p *process) tell(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) hello() reply {
	p.t.Helper()
	p.tell(hello)
	r := p.await("1")
	p.tell(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return r
}

func (p *process) tool(id int, name string) reply {
	p.t.Helper()
	p.tell(request(id, name))
	return p.await(fmt.Sprint(id))
}

// web is a client of `proxy mcp`.
type web struct {
	t            *testing.T
	url, session string
}

func startProxy(t *testing.T, env []string, name string) *web {
	p := start(t, env, "proxy", "mcp", name)
	t.Cleanup(p.halt)
	return &web{t: t, url: "http://127.0.0.1:" + p.line()[len("Proxy for "+name+" listening on 127.0.0.1:"):] + "/mcp"}
}

// halt ends a process in order, where the system can, so that it takes its
// children along.
func (p *process) halt() {
	if runtime.GOOS != "windows" && p.cmd.Process.Signal(os.Interrupt) == nil {
		p.exit()
	}
}

// post sends one message and reads its answer, if it has one.
func (w *web) post(body string) reply {
	w.t.Helper()
	b := w.send(body)
	if len(b) == 0 {
		return reply{}
	}
	return decode[reply](w.t, string(b))
}

func (w *web) send(body string) []byte {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	if w.session != "" {
		req.Header.Set("Mcp-Session-Id", w.session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		w.t.Error("a 401 makes the client begin a sign-in of its own")
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		w.session = id
	}
	return b
}

func (w *web) hello() reply {
	w.t.Helper()
	r := w.post(hello)
	if r.Result != nil {
		w.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	return r
}

func (w *web) tool(id int, name string) reply {
	w.t.Helper()
	r := w.post(request(id, name))
	if string(r.ID) != fmt.Sprint(id) {
		w.t.Fatalf("the answer is to %s, want %d: %+v", r.ID, id, r)
	}
	return r
}

// onBothFaces runs the test over stdio and over a local endpoint.
func onBothFaces(t *testing.T, env []string, name string, test func(t *testing.T, f client)) {
	t.Run("stdio", func(t *testing.T) { test(t, start(t, env, "mcp", "connect", name)) })
	t.Run("HTTP", func(t *testing.T) { test(t, startProxy(t, env, name)) })
}

// answering is a handler with one answer.
func answering(status int, kind, body string) func(*oddWeb, http.ResponseWriter, *http.Request) {
	return func(_ *oddWeb, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// abort ends a connection in order, or with a reset.
func abort(w http.ResponseWriter, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0) // the end is what counts
	}
	c.Close()
}

// F-137, W-04, W-29, S-51, S-57, S-58: whatever a server over HTTP does to a
// call, the client gets one answer with a code and a next step, on either
// face, and its next call works.
func TestFaultsOfAServerOverHTTP(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another origin was asked") }))
	defer elsewhere.Close()
	rows := []struct {
		name   string
		bad    func(*oddWeb, http.ResponseWriter, *http.Request)
		code   string // "" is a result
		more   string // of the entry
		ask    string // in place of the tool "bad": one that only reads may be sent again
		before func(*oddWeb)
		after  func(*oddWeb)
	}{
		{name: "refuses the connection", code: "DB_ENDPOINT_UNREACHABLE", ask: "tools/list",
			before: func(w *oddWeb) { w.stop() },
			after:  func(w *oddWeb) { w.again() }},
		{name: "resets the connection", code: "DB_CONNECTION_LOST",
			bad: func(_ *oddWeb, w http.ResponseWriter, _ *http.Request) { abort(w, true) }},
		{name: "hangs", code: "DB_TIMEOUT", more: `,"timeout":"300ms"`,
			bad: func(_ *oddWeb, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{name: "sends a web page", code: "DB_ENDPOINT_NOT_MCP", bad: answering(200, "text/html", "<h1>Welcome</h1>")},
		{name: "sends another type", code: "DB_PROTOCOL_ERROR", bad: answering(200, "text/plain", "hello")},
		{name: "sends garbage", code: "DB_PROTOCOL_ERROR", bad: answering(200, "application/json", "{nope")},
		{name: "sends nothing", code: "DB_PROTOCOL_ERROR", bad: answering(204, "application/json", "")},
		{name: "redirects elsewhere", code: "DB_ENDPOINT_NOT_MCP",
			bad: func(_ *oddWeb, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
			}},
		{name: "answers 401", code: "DB_UPSTREAM_LOGIN_REQUIRED", bad: answering(401, "text/plain", "who?")},
		{name: "answers 403", code: "DB_UPSTREAM_ERROR", bad: answering(403, "text/plain", "not you")},
		{name: "answers 404", code: "DB_SESSION_EXPIRED", bad: answering(404, "text/plain", "what?")},
		{name: "answers 429", code: "DB_UPSTREAM_ERROR", bad: answering(429, "text/plain", "slowly")},
		{name: "answers 500", code: "DB_UPSTREAM_ERROR", bad: answering(500, "text/plain", "boom")},
		{name: "answers 413", code: "DB_MESSAGE_TOO_LARGE", bad: answering(413, "text/plain", "too much")},
		{name: "answers 504", code: "DB_TIMEOUT", bad: answering(504, "text/plain", "")},
		{name: "forgets the session", bad: func(_ *oddWeb, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Mcp-Session-Id") == "s1" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			answerOK(w, r)
		}},
		{name: "restarts", ask: "tools/list", before: func(w *oddWeb) { w.restart() }},
		{name: "sends an event without an end", code: "DB_MESSAGE_TOO_LARGE",
			bad: func(_ *oddWeb, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				block := []byte("data: " + strings.Repeat("x", 1<<20))
				for r.Context().Err() == nil {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			}},
		{name: "dies in a call", code: "DB_CONNECTION_LOST",
			bad: func(_ *oddWeb, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}`+"\n\ndata: {")
				_ = http.NewResponseController(w).Flush()
				abort(w, false)
			}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newOddWeb(t, row.bad)
			env := home(t, `"srv":{"transport":"http","url":"`+w.URL+`/mcp"`+row.more+`}`)
			onBothFaces(t, env, "srv", func(t *testing.T, f client) {
				mustWork(t, f.hello())
				mustWork(t, f.tool(2, "echo"))
				if row.before != nil {
					row.before(w)
				}
				if r := f.tool(3, cmp.Or(row.ask, "bad")); row.code == "" {
					mustWork(t, r)
				} else {
					mustFail(t, r, row.code)
				}
				if row.after != nil {
					row.after(w)
				}
				mustWork(t, f.tool(4, "echo"))
			})
		})
	}
}

// answerOK answers the request in the body.
func answerOK(w http.ResponseWriter, r *http.Request) {
	var m oddMessage
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{}}`, m.ID)
}

// The same over HTTP+SSE, where answers come on a stream of their own.
func TestFaultsOfAServerOverSSE(t *testing.T) {
	for _, row := range []struct {
		name string
		bad  func(*oddWeb, http.ResponseWriter, *http.Request)
		code string
		more string
	}{
		{name: "cuts the stream", code: "DB_CONNECTION_LOST",
			bad: func(web *oddWeb, w http.ResponseWriter, _ *http.Request) {
				web.cut()
				w.WriteHeader(http.StatusAccepted)
			}},
		{name: "resets the connection", code: "DB_CONNECTION_LOST",
			bad: func(_ *oddWeb, w http.ResponseWriter, _ *http.Request) { abort(w, true) }},
		{name: "hangs", code: "DB_TIMEOUT", more: `,"timeout":"300ms"`, bad: answering(202, "text/plain", "")},
		{name: "answers 401", code: "DB_UPSTREAM_LOGIN_REQUIRED", bad: answering(401, "text/plain", "who?")},
		{name: "answers 500", code: "DB_UPSTREAM_ERROR", bad: answering(500, "text/plain", "boom")},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newOddWeb(t, row.bad)
			env := home(t, `"srv":{"transport":"sse","url":"`+w.URL+`/sse"`+row.more+`}`)
			onBothFaces(t, env, "srv", func(t *testing.T, f client) {
				mustWork(t, f.hello())
				mustFail(t, f.tool(3, "bad"), row.code)
				mustWork(t, f.tool(4, "echo"))
				w.restart()
				r := f.tool(5, "echo")
				if r.Error != nil { // it met the loss itself, and the old server may have taken it
					mustFail(t, r, "DB_CONNECTION_LOST")
					r = f.tool(6, "echo")
				}
				mustWork(t, r)
			})
		})
	}
}

// F-012, W-29: a server that never worked is answered for, request by request,
// and used when it is there.
func TestServerThatIsNotUsableAtFirst(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: endpoint\ndata: http://203.0.113.9/message\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer func() { foreign.CloseClientConnections(); foreign.Close() }()
	w := newOddWeb(t, nil)
	w.stop()
	env := home(t, `"foreign":{"transport":"sse","url":"`+foreign.URL+`/sse"}, "down":{"url":"`+w.URL+`/mcp"}, "barred":{"transport":"http","url":"`+foreign.URL+`"}`)
	onBothFaces(t, env, "foreign", func(t *testing.T, f client) {
		mustFail(t, f.hello(), "DB_PROTOCOL_ERROR")
		mustFail(t, f.hello(), "DB_PROTOCOL_ERROR")
	})
	t.Run("down", func(t *testing.T) {
		p, h := start(t, env, "mcp", "connect", "down"), startProxy(t, env, "down")
		mustFail(t, p.hello(), "DB_ENDPOINT_UNREACHABLE")
		mustFail(t, h.hello(), "DB_ENDPOINT_UNREACHABLE")
		w.again()
		for _, f := range []client{p, h} {
			mustWork(t, f.hello())
			mustWork(t, f.tool(2, "echo"))
		}
	})
}

// S-46, S-47, F-137, W-04: the same for a program on stdio.
func TestFaultsOfAServerProgram(t *testing.T) {
	for _, row := range []struct {
		manners, code, more string
		always              bool // from the handshake on
	}{
		{manners: "exits", code: "DB_COMMAND_EXITED", always: true},
		{manners: "logs"},
		{manners: "lineless"},
		{manners: "dies", code: "DB_CONNECTION_LOST"},
		{manners: "hangs", code: "DB_TIMEOUT", more: `,"timeout":"300ms"`},
		{manners: "ambiguous", code: "DB_PROTOCOL_ERROR"},
		{manners: "large", code: "DB_MESSAGE_TOO_LARGE"},
	} {
		t.Run(row.manners, func(t *testing.T) {
			l := newLives(t)
			env := home(t, oddEntry("srv", row.manners, l, row.more))
			onBothFaces(t, env, "srv", func(t *testing.T, f client) {
				if row.always {
					for range 3 {
						mustFail(t, f.hello(), row.code)
					}
					return
				}
				mustWork(t, f.hello())
				if row.code != "" {
					mustFail(t, f.tool(2, "bad"), row.code)
				}
				mustWork(t, f.tool(3, "echo"))
				if p, ok := f.(*process); ok {
					boundedMemory(t, p)
					p.stdin.Close()
					p.exit()
				}
			})
			l.await(t, 0)
		})
	}
	t.Run("is not there", func(t *testing.T) {
		env := home(t, `"srv":{"command":"no-such-program-anywhere"}`)
		onBothFaces(t, env, "srv", func(t *testing.T, f client) {
			mustFail(t, f.hello(), "DB_COMMAND_NOT_FOUND")
			mustFail(t, f.hello(), "DB_COMMAND_NOT_FOUND")
		})
	})
}

// boundedMemory wants that no more than a few of the largest messages were
// held at once.
func boundedMemory(t *testing.T, p *process) {
	t.Helper()
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return // the race detector has memory of its own
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return // only Linux tells
	}
	for line := range strings.Lines(string(b)) {
		var kB int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil && kB > 4*limitBytes>>10 {
			t.Errorf("the helper took %d MiB", kB>>10)
		}
	}
}

// S-44, S-40, W-11: a program that ignores the end of its stdin and SIGTERM,
// and a daemon that one left behind, end with the client.
func TestProgramThatWillNotEndIsEnded(t *testing.T) {
	for _, manners := range []string{"deaf", "daemon"} {
		t.Run(manners, func(t *testing.T) {
			if _, err := exec.LookPath("setsid"); manners == "daemon" && (err != nil || runtime.GOOS != "linux") {
				t.Skip("a program that left its group is followed on Linux only")
			}
			l := newLives(t)
			p := start(t, home(t, oddEntry("srv", manners, l, "")), "mcp", "connect", "srv")
			mustWork(t, p.hello())
			l.await(t, map[string]int32{"deaf": 1, "daemon": 2}[manners])
			p.stdin.Close()
			began := time.Now()
			p.exit()
			l.await(t, 0)
			if took := time.Since(began); took > endLimit {
				t.Errorf("it took %v, want about a second at most", took)
			}
		})
	}
}

// F-136, S-01, S-65: what a client may send that is no message, or an unusual
// one, is answered, and its next call works. The second line of each pair is
// the id of the answer.
func TestBadInputOfAClient(t *testing.T) {
	w := newOddWeb(t, nil)
	p := start(t, home(t, `"srv":{"transport":"http","url":"`+w.URL+`/mcp"}`), "mcp", "connect", "srv")
	mustWork(t, p.hello())
	for n, row := range []struct{ name, line, id, code string }{
		{"garbage", "hello?", "null", "DB_PARSE_ERROR"},
		{"half a message", `{"jsonrpc":"2.0","id":5,"method":"tools/call","par`, "5", "DB_PARSE_ERROR"},
		{"method twice", `{"jsonrpc":"2.0","id":"d","method":"ping","method":"tools/call"}`, `"d"`, "DB_INVALID_REQUEST"},
		{"Method", `{"jsonrpc":"2.0","id":6,"Method":"ping"}`, "6", "DB_INVALID_REQUEST"},
		{"method and Method", `{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call"}`, "7", "DB_INVALID_REQUEST"},
		{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\",\"params\":{\"x\":\"\xff\"}}", "8", "DB_PARSE_ERROR"},
		{"a batch of a version without", `[{"jsonrpc":"2.0","id":9,"method":"ping"}]`, "null", "DB_INVALID_REQUEST"},
		{"a large id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, "9007199254740993", ""},
		{"an empty id", `{"jsonrpc":"2.0","id":"","method":"ping"}`, `""`, ""},
		{"a line over the limit", `{"jsonrpc":"2.0","id":10,"method":"ping","params":{"x":"` + strings.Repeat("x", limitBytes) + `"}}`, "10", "DB_MESSAGE_TOO_LARGE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p.t = t
			p.tell(row.line)
			if r := p.await(row.id); row.code == "" {
				mustWork(t, r)
			} else {
				mustFail(t, r, row.code)
			}
			mustWork(t, p.tool(1000+n, "echo"))
		})
	}
	p.t = t
	if _, err := io.WriteString(p.stdin, `{"jsonrpc":"2.0","id":11,"method":"tools/li`); err != nil {
		t.Fatal(err)
	}
	p.stdin.Close()
	mustFail(t, p.await("11"), "DB_PARSE_ERROR") // half a line at the end
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
	}
}
