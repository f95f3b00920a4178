package era

import (
	"iter"

	"drawbridge/internal/jsonrpc"
)

// What a server of the initialize era may leave with us while others are slow:
// the conversation never waits for them, so these are bounds, not queues.
const (
	questionsMost = 100              // of a session, unanswered
	questionBytes = jsonrpc.MaxBytes // of them together, unless it is one
	pendingMost   = 256              // notifications for a client that was asked for input and has not come back
	pendingBytes  = 4 << 20          // of them together
	outMost       = 4096 + queueMost // messages for a server that reads none
)

// roomFor tells whether the session can keep one more question of the server.
func (s *session) roomFor(m jsonrpc.Message) bool {
	n, size := 0, len(m.Bytes())
	for _, r := range s.riddles {
		n++
		size += len(r.msg.Bytes())
	}
	for in := range s.inputs() {
		n++
		size += len(in.id) + len(in.key) + len(in.params)
	}
	return n == 0 || n < questionsMost && size <= questionBytes
}

// inputs are the questions of which is known whom they are for.
func (s *session) inputs() iter.Seq[*input] {
	return func(yield func(*input) bool) {
		for _, k := range s.calls {
			for _, in := range k.rounds.inputs {
				if !yield(in) {
					return
				}
			}
		}
		for _, t := range s.tasks {
			for _, in := range t.inputs {
				if !yield(in) {
					return
				}
			}
		}
	}
}

// keepLocked keeps a notification until the client is back. The latest tell most,
// so the first make room.
func (c *conn) keepLocked(k *downCall, m jsonrpc.Message) {
	k.pending = append(k.pending, m)
	size := 0
	for _, p := range k.pending {
		size += len(p.Bytes())
	}
	dropped := 0
	for len(k.pending) > pendingMost || size > pendingBytes && len(k.pending) > 1 {
		size -= len(k.pending[0].Bytes())
		k.pending = k.pending[1:]
		dropped++
	}
	if dropped > 0 {
		c.Log.Info("notifications dropped, since the client does not come back", "server", c.Server, "count", dropped)
	}
}
