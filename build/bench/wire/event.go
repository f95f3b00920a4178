package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
)

// Event is one server-sent event.
type Event struct {
	ID   string
	Name string
	Data []byte
}

// EventReader reads server-sent events without a line limit.
type EventReader struct{ br *bufio.Reader }

// NewEventReader wraps a response body.
func NewEventReader(r io.Reader) *EventReader { return &EventReader{bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next event that has a data field, be it an empty one;
// comments and other fields alone are skipped.
func (r *EventReader) Next() (Event, error) {
	var ev Event
	hasData := false
	for {
		line, err := readLine(r.br)
		if err != nil {
			return ev, err
		}
		if len(line) == 0 {
			if hasData {
				return ev, nil
			}
			ev = Event{}
			continue
		}
		key, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(key) {
		case "data":
			if hasData {
				ev.Data = append(ev.Data, '\n')
			}
			ev.Data = append(ev.Data, value...)
			hasData = true
		case "event":
			ev.Name = string(value)
		case "id":
			ev.ID = string(value)
		}
	}
}

// readLine returns a line without its end; a short one is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		frag, err := br.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return bytes.TrimRight(frag, "\r\n"), nil
		case err == nil:
			return bytes.TrimRight(append(long, frag...), "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		long = append(long, frag...)
	}
}

// WriteEvent writes one event and flushes it.
func WriteEvent(w http.ResponseWriter, ev Event) error {
	b := make([]byte, 0, len(ev.Data)+64)
	if ev.ID != "" {
		b = append(b, "id: "...)
		b = append(b, ev.ID...)
		b = append(b, '\n')
	}
	if ev.Name != "" {
		b = append(b, "event: "...)
		b = append(b, ev.Name...)
		b = append(b, '\n')
	}
	b = append(b, "data: "...)
	b = append(b, ev.Data...)
	b = append(b, "\n\n"...)
	if _, err := w.Write(b); err != nil {
		return err
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	return nil
}
