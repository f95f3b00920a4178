package jsonrpc

import (
	"bytes"
	"io"
)

// LineReader cuts a byte stream into messages, one a line, as the stdio
// transport does (MCP 2025-11-25, Transports, stdio).
type LineReader struct {
	r   io.Reader
	max int

	buf  []byte
	from int // buf[from:to] is read and not handed out
	to   int
	seen int // buf[from:seen] holds no line break
	hint int // length of the long lines of late
	err  error
}

const (
	readSize   = 64 << 10 // a pipe gives no more at once
	emptyReads = 100      // in a row, before the source is called broken
)

// NewLineReader reads from r; a line longer than max bytes is skipped to its
// end and reported. With max 0 or less it is MaxBytes.
func NewLineReader(r io.Reader, max int) *LineReader {
	if max <= 0 || max > MaxBytes {
		max = MaxBytes
	}
	return &LineReader{r: r, max: max}
}

// Next returns the next message, which owns its bytes. Blank lines are skipped.
// A *RefusedError is one bad line, after which Next may be called again; any
// other error is the stream's end. A last line without a line break counts.
func (l *LineReader) Next() (Message, error) {
	for {
		line, err := l.line()
		if err != nil {
			return Message{}, err
		}
		if line != nil {
			return Parse(line)
		}
	}
}

// line takes the next line off, without its end; nil for a blank one.
func (l *LineReader) line() ([]byte, error) {
	for {
		if n := bytes.IndexByte(l.buf[l.seen:l.to], '\n'); n >= 0 {
			return l.take(l.seen+n, l.seen+n+1)
		}
		l.seen = l.to
		switch have := l.to - l.from; {
		case have > l.max+1: // one more for a CR
			return nil, l.skip()
		case l.err != nil && have > 0:
			return l.take(l.to, l.to)
		case l.err != nil:
			return nil, l.err
		}
		l.fill()
	}
}

// take gives buf[from:end] and goes on at next. A short line is copied out. A
// long one is given the buffer itself, so that it is neither copied nor kept,
// unless that is much larger than the line: whoever keeps the line keeps it all.
func (l *LineReader) take(end, next int) ([]byte, error) {
	line := bytes.TrimSuffix(l.buf[l.from:end], []byte("\r"))
	long := len(l.buf) > readSize
	fits := long && len(line) >= len(l.buf)/4
	if long {
		l.hint = len(line)
		rest := l.buf[next:l.to]
		l.buf = make([]byte, readSize)
		l.from, l.seen, l.to = 0, 0, copy(l.buf, rest)
	} else {
		l.from, l.seen = next, next
	}
	switch {
	case len(line) > l.max:
		var f IDFinder
		_, _ = f.Write(line) // it never fails
		return nil, l.tooLong(&f)
	case len(bytes.TrimLeft(line, " \t\r")) == 0:
		return nil, nil
	case fits:
		return line[:len(line):len(line)], nil
	default:
		return bytes.Clone(line), nil
	}
}

// fill reads once more, into room that it makes.
func (l *LineReader) fill() {
	switch {
	case l.buf == nil:
		l.buf = make([]byte, readSize)
	case l.from == l.to:
		l.from, l.seen, l.to = 0, 0, 0
	case l.to == len(l.buf):
		l.makeRoom()
	}
	// No more than readSize, so that what follows a long line fits a new buffer.
	for range emptyReads {
		n, err := l.r.Read(l.buf[l.to:min(len(l.buf), l.to+readSize)])
		l.to += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// makeRoom moves the line to the front, or to a larger buffer: four times as
// large for the first long line, then as large as the last long line needed.
func (l *LineReader) makeRoom() {
	have := l.buf[l.from:l.to]
	if l.from < len(l.buf)/2 {
		size := 2 * len(l.buf)
		if len(l.buf) == readSize {
			size = max(2*readSize, l.hint+readSize)
			if l.hint == 0 {
				size = 4 * readSize
			}
		}
		l.buf = make([]byte, min(size, l.max+2*readSize))
	}
	l.from, l.seen, l.to = 0, len(have), copy(l.buf, have)
}

// skip passes over a line that is too long already and keeps none of it.
func (l *LineReader) skip() error {
	var f IDFinder
	_, _ = f.Write(l.buf[l.from:l.to]) // it never fails
	l.buf = make([]byte, readSize)
	for l.from, l.seen, l.to = 0, 0, 0; l.err == nil; l.to = 0 {
		l.fill()
		n := bytes.IndexByte(l.buf[:l.to], '\n')
		if n >= 0 {
			_, _ = f.Write(l.buf[:n])
			l.from, l.seen = n+1, n+1
			break
		}
		_, _ = f.Write(l.buf[:l.to])
	}
	return l.tooLong(&f)
}

func (l *LineReader) tooLong(f *IDFinder) error {
	e := &RefusedError{Code: CodeInvalidRequest, Reason: "longer than the limit", Offset: l.max, Size: true}
	e.ID, e.Reply = f.IDs()
	return e
}
