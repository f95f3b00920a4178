package mcp

import (
	"encoding/base64"
	"strings"
)

// Keys of _meta in the stateless versions, beside MetaVersion.
const (
	MetaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	MetaLogLevel     = "io.modelcontextprotocol/logLevel"
	MetaSubscription = "io.modelcontextprotocol/subscriptionId"
)

// Codes of the specification's own errors since 2026-07-28.
const (
	CodeHeaderMismatch     = -32020
	CodeMissingCapability  = -32021
	CodeUnsupportedVersion = -32022
)

// Methods of the stateless versions that the bridge acts on, and one of all.
const (
	MethodListen = "subscriptions/listen"
	MethodLog    = "notifications/message"
)

// HeaderParam begins the headers that repeat arguments of a tool.
const HeaderParam = "Mcp-Param-"

// IsLegacy tells whether this is a version that opens with initialize.
func IsLegacy(version string) bool {
	switch version {
	case V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25:
		return true
	default:
		return false
	}
}

// IsRemoved tells whether a request of this method may come from a client of an
// earlier version only, or from no client at all.
func IsRemoved(method string) bool {
	switch method {
	case MethodInitialize, MethodPing, "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
		"tasks/list", "tasks/result", "sampling/createMessage", "roots/list", "elicitation/create":
		return true
	default:
		return false
	}
}

// NamedBy is the member of params that the header Mcp-Name repeats, "" for
// none.
func NamedBy(method string) string {
	switch method {
	case MethodToolsCall, "prompts/get":
		return "name"
	case "resources/read":
		return "uri"
	case "tasks/get", "tasks/update", "tasks/cancel":
		return "taskId"
	default:
		return ""
	}
}

// What stands around a value that a header carries in Base64.
const (
	sentinelOpen  = "=?base64?"
	sentinelClose = "?="
)

// EncodeHeader writes a value as Mcp-Name and Mcp-Param-… carry it: as it is,
// or in Base64 between markers when it holds anything but visible ASCII and
// inner spaces, or looks like such a writing itself.
func EncodeHeader(s string) string {
	plain := s == strings.Trim(s, " ") && (!strings.HasPrefix(s, sentinelOpen) || !strings.HasSuffix(s, sentinelClose))
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return sentinelOpen + base64.StdEncoding.EncodeToString([]byte(s)) + sentinelClose
}

// EncodeParam is EncodeHeader for Mcp-Param-…: a header without a value is taken
// as missing by some servers, so an empty text goes between the markers too.
func EncodeParam(s string) string {
	if s == "" {
		return sentinelOpen + sentinelClose
	}
	return EncodeHeader(s)
}

// DecodeHeader undoes EncodeHeader. It is not ok for Base64 that is none, and
// for bytes that such a header may not hold.
func DecodeHeader(s string) (value string, ok bool) {
	s = strings.Trim(s, " \t")
	for i := range len(s) {
		if (s[i] < ' ' && s[i] != '\t') || s[i] >= 0x7f {
			return "", false
		}
	}
	coded, opened := strings.CutPrefix(s, sentinelOpen)
	coded, closed := strings.CutSuffix(coded, sentinelClose)
	if !opened || !closed {
		return s, true
	}
	b, err := base64.StdEncoding.Strict().DecodeString(coded)
	return string(b), err == nil
}
