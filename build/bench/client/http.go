package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drawbridge/build/bench/wire"
)

// HTTP speaks to one endpoint: the client of the reverse direction, and the
// physical limit of the forward one.
type HTTP struct {
	// OnRequest answers the server's requests (nil: method not found) and
	// OnNotification sees its notifications. Both are set before the first call.
	OnRequest      func(wire.Message) []byte
	OnNotification func(wire.Message)

	url    string
	client *http.Client
	next   atomic.Int64
	wait   *waiting // answers on the event stream of HTTP+SSE

	legacy bool          // HTTP+SSE
	post   string        // where HTTP+SSE posts to
	closed chan struct{} // the event stream of HTTP+SSE ended

	mu      sync.Mutex
	session string
	version string
	streams []context.CancelFunc
}

// answerLimit bounds the delivery of an answer to a server's request.
const answerLimit = 10 * time.Second

// NewHTTP makes a client of a streamable endpoint; nothing is sent yet.
func NewHTTP(endpoint string) *HTTP {
	return &HTTP{url: endpoint, wait: newWaiting(), closed: make(chan struct{}), client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 128, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}}}
}

// OpenSSE opens the event stream of an HTTP+SSE endpoint.
func OpenSSE(ctx context.Context, endpoint string) (*HTTP, error) {
	c := NewHTTP(endpoint)
	c.legacy = true
	resp, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	post := make(chan string, 1)
	go func() { // ends with the stream, see closed
		defer close(c.closed)
		c.listen(resp.Body, post)
	}()
	select {
	case c.post = <-post:
		return c, nil
	case <-c.closed:
		c.stop()
		return nil, errors.New("the stream ended before its endpoint event")
	case <-ctx.Done():
		c.stop()
		return nil, ErrTimeout
	}
}

// stop ends the event streams.
func (c *HTTP) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stop := range c.streams {
		stop()
	}
}

// get opens an event stream that lives as long as the client; ctx limits only
// the wait for its head.
func (c *HTTP) get(ctx context.Context) (*http.Response, error) {
	streamCtx, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close
	c.mu.Lock()
	c.streams = append(c.streams, stop)
	c.mu.Unlock()
	req, err := http.NewRequestWithContext(streamCtx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	c.setHeaders(req, "text/event-stream")
	inTime := context.AfterFunc(ctx, stop)
	resp, err := c.client.Do(req)
	if !inTime() || err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // only the status counts
		return nil, &HTTPError{Code: resp.StatusCode}
	}
	return resp, nil
}

// listen reads an event stream to its end.
func (c *HTTP) listen(body io.ReadCloser, endpoint chan<- string) {
	defer body.Close()
	events := wire.NewEventReader(body)
	for {
		ev, err := events.Next()
		if err != nil {
			return
		}
		if ev.Name == "endpoint" && endpoint != nil {
			if u, err := resolve(c.url, string(ev.Data)); err == nil {
				endpoint <- u
				endpoint = nil
			}
			continue
		}
		if m, err := wire.Scan(ev.Data); err == nil {
			c.receive(m)
		}
	}
}

func resolve(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	r, err := url.Parse(ref)
	if err != nil {
		return "", err
	}
	return b.ResolveReference(r).String(), nil
}

// receive takes a message that is not the awaited answer of a POST.
func (c *HTTP) receive(m wire.Message) {
	switch {
	case m.IsResponse():
		c.wait.deliver(m)
	case m.IsRequest():
		go func() { // its failure shows in the call that the server waits in
			ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
			defer cancel()
			if resp, err := c.send(ctx, answer(c.OnRequest, m)); err == nil {
				_ = resp.Body.Close() // 202 without content
			}
		}()
	case c.OnNotification != nil:
		c.OnNotification(m)
	}
}

func (c *HTTP) setHeaders(req *http.Request, accept string) {
	req.Header.Set("Accept", accept)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	if c.version != "" {
		req.Header.Set("Mcp-Protocol-Version", c.version)
	}
}

