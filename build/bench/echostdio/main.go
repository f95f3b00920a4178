// Echostdio is a minimal stdio MCP server: what the bridges of the reverse
// direction expose over HTTP.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"sync"

	"drawbridge/build/bench/testserver"
	"drawbridge/build/bench/wire"
)

func main() {
	out := &output{}
	srv := &testserver.Server{Name: "echostdio"}
	sess := testserver.NewSession()
	sess.Notify = func(b []byte) bool { return out.write(b) == nil }
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			serve(srv, sess, line, out)
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

func serve(srv *testserver.Server, sess *testserver.Session, line []byte, out *output) {
	m, err := wire.Scan(line)
	switch {
	case err != nil:
		_ = out.write(wire.Error(nil, -32700, "parse error")) // a gone client shows at stdin's end
	case m.IsRequest():
		go func() { // until answered or the process ends
			if m.Method == "tools/call" && testserver.Tool(m.Params) == "crash" {
				os.Exit(3)
			}
			_ = out.write(srv.Handle(context.Background(), sess, m, out.write)) // as above
		}()
	case m.IsNotification():
		srv.Notification(sess, m)
	default:
		sess.Response(m)
	}
}

// output writes one message a line.
type output struct{ mu sync.Mutex }

func (o *output) write(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := os.Stdout.Write(append(b, '\n'))
	return err
}
