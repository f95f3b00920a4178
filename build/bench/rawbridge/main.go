// Rawbridge is the practical limit of the bench: the least a stdio<->HTTP
// bridge can do, moving message bytes without decoding them. It has no sign-in,
// no recovery and no configuration; it is a measuring stick, not a product.
//
//	rawbridge http://127.0.0.1:9/mcp           stdio client -> streamable HTTP server
//	rawbridge -sse http://127.0.0.1:9/sse      stdio client -> HTTP+SSE server
//	rawbridge -listen 127.0.0.1:9 -- CMD...    stdio server -> streamable HTTP and SSE
package main

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"drawbridge/build/bench/wire"
)

func main() {
	useSSE := flag.Bool("sse", false, "the remote speaks HTTP+SSE")
	listen := flag.String("listen", "", "expose a stdio command on this address")
	flag.Parse()
	log.SetFlags(0)
	var err error
	switch {
	case *listen != "":
		err = expose(*listen, flag.Args())
	case *useSSE:
		err = bridgeSSE(flag.Arg(0))
	default:
		err = bridgeHTTP(flag.Arg(0), os.Stdin, &sink{w: os.Stdout})
	}
	if err != nil {
		log.Fatal(err)
	}
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}}

// sink is where messages for the client go, one line each.
type sink struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sink) emit(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.w.Write(append(wire.OneLine(b), '\n')) // a gone client shows at stdin's end
}

func (s *sink) fail(m wire.Message, err error) {
	if m.IsRequest() {
		s.emit(wire.Error(m.ID, -32000, err.Error()))
	}
}

// lines calls f for every message of r; each line is the callee's to keep.
func lines(r io.Reader, f func([]byte, wire.Message)) error {
	br := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := br.ReadBytes('\n')
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			if m, bad := wire.Scan(line); bad == nil {
				f(line, m)
			} else {
				log.Print("skipped a line: ", bad)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
