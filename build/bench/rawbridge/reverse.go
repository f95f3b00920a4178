package main

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"drawbridge/build/bench/wire"
)

// child is a stdio server with one HTTP session.
type child struct {
	cmd *exec.Cmd

	writeMu sync.Mutex // guards in
	in      io.WriteCloser

	mu      sync.Mutex
	waiting map[string]chan []byte
	stream  chan []byte // SSE or GET stream
	dead    bool
}

func spawn(args []string) (*child, error) {
	c := &child{cmd: exec.Command(args[0], args[1:]...), waiting: map[string]chan []byte{}}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.run(out) // ends with the child
	return c, nil
}

func (c *child) run(out io.Reader) {
	_ = lines(out, c.deliver) // ended is ended
	c.mu.Lock()
	c.dead = true
	for id, ch := range c.waiting {
		ch <- wire.Error([]byte(id), -32000, "the stdio server exited")
		delete(c.waiting, id)
	}
	c.mu.Unlock()
	_ = c.cmd.Wait() // how it ended is of no use
}

func (c *child) deliver(line []byte, m wire.Message) {
	c.mu.Lock()
	ch := c.stream
	if m.IsResponse() {
		if w := c.waiting[string(m.ID)]; w != nil {
			delete(c.waiting, string(m.ID))
			ch = w
		}
	}
	c.mu.Unlock()
	if ch == nil {
		return
	}
	select {
	case ch <- line:
	case <-time.After(time.Second): // nobody reads: dropped
	}
}

func (c *child) write(b []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, err := c.in.Write(append(wire.OneLine(b), '\n'))
	return err
}

// await registers a call; it fails when the child is gone.
func (c *child) await(id []byte) (<-chan []byte, error) {
	ch := make(chan []byte, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, errors.New("the stdio server exited")
	}
	c.waiting[string(id)] = ch
	return ch, nil
}

// house holds the sessions, a child each.
type house struct {
	args []string

	mu   sync.Mutex
	kids map[string]*child
}

func (h *house) open() (string, *child, error) {
	c, err := spawn(h.args)
	if err != nil {
		return "", nil, err
	}
	id := rand.Text()
	h.mu.Lock()
	h.kids[id] = c
	h.mu.Unlock()
	return id, c, nil
}

func (h *house) find(id string) *child {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kids[id]
}

func (h *house) drop(id string) {
	h.mu.Lock()
	c := h.kids[id]
	delete(h.kids, id)
	h.mu.Unlock()
	if c != nil {
		_ = c.in.Close() // ends the child
	}
}

func (h *house) dropAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.kids {
		_ = c.in.Close() // ends the child
	}
}

func expose(addr string, args []string) error {
	h := &house{args: args, kids: map[string]*child{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mcp", h.post)
	mux.HandleFunc("GET /mcp", h.get)
	mux.HandleFunc("DELETE /mcp", func(_ http.ResponseWriter, r *http.Request) { h.drop(r.Header.Get("Mcp-Session-Id")) })
	mux.HandleFunc("/sse", h.sse)
	mux.HandleFunc("/message", h.message)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() { // ends the process
		<-stop
		h.dropAll()
		time.Sleep(50 * time.Millisecond)
		os.Exit(0)
	}()
	return http.Serve(ln, mux)
}

func (h *house) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, err := wire.Scan(body)
	if err != nil {
		http.Error(w, "parse error", http.StatusBadRequest)
		return
	}
	id := r.Header.Get("Mcp-Session-Id")
	c := h.find(id)
	if m.Method == "initialize" {
		if id, c, err = h.open(); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Mcp-Session-Id", id)
	}
	switch {
	case c == nil:
		http.Error(w, "no session", http.StatusNotFound)
	case m.IsRequest():
		h.call(w, r, id, c, m)
	default:
		_ = c.write(body) // a dead child shows at the next request
		w.WriteHeader(http.StatusAccepted)
	}
}

func (h *house) call(w http.ResponseWriter, r *http.Request, id string, c *child, m wire.Message) {
	answer, err := c.await(m.ID)
	if err != nil {
		h.drop(id)
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err := c.write(m.Raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	select {
	case out := <-answer:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(out)))
		_, _ = w.Write(out) // the client may have left
	case <-r.Context().Done():
	}
}

func (h *house) get(w http.ResponseWriter, r *http.Request) {
	c := h.find(r.Header.Get("Mcp-Session-Id"))
	if c == nil {
		http.Error(w, "no session", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	c.streamTo(w, r)
}

func (h *house) sse(w http.ResponseWriter, r *http.Request) {
	id, c, err := h.open()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer h.drop(id)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if wire.WriteEvent(w, wire.Event{Name: "endpoint", Data: []byte("/message?sessionId=" + id)}) == nil {
		c.streamTo(w, r)
	}
}

func (h *house) message(w http.ResponseWriter, r *http.Request) {
	c := h.find(r.URL.Query().Get("sessionId"))
	body, err := io.ReadAll(r.Body)
	if c == nil || err != nil {
		http.Error(w, "no session", http.StatusNotFound)
		return
	}
	_ = c.write(body) // a dead child shows in its silence
	w.WriteHeader(http.StatusAccepted)
}

func (c *child) streamTo(w http.ResponseWriter, r *http.Request) {
	ch := make(chan []byte, 64)
	c.mu.Lock()
	c.stream = ch
	c.mu.Unlock()
	for {
		select {
		case b := <-ch:
			if wire.WriteEvent(w, wire.Event{Name: "message", Data: b}) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
