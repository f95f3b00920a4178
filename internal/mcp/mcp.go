// Package mcp holds the protocol facts a bridge needs: versions, method names,
// HTTP headers, and how to cut tools out of a listing. It moves no message and
// promises that what it changes in one is only what its name says.
package mcp

import "strings"

// Protocol versions, oldest first. From the first to V2025_11_25 a conversation
// opens with initialize; V2026_07_28 is stateless.
const (
	V2024_11_05 = "2024-11-05"
	V2025_03_26 = "2025-03-26"
	V2025_06_18 = "2025-06-18"
	V2025_11_25 = "2025-11-25"
	V2026_07_28 = "2026-07-28"

	LatestLegacy = V2025_11_25
)

// HTTP headers of the streamable HTTP transport.
const (
	HeaderSession     = "Mcp-Session-Id"
	HeaderVersion     = "Mcp-Protocol-Version"
	HeaderLastEventID = "Last-Event-Id"
	HeaderMethod      = "Mcp-Method" // 2026-07-28
	HeaderName        = "Mcp-Name"   // 2026-07-28
	HeaderErrorOrigin = "X-Drawbridge-Error-Origin"
)

// Content types.
const (
	TypeJSON        = "application/json"
	TypeEventStream = "text/event-stream"
)

// MetaVersion is the key in params._meta that carries the protocol version of
// one request since 2026-07-28.
const MetaVersion = "io.modelcontextprotocol/protocolVersion"

// Methods the bridge itself acts on. Every other method only passes.
const (
	MethodInitialize  = "initialize"
	MethodInitialized = "notifications/initialized"
	MethodDiscover    = "server/discover"
	MethodPing        = "ping"
	MethodToolsList   = "tools/list"
	MethodToolsCall   = "tools/call"
	MethodRead        = "resources/read"
	MethodCancelled   = "notifications/cancelled"
	MethodProgress    = "notifications/progress"
	MethodToolsChange = "notifications/tools/list_changed"
)

// OnlyReads tells whether a request changes nothing at the server, so that it may
// be sent again, whatever became of it.
func OnlyReads(method string) bool {
	return method == MethodPing || method == MethodRead || strings.HasSuffix(method, "/list")
}
