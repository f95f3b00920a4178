package jsonrpc

import "strings"

// MaxMembers is how many members an envelope, and the params of a method of
// the specification, may have: their names are compared with each other.
const MaxMembers = 1024

// complete is the method whose params hold a second object that names things.
const complete = "completion/complete"

// methods are those of the MCP specification, in any version up to 2026-07-28.
var methods = same(
	"initialize", "server/discover", "ping",
	"tools/list", "tools/call",
	"resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
	"prompts/list", "prompts/get", complete, "logging/setLevel", "subscriptions/listen",
	"sampling/createMessage", "roots/list", "elicitation/create",
	"tasks/get", "tasks/result", "tasks/list", "tasks/update", "tasks/cancel",
	"notifications/initialized", "notifications/cancelled", "notifications/progress", "notifications/message",
	"notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/roots/list_changed",
	"notifications/resources/list_changed", "notifications/resources/updated",
	"notifications/elicitation/complete", "notifications/tasks", "notifications/tasks/status",
	"notifications/subscriptions/acknowledged",
)

// same gives a string back for equal bytes, without allocating one.
func same(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[n] = n
	}
	return m
}

// byFold keys names by what they fold to.
func byFold(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[strings.ToLower(n)] = n
	}
	return m
}

// envelopeNames are the members of JSON-RPC itself.
var envelopeNames = byFold("jsonrpc", "id", "method", "params", "result", "error")

// paramNames are the first-level members of params of the specification's
// methods.
var paramNames = byFold(
	"_meta", "task",
	"protocolVersion", "capabilities", "clientInfo",
	"name", "arguments", "uri", "cursor", "level",
	"ref", "argument", "context",
	"requestId", "reason",
	"progressToken", "progress", "total", "message",
	"logger", "data",
	"messages", "modelPreferences", "systemPrompt", "includeContext", "temperature",
	"maxTokens", "stopSequences", "metadata", "tools", "toolChoice",
	"mode", "requestedSchema", "elicitationId", "url",
	"taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt",
	"ttl", "ttlMs", "pollInterval", "pollIntervalMs", "result", "error",
	"inputRequests", "inputResponses", "requestState", "notifications",
)

// refNames are the members of what completion/complete refers to.
var refNames = byFold("type", "name", "uri", "title")

// metaPrefix begins the keys of _meta that belong to the protocol.
const metaPrefix = "io.modelcontextprotocol/"

// metaNames are the keys of _meta that the protocol gives a meaning.
var metaNames = byFold(
	"progressToken",
	metaPrefix+"protocolVersion", metaPrefix+"clientCapabilities", metaPrefix+"clientInfo",
	metaPrefix+"serverInfo", metaPrefix+"logLevel", metaPrefix+"subscriptionId",
	metaPrefix+"related-task",
)
