// Package wire reads the messages and events that pass through a bridge under
// test. It looks at the top level of a message without decoding it, so that a
// 1 MiB payload costs the bench a scan, not a decode.
//
// It promises speed and no limits. It leaves strictness to the product: the
// bench shares no code with what it measures, so that a mistake there cannot
// hide here.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Message is a shallow view of one JSON-RPC message. The slices point into the
// scanned line.
type Message struct {
	ID     []byte // raw JSON of "id", nil when absent or null
	Method string // "" for responses
	Params []byte // raw JSON of "params"
	Result []byte // raw JSON of "result"
	Error  []byte // raw JSON of "error"
	Raw    []byte
}

// IsRequest reports a message that wants an answer.
func (m Message) IsRequest() bool { return m.Method != "" && m.ID != nil }

// IsNotification reports a message without an id.
func (m Message) IsNotification() bool { return m.Method != "" && m.ID == nil }

// IsResponse reports a result or an error.
func (m Message) IsResponse() bool { return m.Method == "" && (m.Result != nil || m.Error != nil) }

// Scan reads the top level of one JSON object.
func Scan(line []byte) (Message, error) {
	m := Message{Raw: line}
	err := members(line, func(key, value []byte) bool {
		switch string(key) {
		case "id":
			if !bytes.Equal(value, []byte("null")) {
				m.ID = value
			}
		case "method":
			if json.Unmarshal(value, &m.Method) != nil {
				m.Method = ""
			}
		case "params":
			m.Params = value
		case "result":
			m.Result = value
		case "error":
			m.Error = value
		}
		return true
	})
	return m, err
}

// Get returns the raw value of a top-level key of a JSON object, nil when
// absent, without decoding anything else.
func Get(obj []byte, key string) []byte {
	var found []byte
	err := members(obj, func(k, v []byte) bool {
		if string(k) == key {
			found = v
			return false
		}
		return true
	})
	if err != nil {
		return nil
	}
	return found
}

// members calls f for every member of the object until f returns false.
func members(obj []byte, f func(key, value []byte) bool) error {
	i := skipSpace(obj, 0)
	if i >= len(obj) || obj[i] != '{' {
		return fmt.Errorf("not a JSON object: %.60q", obj)
	}
	i++
	for {
		i = skipSpace(obj, i)
		if i >= len(obj) {
			return errors.New("truncated object")
		}
		switch obj[i] {
		case '}':
			return nil
		case ',':
			i++
			continue
		}
		key, value, next, err := member(obj, i)
		if err != nil {
			return err
		}
		if !f(key, value) {
			return nil
		}
		i = next
	}
}

// member reads one key, colon and value from index i on.
func member(obj []byte, i int) (key, value []byte, next int, err error) {
	if obj[i] != '"' {
		return nil, nil, 0, fmt.Errorf("bad key at byte %d: %.40q", i, obj[i:])
	}
	end, err := skipString(obj, i)
	if err != nil {
		return nil, nil, 0, err
	}
	key = obj[i+1 : end-1]
	i = skipSpace(obj, end)
	if i >= len(obj) || obj[i] != ':' {
		return nil, nil, 0, fmt.Errorf("missing colon at byte %d", i)
	}
	i = skipSpace(obj, i+1)
	next, err = skipValue(obj, i)
	if err != nil {
		return nil, nil, 0, err
	}
	return key, obj[i:next], next, nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the closing quote; b[i] is the opening one.
func skipString(b []byte, i int) (int, error) {
	i++
	for {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return 0, errors.New("unterminated string")
		}
		q += i
		backslashes := 0
		for j := q - 1; j >= i && b[j] == '\\'; j-- {
			backslashes++
		}
		if backslashes%2 == 0 {
			return q + 1, nil
		}
		i = q + 1
	}
}

func skipValue(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, errors.New("missing value")
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	j := i
	for j < len(b) && b[j] != ',' && b[j] != '}' && b[j] != ']' && b[j] != ' ' && b[j] != '\n' && b[j] != '\r' && b[j] != '\t' {
		j++
	}
	if j == i {
		return 0, fmt.Errorf("empty value at byte %d", i)
	}
	return j, nil
}

func skipNested(b []byte, i int) (int, error) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			end, err := skipString(b, i)
			if err != nil {
				return 0, err
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, nil
			}
		}
		i++
	}
	return 0, errors.New("unterminated value")
}

// Request builds a request line (without newline).
func Request(id int64, method, params string) []byte {
	b := make([]byte, 0, len(params)+len(method)+64)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"method":"`...)
	b = append(b, method...)
	b = append(b, '"')
	if params != "" {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return append(b, '}')
}

// Notification builds a notification.
func Notification(method, params string) []byte {
	b := []byte(`{"jsonrpc":"2.0","method":"` + method + `"`)
	if params != "" {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return append(b, '}')
}

// Result builds a response with a raw id and a raw result.
func Result(id []byte, result string) []byte {
	b := make([]byte, 0, len(result)+len(id)+40)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"result":`...)
	b = append(b, result...)
	return append(b, '}')
}

// Error builds an error response; a nil id becomes null.
func Error(id []byte, code int, message string) []byte {
	if id == nil {
		id = []byte("null")
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, id, code, Quote(message))
}

// Quote returns s as a JSON string.
func Quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("wire: a string that JSON cannot hold: " + err.Error())
	}
	return string(b)
}

// Text returns the text of the first text content of a tools/call result.
func Text(result []byte) string {
	var r struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if json.Unmarshal(result, &r) != nil || len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].Text
}

// OneLine removes raw newlines of pretty printed JSON (legal only outside
// strings, where they are white space).
func OneLine(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	c := bytes.Clone(b)
	for i, x := range c {
		if x == '\n' || x == '\r' {
			c[i] = ' '
		}
	}
	return c
}
