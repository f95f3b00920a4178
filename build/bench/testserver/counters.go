package testserver

import (
	"encoding/json"
	"os"
	"sync"
	"sync/atomic"
)

// Counters is what the server saw. The bench reads it over /_ctl/stats or with
// the "stats" tool.
type Counters struct {
	Initialize  atomic.Int64
	Initialized atomic.Int64
	Calls       atomic.Int64
	CancelNotif atomic.Int64 // notifications/cancelled received
	CancelCtx   atomic.Int64 // a tool stopped because its request ended
	Deletes     atomic.Int64
	GetStreams  atomic.Int64
	Resumes     atomic.Int64 // GET with Last-Event-ID
	Discover    atomic.Int64
	Unauth      atomic.Int64

	mu      sync.Mutex
	headers map[string]string // last seen interesting headers
	init    string            // last initialize params
}

// NoteHeader records a header.
func (c *Counters) NoteHeader(key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.headers == nil {
		c.headers = map[string]string{}
	}
	c.headers[key] = value
}

func (c *Counters) noteInit(params []byte) {
	c.Initialize.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.init = string(params)
}

// JSON renders the counters.
func (c *Counters) JSON() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(map[string]any{
		"pid": os.Getpid(), "initialize": c.Initialize.Load(), "initialized": c.Initialized.Load(),
		"calls": c.Calls.Load(), "cancelNotif": c.CancelNotif.Load(), "cancelCtx": c.CancelCtx.Load(),
		"deletes": c.Deletes.Load(), "getStreams": c.GetStreams.Load(), "resumes": c.Resumes.Load(),
		"discover": c.Discover.Load(), "unauth": c.Unauth.Load(), "headers": c.headers, "init": c.init,
	})
	if err != nil {
		panic("testserver: counters that JSON cannot hold: " + err.Error())
	}
	return b
}
