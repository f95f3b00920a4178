package upstream

import (
	"net/http"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// modernHeader makes the headers of a message of 2026-07-28, which repeat
// parts of its body and name no session.
func (c *streamable) modernHeader(version string, m jsonrpc.Message) http.Header {
	method := m.Method()
	var name string
	if member := mcp.NamedBy(method); member != "" {
		v, _ := jsonrpc.Member(m.Params(), member)
		name, _ = jsonrpc.String(v)
	}
	head := c.postHeader(mcp.HeaderVersion, mcp.EncodeHeader(version), mcp.HeaderMethod, mcp.EncodeHeader(method), mcp.HeaderName, mcp.EncodeHeader(name))
	c.params.mirror(head, m)
	return head
}
