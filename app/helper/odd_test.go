package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcptest"
)

// limitBytes is the largest message.
const limitBytes = jsonrpc.MaxBytes

// oddServer is a program that serves MCP on stdio with the manners that its
// first argument names. Its tool "bad" shows them; its other tools answer with
// what the process was started with.
func oddServer() {
	manners := os.Args[1]
	lifeline()
	switch manners {
	case "exits":
		fmt.Fprintln(os.Stderr, "Error: no configuration")
		os.Exit(3)
	case "logs":
		fmt.Println("Server started on stdio")
		fmt.Println(`{"level":"info","id":1,"msg":"hello"}`)
	case "deaf": // to every wish that it end
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	case "daemon":
		daemon := exec.Command("setsid", os.Args[0], "deaf")
		if err := daemon.Start(); err != nil {
			panic(err)
		}
	case "lineless": // much that is no line, then a server
		for range 5 * limitBytes >> 20 {
			fmt.Print(strings.Repeat("x", 1<<20))
		}
		fmt.Println()
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		oddAnswer(manners, line)
	}
	if manners == "deaf" {
		select {}
	}
}

// lifeline holds a connection to the test for as long as the process lives.
func lifeline() {
	if addr := os.Getenv("ODD_LIFELINE"); addr != "" {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }() // and keeps it reachable
	}
}

// oddMessage is what a fixture reads of a message.
type oddMessage struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Version string `json:"protocolVersion"`
		Name    string
	}
}

func oddAnswer(manners, line string) {
	var m oddMessage
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.ID == nil {
		return
	}
	say := func(member string) { fmt.Printf(`{"jsonrpc":"2.0","id":%s,%s}`+"\n", m.ID, member) }
	switch {
	case m.Method == "initialize":
		say(`"result":{"protocolVersion":"` + m.Params.Version + `","capabilities":{"tools":{}},"serverInfo":{"name":"odd","version":"1"}}`)
	case m.Method == "tools/call" && m.Params.Name == "bad":
		switch manners {
		case "dies":
			fmt.Fprintln(os.Stderr, "panic: out of cheese")
			os.Exit(9)
		case "hangs":
		case "ambiguous":
			say(`"result":1,"result":2`)
		case "garbled":
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":"%s"}`+"\n", m.ID, "\xff")
		case "large":
			say(`"result":"` + strings.Repeat("x", limitBytes) + `"`)
		default:
			panic("no such manners: " + manners)
		}
	default:
		started, err := json.Marshal(fmt.Sprint(os.Getpid(), os.Args, os.Environ()))
		if err != nil {
			panic(err)
		}
		say(`"result":{"text":` + string(started) + `}`)
	}
}

// lives counts the processes that hold a lifeline.
type lives struct {
	addr string
	held atomic.Int32
	all  atomic.Int32
}

func newLives(t *testing.T) *lives {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	l := &lives{addr: ln.Addr().String()}
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.held.Add(1)
			l.all.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, c) // until the process is gone
				l.held.Add(-1)
				c.Close()
			}()
		}
	}()
	return l
}

func (l *lives) await(t *testing.T, n int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d processes run, want %d", l.held.Load(), n), func() bool { return l.held.Load() == n })
}

// eventually polls until f is true.
func eventually(t *testing.T, wrong string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); !f(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatal(wrong)
		}
	}
}

// oddEntry is the catalog's entry of an odd server.
func oddEntry(name, manners string, l *lives, more string) string {
	addr := ""
	if l != nil {
		addr = l.addr
	}
	return strconv.Quote(name) + `:{"command":"oddserver","args":["` + manners + `"],"env":{"ODD_LIFELINE":"` + addr + `","GORACE":"atexit_sleep_ms=0"}` + more + `}`
}

// oddWeb serves both transports over HTTP like mcptest, but a call of the tool
// "bad" is answered by bad.
type oddWeb struct {
	*httptest.Server
	t     *testing.T
	mcp   *mcptest.Server
	bad   func(*oddWeb, http.ResponseWriter, *http.Request)
	conns atomic.Int32
	fails atomic.Int32 // calls of the tool "fail"

	mu  sync.Mutex
	bye chan struct{} // closed to cut every stream
}

func newOddWeb(t *testing.T, bad func(*oddWeb, http.ResponseWriter, *http.Request)) *oddWeb {
	t.Helper()
	w := &oddWeb{t: t, bad: bad, bye: make(chan struct{})}
	w.serve("127.0.0.1:0")
	t.Cleanup(func() { w.stop() })
	return w
}

// serve starts the server, again on its address after a stop: it knows no
// session of before.
func (w *oddWeb) serve(addr string) {
	w.t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mcp = &mcptest.Server{}
	mux := http.NewServeMux()
	mux.Handle("/mcp", w.odd(w.mcp.Streamable()))
	mux.Handle("/", w.odd(w.mcp.SSE()))
	w.Server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: mux}}
	w.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			w.conns.Add(1)
		}
	}
	w.Start()
}

func (w *oddWeb) stop() { w.cut(); w.CloseClientConnections(); w.Close() }

func (w *oddWeb) restart() {
	w.t.Helper()
	w.stop()
	w.again()
}

// again starts the server where it was.
func (w *oddWeb) again() {
	w.t.Helper()
	w.serve(w.Listener.Addr().String())
}

// cut ends every event stream.
func (w *oddWeb) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.bye)
	w.bye = make(chan struct{})
}

func (w *oddWeb) odd(good http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.mu.Lock()
			bye := w.bye
			w.mu.Unlock()
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			go func() {
				select {
				case <-bye:
					cancel()
				case <-ctx.Done():
				}
			}()
			good.ServeHTTP(rw, r.WithContext(ctx))
			return
		}
		body, _ := io.ReadAll(r.Body)
		var m oddMessage
		_ = json.Unmarshal(body, &m) // mcptest answers what is no JSON
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if m.Params.Name == "fail" {
			w.fails.Add(1)
		}
		if m.Params.Name == "bad" {
			w.bad(w, rw, r)
			return
		}
		good.ServeHTTP(rw, r)
	})
}
