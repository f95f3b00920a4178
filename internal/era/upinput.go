package era

import (
	"crypto/rand"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// roundsMost is how often a server may ask for input within one call.
const roundsMost = 10

// upAsk is a request to the client for one input of a call.
type upAsk struct {
	call *upCall
	key  []byte // as the server wrote it, with its quotes
}

// upInputsLocked asks the client what a stateless server wants to know: each
// input by a request, as servers of the client's own era ask.
func (c *conn) upInputsLocked(k *upCall, result []byte) {
	u := c.up
	k.round++
	k.left, k.given = 0, []byte(`{}`)
	k.state, _ = jsonrpc.Member(result, "requestState")
	if k.round > roundsMost {
		c.upDenyLocked(k, "the server asked for input more than %d times in one call", roundsMost)
		return
	}
	wanted := member(result, "inputRequests")
	n := 0
	for _, in := range jsonrpc.Members(wanted) {
		if n++; n > questionsMost {
			c.upDenyLocked(k, "the server asked for more than %d inputs at once", questionsMost)
			return
		}
		need := needOf(text(in, "method"))
		if need == "" || member(u.meta.capabilities, need) == nil {
			c.upDenyLocked(k, "the server asks for %s, which this client does not offer", fault.Excerpt(text(in, "method")))
			return
		}
	}
	for key, in := range jsonrpc.Members(wanted) {
		id := c.newIDLocked()
		ask, err := jsonrpc.NewRequest(id, text(in, "method"), nil).WithParams(c.asLegacy(in))
		if err != nil { // what two could read differently is asked of nobody
			c.withdrawAsksLocked(k)
			c.upDenyLocked(k, "the server asks for input in a message that is not valid MCP")
			return
		}
		u.asks[id] = &upAsk{call: k, key: key}
		k.left++
		c.toNearLocked(ask)
	}
	if k.left == 0 {
		c.upRetryLocked(k)
	}
}

// asLegacy are the params of an input request; a page to open has a name of its
// own until 2025-11-25.
func (c *conn) asLegacy(in []byte) []byte {
	params := member(in, "params")
	if text(params, "mode") == "url" {
		return withMissing(params, pair{"elicitationId", jsonrpc.Quote(rand.Text())})
	}
	if !isObject(params) {
		return nil
	}
	return params
}

func (c *conn) upDenyLocked(k *upCall, format string, args ...any) {
	c.up.endPoll(k)
	c.failLocked(k.near, fault.New(fault.ProtocolError, c.Server).With(format, args...))
}

// upInputLocked takes the client's answer to one input; false when it is to
// none.
func (c *conn) upInputLocked(m jsonrpc.Message) bool {
	a := c.up.asks[m.ID()]
	if a == nil {
		return false
	}
	delete(c.up.asks, m.ID())
	k := a.call
	if m.Result() == nil {
		c.withdrawAsksLocked(k)
		c.up.endPoll(k)
		c.toNearLocked(errorOf(k.near, m.Error()))
		return true
	}
	name, _ := jsonrpc.String(a.key)
	if len(k.given)+len(m.Result()) > jsonrpc.MaxBytes {
		c.withdrawAsksLocked(k)
		c.upDenyLocked(k, "the inputs of this call are longer than a message can be")
		return true
	}
	k.given = jsonrpc.SetMember(k.given, name, m.Result())
	if k.left--; k.left == 0 {
		c.upRetryLocked(k)
	}
	return true
}

// upRetryLocked sends the call again with what the client gave.
func (c *conn) upRetryLocked(k *upCall) {
	if k.task != "" {
		c.updateTaskLocked(k)
		return
	}
	params := jsonrpc.SetMember(k.msg.Params(), "inputResponses", k.given)
	if k.state != nil {
		params = jsonrpc.SetMember(params, "requestState", k.state)
	}
	c.upSendLocked(k, c.newIDLocked(), params)
}

// withdrawAsksLocked takes back what the client has not answered of a call.
func (c *conn) withdrawAsksLocked(k *upCall) {
	for id, a := range c.up.asks {
		if a.call == k {
			delete(c.up.asks, id)
			c.toNearLocked(jsonrpc.NewNotification(mcp.MethodCancelled,
				[]byte(`{"requestId":`+string(id)+`,"reason":"the call it belongs to has ended"}`)))
		}
	}
}
