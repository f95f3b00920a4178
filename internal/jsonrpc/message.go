package jsonrpc

// Message is one message that passed Parse: its bytes and where its members
// lie in them. It is a small value; the bytes are shared, never changed.
type Message struct {
	raw    []byte
	kind   Kind
	known  string // the method when it is one of the specification
	id     span
	method span
	params span
	result span
	failed span
	meta   span
	lines  bool // a line break stands between tokens
	about  ID   // see About
}

// span is a range of raw; to is 0 when the member is absent.
type span struct{ from, to int32 }

func (m Message) at(s span) []byte {
	if s.to == 0 {
		return nil
	}
	return m.raw[s.from:s.to:s.to]
}

// Bytes are the message as it came. They must not be changed.
func (m Message) Bytes() []byte { return m.raw }

// Kind tells what the message is for; it is "" for the zero Message.
func (m Message) Kind() Kind { return m.kind }

// ID is the id as written, "" when the message has none. An error response may
// have none: its sender could not read the request.
func (m Message) ID() ID { return ID(m.at(m.id)) }

// IDBytes is ID without a copy: pending[ID(m.IDBytes())] allocates nothing.
func (m Message) IDBytes() []byte { return m.at(m.id) }

// Method is the method's name, unescaped; "" for a response. It allocates only
// for a method that is not in the MCP specification.
func (m Message) Method() string {
	if m.known != "" || m.method.to == 0 {
		return m.known
	}
	s, _ := String(m.at(m.method)) // Parse saw that it is a string
	return s
}

// Params is the value of the member "params", nil when the message has none.
func (m Message) Params() []byte { return m.at(m.params) }

// Result is the value of the member "result", nil when the message has none.
func (m Message) Result() []byte { return m.at(m.result) }

// Error is the value of the member "error", nil when the message has none.
func (m Message) Error() []byte { return m.at(m.failed) }

// Meta is the value of "_meta" in params or in result, nil when there is none.
func (m Message) Meta() []byte { return m.at(m.meta) }

// About is the open request that the message belongs to, as its transport told:
// over HTTP what a server says during a call may come on the call's own stream.
// It is "" where nothing but the message itself can tell.
func (m Message) About() ID { return m.about }

// WithAbout gives the message with the request that it belongs to. It is no part
// of the bytes.
func (m Message) WithAbout(id ID) Message {
	m.about = id
	return m
}

// OneLine gives the message on one line: a CR or LF between tokens becomes a
// space, nothing else changes. Without any it is Bytes, not a copy.
func (m Message) OneLine() []byte {
	if !m.lines {
		return m.raw
	}
	// A string holds no raw line break, so each one stands between tokens.
	out := make([]byte, len(m.raw))
	for i, c := range m.raw {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		out[i] = c
	}
	return out
}
