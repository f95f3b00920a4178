package era

import (
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const pagesMost = 50 // of a listing of tools

// mayBeTaskLocked asks for a task where the tool can be one and the client takes
// one. False says that the call does not begin now.
func (c *conn) mayBeTaskLocked(k *downCall) bool {
	l := k.lane
	if l.support == nil {
		if l.wanting = append(l.wanting, k); len(l.wanting) == 1 {
			c.listToolsLocked(l, map[string]string{}, nil, 1)
		}
		return false
	}
	support := l.support[text(k.msg.Params(), "name")]
	switch {
	case support == "required" && !k.declared:
		delete(l.calls, k.id)
		c.refuseUndeclaredLocked(k.near)
		return false
	case k.declared && (support == "required" || support == "optional"):
		out, err := k.msg.WithParams(jsonrpc.SetMember(k.msg.Params(), "task", []byte(`{}`)))
		if err != nil {
			delete(l.calls, k.id)
			c.refuseLocked(k.near, jsonrpc.CodeInvalidParams, err.Error(), nil)
			return false
		}
		k.msg, k.asTask = out, true
	}
	return true
}

// listToolsLocked finds out which tools can be tasks, page after page.
func (c *conn) listToolsLocked(l *lane, support map[string]string, cursor []byte, page int) {
	params := withMissing([]byte(`{}`), pair{"cursor", cursor})
	c.askLocked(l, mcp.MethodToolsList, params, func(m jsonrpc.Message, err error) {
		if list := member(m.Result(), "tools"); len(list) > 0 && list[0] == '[' {
			for tool := range jsonrpc.Elements(list) {
				if s := text(tool, "execution", "taskSupport"); s != "" {
					support[text(tool, "name")] = s
				}
			}
		}
		next := member(m.Result(), "nextCursor")
		if _, more := jsonrpc.String(next); more && page < pagesMost {
			c.listToolsLocked(l, support, next, page+1)
			return
		}
		if err != nil || m.Error() != nil {
			c.Log.Debug("tools not listed, their calls become no tasks", "server", c.Server, "err", err)
		}
		l.support = support
		wanting := l.wanting
		l.wanting = nil
		for _, k := range wanting {
			if l.calls[k.id] == k {
				c.beginLocked(k)
			}
		}
	})
}

// forgetTools has the tools listed again before the next call of one. Calls that
// wait for a listing get this one.
func (t *downTasks) forgetTools() {
	if len(t.wanting) == 0 {
		t.support = nil
	}
}
