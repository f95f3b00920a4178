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
}

const (
	direct   = 64 << 10 // a longer message is written without a copy
	maxQueue = 1 << 20  // bytes that wait; more of them wait with their caller
	maxSpare = 256 << 10
)

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
	batch, queued := l.enqueue(line)
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if !queued {
		return l.writeNow(line)
	}
	return l.writeBatch(batch)
}

func (l *LineWriter) enqueue(line []byte) (batch uint64, queued bool) {
	if len(line) > direct {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || len(l.queue)+len(line) >= maxQueue {
		return 0, false
	}
	l.queue = append(append(l.queue, line...), '\n')
	return l.batch, true
}

// writeBatch writes what waits, unless an earlier turn took this batch along.
func (l *LineWriter) writeBatch(batch uint64) error {
	l.mu.Lock()
	if l.written > batch || l.err != nil {
		defer l.mu.Unlock()
		return l.errorOfLocked(batch)
	}
	out := l.queue
	l.queue, l.spare = l.spare[:0], nil
	l.batch++
	l.mu.Unlock()

	_, err := l.w.Write(out)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = batch + 1
	if cap(out) <= maxSpare {
		l.spare = out
	}
	l.failLocked(batch, err)
	return err
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
	l.failLocked(next, err)
	return err
}

func (l *LineWriter) failLocked(batch uint64, err error) {
	if err != nil && l.err == nil {
		l.err, l.failed = err, batch
		l.queue = nil
	}
}

// errorOfLocked is what became of a batch: it may have gone out before the
// writer failed.
func (l *LineWriter) errorOfLocked(batch uint64) error {
	if l.err != nil && batch >= l.failed {
		return l.err
	}
	return nil
}
