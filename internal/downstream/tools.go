package downstream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// toolHeaders is what is known of the server's tools: which headers repeat
// their arguments. It is learnt from the lists that clients ask for, and asked
// for where a call comes first.
type toolHeaders struct {
	mu     sync.Mutex
	known  bool
	failed bool      // the last asking
	at     time.Time // when it was learnt, or could not be
	byName map[string][]mcp.Param
	asking chan struct{} // closed when the asking is over; nil while nobody asks
}

// The limits of asking for the tools.
const (
	toolsLimit = 10 * time.Second // for the whole list
	toolsPages = 64
	mostTools  = 10000
	toolsPause = time.Second // a list that is not older is not asked for again

	// Nor is one for the sake of a tool that it does not name, or one that could
	// not be had.
	namePause  = 10 * time.Second
	retryPause = time.Minute
)

// learn takes an answer to tools/list that is the whole list.
func (k *toolHeaders) learn(answer jsonrpc.Message) {
	if _, more := jsonrpc.Member(answer.Result(), "nextCursor"); more || answer.Result() == nil {
		return
	}
	found := map[string][]mcp.Param{}
	if collect(found, answer.Result()) {
		k.set(found)
	}
}

// collect adds the tools of one page; false says that it has none.
func collect(found map[string][]mcp.Param, result []byte) bool {
	tools, ok := jsonrpc.Member(result, "tools")
	if !ok {
		return false
	}
	for tool := range jsonrpc.Elements(tools) {
		name, ok := mcp.ToolName(tool) // it reads the member name of any object
		if !ok || len(found) >= mostTools {
			continue
		}
		schema, _ := jsonrpc.Member(tool, "inputSchema")
		// Clients drop a tool whose schema asks for headers that cannot be.
		list, err := mcp.Params(schema)
		if err != nil {
			list = nil
		}
		found[name] = list
	}
	return true
}

func (k *toolHeaders) set(found map[string][]mcp.Param) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.failed, k.at, k.byName = true, false, time.Now(), found
}

// forget makes the next call ask again.
func (k *toolHeaders) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.failed, k.at = false, false, time.Time{}
}

// get gives what is known of a tool. It is stale when the server should be
// asked: nothing is known, the tool is not on the list, or fresh is wanted. A
// list that has only just come, or could not be had, is not stale.
func (k *toolHeaders) get(tool string, fresh bool) (list []mcp.Param, stale bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var named bool
	if k.known {
		list, named = k.byName[tool]
	}
	pause := toolsPause
	switch {
	case k.failed:
		pause = retryPause
	case named && !fresh:
		return list, false
	case k.known && !fresh:
		pause = namePause
	}
	return list, time.Since(k.at) >= pause
}

// asker asks for the tools in the name of one request.
type asker struct {
	s    *stateless
	meta []byte
}

// schemas gives what is known to the check of a call; what has to be asked is
// asked with the call's own _meta, so that the server sees the same client.
func (s *stateless) schemas(call jsonrpc.Message) schemas {
	meta := jsonrpc.DeleteMember(call.Meta(), "progressToken")
	return asker{s, jsonrpc.DeleteMember(meta, mcp.MetaLogLevel)}
}

// of asks once for all that wait, and goes on without when it cannot be known:
// the server itself checks the arguments.
func (a asker) of(r *http.Request, tool string, fresh bool) ([]mcp.Param, bool) {
	k := &a.s.known
	list, stale := k.get(tool, fresh)
	if !stale {
		return list, !fresh
	}
	k.mu.Lock()
	asking, mine := k.asking, k.asking == nil
	if mine {
		asking = make(chan struct{})
		k.asking = asking
	}
	k.mu.Unlock()
	if !mine {
		select {
		case <-asking:
		case <-r.Context().Done():
		}
		list, _ = k.get(tool, false)
		return list, true
	}
	// The others wait for it too, so it does not end with this request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), toolsLimit)
	defer cancel()
	found, err := a.ask(ctx)
	if err == nil {
		k.set(found)
	} else {
		a.s.log.Debug("tools not known, headers of arguments go unchecked", "server", a.s.name, "err", err)
	}
	k.mu.Lock()
	if err != nil {
		k.failed, k.at = true, time.Now()
	}
	k.asking = nil
	close(asking)
	k.mu.Unlock()
	list, _ = k.get(tool, false)
	return list, true
}

// ask gets the list of tools, all pages.
func (a asker) ask(ctx context.Context) (map[string][]mcp.Param, error) {
	found := map[string][]mcp.Param{}
	params := jsonrpc.SetMember(nil, "_meta", a.meta)
	for range toolsPages {
		answer, err := a.s.ask(ctx, mcp.MethodToolsList, params)
		if err != nil {
			return nil, err
		}
		if !collect(found, answer.Result()) {
			return nil, errors.New("the server lists no tools")
		}
		next, more := jsonrpc.Member(answer.Result(), "nextCursor")
		if !more || string(next) == "null" {
			return found, nil
		}
		params = jsonrpc.SetMember(params, "cursor", next)
	}
	return nil, errors.New("the list of tools does not end")
}

// ask makes a request of our own and waits for the answer.
func (s *stateless) ask(ctx context.Context, method string, params []byte) (jsonrpc.Message, error) {
	q := &question{wake: make(chan struct{}, 1), json: true}
	if err := s.enter(q); err != nil {
		return jsonrpc.Message{}, err
	}
	defer s.leave(ctx, q)
	if err := s.put(ctx, jsonrpc.NewRequest(q.own, method, params)); err != nil {
		return jsonrpc.Message{}, err
	}
	select {
	case <-q.wake:
	case <-ctx.Done():
		return jsonrpc.Message{}, context.Cause(ctx)
	}
	_, answer, _ := s.take(q)
	if answer.Result() == nil {
		return answer, errors.New("the server refused " + method)
	}
	return answer, nil
}
