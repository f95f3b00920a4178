package upstream

import (
	"encoding/base64"
	"net/http"
	"strings"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// modernHeader makes the headers of a message of 2026-07-28, which repeat
// parts of its body and name no session.
func (l *link) modernHeader(version string, m jsonrpc.Message) http.Header {
	method := m.Method()
	var name string
	if member := namedBy(method); member != "" {
		v, _ := jsonrpc.Member(m.Params(), member)
		name, _ = jsonrpc.String(v)
	}
	return l.postHeader(mcp.HeaderVersion, headerValue(version), mcp.HeaderMethod, headerValue(method), mcp.HeaderName, headerValue(name))
}

// namedBy is the member of params that Mcp-Name repeats, "" for none.
func namedBy(method string) string {
	switch method {
	case mcp.MethodToolsCall, "prompts/get":
		return "name"
	case "resources/read":
		return "uri"
	case "tasks/get", "tasks/update", "tasks/cancel":
		return "taskId"
	default:
		return ""
	}
}

// headerValue writes a value as a header can carry it: as it is, or in Base64
// between markers when it holds anything but visible ASCII and inner spaces,
// or looks like such a writing itself.
func headerValue(s string) string {
	plain := s == strings.Trim(s, " \t") && (!strings.HasPrefix(s, "=?base64?") || !strings.HasSuffix(s, "?="))
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
}
