package sse

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"
)

// Reader takes events off a stream. Its methods are not to be called at the
// same time.
type Reader struct {
	// Spill, when set, is given the data of an event that is too long, in
	// pieces, before Next returns its *SizeError. It must not keep them.
	Spill func(part []byte)

	r   io.Reader
	max int

	buf    []byte
	from   int // buf[from:to] is read and not used
	to     int
	seen   int // buf[from:seen] holds no end of line
	hint   int // length of the long lines of late
	begun  bool
	skipLF bool // the last line ended with CR; an LF here belongs to it
	err    error

	event Event
	any   bool // the event has something to tell
	size  int  // bytes of it so far
	huge  bool // it is over the limit and being skipped
}

const (
	readSize   = 32 << 10 // net/http and pipes give about this much at once
	emptyReads = 100      // in a row, before the source is called broken
	slack      = 64       // of a line, for the field name and its end
)

var bom = []byte("\xEF\xBB\xBF")

// NewReader reads from r; an event of more than max bytes is skipped and
// reported. With max 0 or less it is MaxBytes.
func NewReader(r io.Reader, max int) *Reader {
	if max <= 0 {
		max = MaxBytes
	}
	return &Reader{r: r, max: max}
}

// Next returns the next event that has data, an id or a retry time. A
// *SizeError is one event that was too long; any other error is the stream's
// end, where an event that has not ended is dropped.
func (r *Reader) Next() (Event, error) {
	for {
		line, owned, err := r.line()
		switch {
		case errors.Is(err, errLongLine):
			r.skipLine(line)
			continue
		case err != nil:
			return Event{}, err
		case len(line) > r.max+slack:
			r.longLine(line)
			continue
		case len(line) > 0:
			r.field(line, owned)
			continue
		}
		e, told, huge := r.event, r.any, r.huge
		r.event, r.any, r.huge, r.size = Event{}, false, false, 0
		if huge {
			return Event{}, &SizeError{Limit: r.max}
		}
		if told {
			return e, nil
		}
	}
}

// field takes one line into the event; owned says that line is not part of the
// reader's buffer any more.
func (r *Reader) field(line []byte, owned bool) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "data":
		r.data(value, owned)
	case "event":
		if r.fits(len(value)) {
			r.event.Name = eventName(value)
		}
	case "id":
		if bytes.IndexByte(value, 0) < 0 && r.fits(len(value)) {
			r.event.ID, r.event.HasID, r.any = string(value), true, true
		}
	case "retry":
		if d, ok := milliseconds(value); ok {
			r.event.Retry, r.event.HasRetry, r.any = d, true, true
		}
	}
}

// fits counts n more bytes of the event.
func (r *Reader) fits(n int) bool {
	r.size += n
	if r.size > r.max && !r.huge {
		r.overflow()
	}
	return !r.huge
}

// overflow gives up the event that is being read.
func (r *Reader) overflow() {
	r.huge = true
	r.spill(r.event.Data)
	r.event = Event{}
}

func (r *Reader) spill(part []byte) {
	if r.Spill != nil && len(part) > 0 {
		r.Spill(part)
	}
}

// data takes one line of data. The first is kept as it is; a second one, which
// JSON on one line never has, is joined to it.
func (r *Reader) data(value []byte, owned bool) {
	joint := 0
	if r.event.Data != nil {
		joint = 1
	}
	if !r.fits(len(value) + joint) {
		r.spill(value)
		return
	}
	r.any = true
	switch {
	case joint == 1:
		r.event.Data = append(append(r.event.Data, '\n'), value...)
	case owned:
		r.event.Data = value[:len(value):len(value)]
	default:
		r.event.Data = append(make([]byte, 0, len(value)), value...)
	}
}

func eventName(value []byte) string {
	switch string(value) {
	case "message":
		return ""
	case "endpoint":
		return "endpoint"
	default:
		return string(value)
	}
}

// milliseconds reads a time that is digits only; what would not fit is as long
// as can be told.
func milliseconds(value []byte) (time.Duration, bool) {
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), math.MaxInt32)
	}
	return time.Duration(n) * time.Millisecond, len(value) > 0
}

var errLongLine = errors.New("a line over the limit")

