package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// W-10, F-132, F-145: every transport of a server on every face.
func TestEveryTransportOnEveryFace(t *testing.T) {
	w := newOddWeb(t, nil)
	env := home(t, oddEntry("stdio", "plain", nil, "")+`,
		"sse":{"transport":"sse","url":"`+w.URL+`/sse"},
		"http":{"transport":"http","url":"`+w.URL+`/mcp"}`)
	for _, name := range []string{"stdio", "sse", "http"} {
		onBothFaces(t, env, name, func(t *testing.T, f client) {
			mustWork(t, f.hello())
			mustWork(t, f.tool(2, "echo"))
		})
		t.Run("SSE", func(t *testing.T) {
			s := openStream(t, startProxy(t, env, name))
			s.post(hello)
			if r := s.next(); string(r.ID) != "1" || r.Result == nil {
				t.Errorf("initialize of %s answered %+v", name, r)
			}
			s.post(request(2, "echo"))
			if r := s.next(); string(r.ID) != "2" || r.Result == nil {
				t.Errorf("call of %s answered %+v", name, r)
			}
		})
	}
}

// stream is a client of HTTP+SSE.
type stream struct {
	t     *testing.T
	lines *process // of which only the output is used
	to    string
	leave func() error
}

func openStream(t *testing.T, w *web) *stream {
	t.Helper()
	base := strings.TrimSuffix(w.url, "/mcp")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Transport).RoundTrip(req) // a connection of its own, which ends with the body
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	s := &stream{t: t, lines: reading(t, resp.Body), leave: resp.Body.Close}
	s.to = base + s.data()
	return s
}

// data is that of the next event.
func (s *stream) data() string {
	s.t.Helper()
	for {
		if data, ok := strings.CutPrefix(s.lines.line(), "data: "); ok {
			return strings.TrimSuffix(data, "\r")
		}
	}
}

func (s *stream) next() reply { s.t.Helper(); return decode[reply](s.t, s.data()) }

func (s *stream) post(body string) {
	s.t.Helper()
	resp, err := http.Post(s.to, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		s.t.Fatalf("POST answered %d", resp.StatusCode)
	}
}

// F-125: three clients share a server; one that is killed disturbs nobody.
func TestKilledClientDisturbsNoOther(t *testing.T) {
	w := newOddWeb(t, nil)
	env := home(t, `"srv":{"transport":"http","url":"`+w.URL+`/mcp"}`)
	var clients []*process
	for range 3 {
		p := start(t, env, "mcp", "connect", "srv")
		mustWork(t, p.hello())
		clients = append(clients, p)
	}
	if err := clients[0].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	clients[0].exit()
	for _, p := range clients[1:] {
		mustWork(t, p.tool(2, "echo"))
	}
	opened := 0
	for _, m := range w.mcp.Methods() {
		if m == "initialize" {
			opened++
		}
	}
	if opened != 3 {
		t.Errorf("the server saw %d sessions, want 3", opened)
	}
}