func (c *HTTP) send(ctx context.Context, body []byte) (*http.Response, error) {
	target := c.url
	if c.legacy {
		target = c.post
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	c.setHeaders(req, "application/json, text/event-stream")
	return c.client.Do(req)
}

// Unasked counts answers on the event stream that no call waited for.
func (c *HTTP) Unasked() int64 { return c.wait.unasked.Load() }

// Call sends a request and waits for its answer.
func (c *HTTP) Call(ctx context.Context, method, params string) (wire.Message, error) {
	id := c.next.Add(1)
	return c.CallRaw(ctx, strconv.FormatInt(id, 10), wire.Request(id, method, params))
}

// CallRaw sends a prepared request and waits for the answer with this raw id.
func (c *HTTP) CallRaw(ctx context.Context, id string, line []byte) (wire.Message, error) {
	var late <-chan wire.Message
	if c.legacy {
		late = c.wait.add(id)
		defer c.wait.drop(id)
	}
	resp, err := c.send(ctx, line)
	if err != nil {
		return wire.Message{}, inTime(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what came of it is enough
		return wire.Message{}, &HTTPError{resp.StatusCode, string(b)}
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		c.mu.Lock()
		c.session = id
		c.mu.Unlock()
	}
	switch {
	case c.legacy:
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is reused
		return c.awaitEvent(ctx, late)
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		m, err := c.readStream(resp.Body, id)
		return m, inTime(ctx, err)
	}
	m, err := readJSON(resp)
	return m, inTime(ctx, err)
}

// inTime names the time-out when that is what the error comes from.
func inTime(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ErrTimeout
	}
	return err
}

func (c *HTTP) awaitEvent(ctx context.Context, answer <-chan wire.Message) (wire.Message, error) {
	select {
	case m := <-answer:
		return m, nil
	case <-c.closed:
		return wire.Message{}, ErrGone
	case <-ctx.Done():
		return wire.Message{}, ErrTimeout
	}
}

// readStream returns the answer with this id and hands on what comes before it.
func (c *HTTP) readStream(body io.ReadCloser, id string) (wire.Message, error) {
	events := wire.NewEventReader(body)
	for {
		ev, err := events.Next()
		if err != nil {
			return wire.Message{}, fmt.Errorf("the stream ended without the answer: %w", err)
		}
		m, err := wire.Scan(ev.Data)
		if err != nil {
			continue // an event without a message
		}
		if m.IsResponse() && string(m.ID) == id {
			// The end of the stream is read too, so that the connection is reused.
			t := time.AfterFunc(20*time.Millisecond, func() { _ = body.Close() })
			_, _ = events.Next()
			t.Stop()
			return m, nil
		}
		c.receive(m)
	}
}

func readJSON(resp *http.Response) (wire.Message, error) {
	var body []byte
	var err error
	if resp.ContentLength > 0 {
		body = make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, body)
	} else {
		body, err = io.ReadAll(resp.Body)
	}
	if err != nil {
		return wire.Message{}, err
	}
	return wire.Scan(body)
}

// Init performs the handshake and returns the initialize answer.
func (c *HTTP) Init(limit time.Duration, version string) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, err := c.Call(ctx, "initialize", InitParams(version))
	if err != nil {
		return m, err
	}
	if m.Error != nil {
		return m, &InitError{string(m.Error)}
	}
	if !c.legacy {
		c.mu.Lock()
		c.version = version
		c.mu.Unlock()
	}
	resp, err := c.send(ctx, wire.Notification("notifications/initialized", ""))
	if err != nil {
		return m, err
	}
	return m, resp.Body.Close()
}

// Listen opens the standalone stream of server messages of streamable HTTP. A
// server may have none, which is no error.
func (c *HTTP) Listen(ctx context.Context) error {
	resp, err := c.get(ctx)
	var status *HTTPError
	if errors.As(err, &status) && status.Code == http.StatusMethodNotAllowed {
		return nil
	}
	if err != nil {
		return err
	}
	go c.listen(resp.Body, nil) // ends with Close
	return nil
}

// Notify sends a prepared notification.
func (c *HTTP) Notify(ctx context.Context, line []byte) error {
	resp, err := c.send(ctx, line)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Tool calls a tool and returns its text.
func (c *HTTP) Tool(limit time.Duration, name, args string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, err := c.Call(ctx, "tools/call", CallParams(name, args))
	if err != nil {
		return "", err
	}
	return ToolText(m)
}

// Close ends the session and its streams.
func (c *HTTP) Close() {
	defer c.client.CloseIdleConnections()
	defer c.stop()
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	if session == "" || c.legacy {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.url, nil)
	if err != nil {
		return
	}
	c.setHeaders(req, "application/json")
	if resp, err := c.client.Do(req); err == nil { // the session may be gone already
		_ = resp.Body.Close() // only the request counts
	}
}
