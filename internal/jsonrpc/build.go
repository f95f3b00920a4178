package jsonrpc

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// NewRequest makes a request; params may be nil. Like the other New functions
// it panics when what it is given makes no message.
func NewRequest(id ID, method string, params []byte) Message { return build(id, method, params) }

// NewNotification makes a notification; params may be nil.
func NewNotification(method string, params []byte) Message { return build("", method, params) }

// NewResult makes the answer to a request.
func NewResult(id ID, result []byte) Message {
	b := opening(id, len(result))
	b = append(b, `,"result":`...)
	b = append(b, result...)
	return mustParse(append(b, '}'))
}

// NewError makes the refusal of a request; an empty id is written as null,
// data may be nil.
func NewError(id ID, code int, message string, data []byte) Message {
	if id == "" {
		id = "null"
	}
	b := opening(id, len(message)+len(data))
	b = append(b, `,"error":{"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"message":`...)
	b = appendQuoted(b, message)
	if data != nil {
		b = append(b, `,"data":`...)
		b = append(b, data...)
	}
	return mustParse(append(b, "}}"...))
}

func build(id ID, method string, params []byte) Message {
	b := opening(id, len(method)+len(params))
	b = append(b, `,"method":`...)
	b = appendQuoted(b, method)
	if params != nil {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return mustParse(append(b, '}'))
}

// opening begins an envelope in a buffer with room for size more bytes.
func opening(id ID, size int) []byte {
	b := make([]byte, 0, 96+len(id)+size)
	b = append(b, `{"jsonrpc":"2.0"`...)
	if id != "" {
		b = append(b, `,"id":`...)
		b = append(b, id...)
	}
	return b
}

// mustParse reads what was made here. The limits are for what comes from others:
// something of theirs that is just within them may stand a few levels deeper and
// among more bytes in a message of ours.
func mustParse(b []byte) Message {
	p := parser{scanner: scanner{b: b, made: true}}
	m, err := p.parse()
	if err != nil {
		panic("jsonrpc: made a bad message: " + err.Error())
	}
	return m
}

// WithID gives a request or response with another id; all other bytes stay. A
// message that has no id comes back as it is. It panics when id is not one.
func (m Message) WithID(id ID) Message {
	if m.id.to == 0 {
		return m
	}
	if !isID([]byte(id)) && (id != "null" || m.failed.to == 0) {
		panic("jsonrpc: not an id: " + string(id))
	}
	old := m.id
	m.raw = slices.Concat(m.raw[:old.from], []byte(id), m.raw[old.to:])
	moved := int32(len(id)) - (old.to - old.from)
	for _, s := range []*span{&m.id, &m.method, &m.params, &m.result, &m.failed, &m.meta} {
		if s.from > old.from {
			s.from += moved
		}
		if s.to >= old.to {
			s.to += moved
		}
	}
	return m
}

// WithParams gives the message with other params; nil takes them out. All
// other bytes stay. The error is a *RefusedError, as Parse would return it.
func (m Message) WithParams(params []byte) (Message, error) {
	return m.with("params", m.params, params)
}

// WithResult gives the response with another result; all other bytes stay. The
// error is a *RefusedError, as Parse would return it.
func (m Message) WithResult(result []byte) (Message, error) {
	return m.with("result", m.result, result)
}

func (m Message) with(name string, at span, value []byte) (Message, error) {
	raw := m.raw
	switch {
	case value == nil:
		raw = DeleteMember(raw, name)
	case at.to == 0:
		raw = SetMember(raw, name, value)
	default:
		raw = slices.Concat(raw[:at.from], value, raw[at.to:])
	}
	out, err := Parse(raw)
	out.about = m.about
	return out, err
}

// String decodes a JSON string; ok is false when value is not one. Half of a
// surrogate pair becomes U+FFFD.
func String(value []byte) (s string, ok bool) {
	if !isString(value) {
		return "", false
	}
	scan := scanner{b: value}
	if scan.str(1) != len(value) {
		return "", false
	}
	var buf [128]byte
	out, _ := unescape(buf[:0], inner(value))
	return string(out), true
}

// unescape gives the text of a JSON string without quotes. It appends to buf
// when there is something to unescape.
func unescape(buf, b []byte) (out []byte, lone bool) {
	if !slices.Contains(b, '\\') {
		return b, false
	}
	t := text{b: b}
	for r, ok := t.next(); ok; r, ok = t.next() {
		buf = utf8.AppendRune(buf, r)
	}
	return buf, t.lone
}

// Quote writes s as a JSON string; <, > and & stay as they are.
func Quote(s string) []byte { return appendQuoted(make([]byte, 0, len(s)+2), s) }

func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s { // bytes that are no UTF-8 become U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
