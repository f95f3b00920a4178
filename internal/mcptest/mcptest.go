// Package mcptest is a small MCP server for tests, over streamable HTTP and
// over HTTP+SSE of 2024-11-05, written on net/http alone so that it shares no
// code with what is tested.
//
// It promises a fixed behaviour that tests can name: the tools echo and fail,
// and faults that are asked for. It is imported by tests only.
package mcptest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Server answers MCP requests. The zero value is a healthy server; the fields
// are set before it is used.
type Server struct {
	Name   string // "" is "fixture"
	Events bool   // answer over streamable HTTP with events instead of JSON
	Silent bool   // HTTP+SSE: open the stream and send comments only
	Broken string // the result of initialize, as it stands

	// Foreign announces an HTTP+SSE endpoint on another origin.
	Foreign bool

	mu       sync.Mutex
	sessions map[string]chan []byte // answers on their way, for HTTP+SSE
	count    int
	methods  []string
	deleted  int
	headers  []http.Header
}

// Methods are the JSON-RPC methods that came, in order.
func (s *Server) Methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.methods...)
}

// Deleted is how many sessions were closed by DELETE.
func (s *Server) Deleted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deleted
}

// Header is this header of the first request.
func (s *Server) Header(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.headers) == 0 {
		return ""
	}
	return s.headers[0].Get(name)
}

// Streamable is the server's face for streamable HTTP.
func (s *Server) Streamable() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			s.post(w, r)
		case http.MethodDelete:
			s.mu.Lock()
			s.deleted++
			s.mu.Unlock()
		default:
			http.Error(w, "no stream here", http.StatusMethodNotAllowed)
		}
	})
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	answer, method, ok := s.read(w, r)
	switch {
	case !ok:
	case answer == nil:
		w.WriteHeader(http.StatusAccepted)
	default:
		if method == "initialize" {
			w.Header().Set("Mcp-Session-Id", s.newSession())
		}
		if s.Events {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", answer)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // a client that left is no concern of the fixture
	}
}

// SSE is the server's face for HTTP+SSE: the stream at /sse, messages at
// /message.
func (s *Server) SSE() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sse", s.stream)
	mux.HandleFunc("POST /message", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		out := s.sessions[r.URL.Query().Get("session")]
		s.mu.Unlock()
		if out == nil {
			http.Error(w, "no such session", http.StatusNotFound)
			return
		}
		answer, _, ok := s.read(w, r)
		if !ok {
			return
		}
		w.WriteHeader(http.StatusAccepted)
		if answer != nil {
			select {
			case out <- answer:
			case <-r.Context().Done():
			}
		}
	})
	return mux
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	s.note(r)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	if s.Silent {
		fmt.Fprint(w, ": still here\n\n")
		_ = flush()
		<-r.Context().Done()
		return
	}
	id := s.newSession()
	origin := ""
	if s.Foreign {
		origin = "http://203.0.113.9:80"
	}
	fmt.Fprintf(w, "event: endpoint\ndata: %s/message?session=%s\n\n", origin, id)
	_ = flush()
	s.mu.Lock()
	out := s.sessions[id]
	s.mu.Unlock()
	for {
		select {
		case answer := <-out:
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", answer)
			_ = flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) newSession() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions = map[string]chan []byte{}
	}
	s.count++
	id := fmt.Sprintf("s%d", s.count)
	s.sessions[id] = make(chan []byte, 64)
	return id
}

func (s *Server) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers = append(s.headers, r.Header.Clone())
}

// message is what the fixture reads of a message.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Version   string          `json:"protocolVersion"`
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
}

// read takes one message and makes its answer, nil if it needs none.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (answer []byte, method string, ok bool) {
	s.note(r)
	var m message
	b, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, "", false
	}
	s.mu.Lock()
	s.methods = append(s.methods, m.Method)
	s.mu.Unlock()
	if m.ID == nil || m.Method == "" {
		return nil, m.Method, true
	}
	body := s.answer(m)
	return []byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,` + body + `}`), m.Method, true
}

// Tools is the fixture's listing, as it stands.
const Tools = `{"tools":[{"name":"echo","description":"Gives back its arguments.\nAs they came.","inputSchema":{"type":"object","x-big":9007199254740993}},` +
	`{"name":"fail","description":"Fails","inputSchema":{"type":"object"}}]}`

func (s *Server) answer(m message) string {
	switch m.Method {
	case "initialize":
		name := s.Name
		if name == "" {
			name = "fixture"
		}
		if s.Broken != "" {
			return `"result":` + s.Broken
		}
		return fmt.Sprintf(`"result":{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":%q,"version":"1.0.0"}}`, m.Params.Version, name)
	case "ping":
		return `"result":{}`
	case "tools/list":
		return `"result":` + Tools
	case "tools/call":
		return call(m)
	default:
		return fmt.Sprintf(`"error":{"code":-32601,"message":%q}`, "no method "+m.Method)
	}
}

func call(m message) string {
	switch m.Params.Name {
	case "echo":
		quoted, err := json.Marshal(string(m.Params.Arguments))
		if err != nil {
			panic("mcptest: " + err.Error()) // a string always encodes
		}
		return `"result":{"content":[{"type":"text","text":` + strings.TrimSpace(string(quoted)) + `}],"x":1.0}`
	case "fail":
		return `"result":{"content":[{"type":"text","text":"it went wrong"}],"isError":true}`
	default:
		return `"error":{"code":-32602,"message":"no tool of this name"}`
	}
}
