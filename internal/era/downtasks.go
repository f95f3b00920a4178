package era

import (
	"strconv"
	"time"

	"drawbridge/internal/jsonrpc"
)

// A client of 2026-07-28 that declares the extension takes a task for an answer
// to a tool's call, asks for its state and gives it input by requests of its
// own. A server with the tasks of 2025-11-25 wants to be told which call is to
// become one, gives the result apart, and asks its questions as it asks all.
const (
	methodTasks      = "notifications/tasks"
	methodTaskStatus = "notifications/tasks/status"
)

const (
	questionWait = 250 * time.Millisecond // for the questions of a task that wants input
)

// downTasks is what a session keeps of tools and their tasks.
type downTasks struct {
	support map[string]string // taskSupport of the tools that say it; nil before they are listed
	wanting []*downCall       // calls that wait for the listing
	tasks   map[string]*downTask
}

// downTask is a task at the server.
type downTask struct {
	id       string
	over     bool
	seen     time.Time // when anything was last said of it
	made     int       // inputs so far, for their keys
	inputs   []*input
	fetching bool // tasks/result is open, so that the server asks its questions
	telling  bool // what it is like is being asked for, to be told
	changed  bool // and it has changed since
}

func (t *downTasks) stopTimers() {
	for _, task := range t.tasks {
		for _, in := range task.inputs {
			in.expiry.Stop()
		}
	}
}

// hasTasksOpen tells whether a task is at work that somebody cares for.
func (t *downTasks) hasTasksOpen() bool {
	for _, task := range t.tasks {
		if !task.over && time.Since(task.seen) < heldLimit {
			return true
		}
	}
	return false
}

// taskLocked finds or makes what is kept of a task. The one that was heard of
// least recently makes room.
func (c *conn) taskLocked(l *lane, id string) *downTask {
	if l.tasks == nil {
		l.tasks = map[string]*downTask{}
	}
	t := l.tasks[id]
	if t == nil {
		if len(l.tasks) >= tasksMost {
			var oldest *downTask
			for _, o := range l.tasks {
				if oldest == nil || o.seen.Before(oldest.seen) {
					oldest = o
				}
			}
			c.endTaskLocked(l, oldest)
			delete(l.tasks, oldest.id)
		}
		t = &downTask{id: id}
		l.tasks[id] = t
	}
	t.seen = time.Now()
	return t
}

// endTaskLocked refuses the questions of a task that waits for none any more.
func (c *conn) endTaskLocked(l *lane, t *downTask) {
	t.over = true
	for _, in := range t.inputs {
		in.expiry.Stop()
		c.refuseAskedLocked(l, in.id, "the task it belongs to is over")
	}
	t.inputs = nil
}

// offersTasks tells whether calls of tools can become tasks.
func (s *session) offersTasks() bool {
	return member(s.welcome, "capabilities", "tasks", "requests", "tools", "call") != nil
}

// declaresTasks tells whether a request's client has the extension.
func declaresTasks(m jsonrpc.Message) bool {
	return member(m.Meta(), metaCapabilities, "extensions", extensionTasks) != nil
}

// withoutTasks takes the extension out of a client's capabilities. The server is
// told with each call, so that one session serves the client with and without.
func withoutTasks(needs []byte) []byte {
	extensions := member(needs, "extensions")
	if member(extensions, extensionTasks) == nil {
		return needs
	}
	if extensions = jsonrpc.DeleteMember(extensions, extensionTasks); isEmpty(extensions) {
		return jsonrpc.DeleteMember(needs, "extensions")
	}
	return jsonrpc.SetMember(needs, "extensions", extensions)
}

// refuseUndeclaredLocked answers a request that needs the extension.
func (c *conn) refuseUndeclaredLocked(id jsonrpc.ID) {
	c.refuseLocked(id, codeMissingNeed, "Missing required client capability", []byte(`{"requiredCapabilities":{"extensions":{"`+extensionTasks+`":{}}}}`))
}

// becameTask is the answer to a call that became a task.
func (l *lane) becameTask(result []byte) []byte {
	task := member(result, "task")
	out := withMissing([]byte(`{"resultType":"task"}`), modernTask(task, text(task, "status"))...)
	return withMissing(out, pair{"_meta", l.named(member(result, "_meta"))})
}

