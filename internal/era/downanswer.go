package era

import (
	"strconv"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// downAnswerLocked takes the server's answer to a client's request.
func (c *conn) downAnswerLocked(l *lane, m jsonrpc.Message) {
	k := l.calls[m.ID()]
	if k == nil {
		c.Log.Debug("answer to no open request dropped", "server", c.Server, "id", string(m.ID()))
		return
	}
	switch {
	case k.then != nil:
		k.then(k, m)
	case codeOf(m.Error()) == strconv.Itoa(codeURLNeeded) && c.openURLLocked(k, m):
	default:
		if id := text(m.Result(), "task", "taskId"); k.asTask && id != "" {
			c.taskLocked(l, id)
		}
		c.finishLocked(k, item{msg: m})
	}
}

// finishLocked answers a call, or keeps the answer for a client that was asked
// for input meanwhile.
func (c *conn) finishLocked(k *downCall, i item) {
	if k.near == "" {
		k.final = &i
		return
	}
	delete(k.lane.calls, k.id)
	c.unsealLocked(k)
	if i.err != nil {
		c.failLocked(k.near, i.err)
	} else {
		if k.running && k.made == 0 {
			c.Memory.noteQuiet(k.subject())
		}
		c.toNearLocked(k.stateless(i.msg).WithID(k.near))
		c.refuseInputsLocked(k, "the request it belongs to was answered")
	}
	c.yieldLocked(k)
}

// stateless gives an answer the form of 2026-07-28.
func (k *downCall) stateless(m jsonrpc.Message) jsonrpc.Message {
	out, err := m, error(nil)
	switch {
	case codeOf(m.Error()) == strconv.Itoa(codeNotFound):
		out, err = withError(m, k.notFound(m.Error()))
	case codeOf(m.Error()) == strconv.Itoa(codeURLNeeded):
		out, err = withError(m, k.lane.urlNeeded(m.Error()))
	case k.asTask && isObject(member(m.Result(), "task")):
		out, err = m.WithResult(k.lane.becameTask(m.Result()))
	case isObject(m.Result()):
		out, err = m.WithResult(k.complete(m.Result()))
	}
	if err != nil {
		return m // only a message at the limit of size cannot be added to
	}
	return out
}

// complete adds what every result since 2026-07-28 says of itself.
func (k *downCall) complete(result []byte) []byte {
	name := serverMeta(k.lane.welcome)
	if old := member(result, "_meta"); isObject(old) && name != nil {
		if named := withMissing(old, pair{metaServerInfo, member(name, metaServerInfo)}); len(named) != len(old) {
			result = jsonrpc.SetMember(result, "_meta", named)
		}
	}
	add := []pair{{"resultType", []byte(`"complete"`)}, {"_meta", name}}
	if cacheable(k.msg.Method()) {
		add = append(add, pair{"ttlMs", []byte(`0`)}, pair{"cacheScope", []byte(`"private"`)})
	}
	return withMissing(result, add...)
}

// cacheable tells whether the results of a method say how long they hold.
func cacheable(method string) bool {
	switch method {
	case mcp.MethodToolsList, "prompts/list", "resources/list", "resources/templates/list", mcp.MethodRead:
		return true
	}
	return false
}

// notFound gives the error for a missing resource its newer code.
func (k *downCall) notFound(failed []byte) []byte {
	failed = jsonrpc.SetMember(failed, "code", []byte("-32602"))
	uri := member(k.msg.Params(), "uri")
	if data := member(failed, "data"); isObject(data) {
		return jsonrpc.SetMember(failed, "data", withMissing(data, pair{"uri", uri}))
	}
	if member(failed, "data") != nil || uri == nil {
		return failed
	}
	return withMissing(failed, pair{"data", withMissing([]byte(`{}`), pair{"uri", uri})})
}

// urlNeeded gives the error for pages that have to be opened first, which the
// client cannot be asked to, a code that clients of 2026-07-28 know.
func (s *session) urlNeeded(failed []byte) []byte {
	if s.opensURLs() {
		return jsonrpc.SetMember(failed, "code", []byte(strconv.Itoa(jsonrpc.CodeInternalError)))
	}
	failed = jsonrpc.SetMember(failed, "code", []byte(strconv.Itoa(codeMissingNeed)))
	return jsonrpc.SetMember(failed, "data", []byte(`{"requiredCapabilities":{"elicitation":{"url":{}}}}`))
}

// withError gives a refusal another error object; all other bytes stay.
func withError(m jsonrpc.Message, failed []byte) (jsonrpc.Message, error) {
	return jsonrpc.Parse(jsonrpc.SetMember(m.Bytes(), "error", failed))
}
