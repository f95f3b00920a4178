package era

import (
	"bytes"
	"slices"
	"strings"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Keys of _meta since 2026-07-28.
const (
	metaClientInfo   = "io.modelcontextprotocol/clientInfo"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaLogLevel     = "io.modelcontextprotocol/logLevel"
	metaServerInfo   = "io.modelcontextprotocol/serverInfo"
	metaSubscription = "io.modelcontextprotocol/subscriptionId"
	metaTask         = "io.modelcontextprotocol/related-task" // until 2025-11-25
)

// Methods the translation acts on.
const (
	methodListen       = "subscriptions/listen"
	methodSubscribe    = "resources/subscribe"
	methodUnsubscribe  = "resources/unsubscribe"
	methodSetLevel     = "logging/setLevel"
	methodElicit       = "elicitation/create"
	methodSample       = "sampling/createMessage"
	methodRoots        = "roots/list"
	methodLog          = "notifications/message"
	methodUpdated      = "notifications/resources/updated"
	methodAcknowledged = "notifications/subscriptions/acknowledged"
	methodPrompts      = "notifications/prompts/list_changed"
	methodResources    = "notifications/resources/list_changed"
)

// Error codes of the specification (2026-07-28, Versioning and Transports).
const (
	codeHeaderMismatch = -32020
	codeMissingNeed    = -32021
	codeVersion        = -32022
	codeNotFound       = -32002 // until 2025-11-25
	codeURLNeeded      = -32042 // 2025-11-25 only
)

// served are the versions a client may use with any server, newest first.
var served = []string{mcp.V2026_07_28, mcp.V2025_11_25, mcp.V2025_06_18, mcp.V2025_03_26, mcp.V2024_11_05}

// servedJSON writes them as an array.
func servedJSON() []byte {
	return []byte(`["` + strings.Join(served, `","`) + `"]`)
}

// isStateless tells a request of 2026-07-28 from one of the initialize era.
func isStateless(m jsonrpc.Message) bool {
	if meta := m.Meta(); meta != nil {
		for _, key := range [...]string{mcp.MetaVersion, metaCapabilities} {
			if _, ok := jsonrpc.Member(meta, key); ok {
				return true
			}
		}
	}
	switch m.Method() {
	case mcp.MethodDiscover, methodListen:
		return true
	}
	return false
}

// member walks down first-level members; nil where there is none.
func member(object []byte, path ...string) []byte {
	for _, name := range path {
		object, _ = jsonrpc.Member(object, name)
	}
	return object
}

// text is a string member, "" where there is none.
func text(object []byte, path ...string) string {
	s, _ := jsonrpc.String(member(object, path...))
	return s
}

func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }

// codeOf is the code of an error object as written.
func codeOf(failed []byte) string { return string(member(failed, "code")) }

// pair is one member to be added to an object.
type pair struct {
	name  string
	value []byte
}

// withMissing adds those members that an object has not. It makes one copy.
func withMissing(object []byte, add ...pair) []byte {
	if !isObject(object) {
		return object
	}
	var more []byte
	for _, p := range add {
		if _, ok := jsonrpc.Member(object, p.name); ok || p.value == nil {
			continue
		}
		if more != nil {
			more = append(more, ',')
		}
		more = append(append(append(more, jsonrpc.Quote(p.name)...), ':'), p.value...)
	}
	if more == nil {
		return object
	}
	end := len(bytes.TrimRight(object[:len(object)-1], " \t\r\n"))
	if object[end-1] != '{' {
		more = append([]byte{','}, more...)
	}
	return slices.Concat(object[:end], more, object[end:])
}

// meta is what initialize said and each request to a stateless server says.
type meta struct {
	clientInfo   []byte
	capabilities []byte
	logLevel     []byte
}

// into gives params with our keys in _meta; what the caller had there stays.
func (k meta) into(params []byte) []byte {
	m := member(params, "_meta")
	capabilities := k.capabilities
	if capabilities == nil {
		capabilities = []byte(`{}`)
	}
	m = jsonrpc.SetMember(m, mcp.MetaVersion, jsonrpc.Quote(mcp.V2026_07_28))
	m = jsonrpc.SetMember(m, metaCapabilities, capabilities)
	if k.clientInfo != nil {
		m = jsonrpc.SetMember(m, metaClientInfo, k.clientInfo)
	}
	if k.logLevel != nil {
		m = jsonrpc.SetMember(m, metaLogLevel, k.logLevel)
	}
	return jsonrpc.SetMember(params, "_meta", m)
}

// metaParams are params of a request of our own to a stateless server, which
// speaks for the client that made like, if any.
func metaParams(like []byte) []byte {
	return meta{clientInfo: member(like, metaClientInfo), capabilities: member(like, metaCapabilities)}.into(nil)
}

// strip takes out of params what only a stateless server reads.
func strip(params []byte) []byte {
	if !isObject(params) {
		return params
	}
	for _, name := range [...]string{"inputResponses", "requestState"} {
		params = jsonrpc.DeleteMember(params, name)
	}
	return stripMeta(params)
}

// stripMeta takes out of _meta what only 2026-07-28 knows.
func stripMeta(params []byte) []byte {
	old := member(params, "_meta")
	if old == nil {
		return params
	}
	m := old
	for _, name := range [...]string{mcp.MetaVersion, metaCapabilities, metaClientInfo, metaLogLevel} {
		m = jsonrpc.DeleteMember(m, name)
	}
	if len(m) == len(old) {
		return params
	}
	if isEmpty(m) {
		return jsonrpc.DeleteMember(params, "_meta")
	}
	return jsonrpc.SetMember(params, "_meta", m)
}

// isEmpty tells whether an object has no member.
func isEmpty(object []byte) bool {
	for range jsonrpc.Members(object) {
		return false
	}
	return true
}

// hasVersion tells whether a DiscoverResult, or the data of an error, names
// 2026-07-28 in that list.
func hasVersion(object []byte, list string) bool {
	versions := member(object, list)
	if len(versions) == 0 || versions[0] != '[' {
		return false
	}
	for v := range jsonrpc.Elements(versions) {
		if s, _ := jsonrpc.String(v); s == mcp.V2026_07_28 {
			return true
		}
	}
	return false
}

// resultOf answers a request with a result that stood inside another message, so
// that nobody has read it yet: what two could read differently is an error.
func resultOf(id jsonrpc.ID, result []byte) jsonrpc.Message {
	out, err := jsonrpc.NewResult(id, []byte(`{}`)).WithResult(result)
	if err != nil {
		return jsonrpc.NewError(id, jsonrpc.CodeInternalError, "the answer is not valid MCP", nil)
	}
	return out
}
