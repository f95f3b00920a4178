package mcp

import (
	"bytes"
	"strings"

	"drawbridge/internal/jsonrpc"
)

// ToolName is the tool that the params of a tools/call name. It is not ok when
// there is no such name or two parsers could read it differently; then no rule
// can be applied and the call is not to be sent.
func ToolName(params []byte) (name string, ok bool) { return nameOf(params) }

// CutTools takes the tools that are not allowed out of the result of a
// tools/list, and tells how many. Every other byte stays: the tools that are
// left, nextCursor, members nobody knows. What is left of none is an empty
// array.
//
// It errs on the closed side. A tool whose name cannot be read, or could be
// read as another, goes; tools that are no array become an empty one; and of a
// result that two parsers could read differently nothing is kept. A cacheScope
// "public" becomes "private", since the listing is this user's alone.
func CutTools(result []byte, allowed func(name string) bool) (out []byte, cut int) {
	if !isObject(result) || jsonrpc.Ambiguous(result, "tools") || jsonrpc.Ambiguous(result, "cacheScope") {
		return []byte(`{"tools":[]}`), 1
	}
	if scope, ok := jsonrpc.Member(result, "cacheScope"); ok {
		if s, text := jsonrpc.String(scope); !text || s != "private" {
			result = jsonrpc.SetMember(result, "cacheScope", []byte(`"private"`))
		}
	}
	tools, ok := jsonrpc.Member(result, "tools")
	if !ok {
		return result, 0 // an answer of another kind, such as a task
	}
	if len(tools) == 0 || tools[0] != '[' {
		if !bytes.Equal(tools, []byte("null")) {
			cut = 1
		}
		return jsonrpc.SetMember(result, "tools", []byte("[]")), cut
	}
	left := jsonrpc.DeleteElements(tools, func(_ int, tool []byte) bool {
		name, ok := nameOf(tool)
		if ok && allowed(name) {
			return true
		}
		cut++
		return false
	})
	if cut == 0 {
		return result, 0
	}
	return jsonrpc.SetMember(result, "tools", left), cut
}

// nameOf is the member "name" of an object, if every parser reads it alike.
func nameOf(object []byte) (string, bool) {
	if jsonrpc.Ambiguous(object, "name") {
		return "", false
	}
	value, ok := jsonrpc.Member(object, "name")
	if !ok {
		return "", false
	}
	name, ok := jsonrpc.String(value)
	// The replacement character stands for half a surrogate pair, which other
	// parsers keep.
	return name, ok && !strings.ContainsRune(name, '\uFFFD')
}

func isObject(value []byte) bool {
	value = bytes.TrimLeft(value, " \t\r\n")
	return len(value) > 0 && value[0] == '{'
}