// named is a _meta with the server's name added.
func (s *session) named(meta []byte) []byte {
	name := serverMeta(s.welcome)
	if !isObject(meta) {
		return name
	}
	return withMissing(meta, pair{metaServerInfo, member(name, metaServerInfo)})
}

// modernTask are the members of a task in the words of the extension.
func modernTask(said []byte, status string) []pair {
	var all []pair
	ttl := []byte("null")
	for key, value := range jsonrpc.Members(said) {
		name, _ := jsonrpc.String(key)
		switch name {
		case "_meta", "task", "resultType":
			continue
		case "status":
			value = jsonrpc.Quote(status)
		case "ttl":
			ttl = value
			continue
		case "pollInterval":
			name = "pollIntervalMs"
		}
		all = append(all, pair{name, value})
	}
	return append(all, pair{"ttlMs", ttl})
}

// taskRequestLocked takes a client's request about a task.
func (c *conn) taskRequestLocked(l *lane, m jsonrpc.Message) {
	id, ok := jsonrpc.String(member(m.Params(), "taskId"))
	switch {
	case !l.offersTasks():
		c.refuseLocked(m.ID(), jsonrpc.CodeMethodNotFound, "Method not found: "+m.Method(), nil)
	case !declaresTasks(m):
		c.refuseUndeclaredLocked(m.ID())
	case !ok:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: no taskId", nil)
	case m.Method() == methodTaskUpdate:
		c.updateDownTaskLocked(l, m, id)
	case m.Method() == methodTaskCancel:
		k := c.aboutTaskLocked(l, m, id)
		c.askAboutLocked(k, methodTaskCancel, func(k *downCall, a jsonrpc.Message) { c.cancelledTaskLocked(k, id, a) })
	default:
		k := c.aboutTaskLocked(l, m, id)
		c.askAboutLocked(k, methodTaskGet, func(k *downCall, a jsonrpc.Message) { c.gotTaskLocked(k, id, a) })
	}
}

// laneOfTaskLocked is the session that knows the task which a request is about:
// a program may come with other capabilities than it made the task with. Two
// processes may name their tasks alike, so its own session comes first.
func (c *conn) laneOfTaskLocked(m jsonrpc.Message, who speaker) *lane {
	switch m.Method() {
	case methodTaskGet, methodTaskUpdate, methodTaskCancel:
	default:
		return nil
	}
	id := text(m.Params(), "taskId")
	own := c.downs[who.key]
	if own != nil && own.tasks[id] != nil {
		return own
	}
	for _, l := range c.downs {
		if l.tasks[id] != nil && compact(l.info) == compact(who.info) {
			return l
		}
	}
	return own
}

// aboutTaskLocked makes a call of a request about a task. It may ask the server
// more than once.
func (c *conn) aboutTaskLocked(l *lane, m jsonrpc.Message, id string) *downCall {
	return &downCall{lane: l, near: m.ID(), msg: jsonrpc.NewRequest(m.ID(), methodTaskGet, withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(id)}))}
}

// askAboutLocked asks the server about the task of a call.
func (c *conn) askAboutLocked(k *downCall, method string, then func(*downCall, jsonrpc.Message)) {
	delete(k.lane.calls, k.id)
	k.id, k.then = c.newIDLocked(), then
	k.msg = jsonrpc.NewRequest(k.id, method, k.msg.Params())
	k.sent++
	k.lane.calls[k.id] = k
	c.sendLocked(k.lane, k.msg)
}

// acknowledgedTaskLocked answers a request about a task that needs no word.
func (c *conn) acknowledgedTaskLocked(k *downCall) {
	c.finishLocked(k, item{msg: jsonrpc.NewResult(k.id, []byte(`{}`))})
}

// gotTaskLocked takes what the server says of a task, and adds what clients of
// the extension find in the same answer: result, error or questions.
func (c *conn) gotTaskLocked(k *downCall, id string, said jsonrpc.Message) {
	if !isObject(said.Result()) {
		c.finishLocked(k, item{msg: said})
		return
	}
	l, status := k.lane, text(said.Result(), "status")
	t := c.taskLocked(l, id)
	show := func(final jsonrpc.Message) {
		c.finishLocked(k, item{msg: resultOf(k.id, t.view(said.Result(), final))})
	}
	switch status {
	case "completed", "failed":
		c.endTaskLocked(l, t)
		c.askAboutLocked(k, methodTaskResult, func(_ *downCall, final jsonrpc.Message) { show(final) })
		return
	case "cancelled":
		c.endTaskLocked(l, t)
	case "input_required":
		if len(t.inputs) > 0 {
			break
		}
		c.fetchQuestionsLocked(l, t)
		k.expiry = time.AfterFunc(questionWait, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.closed && l.calls[k.id] == k {
				show(jsonrpc.Message{})
			}
		})
		return
	}
	show(jsonrpc.Message{})
}

