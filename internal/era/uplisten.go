package era

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

const (
	ackLimit      = 5 * time.Second // for a listen to be acknowledged
	wakeLimit     = 2 * time.Second // for any answer after that
	listenFirst   = time.Second     // before a lost listen is opened again, doubled
	listenMost    = 2 * time.Minute
	followedMost  = 1000    // resources
	followedBytes = 4 << 20 // of their names
)

// follow is what a client of the initialize era hears of changes: one listen,
// opened anew when what it wants changes. The old one ends when the new one is
// acknowledged, and until then it alone is heard.
type follow struct {
	ready   bool          // the client said that it is
	uris    []string      // resources subscribed to
	now     jsonrpc.ID    // the listen that is heard
	next    *opening      // one that is not acknowledged yet
	old     []jsonrpc.ID  // ended by us
	asking  []subscribing // requests of the client that wait for an acknowledgement
	deaf    bool          // the server takes no listen
	gap     bool          // changes may have been missed
	fails   int
	retry   *time.Timer
	pending bool // opened again when next is acknowledged
}

type opening struct {
	id    jsonrpc.ID
	timer *time.Timer
}

type subscribing struct {
	id  jsonrpc.ID
	uri string
}

func (f *follow) stopTimers() {
	if f.next != nil {
		f.next.timer.Stop()
	}
	if f.retry != nil {
		f.retry.Stop()
	}
}

// upReadyLocked begins to listen, now that the client hears.
func (c *conn) upReadyLocked() {
	u := c.up
	if u.ready || u.found == nil {
		u.ready = true
		return
	}
	u.ready = true
	c.relistenLocked()
}

// wantedLocked are the params of the listen that the client's state asks for,
// nil when there is nothing to listen for.
func (c *conn) wantedLocked() []byte {
	u := c.up
	wanted := []byte(`{}`)
	for _, k := range listenKinds {
		if string(member(u.found, "capabilities", k.capability, "listChanged")) == "true" {
			wanted = withMissing(wanted, pair{k.member, []byte("true")})
		}
	}
	if len(u.uris) > 0 {
		list := []byte{'['}
		for i, uri := range u.uris {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, jsonrpc.Quote(uri)...)
		}
		wanted = withMissing(wanted, pair{"resourceSubscriptions", append(list, ']')})
	}
	if isEmpty(wanted) {
		return nil
	}
	m := u.meta
	m.logLevel = nil // log messages never come on a listen
	return m.into(withMissing([]byte(`{}`), pair{"notifications", wanted}))
}

// relistenLocked opens a listen for what is wanted now.
func (c *conn) relistenLocked() {
	u := c.up
	if u.next != nil {
		u.pending = true
		return
	}
	params := c.wantedLocked()
	if params == nil {
		c.unhearLocked()
		return
	}
	if u.deaf || c.Memory.isDeaf() {
		u.deaf = true
		c.ackedLocked(nil, nil)
		return
	}
	o := &opening{id: c.newIDLocked()}
	u.next = o
	o.timer = time.AfterFunc(ackLimit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed || c.up != u || u.next != o {
			return
		}
		c.Log.Info("the server does not acknowledge that it is listened to; changes are not seen", "server", c.Server)
		c.endListenLocked(o.id)
		u.next, u.deaf = nil, true
		c.ackedLocked(nil, nil)
		if c.Child {
			c.wakeLocked(c.modern)
		}
	})
	c.sendLocked(c.modern, jsonrpc.NewRequest(o.id, methodListen, params))
}

// wakeLocked sees whether a program that was silent on a listen is stuck in it
// (mark3labs/mcp-go#976: it reads nothing more, a cancellation neither). Then the
// connection is given up, and there is no listen on the next.
func (c *conn) wakeLocked(l *lane) {
	ask := jsonrpc.NewRequest(c.newIDLocked(), mcp.MethodDiscover, c.up.meta.into(nil))
	c.askWithinLocked(l, ask, wakeLimit, func(_ jsonrpc.Message, err error) {
		if !fault.IsCode(err, fault.Timeout) || l.end != nil {
			return
		}
		c.Memory.noteDeaf()
		c.endedLocked(l, fault.New(fault.ConnectionLost, c.Server).With("the server program is stuck in subscriptions/listen"))
	})
}

// unhearLocked ends the listen that is heard.
func (c *conn) unhearLocked() {
	if c.up.now != "" {
		c.endListenLocked(c.up.now)
		c.up.now = ""
	}
}

// endListenLocked ends a listen at the server. It may have an answer yet.
func (c *conn) endListenLocked(id jsonrpc.ID) {
	u := c.up
	if u.old = append(u.old, id); len(u.old) > 64 {
		u.old = u.old[1:]
	}
	c.sendLocked(c.modern, jsonrpc.NewNotification(mcp.MethodCancelled, []byte(`{"requestId":`+string(id)+`}`)))
}

// listenSaysLocked takes what comes on a listen of ours; false when it is not
// on one.
func (c *conn) listenSaysLocked(m jsonrpc.Message) bool {
	u := c.up
	if m.Method() == mcp.MethodCancelled {
		return c.listenEndedLocked(jsonrpc.ID(member(m.Params(), "requestId")), nil)
	}
	id := jsonrpc.ID(member(m.Meta(), metaSubscription))
	switch {
	case id == "":
		return false
	case u.next != nil && id == u.next.id:
		if m.Method() == methodAcknowledged {
			c.acknowledgedLocked(m)
		} // a change before that is seen by the old one
		return true
	case id == u.now:
		if out, ok := withoutSubscription(m); ok {
			c.toNearLocked(out)
		}
		return true
	}
	return slices.Contains(u.old, id)
}