// line takes the next line off, without its end. A long one is given the
// buffer itself (owned), so that it is neither copied nor kept. With
// errLongLine it is the beginning of a line whose rest was not read.
func (r *Reader) line() (line []byte, owned bool, err error) {
	for {
		if r.skipLF && r.from < r.to {
			r.skipLF = false
			if r.buf[r.from] == '\n' {
				r.from++
				r.seen = r.from
			}
		}
		if n := endOfLine(r.buf[r.seen:r.to]); n >= 0 {
			line, owned = r.take(r.seen + n)
			return line, owned, nil
		}
		r.seen = r.to
		if r.to-r.from > r.max+slack {
			line = r.buf[r.from:r.to]
			r.buf = nil
			r.from, r.seen, r.to = 0, 0, 0
			return line, true, errLongLine
		}
		if r.err != nil {
			return nil, false, r.err
		}
		r.fill()
	}
}

// endOfLine is the index of the first LF or CR. There is hardly ever a CR, so
// two searches for one byte are the quickest.
func endOfLine(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n >= 0 {
		b = b[:n]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return n
}

// take gives buf[from:end] and goes on behind the line's end. A long line owns
// the buffer, unless that is much larger: whoever keeps the line keeps it all.
func (r *Reader) take(end int) (line []byte, owned bool) {
	line = r.buf[r.from:end]
	r.skipLF = r.buf[end] == '\r'
	if len(r.buf) > readSize {
		r.hint = len(line)
		owned = len(line) >= len(r.buf)/4
		rest := r.buf[end+1 : r.to]
		r.buf = make([]byte, readSize)
		r.from, r.seen, r.to = 0, 0, copy(r.buf, rest)
		return line, owned
	}
	r.from, r.seen = end+1, end+1
	return line, false
}

// longLine takes a line that is over the limit, or its beginning. Whatever
// field it is, it ends the event, so that how much was read at once makes no
// difference; a comment does not.
func (r *Reader) longLine(line []byte) (data bool) {
	if line[0] != ':' && !r.huge {
		r.overflow()
	}
	data = bytes.HasPrefix(line, []byte("data:"))
	if data {
		r.spill(bytes.TrimPrefix(line[len("data:"):], []byte{' '}))
	}
	return data
}

// skipLine passes over the rest of a line that began so, and of which nothing
// is kept.
func (r *Reader) skipLine(start []byte) {
	data := r.longLine(start)
	for r.err == nil {
		r.fill()
		n := endOfLine(r.buf[r.from:r.to])
		if n >= 0 {
			if data {
				r.spill(r.buf[r.from : r.from+n])
			}
			r.take(r.from + n)
			return
		}
		if data {
			r.spill(r.buf[r.from:r.to])
		}
		r.from, r.seen, r.to = 0, 0, 0
	}
}

// fill reads once more, into room that it makes.
func (r *Reader) fill() {
	switch {
	case r.buf == nil:
		r.buf = make([]byte, readSize)
	case r.from == r.to:
		r.from, r.seen, r.to = 0, 0, 0
	case r.to == len(r.buf):
		r.makeRoom()
	}
	// No more than readSize, so that what follows a long line fits a new buffer.
	for range emptyReads {
		n, err := r.r.Read(r.buf[r.to:min(len(r.buf), r.to+readSize)])
		r.to += n
		r.err = err
		if n > 0 || err != nil {
			r.dropBOM()
			return
		}
	}
	r.err = io.ErrNoProgress
}

// dropBOM takes off a byte order mark at the very beginning.
func (r *Reader) dropBOM() {
	if r.begun {
		return
	}
	head := r.buf[r.from:r.to]
	if len(head) < len(bom) && bytes.HasPrefix(bom, head) && r.err == nil {
		return // not to be told yet
	}
	r.begun = true
	if bytes.HasPrefix(head, bom) {
		r.from += len(bom)
		r.seen = r.from
	}
}

// makeRoom moves the line to the front, or to a larger buffer: four times as
// large for the first long line, then as large as the last long line needed.
func (r *Reader) makeRoom() {
	have := r.buf[r.from:r.to]
	if r.from < len(r.buf)/2 {
		size := 2 * len(r.buf)
		if len(r.buf) == readSize {
			size = max(2*readSize, r.hint+readSize)
			if r.hint == 0 {
				size = 4 * readSize
			}
		}
		r.buf = make([]byte, min(size, r.max+2*readSize+slack))
	}
	r.from, r.seen, r.to = 0, len(have), copy(r.buf, have)
}
