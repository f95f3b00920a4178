package era

import (
	"strconv"
	"strings"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const (
	gatherFor = 50 * time.Millisecond // requests that come together go out together
	heldLimit = 10 * time.Minute      // for the client to come back with its input
)

// rounds is what a call has to do with input that the server asks for.
type rounds struct {
	inputs  []*input
	made    int    // inputs so far, for their keys
	round   int    // answers that asked the client so far
	handle  string // names the call in the client's hands
	digest  string // of the request, which the retry must equal
	pending []jsonrpc.Message
	final   *item // came while the client was away
	gather  *time.Timer
	expiry  *time.Timer
}

// input is one request of the server for its client.
type input struct {
	key    string
	id     jsonrpc.ID // at the server; "" when the call is to be sent again instead
	method string
	params []byte
	told   bool        // the client was asked
	expiry *time.Timer // of a task's
}

// held tells whether the client was or is about to be asked for input.
func (r *rounds) held() bool { return len(r.inputs) > 0 || r.round > 0 }

func (r *rounds) stopTimers() {
	for _, t := range [...]*time.Timer{r.gather, r.expiry} {
		if t != nil {
			t.Stop()
		}
	}
}

// asksForInput tells whether 2026-07-28 lets a method's result ask for input.
func asksForInput(method string) bool {
	return method == mcp.MethodToolsCall || method == "prompts/get" || method == mcp.MethodRead
}

// newInput is what a request of the server asks of the client.
func newInput(m jsonrpc.Message) *input {
	params := m.Params()
	if isObject(params) {
		params = unrelated(jsonrpc.DeleteMember(params, "elicitationId"))
	}
	return &input{id: m.ID(), method: m.Method(), params: params}
}

// inputLocked adds a request to what the client will be asked in one answer.
func (c *conn) inputLocked(k *downCall, in *input) {
	k.made++
	in.key = k.keyFor(in)
	k.inputs = append(k.inputs, in)
	if k.near == "" || k.gather != nil || k.next != nil {
		return // goes out when the client is back and has its turn, or with those before
	}
	k.gather = time.AfterFunc(gatherFor, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		k.gather = nil
		if !c.closed && k.lane.calls[k.id] == k && k.near != "" && len(k.inputs) > 0 {
			c.askClientLocked(k)
		}
	})
}

// keyFor names an input: by the server's own id for its request when that is a
// word, for it may mean something to who reads it.
func (r *rounds) keyFor(in *input) string {
	key, ok := jsonrpc.String([]byte(in.id))
	for _, other := range r.inputs {
		ok = ok && other.key != key
	}
	if !ok || key == "" || strings.ContainsRune(key, '\uFFFD') {
		return "input-" + strconv.Itoa(r.made)
	}
	return key
}

// askClientLocked answers the client's request with what the server wants to
// know. The call at the server goes on.
func (c *conn) askClientLocked(k *downCall) {
	for _, in := range k.inputs {
		in.told = true
	}
	if k.gather != nil {
		k.gather.Stop()
		k.gather = nil
	}
	if k.round >= roundsMost {
		near := k.near
		c.dropLocked(k, jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(k.id)+`,"reason":"too many requests for input"}`)))
		c.failLocked(near, fault.New(fault.ProtocolError, c.Server).With("the server asked for input more than %d times in one call", roundsMost))
		return
	}
	k.round++
	until := time.Now().Add(heldLimit)
	state := c.sealLocked(k, until)
	near := k.near
	k.near = ""
	k.expiry = time.AfterFunc(heldLimit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && k.lane.calls[k.id] == k && k.near == "" {
			c.dropLocked(k, jsonrpc.NewNotification(mcp.MethodCancelled,
				[]byte(`{"requestId":`+string(k.id)+`,"reason":"the client did not give the input asked for"}`)))
		}
	})
	c.toNearLocked(jsonrpc.NewResult(near, withMissing([]byte(`{"resultType":"input_required"}`),
		pair{"inputRequests", inputRequests(k.inputs)}, pair{"requestState", jsonrpc.Quote(state)}, pair{"_meta", serverMeta(k.lane.welcome)})))
	c.yieldLocked(k)
}

// inputRequests writes questions as clients of 2026-07-28 get them.
func inputRequests(inputs []*input) []byte {
	requests := []byte(`{}`)
	for _, in := range inputs {
		one := withMissing([]byte(`{}`), pair{"method", jsonrpc.Quote(in.method)}, pair{"params", in.params})
		requests = withMissing(requests, pair{in.key, one})
	}
	return requests
}

// resumeLocked takes the request with which a client comes back.
func (c *conn) resumeLocked(m jsonrpc.Message, state []byte) {
	k := c.openSealLocked(m, state)
	given := member(m.Params(), "inputResponses")
	if k == nil || given != nil && !isObject(given) {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: requestState is not of this request, or no longer known", nil)
		return
	}
	for _, in := range k.inputs {
		if v := member(given, in.key); v != nil && !isObject(v) {
			c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: inputResponses."+in.key+" is not an object", nil)
			return
		}
	}
	k.stopTimers()
	k.near, k.now, k.level = m.ID(), member(m.Meta(), "progressToken"), text(m.Meta(), metaLogLevel)
	pending := k.pending
	k.pending = nil
	for _, p := range pending {
		c.deliverLocked(k, p)
	}
	if k.final != nil {
		c.answerInputsLocked(k, given)
		c.finishLocked(k, *k.final)
		return
	}
	c.turnLocked(k, func() { c.goOnLocked(k, given) })
}

// goOnLocked goes on with a call whose client is back.
func (c *conn) goOnLocked(k *downCall, given []byte) {
	again := c.answerInputsLocked(k, given)
	switch {
	case len(k.inputs) > 0:
		c.askClientLocked(k)
	case again:
		c.sendLocked(k.lane, k.msg)
	}
}

// answerInputsLocked gives the server what the client brought. It tells whether
// the call itself is to be sent again.
func (c *conn) answerInputsLocked(k *downCall, given []byte) (again bool) {
	var left []*input
	for _, in := range k.inputs {
		v := member(given, in.key)
		switch {
		case v == nil || !in.told:
			left = append(left, in)
		case in.id == "":
			again = true
		default:
			c.sendLocked(k.lane, resultOf(in.id, v))
		}
	}
	k.inputs = left
	return again
}

// withdrawnLocked takes the server's word that it does not wait for an input
// any more.
func (c *conn) withdrawnLocked(l *lane, id jsonrpc.ID) {
	if l.forgetRiddle(id) || l.forgetTaskInput(id) {
		return
	}
	for _, k := range l.calls {
		for i, in := range k.inputs {
			if in.id == id && id != "" {
				k.inputs = append(k.inputs[:i], k.inputs[i+1:]...)
				return
			}
		}
	}
}

// openURLLocked has the client open pages without which the server does not
// serve the call (-32042 of 2025-11-25); with the retry the call is sent again.
func (c *conn) openURLLocked(k *downCall, m jsonrpc.Message) bool {
	pages := member(m.Error(), "data", "elicitations")
	if len(pages) == 0 || pages[0] != '[' || !asksForInput(k.msg.Method()) || !k.lane.opensURLs() {
		return false
	}
	n := 0
	for page := range jsonrpc.Elements(pages) {
		if isObject(page) && n < questionsMost {
			n++
			c.inputLocked(k, &input{method: methodElicit, params: jsonrpc.DeleteMember(page, "elicitationId")})
		}
	}
	return n > 0
}
