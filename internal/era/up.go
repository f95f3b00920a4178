package era

import (
	"context"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Keys of _meta in every request since 2026-07-28.
const (
	metaClientInfo   = "io.modelcontextprotocol/clientInfo"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaLogLevel     = "io.modelcontextprotocol/logLevel"
	metaServerInfo   = "io.modelcontextprotocol/serverInfo"
)

// meta is what initialize said and each request now has to say.
type meta struct {
	clientInfo []byte
	logLevel   []byte
}

// into gives params with our keys in _meta; what the caller had there stays.
func (k meta) into(params []byte) []byte {
	if params == nil {
		params = []byte(`{}`)
	}
	m, ok := jsonrpc.Member(params, "_meta")
	if !ok {
		m = []byte(`{}`)
	}
	m = jsonrpc.SetMember(m, mcp.MetaVersion, jsonrpc.Quote(mcp.V2026_07_28))
	m = jsonrpc.SetMember(m, metaCapabilities, []byte(`{}`))
	if k.clientInfo != nil {
		m = jsonrpc.SetMember(m, metaClientInfo, k.clientInfo)
	}
	if k.logLevel != nil {
		m = jsonrpc.SetMember(m, metaLogLevel, k.logLevel)
	}
	return jsonrpc.SetMember(params, "_meta", m)
}

// discover asks a modern server what initialize would have told.
func (c *conn) discover(ctx context.Context) error {
	c.mu.Lock()
	info, _ := jsonrpc.Member(c.hello.Params(), "clientInfo")
	c.meta = meta{clientInfo: info}
	params := c.meta.into(nil)
	c.mu.Unlock()
	return c.Conn.Send(ctx, jsonrpc.NewRequest(discoverID, mcp.MethodDiscover, params))
}

// discovered answers the client's initialize from the server's discovery.
func (c *conn) discovered(ctx context.Context, m jsonrpc.Message) (jsonrpc.Message, bool, error) {
	c.mu.Lock()
	if m.Result() == nil || !speaksModern(m.Result()) {
		defer c.mu.Unlock()
		return c.giveUpLocked(), true, nil
	}
	out := jsonrpc.NewResult(c.hello.ID(), welcome(c.hello.Params(), m.Result(), c.server))
	c.state = modern
	held := c.held
	c.held = nil
	if c.in == nil {
		c.in, c.local, c.done = make(chan arrival), make(chan jsonrpc.Message, 16), make(chan struct{})
		c.wg.Go(c.read)
	}
	c.mu.Unlock()
	for _, h := range held {
		if err := c.sendModern(ctx, h); err != nil {
			return out, true, err
		}
	}
	return out, true, nil
}

// read hands the server's messages to Recv, beside what is answered here.
func (c *conn) read() {
	for {
		// Close ends this Recv.
		m, err := c.Conn.Recv(context.Background())
		select {
		case c.in <- arrival{m, err}:
		case <-c.done:
			return
		}
		if _, one := err.(*jsonrpc.CallError); err != nil && !one {
			if _, one := err.(*jsonrpc.RefusedError); !one {
				return
			}
		}
	}
}

func speaksModern(result []byte) bool {
	versions, ok := jsonrpc.Member(result, "supportedVersions")
	if !ok || len(versions) == 0 || versions[0] != '[' {
		return false
	}
	for v := range jsonrpc.Elements(versions) {
		if s, _ := jsonrpc.String(v); s == mcp.V2026_07_28 {
			return true
		}
	}
	return false
}

// welcome is the InitializeResult made of a DiscoverResult.
func welcome(hello, found []byte, server string) []byte {
	version, _ := jsonrpc.Member(hello, "protocolVersion")
	switch v, _ := jsonrpc.String(version); v {
	case mcp.V2024_11_05, mcp.V2025_03_26, mcp.V2025_06_18, mcp.V2025_11_25:
	default:
		version = jsonrpc.Quote(mcp.LatestLegacy)
	}
	capabilities, ok := jsonrpc.Member(found, "capabilities")
	if !ok {
		capabilities = []byte(`{}`)
	}
	var info []byte
	if m, ok := jsonrpc.Member(found, "_meta"); ok {
		info, _ = jsonrpc.Member(m, metaServerInfo)
	}
	if info == nil {
		info = []byte(`{"name":` + string(jsonrpc.Quote(server)) + `,"version":"unknown"}`)
	}
	out := `{"protocolVersion":` + string(version) + `,"capabilities":` + string(capabilities) + `,"serverInfo":` + string(info)
	if text, ok := jsonrpc.Member(found, "instructions"); ok {
		out += `,"instructions":` + string(text)
	}
	return []byte(out + `}`)
}

// sendModern passes a message of the initialize era on to a modern server, or
// answers it here.
func (c *conn) sendModern(ctx context.Context, m jsonrpc.Message) error {
	switch m.Kind() {
	case jsonrpc.Response:
		return nil // a modern server sends no requests
	case jsonrpc.Notification:
		if m.Method() == mcp.MethodCancelled {
			return c.Conn.Send(ctx, m)
		}
		return nil // 2026-07-28 has no other notification of the client's
	}
	switch m.Method() {
	case mcp.MethodInitialize:
		c.mu.Lock()
		c.hello = m
		c.refusal = jsonrpc.NewError(m.ID(), jsonrpc.CodeInternalError, "the server no longer answers server/discover", nil)
		c.mu.Unlock()
		return c.discover(ctx)
	case mcp.MethodPing:
		return c.reply(ctx, jsonrpc.NewResult(m.ID(), []byte(`{}`)))
	case "logging/setLevel":
		level, _ := jsonrpc.Member(m.Params(), "level")
		c.mu.Lock()
		c.meta.logLevel = level
		c.mu.Unlock()
		return c.reply(ctx, jsonrpc.NewResult(m.ID(), []byte(`{}`)))
	}
	if p := m.Params(); p != nil && p[0] != '{' {
		return c.reply(ctx, jsonrpc.NewError(m.ID(), jsonrpc.CodeInvalidParams, "params by position cannot carry _meta", nil))
	}
	c.mu.Lock()
	params := c.meta.into(m.Params())
	c.mu.Unlock()
	out, err := m.WithParams(params)
	if err != nil {
		return c.reply(ctx, jsonrpc.NewError(m.ID(), jsonrpc.CodeInvalidParams, err.Error(), nil))
	}
	return c.Conn.Send(ctx, out)
}

// reply gives the client an answer made here.
func (c *conn) reply(ctx context.Context, m jsonrpc.Message) error {
	select {
	case c.local <- m:
		return nil
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
