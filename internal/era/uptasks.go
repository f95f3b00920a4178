package era

import (
	"crypto/rand"
	"strconv"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// Tasks are a part of the protocol in 2025-11-25 and an extension in 2026-07-28:
// there the server alone decides what becomes a task, nobody waits for one, and
// there is no list of them.
const (
	extensionTasks   = "io.modelcontextprotocol/tasks"
	methodTaskGet    = "tasks/get"
	methodTaskResult = "tasks/result"
	methodTaskList   = "tasks/list"
	methodTaskCancel = "tasks/cancel"
	methodTaskUpdate = "tasks/update"
)

const (
	tasksMost   = 256              // that are listed
	tasksBytes  = jsonrpc.MaxBytes // of the list, unless it is of one
	resultsMost = 16               // kept here, of calls that the server did not make tasks of
	pollUsual   = time.Second
	pollLeast   = 200 * time.Millisecond
	pollLongest = 30 * time.Second
)

// tasking is what a client of the initialize era has of tasks.
type tasking struct {
	known []*upTask              // oldest first
	polls map[jsonrpc.ID]*upCall // whose tasks are waited for, by their id at the client
}

// upTask is a task as the client knows it.
type upTask struct {
	id     string
	view   []byte
	local  bool   // the server does not know it
	result []byte // of a local one
}

// poll is what a call adds that waits for a task.
type poll struct {
	task     string          // "" for one that does not wait
	insisted bool            // the client knows of no task
	answered map[string]bool // inputs, by their keys
	told     string          // the last statusMessage
	steps    int             // of progress
	timer    *time.Timer
}

func (t *tasking) stopTimers() {
	for _, k := range t.polls {
		if k.timer != nil {
			k.timer.Stop()
		}
	}
}

// hasTasks tells whether the server has the extension.
func (u *up) hasTasks() bool {
	return member(u.found, "capabilities", "extensions", extensionTasks) != nil
}

// withTasks declares the extension.
func (k meta) withTasks() meta {
	extensions := member(k.capabilities, "extensions")
	if !isObject(extensions) {
		extensions = []byte(`{}`)
	}
	k.capabilities = jsonrpc.SetMember(k.capabilities, "extensions", withMissing(extensions, pair{extensionTasks, []byte(`{}`)}))
	return k
}

// upInsistsLocked sends a call again that the server makes a task of or nothing,
// though the client knows of no tasks: the task is waited for here.
func (c *conn) upInsistsLocked(k *upCall, failed []byte) bool {
	if k.tasks || k.again || k.method != mcp.MethodToolsCall ||
		member(failed, "data", "requiredCapabilities", "extensions", extensionTasks) == nil {
		return false
	}
	k.tasks = true
	c.upAgainLocked(k)
	return true
}

// upTaskedLocked takes the result of a call that might have become a task; false
// leaves it to pass.
func (c *conn) upTaskedLocked(k *upCall, result []byte) bool {
	switch {
	case result == nil:
		return false
	case text(result, "resultType") != "task" && k.asTask == nil:
		return false
	case text(result, "resultType") != "task":
		c.keepResultLocked(k, result)
		return true
	case k.asTask == nil:
		k.insisted = true
		c.awaitTaskLocked(k, text(result, "taskId"))
		return true
	}
	view := c.up.see(result)
	created := withMissing([]byte(`{}`), pair{"task", view}, pair{"_meta", member(result, "_meta")})
	c.toNearLocked(jsonrpc.NewResult(k.near, created))
	return true
}

// keepResultLocked answers a call for which the client wanted a task with one
// that is over: the server answered at once.
func (c *conn) keepResultLocked(k *upCall, result []byte) {
	now := jsonrpc.Quote(time.Now().UTC().Format(time.RFC3339Nano))
	id := "drawbridge:" + rand.Text()
	ttl := member(k.asTask, "ttl")
	if ttl == nil {
		ttl = []byte("null")
	}
	t := &upTask{id: id, local: true, result: result, view: withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(id)},
		pair{"status", []byte(`"completed"`)}, pair{"createdAt", now}, pair{"lastUpdatedAt", now}, pair{"ttl", ttl})}
	c.up.keep(t)
	c.toNearLocked(jsonrpc.NewResult(k.near, withMissing([]byte(`{}`), pair{"task", t.view})))
}

// keep lists a task, and forgets the oldest when there are too many.
func (u *up) keep(t *upTask) {
	u.known = append(u.known, t)
	u.trim()
	results := 0
	for i := len(u.known) - 1; i >= 0; i-- {
		if u.known[i].result != nil {
			if results++; results > resultsMost {
				u.known[i].result = nil
			}
		}
	}
}

// trim takes tasks off a list that is too long, the oldest first.
func (u *up) trim() {
	size := 0
	for _, t := range u.known {
		size += len(t.view)
	}
	for len(u.known) > tasksMost || size > tasksBytes && len(u.known) > 1 {
		size -= len(u.known[0].view)
		u.known = u.known[1:]
	}
}

