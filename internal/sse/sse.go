// Package sse reads and writes event streams (text/event-stream, WHATWG HTML
// §9.2) as MCP's transports use them.
//
// It promises that the events are the same whatever the boundaries of the
// reads, that an event's data belongs to the caller, that nothing is kept
// beyond the limit, and that an event which carries only an id or a retry time
// is seen too. What the data means, and reconnecting, is left to others.
package sse

import (
	"fmt"
	"time"
)

// MaxBytes is the limit of one event when a Reader is given none.
const MaxBytes = 64 << 20

// Event is one block of a stream.
type Event struct {
	ID    string // the block's own id; see HasID
	HasID bool   // the block sets the last event id, perhaps to ""
	Name  string // "" is a message
	Data  []byte // nil when the block has no data; the caller's own

	Retry    time.Duration // see HasRetry
	HasRetry bool          // the block sets the reconnection time
}

// SizeError says that an event is longer than the limit. The event was skipped
// to its end, and Next may be called again.
type SizeError struct{ Limit int }

func (e *SizeError) Error() string {
	return fmt.Sprintf("an event is longer than %d bytes", e.Limit)
}