// F-126, W-11: each client of an endpoint has a program of its own, which ends
// when its client leaves, in order or without a word.
func TestEachClientHasItsOwnProgram(t *testing.T) {
	l := newLives(t)
	env := home(t, oddEntry("srv", "plain", l, ""))
	one := startProxy(t, env, "srv")
	two := &web{t: t, url: one.url}
	three := openStream(t, one)
	mustWork(t, one.hello())
	mustWork(t, two.hello())
	three.post(hello)
	three.next()
	l.await(t, 3)
	a, b := one.tool(2, "who"), two.tool(2, "who")
	if string(a.Result) == string(b.Result) {
		t.Errorf("two clients share the program %s", short(a.Result))
	}
	req, err := http.NewRequest(http.MethodDelete, one.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Mcp-Session-Id", one.session)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	l.await(t, 2)
	if again := two.tool(3, "who"); string(again.Result) != string(b.Result) {
		t.Errorf("the other client's program became %s", short(again.Result))
	}
	if err := three.leave(); err != nil { // as a process that is killed does
		t.Fatal(err)
	}
	l.await(t, 1)
	mustWork(t, two.tool(4, "who"))
	if n := l.all.Load(); n != 3 {
		t.Errorf("%d programs were started, want 3", n)
	}
}

// F-133: nothing is dialled for a client that says nothing, and two helpers at
// once do not get in each other's way.
func TestNothingIsDialledForASilentClient(t *testing.T) {
	w := newOddWeb(t, nil)
	env := home(t, `"srv":{"transport":"http","url":"`+w.URL+`/mcp"}`)
	one, two := start(t, env, "mcp", "connect", "srv"), start(t, env, "mcp", "connect", "srv")
	one.stdin.Close()
	two.stdin.Close()
	for _, p := range []*process{one, two} {
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
		}
	}
	if n := w.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// W-09: a denied call in a batch fails alone, and is not sent.
func TestDeniedCallInABatchFailsAlone(t *testing.T) {
	w := newOddWeb(t, nil)
	env := home(t, `"srv":{"transport":"http","url":"`+w.URL+`/mcp","tools":{"deny":["fail"]}}`)
	old := strings.Replace(hello, "2025-06-18", "2025-03-26", 1)
	batch := "[" + request(2, "echo") + "," + request(3, "fail") + "]"
	check := func(t *testing.T, answers []reply) {
		t.Helper()
		slices.SortFunc(answers, func(a, b reply) int { return strings.Compare(string(a.ID), string(b.ID)) })
		if len(answers) != 2 || string(answers[0].ID) != "2" || string(answers[1].ID) != "3" {
			t.Fatalf("got %+v, want the answers to 2 and 3", answers)
		}
		mustWork(t, answers[0])
		mustFail(t, answers[1], "DB_TOOL_DENIED")
	}
	t.Run("stdio", func(t *testing.T) {
		p := start(t, env, "mcp", "connect", "srv")
		p.tell(old)
		mustWork(t, p.await("1"))
		p.tell(batch)
		check(t, []reply{decode[reply](t, p.line()), decode[reply](t, p.line())})
	})
	t.Run("HTTP", func(t *testing.T) {
		h := startProxy(t, env, "srv")
		mustWork(t, h.post(old))
		check(t, decode[[]reply](t, string(h.send(batch))))
	})
	if n := w.fails.Load(); n != 0 {
		t.Errorf("the denied call reached the server %d times", n)
	}
}

// S-20: the key of an endpoint is told to its user and to nobody else: not to
// the server's program, in no command line, in no log.
func TestKeyIsInNoCommandLineEnvironmentOrLog(t *testing.T) {
	env := home(t, oddEntry("srv", "plain", nil, ""))
	for _, args := range [][]string{{"proxy", "mcp", "srv", "--local-token", "--debug"}, {"up", "--debug"}} {
		t.Run(args[0], func(t *testing.T) {
			p := start(t, env, args...)
			t.Cleanup(p.halt)
			line := p.line()
			if args[0] == "proxy" {
				line = p.line()
			}
			w := &web{t: t, url: line[strings.Index(line, "http://"):]}
			key := strings.Split(w.url, "/")[3]
			if len(key) != 43 {
				t.Fatalf("the address %s has no key", w.url)
			}
			mustWork(t, w.hello())
			if r := w.tool(2, "who"); strings.Contains(string(r.Result), key) {
				t.Errorf("the server's program was told the key: %s", r.Result)
			}
			if ps, err := exec.Command("ps", "axww", "-o", "args").Output(); err == nil && strings.Contains(string(ps), key) {
				t.Error("the key is in the list of processes")
			}
			p.halt()
			if strings.Contains(p.stderr.String(), key) {
				t.Error("the key is in the log")
			}
		})
	}
}

// S-55: a helper that slept while its server was started anew answers its first
// call as if nothing had been.
func TestFirstCallAfterSleep(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process is not put to sleep there")
	}
	for _, transport := range []string{"http", "sse"} {
		t.Run(transport, func(t *testing.T) {
			w := newOddWeb(t, nil)
			path := map[string]string{"http": "/mcp", "sse": "/sse"}[transport]
			p := start(t, home(t, `"srv":{"transport":"`+transport+`","url":"`+w.URL+path+`"}`), "mcp", "connect", "srv")
			mustWork(t, p.hello())
			signal := func(name string) {
				t.Helper()
				if out, err := exec.Command("kill", "-"+name, fmt.Sprint(p.cmd.Process.Pid)).CombinedOutput(); err != nil {
					t.Fatalf("%v %s", err, out)
				}
			}
			signal("STOP")
			w.restart()
			p.tell(request(2, "tools/list")) // it waits in the pipe
			signal("CONT")
			r := p.await("2")
			if r.Error != nil && transport == "sse" { // it met the loss itself
				mustFail(t, r, "DB_CONNECTION_LOST")
				r = p.tool(3, "tools/list")
			}
			mustWork(t, r)
		})
	}
}

// reading is a process whose output is r.
func reading(t *testing.T, r io.Reader) *process {
	return &process{t: t, stdout: bufio.NewReader(r), stderr: &strings.Builder{}}
}

// S-65: the collector knows a limit, the user's own if there is one.
func TestMemoryHasALimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB") // read at a program's start, so nothing changes here
	limitMemory()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the user's limit became %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	limitMemory()
	if got := debug.SetMemoryLimit(-1); got != memoryLimit {
		t.Errorf("the limit is %d, want %d", got, memoryLimit)
	}
}
