// Package inspector asks one server, as an MCP client does, what it is, which
// tools it has and what they answer.
//
// It promises to hand out schemas and results as the raw JSON the server sent,
// to answer the server's own requests politely, and to end a listing that has
// no end. It speaks over any Conn; how the server is reached is left to package
// upstream.
package inspector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// farewell bounds what is sent or awaited after the caller has given up.
const farewell = time.Second

// Inspector is one conversation. It is for one goroutine.
type Inspector struct {
	conn    jsonrpc.Conn
	server  string // for errors
	version string // of the product
	last    int    // id of the last request
}

// New makes an inspector on conn, which Close ends.
func New(conn jsonrpc.Conn, server, version string) *Inspector {
	return &Inspector{conn: conn, server: server, version: version}
}

// Refusal is the error a server answered a request with.
type Refusal struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the server answered: %s (%d)", r.Message, r.Code)
}

// Welcome is what a server said of itself in the handshake.
type Welcome struct {
	Name     string
	Version  string
	Protocol string
	HasTools bool
}

// Initialize does the handshake.
func (i *Inspector) Initialize(ctx context.Context) (Welcome, error) {
	params := fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"drawbridge","version":%s}}`,
		mcp.LatestLegacy, jsonrpc.Quote(i.version))
	result, err := i.Ask(ctx, mcp.MethodInitialize, []byte(params))
	if err != nil {
		return Welcome{}, err
	}
	w, err := welcome(result)
	if err != nil {
		return Welcome{}, fault.New(fault.ProtocolError, i.server).Because(err)
	}
	if err := i.conn.Send(ctx, jsonrpc.NewNotification(mcp.MethodInitialized, nil)); err != nil {
		return Welcome{}, i.lost(ctx, err)
	}
	return w, nil
}

func welcome(result []byte) (Welcome, error) {
	var r struct {
		Protocol     *string                    `json:"protocolVersion"`
		Capabilities map[string]json.RawMessage `json:"capabilities"`
		Server       struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"serverInfo"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return Welcome{}, fmt.Errorf("the answer to initialize: %w", err)
	}
	if r.Protocol == nil {
		return Welcome{}, errors.New("the answer to initialize has no protocolVersion")
	}
	_, tools := r.Capabilities["tools"]
	return Welcome{Name: r.Server.Name, Version: r.Server.Version, Protocol: *r.Protocol, HasTools: tools}, nil
}

// Ask sends one request and waits for its result, as the server wrote it. The
// error is a *Refusal if the server refused, else a fault. When ctx ends first
// the server is told to stop.
func (i *Inspector) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	i.last++
	id := jsonrpc.ID(strconv.Itoa(i.last))
	if err := i.conn.Send(ctx, jsonrpc.NewRequest(id, method, params)); err != nil {
		return nil, i.lost(ctx, err)
	}
	m, err := i.await(ctx, id)
	if err != nil {
		i.cancel(ctx, id, method)
		return nil, i.explain(ctx, err)
	}
	if m.Error() == nil {
		return m.Result(), nil
	}
	refusal := &Refusal{Message: "an error without words"}
	if err := json.Unmarshal(m.Error(), refusal); err != nil {
		return nil, fault.New(fault.ProtocolError, i.server).Because(fmt.Errorf("the error answer to %s: %w", method, err))
	}
	return nil, refusal
}

// await reads until the answer to id, answering what the server asks meanwhile.
func (i *Inspector) await(ctx context.Context, id jsonrpc.ID) (jsonrpc.Message, error) {
	for {
		m, err := i.conn.Recv(ctx)
		var failed *jsonrpc.CallError
		var refused *jsonrpc.RefusedError
		switch {
		case errors.As(err, &failed) && failed.ID != id, errors.As(err, &refused):
			continue // of an older request, or junk between messages
		case err != nil:
			return jsonrpc.Message{}, err
		case m.Kind() == jsonrpc.Response && m.ID() == id:
			return m, nil
		case m.Kind() == jsonrpc.Request:
			if err := i.conn.Send(ctx, reply(m)); err != nil {
				return jsonrpc.Message{}, err
			}
		}
	}
}

// reply answers a request of the server: a ping is answered, anything else is
// beyond the capabilities that were offered.
func reply(m jsonrpc.Message) jsonrpc.Message {
	if m.Method() == mcp.MethodPing {
		return jsonrpc.NewResult(m.ID(), []byte("{}"))
	}
	return jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "this client cannot do "+m.Method(), nil)
}

// cancel tells the server that nobody waits for the answer any more. The
// specification forbids it for initialize.
func (i *Inspector) cancel(ctx context.Context, id jsonrpc.ID, method string) {
	if ctx.Err() == nil || method == mcp.MethodInitialize {
		return
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer done()
	// Best effort: the caller gets the reason it gave up for either way.
	_ = i.conn.Send(ctx, jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(id)+`,"reason":"the user stopped waiting"}`)))
}

// lost explains a failed Send: why the conversation ended comes out of Recv.
func (i *Inspector) lost(ctx context.Context, sent error) error {
	short, done := context.WithTimeout(ctx, farewell)
	defer done()
	for range 100 {
		_, err := i.conn.Recv(short)
		if err == nil {
			continue
		}
		var known *fault.Error
		if errors.As(err, &known) {
			return fault.Of(err, i.server)
		}
		break
	}
	return i.explain(ctx, sent)
}

// explain gives every end of a conversation a code.
func (i *Inspector) explain(ctx context.Context, err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return fault.Of(err, i.server)
	case errors.Is(err, context.DeadlineExceeded):
		e := fault.New(fault.Timeout, i.server)
		e.Err = err
		return e
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		e := fault.New(fault.UpstreamError, i.server).With("the server ended the conversation")
		e.Err = err
		return e
	default:
		return fault.Of(err, i.server)
	}
}

// Close ends the conversation.
func (i *Inspector) Close() error { return i.conn.Close() }