// withoutSubscription is a notification as the initialize era knows it.
func withoutSubscription(m jsonrpc.Message) (jsonrpc.Message, bool) {
	left := jsonrpc.DeleteMember(m.Meta(), metaSubscription)
	params := jsonrpc.SetMember(m.Params(), "_meta", left)
	if isEmpty(left) {
		params = jsonrpc.DeleteMember(m.Params(), "_meta")
	}
	out, err := m.WithParams(params)
	return out, err == nil && m.Method() != methodAcknowledged
}

// acknowledgedLocked goes over to the listen that was acknowledged.
func (c *conn) acknowledgedLocked(m jsonrpc.Message) {
	u := c.up
	u.next.timer.Stop()
	c.unhearLocked()
	u.now, u.next, u.fails = u.next.id, nil, 0
	if u.gap {
		u.gap = false
		c.tellAllLocked(member(m.Params(), "notifications"))
	}
	c.ackedLocked(member(m.Params(), "notifications"), nil)
	if u.pending {
		u.pending = false
		c.relistenLocked()
	}
}

// tellAllLocked tells the client of every change that it may have missed.
func (c *conn) tellAllLocked(got []byte) {
	for _, k := range listenKinds {
		if string(member(got, k.member)) == "true" {
			c.toNearLocked(jsonrpc.NewNotification(k.method, nil))
		}
	}
	for _, uri := range c.up.uris {
		c.toNearLocked(jsonrpc.NewNotification(methodUpdated, withMissing([]byte(`{}`), pair{"uri", jsonrpc.Quote(uri)})))
	}
}

// ackedLocked answers the subscriptions that waited for an acknowledgement, which
// did not come if there is an error.
func (c *conn) ackedLocked(got []byte, err error) {
	u := c.up
	have := map[string]bool{}
	if list := member(got, "resourceSubscriptions"); len(list) > 0 && list[0] == '[' {
		for v := range jsonrpc.Elements(list) {
			uri, _ := jsonrpc.String(v)
			have[uri] = true
		}
	}
	var later []subscribing
	for _, s := range u.asking {
		switch {
		case have[s.uri] || !slices.Contains(u.uris, s.uri):
			c.toNearLocked(jsonrpc.NewResult(s.id, []byte(`{}`)))
		case u.pending && !u.deaf:
			later = append(later, s)
		default:
			u.uris = slices.DeleteFunc(u.uris, func(uri string) bool { return uri == s.uri })
			if err != nil {
				c.failLocked(s.id, err)
				continue
			}
			c.refuseLocked(s.id, jsonrpc.CodeInvalidParams, "the server takes no subscription to this resource", nil)
		}
	}
	u.asking = later
}

// followResourceLocked takes resources/subscribe and resources/unsubscribe.
func (c *conn) followResourceLocked(m jsonrpc.Message) {
	u := c.up
	uri, ok := jsonrpc.String(member(m.Params(), "uri"))
	switch {
	case !ok:
		c.refuseLocked(m.ID(), jsonrpc.CodeInvalidParams, "Invalid params: no uri", nil)
	case m.Method() == methodUnsubscribe:
		if slices.Contains(u.uris, uri) {
			u.uris = slices.DeleteFunc(u.uris, func(s string) bool { return s == uri })
			c.relistenLocked()
		}
		c.toNearLocked(jsonrpc.NewResult(m.ID(), []byte(`{}`)))
	case slices.Contains(u.uris, uri) && u.next == nil:
		c.toNearLocked(jsonrpc.NewResult(m.ID(), []byte(`{}`)))
	case len(u.uris) >= followedMost || len(strings.Join(u.uris, ""))+len(uri) > followedBytes:
		c.failLocked(m.ID(), fault.New(fault.TooManyRequests, c.Server).With("%d resources are subscribed to, no more can be", len(u.uris)))
	default:
		if !slices.Contains(u.uris, uri) {
			u.uris = append(u.uris, uri)
		}
		u.asking = append(u.asking, subscribing{m.ID(), uri})
		c.relistenLocked()
	}
}

// listenEndedLocked takes the end of a listen of ours, and opens another after
// a while unless the server refused it; false when id is none.
func (c *conn) listenEndedLocked(id jsonrpc.ID, err error) bool {
	u := c.up
	if i := slices.Index(u.old, id); i >= 0 {
		u.old = slices.Delete(u.old, i, i+1)
		return true
	}
	switch {
	case id == "":
		return false
	case u.next != nil && id == u.next.id: // refused, or lost at once
		u.next.timer.Stop()
		u.next = nil
		if err == nil || aboutRequest(err) {
			u.deaf, err = true, nil
		}
		c.ackedLocked(nil, err)
		if u.deaf {
			return true
		}
	case id == u.now:
		u.now = ""
	default:
		return false
	}
	u.gap = true
	pause := min(listenFirst<<min(u.fails, 10), listenMost)
	u.fails++
	u.retry = time.AfterFunc(pause+rand.N(pause/5+1), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && c.up == u && u.now == "" {
			c.relistenLocked()
		}
	})
	return true
}