// fetchQuestionsLocked asks for a task's result, upon which servers send the
// questions that they keep for it.
func (c *conn) fetchQuestionsLocked(l *lane, t *downTask) {
	if t.fetching {
		return
	}
	t.fetching = true
	ask := jsonrpc.NewRequest(c.newIDLocked(), methodTaskResult, withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(t.id)}))
	// The result is asked for again by who wants it.
	c.askWithinLocked(l, ask, heldLimit, func(jsonrpc.Message, error) { t.fetching = false })
}

// view is a task as the extension shows it; final is the answer to tasks/result
// if there is one.
func (t *downTask) view(said []byte, final jsonrpc.Message) []byte {
	status := text(said, "status")
	var more []pair
	switch {
	case final.Result() != nil:
		status = "completed" // a tool's own failure is a result
		more = []pair{{"result", withMissing(unrelated(final.Result()), pair{"resultType", []byte(`"complete"`)})}}
	case final.Error() != nil:
		status, more = "failed", []pair{{"error", final.Error()}}
	case len(t.inputs) > 0:
		status, more = "input_required", []pair{{"inputRequests", inputRequests(t.inputs)}}
	case status == "input_required":
		status = "working" // for there is nothing to give yet
	}
	return withMissing([]byte(`{"resultType":"complete"}`), append(modernTask(said, status), more...)...)
}

// unrelated takes the name of a task out of an object's _meta: the extension does
// not have it there.
func unrelated(object []byte) []byte {
	meta := member(object, "_meta")
	if member(meta, metaTask) == nil {
		return object
	}
	if meta = jsonrpc.DeleteMember(meta, metaTask); isEmpty(meta) {
		return jsonrpc.DeleteMember(object, "_meta")
	}
	return jsonrpc.SetMember(object, "_meta", meta)
}

// cancelledTaskLocked takes the answer to a cancellation. The client's is
// acknowledged if the task exists, whether it could be cancelled or not.
func (c *conn) cancelledTaskLocked(k *downCall, id string, a jsonrpc.Message) {
	if a.Error() == nil {
		c.endTaskLocked(k.lane, c.taskLocked(k.lane, id))
		c.acknowledgedTaskLocked(k)
		return
	}
	c.askAboutLocked(k, methodTaskGet, func(k *downCall, said jsonrpc.Message) {
		if said.Error() != nil {
			c.finishLocked(k, item{msg: said})
			return
		}
		c.acknowledgedTaskLocked(k)
	})
}

// updateDownTaskLocked gives the server what the client answered its questions.
// What nobody asked for is ignored, as the extension wants it.
func (c *conn) updateDownTaskLocked(l *lane, m jsonrpc.Message, id string) {
	given := member(m.Params(), "inputResponses")
	t := l.tasks[id]
	if !isObject(given) {
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: no inputResponses", nil)
		return
	}
	k := c.aboutTaskLocked(l, m, id)
	if t == nil {
		c.askAboutLocked(k, methodTaskGet, func(k *downCall, said jsonrpc.Message) {
			if said.Error() != nil {
				c.finishLocked(k, item{msg: said})
				return
			}
			c.acknowledgedTaskLocked(k)
		})
		return
	}
	t.seen = time.Now()
	var left []*input
	for _, in := range t.inputs {
		v := member(given, in.key)
		if !isObject(v) {
			left = append(left, in)
			continue
		}
		in.expiry.Stop()
		c.sendLocked(l, resultOf(in.id, v))
	}
	t.inputs = left
	k.id = c.newIDLocked()
	c.acknowledgedTaskLocked(k)
}

