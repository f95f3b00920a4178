// Package client is the MCP client of the bench: over the stdin and stdout of a
// command (Stdio), and over HTTP, streamable or with the event stream of
// 2024-11-05 (HTTP).
//
// It promises that every answer is matched by its raw id, that what nobody
// waited for is counted, and that a caller waits no longer than it said. It
// leaves judging what came back to its callers.
package client

import (
	"encoding/json"
	"errors"
	"fmt"

	"drawbridge/build/bench/wire"
)

// ErrGone means that the other side closed before it answered.
var ErrGone = errors.New("the connection was closed without an answer")

// ErrTimeout means that no answer came in time.
var ErrTimeout = errors.New("no answer in time")

// RPCError is a JSON-RPC error answer.
type RPCError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("rpc error %d: %.200s", e.Code, e.Message) }

// HTTPError is a status that is not a success.
type HTTPError struct {
	Code int
	Body string
}

func (e *HTTPError) Error() string { return fmt.Sprintf("HTTP %d: %.60q", e.Code, e.Body) }

// InitError is an error answer to initialize.
type InitError struct{ Answer string }

func (e *InitError) Error() string { return "initialize: " + e.Answer }

// InitParams are the initialize params of the bench for a version.
func InitParams(version string) string {
	return `{"protocolVersion":"` + version + `","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{}},` +
		`"clientInfo":{"name":"bridgebench","version":"1.0.0"}}`
}

// CallParams are the tools/call params for a tool and its raw arguments.
func CallParams(tool, args string) string {
	return `{"name":"` + tool + `","arguments":` + args + `}`
}

// ToolText returns the text of a tool's answer, or the error it carries.
func ToolText(m wire.Message) (string, error) {
	if m.Error == nil {
		return wire.Text(m.Result), nil
	}
	e := &RPCError{}
	if err := json.Unmarshal(m.Error, e); err != nil {
		return "", fmt.Errorf("error answer %.80s: %w", m.Error, err)
	}
	return "", e
}
