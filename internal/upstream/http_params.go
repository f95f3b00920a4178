package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// toolParams is what the server's own lists say of its tools: which arguments
// are repeated in headers, since 2026-07-28.
type toolParams struct {
	mu     sync.Mutex
	byName map[string][]mcp.Param // tools without such arguments are left out
}

// The limits of what is learnt of tools.
const (
	listLimit = 10 * time.Second // for a list that we ask for
	listPages = 64
	mostTools = 10000
)

// listID is the id of our own tools/list.
const listID = jsonrpc.ID(`"drawbridge:tools"`)

// of gives the arguments of a tool that are repeated.
func (t *toolParams) of(tool string) []mcp.Param {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byName[tool]
}

// learn takes one page of a list; the first one replaces what was known.
func (t *toolParams) learn(page map[string][]mcp.Param, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first || t.byName == nil {
		t.byName = map[string][]mcp.Param{}
	}
	for name, list := range page {
		if len(t.byName) < mostTools {
			t.byName[name] = list
		}
	}
}

// mirror repeats arguments of a call in its headers. Null and what no header
// can carry are left out.
func (t *toolParams) mirror(head http.Header, m jsonrpc.Message) {
	if m.Method() != mcp.MethodToolsCall {
		return
	}
	name, _ := mcp.ToolName(m.Params())
	list := t.of(name)
	if len(list) == 0 {
		return
	}
	arguments, _ := jsonrpc.Member(m.Params(), "arguments")
	for _, p := range list {
		value, err := p.Argument(arguments)
		if err != nil || value == nil {
			continue
		}
		if text, err := p.Text(value); err == nil {
			head[p.Header] = []string{mcp.EncodeParam(text)}
		}
	}
}

// listed learns from an answer to tools/list and takes out the tools whose
// schemas ask for headers that cannot be; all other bytes stay.
func (c *streamable) listed(request, answer jsonrpc.Message) jsonrpc.Message {
	if answer.Result() == nil {
		return answer
	}
	_, paged := jsonrpc.Member(request.Params(), "cursor")
	left, cut := c.survey(answer.Result(), !paged)
	if !cut {
		return answer
	}
	out, err := answer.WithResult(left)
	if err != nil {
		panic("upstream: a list became a bad message: " + err.Error())
	}
	return out
}

// survey reads one page of tools and gives it without the unusable ones.
func (c *streamable) survey(result []byte, first bool) (left []byte, cut bool) {
	tools, ok := jsonrpc.Member(result, "tools")
	if !ok {
		return result, false
	}
	page := map[string][]mcp.Param{}
	kept := jsonrpc.DeleteElements(tools, func(_ int, tool []byte) bool {
		name, _ := mcp.ToolName(tool) // it reads the member name of any object
		schema, _ := jsonrpc.Member(tool, "inputSchema")
		list, err := mcp.Params(schema)
		if err != nil {
			c.log.Warn("tool left out, its schema cannot be used over HTTP", "server", c.name, "tool", fault.Excerpt(name), "reason", fault.Excerpt(err.Error()))
			cut = true
			return false
		}
		if len(list) > 0 {
			page[name] = list
		}
		return true
	})
	c.params.learn(page, first)
	if !cut {
		return result, false
	}
	return jsonrpc.SetMember(result, "tools", kept), true
}

// relist asks for the tools after a call was refused for its headers, and tells
// whether the call gets other ones now.
func (c *streamable) relist(ctx context.Context, k *call, m jsonrpc.Message, before http.Header) (http.Header, bool) {
	if m.Method() != mcp.MethodToolsCall {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	meta := jsonrpc.DeleteMember(jsonrpc.DeleteMember(m.Meta(), "progressToken"), mcp.MetaLogLevel)
	params := jsonrpc.SetMember(nil, "_meta", meta)
	for page := range listPages {
		result, err := c.fetch(ctx, k, jsonrpc.NewRequest(listID, mcp.MethodToolsList, params))
		if err != nil {
			c.log.Debug("tools not listed again", "server", c.name, "err", err)
			return nil, false
		}
		c.survey(result, page == 0)
		next, more := jsonrpc.Member(result, "nextCursor")
		if !more || string(next) == "null" {
			break
		}
		params = jsonrpc.SetMember(params, "cursor", next)
	}
	after := c.modernHeader(k.modern, m)
	return after, !sameParams(before, after)
}

// sameParams compares the headers that repeat arguments.
func sameParams(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range b {
		if w := a[name]; len(v) != len(w) || len(v) > 0 && v[0] != w[0] {
			return false
		}
	}
	return true
}

// fetch posts a request of our own and gives its result.
func (c *streamable) fetch(ctx context.Context, k *call, m jsonrpc.Message) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodPost, k.visit.to.Load(), c.modernHeader(k.modern, m), m.Bytes())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server said %s", statusText(resp.StatusCode))
	}
	if mediaType(resp) == mcp.TypeJSON {
		body, err := readBody(resp, c.max)
		if err != nil {
			return nil, err
		}
		return resultOf(body)
	}
	events := c.read(resp, true)
	for {
		ev, err := events.next()
		if err != nil {
			return nil, err
		}
		if !isMessage(&ev) {
			continue
		}
		if result, err := resultOf(ev.Data); err == nil {
			return result, nil
		}
	}
}

var errNoResult = errors.New("the server's answer is no result")

func resultOf(body []byte) ([]byte, error) {
	m, err := jsonrpc.Parse(body)
	if err != nil {
		return nil, err
	}
	if m.Result() == nil || m.ID() != listID {
		return nil, errNoResult
	}
	return m.Result(), nil
}
