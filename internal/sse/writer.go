package sse

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// direct is how much data is copied to make one write of an event. More goes
// out by itself, without a copy.
const direct = 64 << 10

// ErrField says that an id or a name cannot stand in an event stream.
var ErrField = errors.New("an event's id or name with a line break or U+0000")

// WriteEvent writes one event; id and name are left out when empty. It is one
// call of w.Write unless the data is large.
func WriteEvent(w io.Writer, id, name string, data []byte) error {
	if len(data) <= direct || !oneLine(data) {
		b, err := AppendEvent(make([]byte, 0, 40+len(id)+len(name)+len(data)), id, name, data)
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	head, err := appendHead(nil, id, name)
	for _, part := range [][]byte{head, data, eventEnd} {
		if err == nil {
			_, err = w.Write(part)
		}
	}
	return err
}

var eventEnd = []byte("\n\n")

// AppendEvent appends what WriteEvent writes.
func AppendEvent(b []byte, id, name string, data []byte) ([]byte, error) {
	b, err := appendHead(b, id, name)
	if err != nil {
		return b, err
	}
	if oneLine(data) {
		b = append(b, data...)
	} else {
		b = appendLines(b, data)
	}
	return append(b, eventEnd...), nil
}

func oneLine(data []byte) bool {
	return bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0
}

// appendHead appends all that stands before the data.
func appendHead(b []byte, id, name string) ([]byte, error) {
	if strings.ContainsAny(id, "\r\n\x00") || strings.ContainsAny(name, "\r\n\x00") {
		return b, ErrField
	}
	b = appendField(b, "event", name)
	b = appendField(b, "id", id)
	return append(b, "data: "...), nil
}

func appendField(b []byte, field, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, field...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, '\n')
}

// appendLines makes a data line of each line; CR and CRLF come back as LF, as
// the format has no other way.
func appendLines(b, data []byte) []byte {
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '\r':
			if i+1 < len(data) && data[i+1] == '\n' {
				i++
			}
			b = append(b, "\ndata: "...)
		case '\n':
			b = append(b, "\ndata: "...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// WriteComment writes a line that readers ignore; it keeps a connection alive.
// Line breaks in text become spaces.
func WriteComment(w io.Writer, text string) error {
	text = strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
	_, err := w.Write([]byte(": " + text + "\n\n"))
	return err
}

// WriteRetry tells the reader how long to wait before it connects again.
func WriteRetry(w io.Writer, wait time.Duration) error {
	_, err := w.Write([]byte("retry: " + strconv.FormatInt(max(wait.Milliseconds(), 0), 10) + "\n\n"))
	return err
}