// taskAskedLocked takes a question of the server that belongs to a task.
func (c *conn) taskAskedLocked(l *lane, id string, in *input) {
	t := c.taskLocked(l, id)
	if t.over {
		c.refuseAskedLocked(l, in.id, "the task it belongs to is over")
		return
	}
	t.made++
	in.key = "input-" + strconv.Itoa(t.made) // never the same twice in a task
	in.expiry = time.AfterFunc(heldLimit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && !l.retired && l.forgetTaskInput(in.id) {
			c.refuseAskedLocked(l, in.id, "the client did not give the input asked for")
		}
	})
	t.inputs = append(t.inputs, in)
	if t.isFollowed(l) {
		c.followTaskLocked(l, t)
	}
}

// forgetTaskInput takes a question of a task back.
func (t *downTasks) forgetTaskInput(id jsonrpc.ID) bool {
	for _, task := range t.tasks {
		for i, in := range task.inputs {
			if in.id == id {
				in.expiry.Stop()
				task.inputs = append(task.inputs[:i], task.inputs[i+1:]...)
				return true
			}
		}
	}
	return false
}

// tasksOfLocked are the tasks that a listen is about; not ok when the listen was
// refused.
func (c *conn) tasksOfLocked(l *lane, m jsonrpc.Message) (tasks map[string]bool, ok bool) {
	list := member(m.Params(), "notifications", "taskIds")
	if len(list) == 0 || list[0] != '[' || !l.offersTasks() {
		return nil, true
	}
	if !declaresTasks(m) {
		c.refuseUndeclaredLocked(m.ID())
		return nil, false
	}
	tasks = map[string]bool{}
	for v := range jsonrpc.Elements(list) {
		if id, ok := jsonrpc.String(v); ok {
			tasks[id] = true
		}
	}
	return tasks, true
}

func (t *downTask) isFollowed(l *lane) bool {
	for _, s := range l.listens {
		if s.tasks[t.id] {
			return true
		}
	}
	return false
}

// taskStatusLocked takes the server's word of a task that has changed.
func (c *conn) taskStatusLocked(l *lane, m jsonrpc.Message) {
	id := text(m.Params(), "taskId")
	if id == "" {
		return
	}
	if l.tasks[id] == nil && !(&downTask{id: id}).isFollowed(l) {
		return // of nobody here, so there is nothing to keep
	}
	t := c.taskLocked(l, id)
	switch text(m.Params(), "status") {
	case "completed", "failed", "cancelled":
		c.endTaskLocked(l, t)
	}
	if t.isFollowed(l) {
		c.followTaskLocked(l, t)
	}
}

// followTaskLocked asks for what there is to tell of a task, and tells it.
func (c *conn) followTaskLocked(l *lane, t *downTask) {
	if t.telling {
		t.changed = true
		return
	}
	t.telling = true
	params := withMissing([]byte(`{}`), pair{"taskId", jsonrpc.Quote(t.id)})
	c.askLocked(l, methodTaskGet, params, func(said jsonrpc.Message, _ error) {
		switch status := text(said.Result(), "status"); {
		case status == "completed" || status == "failed":
			c.askLocked(l, methodTaskResult, params, func(final jsonrpc.Message, err error) {
				if err == nil {
					c.tellTaskLocked(l, t, said.Result(), final)
				}
				c.followOnLocked(l, t)
			})
			return
		case status == "input_required" && len(t.inputs) == 0:
			c.fetchQuestionsLocked(l, t) // they are told when they come
		case status != "":
			c.tellTaskLocked(l, t, said.Result(), jsonrpc.Message{})
		}
		c.followOnLocked(l, t)
	})
}

// followOnLocked tells of what has changed since it was asked for.
func (c *conn) followOnLocked(l *lane, t *downTask) {
	changed := t.changed
	t.telling, t.changed = false, false
	if changed {
		c.followTaskLocked(l, t)
	}
}

// tellTaskLocked tells who follows a task how it is.
func (c *conn) tellTaskLocked(l *lane, t *downTask, said []byte, final jsonrpc.Message) {
	note, err := jsonrpc.NewNotification(methodTasks, nil).WithParams(jsonrpc.DeleteMember(t.view(said, final), "resultType"))
	if err != nil { // what the server says of it makes no valid message
		c.Log.Debug("status of a task dropped", "server", c.Server, "err", err)
		return
	}
	for id, s := range l.listens {
		if s.acked && s.tasks[t.id] {
			c.tellListenLocked(id, note)
		}
	}
}
