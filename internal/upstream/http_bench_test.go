package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"drawbridge/internal/jsonrpc"
)

var sizes = []int{100, 1 << 20}

// benchServer answers as fast as net/http can, in one piece or as a stream.
func benchServer(b *testing.B, stream bool) string {
	f := newFake(b)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, max(r.ContentLength, 0))
		_, _ = io.ReadFull(r.Body, body)
		m, err := jsonrpc.Parse(body)
		switch {
		case err == nil && m.Method() == "initialize":
			f.welcome(w, m)
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case err == nil && m.Kind() == jsonrpc.Notification:
			w.WriteHeader(http.StatusAccepted)
		case stream:
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: ")
			_, _ = w.Write(jsonrpc.NewResult(m.ID(), m.Params()).Bytes())
			_, _ = io.WriteString(w, "\n\n")
		default:
			answer(w, m)
		}
	}))
	b.Cleanup(s.Close)
	return s.URL
}

func benchRequest(size int) jsonrpc.Message {
	return jsonrpc.NewRequest("7", "tools/call", []byte(`{"x":"`+strings.Repeat("y", size)+`"}`))
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range sizes {
		for _, stream := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/stream=%v", size, stream), func(b *testing.B) {
				p := dialTo(b, benchServer(b, stream))
				p.greet()
				m := benchRequest(size)
				b.ReportAllocs()
				for b.Loop() {
					p.send(m)
					if got := p.message(); got.ID() != "7" {
						b.Fatal(string(got.Bytes()))
					}
				}
			})
		}
	}
}

// BenchmarkBareClient is what BenchmarkRoundTrip is held against: net/http and
// nothing else.
func BenchmarkBareClient(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			url := benchServer(b, false)
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}}
			defer c.CloseIdleConnections()
			m := benchRequest(size).Bytes()
			b.ReportAllocs()
			for b.Loop() {
				resp, err := c.Post(url, "application/json", bytes.NewReader(m))
				if err != nil {
					b.Fatal(err)
				}
				body := make([]byte, resp.ContentLength)
				if _, err := io.ReadFull(resp.Body, body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}
