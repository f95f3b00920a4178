package jsonrpc

import "bytes"

// refuse makes the error for raw, with the ids that a face needs to answer it.
func refuse(raw []byte, code int, why string, at int) *RefusedError {
	e := &RefusedError{Code: code, Reason: why, Offset: at}
	e.ID, e.Reply = idOf(raw)
	return e
}

func idOf(raw []byte) (request, reply ID) {
	var f IDFinder
	_, _ = f.Write(raw) // it never fails
	return f.IDs()
}

// IDFinder looks for the id in bytes that are no message: broken, refused, or
// too long to keep. It reads them in pieces of any size, forgivingly, and tells
// an id only when there is one member "id" at the top of one object. The zero
// value is ready.
type IDFinder struct {
	depth   int
	quoted  bool   // inside a string
	escaped bool   // after a backslash in it
	value   bool   // after the colon of a first-level member
	text    []byte // the first-level name or value so far
	isID    bool   // that value is the id
	nested  bool   // that value is an object or an array
	closed  bool   // the object has ended
	lost    bool   // no id can be told

	id               []byte
	ids              int
	method, answered bool
}

// most bytes of a name or an id that the finder keeps.
const maxToken = 4 << 10

// Write takes the next piece; it never fails.
func (f *IDFinder) Write(b []byte) (int, error) {
	for i := 0; i < len(b) && !f.lost; i++ {
		if f.quoted && !f.escaped && f.depth != 1 { // the bulk: go to what matters
			n := bytes.IndexAny(b[i:], `"\`)
			if n < 0 {
				break
			}
			i += n
		}
		f.byte(b[i])
	}
	return len(b), nil
}

func (f *IDFinder) byte(c byte) {
	if f.quoted {
		f.keep(c)
		f.quoted = f.escaped || c != '"'
		f.escaped = !f.escaped && c == '\\'
		return
	}
	switch c {
	case ' ', '\t', '\r', '\n':
	case '{', '[':
		f.lost = f.lost || f.depth == 0 && (c == '[' || f.closed)
		f.nested = f.depth > 0
		f.depth++
	case '}', ']':
		if f.depth == 1 {
			f.end()
			f.closed = true
		}
		f.depth = max(f.depth-1, 0)
	case ':':
		if f.depth == 1 && !f.value {
			f.member()
		}
	case ',':
		if f.depth == 1 {
			f.end()
		}
	case 0xEF, 0xBB, 0xBF: // a byte order mark may stand before the object
		f.keep(c)
	default:
		f.lost = f.lost || f.depth == 0 && !f.closed
		f.quoted = c == '"'
		f.keep(c)
	}
}

func (f *IDFinder) keep(c byte) {
	if f.depth == 1 && len(f.text) < maxToken {
		f.text = append(f.text, c)
	}
}

// member is called after a first-level name. Of a cut message the name of the
// last member counts, its value does not.
func (f *IDFinder) member() {
	name := f.text
	f.text, f.value = nil, true
	if !isString(name) || !wellFormed(name) {
		return
	}
	var fold folded
	fold.read(inner(name))
	switch string(fold.short()) {
	case "id":
		f.ids++
		f.isID = reads(inner(name), "id")
	case "method":
		f.method = true
	case "result", "error":
		f.answered = true
	}
}

// end is called after a first-level member.
func (f *IDFinder) end() {
	if f.isID && !f.nested && len(f.text) < maxToken && isID(f.text) {
		f.id = bytes.Clone(f.text)
	}
	f.text, f.value, f.nested, f.isID = f.text[:0], false, false, false
}

// IDs gives the id of the request that the bytes are (they have a method), and
// of the request that they answer (a result or an error); "" when there is none
// or it is not certain. Bytes that are both give both.
func (f *IDFinder) IDs() (request, reply ID) {
	if f.lost || f.ids != 1 || f.id == nil {
		return "", ""
	}
	if f.method {
		request = ID(f.id)
	}
	if f.answered {
		reply = ID(f.id)
	}
	return request, reply
}

func isID(v []byte) bool {
	return len(v) > 0 && v[0] != 'n' && v[0] != 't' && v[0] != 'f' && v[0] != '{' && v[0] != '[' && wellFormed(v)
}

// wellFormed reports whether v is one JSON value and nothing else.
func wellFormed(v []byte) bool {
	s := scanner{b: v}
	return len(v) > 0 && s.value(0, 0) == len(v)
}
