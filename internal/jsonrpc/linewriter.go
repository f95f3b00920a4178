package jsonrpc

import (
	"io"
	"sync"
)

// LineWriter writes messages one a line. Several goroutines may call Write;
// what waits while one writes goes out together, in one write.
type LineWriter struct {
	w    io.Writer
	turn chan struct{} // holds one token while somebody writes

	mu      sync.Mutex
	queue   []byte // lines that wait
	spare   []byte // the queue before, to be used again
	batch   uint64 // number of the batch that queue is
	written uint64 // batches below this one are out, or failed
	err     error  // of the writer; it stays
	failed  uint64 // the first batch it concerns
	got     int    // bytes of that batch that are out all the same
}

const (
	direct   = 64 << 10 // a longer message is written without a copy
	maxQueue = 1 << 20  // bytes that wait; more of them wait with their caller
	maxSpare = 256 << 10
)

// place is where a line waits: its batch, and where in it the line ends.
type place struct {
	batch uint64
	end   int
}

var lineEnd = []byte{'\n'}

// NewLineWriter writes to w.
func NewLineWriter(w io.Writer) *LineWriter {
	return &LineWriter{w: w, turn: make(chan struct{}, 1)}
}

// Write puts the message out as one line and returns when it is out. A reader
// that does not read holds it up until the underlying writer is closed. The
// error of that writer stays and is returned by every later call.
func (l *LineWriter) Write(m Message) error {
	line := m.OneLine()
	at, queued := l.enqueue(line)
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if !queued {
		return l.writeNow(line)
	}
	return l.writeBatch(at)
}

func (l *LineWriter) enqueue(line []byte) (at place, queued bool) {
	if len(line) > direct {
		return place{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || len(l.queue)+len(line) >= maxQueue {
		return place{}, false
	}
	l.queue = append(append(l.queue, line...), '\n')
	return place{l.batch, len(l.queue)}, true
}

// writeBatch writes what waits, unless an earlier turn took this batch along.
func (l *LineWriter) writeBatch(at place) error {
	l.mu.Lock()
	if l.written > at.batch || l.err != nil {
		defer l.mu.Unlock()
		return l.errorOfLocked(at)
	}
	out := l.queue
	l.queue, l.spare = l.spare[:0], nil
	l.batch++
	l.mu.Unlock()

	n, err := l.w.Write(out)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = at.batch + 1
	if cap(out) <= maxSpare {
		l.spare = out
	}
	l.failLocked(at.batch, n, err)
	return l.errorOfLocked(at)
}

// writeNow writes one line past the queue. Lines of other callers have no order
// with it, and an earlier one of this caller is out.
func (l *LineWriter) writeNow(line []byte) error {
	l.mu.Lock()
	next, err := l.batch, l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err = l.w.Write(line); err == nil {
		_, err = l.w.Write(lineEnd)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(next, 0, err)
	return err
}

func (l *LineWriter) failLocked(batch uint64, got int, err error) {
	if err != nil && l.err == nil {
		l.err, l.failed, l.got = err, batch, got
		l.queue = nil
	}
}

// errorOfLocked is what became of a line: it may have gone out before the
// writer failed.
func (l *LineWriter) errorOfLocked(at place) error {
	if at.batch < l.failed || at.batch == l.failed && at.end <= l.got {
		return nil
	}
	return l.err
}
