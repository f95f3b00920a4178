package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"drawbridge/build/bench/wire"
)

// remote is a streamable HTTP server and the session with it.
type remote struct {
	*sink
	url string

	mu      sync.Mutex
	session string
}

func (b *remote) do(ctx context.Context, method string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	b.mu.Lock()
	if b.session != "" {
		req.Header.Set("Mcp-Session-Id", b.session)
	}
	b.mu.Unlock()
	return client.Do(req)
}

func (b *remote) send(ctx context.Context, line []byte, m wire.Message) {
	resp, err := b.do(ctx, http.MethodPost, line)
	if err != nil {
		b.fail(m, err)
		return
	}
	defer resp.Body.Close()
	if m.Method == "initialize" {
		b.mu.Lock()
		b.session = resp.Header.Get("Mcp-Session-Id")
		b.mu.Unlock()
	}
	if resp.StatusCode >= 300 {
		cause, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what came of it is enough
		b.fail(m, fmt.Errorf("HTTP %d: %s", resp.StatusCode, cause))
		return
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		b.pump(resp.Body)
		return
	}
	if !m.IsRequest() {
		return
	}
	body, err := readAll(resp)
	if err != nil {
		b.fail(m, err)
		return
	}
	b.emit(body)
}

func readAll(resp *http.Response) ([]byte, error) {
	if resp.ContentLength <= 0 {
		return io.ReadAll(resp.Body)
	}
	body := make([]byte, resp.ContentLength)
	_, err := io.ReadFull(resp.Body, body)
	return body, err
}

// pump emits the messages of an event stream.
func (b *remote) pump(body io.Reader) {
	events := wire.NewEventReader(body)
	for {
		ev, err := events.Next()
		if err != nil {
			return
		}
		if len(ev.Data) > 0 {
			b.emit(ev.Data)
		}
	}
}

// listen reads the standalone stream of server messages.
func (b *remote) listen(ctx context.Context) {
	resp, err := b.do(ctx, http.MethodGet, nil)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		b.pump(resp.Body)
	}
}

func bridgeHTTP(u string, in io.Reader, out *sink) error {
	b := &remote{url: u, sink: out}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	err := lines(in, func(line []byte, m wire.Message) {
		if m.Method == "initialize" || !m.IsRequest() {
			b.send(ctx, line, m)
			if m.Method == "notifications/initialized" {
				wg.Go(func() { b.listen(ctx) })
			}
			return
		}
		wg.Go(func() { b.send(ctx, line, m) })
	})
	cancel()
	wg.Wait()
	if b.session != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if resp, err := b.do(ctx, http.MethodDelete, nil); err == nil {
			_ = resp.Body.Close() // only the request counts
		}
	}
	return err
}

func bridgeSSE(u string) error {
	out := &sink{w: os.Stdout}
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	endpoint := make(chan string, 1)
	go func() { // until the process ends
		fmt.Fprintln(os.Stderr, "the event stream ended:", readSSE(resp.Body, u, out, endpoint))
		os.Exit(1)
	}()
	post := <-endpoint
	return lines(os.Stdin, func(line []byte, m wire.Message) {
		if m.IsRequest() && m.Method != "initialize" {
			go postSSE(post, line, m, out) // until the process ends
			return
		}
		postSSE(post, line, m, out)
	})
}

func readSSE(body io.Reader, u string, out *sink, endpoint chan<- string) error {
	base, err := url.Parse(u)
	if err != nil {
		return err
	}
	events := wire.NewEventReader(body)
	for {
		ev, err := events.Next()
		if err != nil {
			return err
		}
		if ev.Name != "endpoint" {
			out.emit(ev.Data)
			continue
		}
		ref, err := url.Parse(string(ev.Data))
		if err != nil {
			return err
		}
		endpoint <- base.ResolveReference(ref).String()
	}
}

func postSSE(post string, line []byte, m wire.Message, out *sink) {
	resp, err := client.Post(post, "application/json", bytes.NewReader(line))
	if err != nil {
		out.fail(m, err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is reused
	_ = resp.Body.Close()                 // read to its end
	if resp.StatusCode >= 300 {
		out.fail(m, fmt.Errorf("HTTP %d", resp.StatusCode))
	}
}