func (u *up) taskOf(id string) *upTask {
	for _, t := range u.known {
		if t.id == id {
			return t
		}
	}
	return nil
}

// see takes what the server says of a task, and gives it in the client's words.
func (u *up) see(said []byte) []byte {
	view := legacyTask(said)
	if t := u.taskOf(text(said, "taskId")); t != nil {
		t.view = view
		u.trim()
	} else {
		u.keep(&upTask{id: text(said, "taskId"), view: view})
	}
	return view
}

// legacyTask is a task in the words of 2025-11-25.
func legacyTask(said []byte) []byte {
	out := []byte(`{}`)
	for key, value := range jsonrpc.Members(said) {
		name, _ := jsonrpc.String(key)
		switch name {
		case "resultType", "_meta", "result", "error", "inputRequests", "requestState":
			continue
		case "ttlMs":
			name = "ttl"
		case "pollIntervalMs":
			name = "pollInterval"
		}
		out = withMissing(out, pair{name, value})
	}
	return withMissing(out, pair{"ttl", []byte("null")})
}

// upTaskRequestLocked takes a request of the client about a task.
func (c *conn) upTaskRequestLocked(m jsonrpc.Message) {
	u := c.up
	if m.Method() == methodTaskList {
		list := []byte{'['}
		for i, t := range u.known {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, t.view...)
		}
		c.toNearLocked(jsonrpc.NewResult(m.ID(), withMissing([]byte(`{}`), pair{"tasks", append(list, ']')})))
		return
	}
	id, ok := jsonrpc.String(member(m.Params(), "taskId"))
	t := u.taskOf(id)
	switch {
	case !ok:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: no taskId", nil)
	case t != nil && t.local:
		c.localTaskLocked(m, t)
	case m.Method() == methodTaskResult:
		c.awaitTaskLocked(&upCall{near: m.ID(), msg: m, method: mcp.MethodToolsCall}, id)
	case m.Method() == methodTaskCancel:
		c.askTaskLocked(methodTaskCancel, m.ID(), m.Params(), func([]byte) { c.showTaskLocked(m) })
	default:
		c.showTaskLocked(m)
	}
}

// localTaskLocked answers about a task that the server does not know.
func (c *conn) localTaskLocked(m jsonrpc.Message, t *upTask) {
	switch {
	case m.Method() == methodTaskGet:
		c.toNearLocked(jsonrpc.NewResult(m.ID(), t.view))
	case m.Method() == methodTaskCancel:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "the task is completed", nil)
	case t.result == nil:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "the result of this task is not kept any more", nil)
	default:
		c.toNearLocked(jsonrpc.NewResult(m.ID(), c.withoutOddContent(relatedTo(t.id, t.result))))
	}
}

// relatedTo names a result's task, as results of tasks do until 2025-11-25.
func relatedTo(task string, result []byte) []byte {
	about := withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(task)})
	return jsonrpc.SetMember(result, "_meta", jsonrpc.SetMember(member(result, "_meta"), "io.modelcontextprotocol/related-task", about))
}

// showTaskLocked answers with what the server says of a task now.
func (c *conn) showTaskLocked(m jsonrpc.Message) {
	params := withMissing([]byte(`{}`), pair{"taskId", member(m.Params(), "taskId")})
	c.askTaskLocked(methodTaskGet, m.ID(), params, func(said []byte) {
		c.toNearLocked(jsonrpc.NewResult(m.ID(), c.up.see(said)))
	})
}

// askTaskLocked asks the server about a task. What is no result answers the
// client's request near.
func (c *conn) askTaskLocked(method string, near jsonrpc.ID, params []byte, done func(result []byte)) {
	u := c.up
	ask := jsonrpc.NewRequest(c.newIDLocked(), method, u.meta.withTasks().into(params))
	c.askWithinLocked(c.modern, ask, greetLimit, func(m jsonrpc.Message, err error) {
		switch {
		case c.up != u:
		case err != nil:
			u.endPoll(u.polls[near])
			c.failLocked(near, err)
		case m.Result() == nil:
			u.endPoll(u.polls[near])
			c.toNearLocked(m.WithID(near))
		default:
			done(m.Result())
		}
	})
}

// awaitTaskLocked answers k with what becomes of a task.
func (c *conn) awaitTaskLocked(k *upCall, task string) {
	u := c.up
	if u.polls == nil {
		u.polls = map[jsonrpc.ID]*upCall{}
	}
	k.task, k.answered = task, map[string]bool{}
	u.polls[k.near] = k
	c.pollLocked(k)
}

// endPoll forgets that k waits for a task.
func (u *up) endPoll(k *upCall) {
	if k == nil || u.polls[k.near] != k {
		return
	}
	delete(u.polls, k.near)
	if k.timer != nil {
		k.timer.Stop()
	}
}

