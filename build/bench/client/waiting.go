package client

import (
	"sync"
	"sync/atomic"

	"drawbridge/build/bench/wire"
)

// waiting holds the calls without an answer yet, by raw id.
type waiting struct {
	mu    sync.Mutex
	calls map[string]chan wire.Message

	unasked atomic.Int64 // answers that no call waited for
}

func newWaiting() *waiting { return &waiting{calls: map[string]chan wire.Message{}} }

func (w *waiting) add(id string) <-chan wire.Message {
	ch := make(chan wire.Message, 1)
	w.mu.Lock()
	w.calls[id] = ch
	w.mu.Unlock()
	return ch
}

// drop forgets a call, so that a late answer counts as unasked.
func (w *waiting) drop(id string) {
	w.mu.Lock()
	delete(w.calls, id)
	w.mu.Unlock()
}

func (w *waiting) deliver(m wire.Message) {
	w.mu.Lock()
	ch := w.calls[string(m.ID)]
	delete(w.calls, string(m.ID))
	w.mu.Unlock()
	if ch == nil {
		w.unasked.Add(1)
		return
	}
	ch <- m
}
