// Package demo is the built-in MCP server: three tools that report who the
// user is and how the conversation came about, so that a set-up can be tried
// without any server at hand.
//
// It promises to run inside the process, over any Conn, and to answer every
// request. It knows nothing of accounts: what it reports is given to it.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Name is the MCP server name it gives in the handshake.
const Name = "drawbridge-demo"

// Description says what it is, wherever servers are listed.
const Description = "Built-in server that reports who you are and how you are connected"

// Server is the demo server for one user on one way of being reached.
type Server struct {
	Version   string // product version
	User      string // the user's name
	Kind      string // "local", or the kind of account at the gateway
	Roles     []string
	Gateway   string // address; "" is none
	App       string // the name it is registered under
	Transport string // how it is reached: "stdio"
}

// Local is the demo server without any gateway.
func Local(user, version string) Server {
	return Server{Version: version, User: user, Kind: "local", App: "demo", Transport: "stdio"}
}

// Serve answers on c until the client leaves, which is no error, or ctx ends.
// It does not close c.
func (s Server) Serve(ctx context.Context, c jsonrpc.Conn) error {
	for {
		m, err := c.Recv(ctx)
		var refused *jsonrpc.RefusedError
		var failed *jsonrpc.CallError
		switch {
		case errors.As(err, &refused):
			err = c.Send(ctx, jsonrpc.NewError(refused.ID, refused.Code, refused.Reason, nil))
		case errors.As(err, &failed):
			continue // nothing is asked here, so nothing can fail
		case errors.Is(err, io.EOF):
			return nil
		case err == nil && m.Kind() == jsonrpc.Request:
			err = c.Send(ctx, s.answer(m))
		}
		if err != nil {
			return err
		}
	}
}

func (s Server) answer(m jsonrpc.Message) jsonrpc.Message {
	switch m.Method() {
	case mcp.MethodInitialize:
		return jsonrpc.NewResult(m.ID(), s.welcome(m.Params()))
	case mcp.MethodPing:
		return jsonrpc.NewResult(m.ID(), []byte("{}"))
	case mcp.MethodToolsList:
		return jsonrpc.NewResult(m.ID(), listing())
	case mcp.MethodToolsCall:
		return s.call(m)
	default:
		return jsonrpc.NewError(m.ID(), jsonrpc.CodeMethodNotFound, "the demo server has no method "+m.Method(), nil)
	}
}

// welcome agrees on the client's version if it is one of ours, else it offers
// the newest (MCP 2025-11-25, Lifecycle, version negotiation).
func (s Server) welcome(params []byte) []byte {
	raw, _ := jsonrpc.Member(params, "protocolVersion")
	version, _ := jsonrpc.String(raw)
	switch version {
	case mcp.V2024_11_05, mcp.V2025_03_26, mcp.V2025_06_18, mcp.V2025_11_25:
	default:
		version = mcp.LatestLegacy
	}
	type info struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	return encode(struct {
		Protocol     string `json:"protocolVersion"`
		Capabilities any    `json:"capabilities"`
		Server       info   `json:"serverInfo"`
		Instructions string `json:"instructions"`
	}{version, map[string]any{"tools": struct{}{}}, info{Name, s.Version}, Description + "."})
}

func (s Server) call(m jsonrpc.Message) jsonrpc.Message {
	raw, _ := jsonrpc.Member(m.Params(), "name")
	name, ok := jsonrpc.String(raw)
	if !ok {
		return jsonrpc.NewError(m.ID(), jsonrpc.CodeInvalidParams, "the call names no tool", nil)
	}
	for _, t := range tools {
		if t.name == name {
			return jsonrpc.NewResult(m.ID(), text(t.run(s)))
		}
	}
	return jsonrpc.NewError(m.ID(), jsonrpc.CodeInvalidParams, "the demo server has no tool "+name, nil)
}

// encode writes values of this package, which always encode.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("demo: " + err.Error())
	}
	return b
}
