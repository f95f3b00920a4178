package upstream

import (
	"context"
	"io"
	"sync"

	"drawbridge/internal/jsonrpc"
)

// parcel is one notification or response on its way to the server.
type parcel struct {
	msg  jsonrpc.Message
	post func(jsonrpc.Message) // sends it and returns when it is accepted or lost
	done func()                // afterwards; may be nil
}

// outbox sends notifications and responses one after another, so that the
// server sees them in order. A goroutine works only while something waits.
type outbox struct {
	room chan struct{} // one token for each parcel inside

	mu      sync.Mutex
	waiting []parcel
	working bool
}

const outboxRoom = 256

func (o *outbox) init() { o.room = make(chan struct{}, outboxRoom) }

// put queues p. It waits while the outbox is full.
func (t *talk) enqueue(ctx context.Context, p parcel) error {
	select {
	case t.out.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-t.over:
		return io.ErrClosedPipe
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.end != nil {
		return io.ErrClosedPipe
	}
	if t.out.add(p) {
		t.tasks.Go(t.out.work)
	}
	return nil
}

// add is true when a worker has to be started.
func (o *outbox) add(p parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, p)
	start := !o.working
	o.working = true
	return start
}

// last has f called after what is queued now; false when nothing is.
func (o *outbox) last(f func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.working {
		o.waiting = append(o.waiting, parcel{done: f})
	}
	return o.working
}

func (o *outbox) work() {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			o.working, o.waiting = false, nil
			o.mu.Unlock()
			return
		}
		p := o.waiting[0]
		o.waiting = o.waiting[1:]
		o.mu.Unlock()
		if p.post != nil {
			p.post(p.msg)
			<-o.room
		}
		if p.done != nil {
			p.done()
		}
	}
}