func (c *conn) pollLocked(k *upCall) {
	u := c.up
	params := withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(k.task)})
	c.askTaskLocked(methodTaskGet, k.near, params, func(said []byte) {
		if u.polls[k.near] == k {
			c.polledLocked(k, said)
		}
	})
}

// polledLocked takes the state of a task that is waited for.
func (c *conn) polledLocked(k *upCall, said []byte) {
	u := c.up
	if !k.insisted {
		u.see(said)
	}
	result, failed := member(said, "result"), member(said, "error")
	switch status := text(said, "status"); {
	case status == "input_required":
		if wanted := k.unanswered(member(said, "inputRequests")); !isEmpty(wanted) {
			c.upInputsLocked(k, withMissing([]byte(`{}`), pair{"inputRequests", wanted}))
			return // the next poll follows the answers
		}
	case status == "cancelled":
		u.endPoll(k)
		c.refuseLocked(k.near, jsonrpc.CodeInternalError, "the task was cancelled", nil)
		return
	case status == "failed" && isObject(failed):
		u.endPoll(k)
		c.toNearLocked(errorOf(k.near, failed))
		return
	case status == "completed" || status == "failed":
		u.endPoll(k)
		if result == nil {
			c.failLocked(k.near, fault.New(fault.ProtocolError, c.Server).With("the server says that the task is %s and gives no result", status))
			return
		}
		if !k.insisted {
			result = relatedTo(k.task, result)
		}
		c.toNearLocked(resultOf(k.near, c.withoutOddContent(result)))
		return
	}
	c.tellProgressLocked(k, said)
	c.pollLaterLocked(k, said)
}

// errorOf answers a request with an error object as it came.
func errorOf(id jsonrpc.ID, failed []byte) jsonrpc.Message {
	out, err := jsonrpc.Parse(jsonrpc.SetMember([]byte(`{"jsonrpc":"2.0","id":`+string(id)+`}`), "error", failed))
	if err != nil {
		return jsonrpc.NewError(id, jsonrpc.CodeInternalError, "the task failed", nil)
	}
	return out
}

// unanswered are the inputs that the client was not asked for yet.
func (k *upCall) unanswered(wanted []byte) []byte {
	out := []byte(`{}`)
	for key, in := range jsonrpc.Members(wanted) {
		if name, _ := jsonrpc.String(key); !k.answered[name] {
			out = jsonrpc.SetMember(out, name, in)
		}
	}
	return out
}

// pollLaterLocked asks again after the time that the server wants.
func (c *conn) pollLaterLocked(k *upCall, said []byte) {
	u := c.up
	pause := pollUsual
	if ms, err := strconv.ParseFloat(string(member(said, "pollIntervalMs")), 64); err == nil && ms == ms {
		pause = time.Duration(min(max(ms, pollLeast.Seconds()*1000), pollLongest.Seconds()*1000) * float64(time.Millisecond))
	}
	k.timer = time.AfterFunc(pause, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && c.up == u && u.polls[k.near] == k {
			c.pollLocked(k)
		}
	})
}

// tellProgressLocked gives a client that knows of no task the status as progress
// of its call, if it wanted any.
func (c *conn) tellProgressLocked(k *upCall, said []byte) {
	token, status := member(k.msg.Meta(), "progressToken"), text(said, "statusMessage")
	if !k.insisted || token == nil || status == "" || status == k.told {
		return
	}
	k.told = status
	k.steps++
	c.toNearLocked(jsonrpc.NewNotification(mcp.MethodProgress, withMissing([]byte(`{}`), pair{"progressToken", token},
		pair{"progress", []byte(strconv.Itoa(k.steps))}, pair{"message", jsonrpc.Quote(status)})))
}

// updateTaskLocked gives the server what the client answered, and goes on
// waiting for the task.
func (c *conn) updateTaskLocked(k *upCall) {
	for key := range jsonrpc.Members(k.given) {
		name, _ := jsonrpc.String(key)
		k.answered[name] = true
	}
	params := withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(k.task)}, pair{"inputResponses", k.given})
	u := c.up
	c.askTaskLocked(methodTaskUpdate, k.near, params, func([]byte) {
		if u.polls[k.near] == k {
			c.pollLocked(k)
		}
	})
}

// cancelPollLocked takes the word that the client waits for a task no more. One
// that it knows nothing of is cancelled.
func (c *conn) cancelPollLocked(k *upCall) {
	c.withdrawAsksLocked(k)
	c.up.endPoll(k)
	if k.insisted {
		params := withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(k.task)})
		ask := jsonrpc.NewRequest(c.newIDLocked(), methodTaskCancel, c.up.meta.withTasks().into(params))
		c.askWithinLocked(c.modern, ask, greetLimit, func(jsonrpc.Message, error) {})
	}
}
