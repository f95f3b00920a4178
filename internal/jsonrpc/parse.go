package jsonrpc

import "bytes"

// Parse takes raw as one message after a strict scan, and keeps it: the caller
// must not change it afterwards. The error is a *RefusedError.
func Parse(raw []byte) (Message, error) {
	if len(raw) > MaxBytes {
		e := refuse(raw, CodeInvalidRequest, "longer than the limit", MaxBytes)
		e.Size = true
		return Message{}, e
	}
	p := parser{scanner: scanner{b: raw}}
	return p.parse()
}

func (p *parser) parse() (Message, error) {
	p.m.raw = p.b
	if !p.message() {
		return Message{}, p.refusal()
	}
	return p.m, nil
}

// parser finds the members of one message, and what is wrong with it.
//
// A fault in the JSON ends the scan at once. What is JSON but could be read in
// two ways is only noted, so that bytes which are no JSON are called that; and
// what is wrong with params is noted apart, because it counts for the methods
// of the specification only and the method may come later.
type parser struct {
	scanner
	m Message

	version   span
	metas     [2]span // _meta in params and in result
	ref       span
	named     [5]span // name, uri and taskId in params; name and uri in ref
	batch     bool
	ambiguous note // in the envelope or in _meta
	params    note
}

// note is the first thing seen wrong.
type note struct {
	at  int
	why string
}

func (n *note) set(at int, why string) {
	if n.why == "" {
		n.at, n.why = at, why
	}
}

func (p *parser) refusal() *RefusedError {
	if p.why != "" && !p.deep {
		return refuse(p.b, CodeParseError, p.why, p.at)
	}
	if p.deep {
		return refuse(p.b, CodeInvalidRequest, p.why, p.at)
	}
	e := &RefusedError{Code: CodeInvalidRequest, Reason: p.ambiguous.why, Offset: p.ambiguous.at}
	if p.batch {
		e.Batch, e.Raw = true, p.b
		return e
	}
	e.ID, e.Reply = idOf(p.b)
	return e
}

// message scans the whole of it; false says that it is refused.
func (p *parser) message() bool {
	if bytes.HasPrefix(p.b, []byte("\xEF\xBB\xBF")) {
		p.stop(0, "a byte order mark")
		return false
	}
	i := p.space(0)
	if i >= len(p.b) {
		p.unexpected(i)
		return false
	}
	start := i
	object := p.b[i] == '{'
	if object {
		i = p.object(i, envelope)
	} else {
		i = p.value(i, 0)
	}
	if i < 0 {
		return false
	}
	if end := p.space(i); end < len(p.b) {
		p.stop(end, "something after the message")
		return false
	}
	switch {
	case object:
		return p.judge()
	case p.b[start] == '[':
		p.batch = true
		p.ambiguous.set(start, "a batch of messages")
	default:
		p.ambiguous.set(start, "not an object")
	}
	return false
}

// level says which object the parser is in.
type level uint8

const (
	envelope level = iota
	inParams
	inResult
	inMeta
	inRef
)

// depth is how many objects lie around the values of this level.
func (l level) depth() int {
	switch l {
	case envelope:
		return 1
	case inParams, inResult:
		return 2
	default: // inMeta, inRef
		return 3
	}
}

// object reads the object at i member by member.
func (p *parser) object(i int, l level) int {
	var seen names
	if i = p.space(i + 1); i < len(p.b) && p.b[i] == '}' {
		return i + 1
	}
	for {
		nameAt := i
		if i = p.name(i); i < 0 {
			return -1
		}
		at := i
		keep, inner := p.member(l, nameAt, &seen)
		if inner != envelope && i < len(p.b) && p.b[i] == '{' {
			i = p.object(i, inner)
		} else {
			i = p.value(i, l.depth())
		}
		if i < 0 {
			return -1
		}
		if keep != nil {
			*keep = span{int32(at), int32(i)}
		}
		if i = p.space(i); i >= len(p.b) {
			return p.unexpected(i)
		}
		switch p.b[i] {
		case ',':
			i = p.space(i + 1)
		case '}':
			return i + 1
		default:
			return p.unexpected(i)
		}
	}
}

// member judges the name that was just read and says where to keep the span of
// its value, and which level an object there is.
func (p *parser) member(l level, at int, seen *names) (keep *span, inner level) {
	name := p.b[at+1 : p.nameEnd-1]
	switch l {
	case envelope:
		return p.envelopeMember(name, at, seen)
	case inParams:
		return p.paramsMember(name, at, seen)
	case inResult:
		if reads(name, "_meta") {
			return p.metaMember(1, at)
		}
	case inMeta:
		if foldsToPrefix(name, metaPrefix) || foldsTo(name, "progresstoken") {
			p.protocolKey(name, at, seen)
		}
	case inRef:
		return p.refMember(name, at, seen)
	}
	return nil, envelope
}

func (p *parser) envelopeMember(name []byte, at int, seen *names) (*span, level) {
	switch p.unambiguous(name, at, seen, envelopeNames, &p.ambiguous) {
	case "jsonrpc":
		return &p.version, envelope
	case "id":
		return &p.m.id, envelope
	case "method":
		return &p.m.method, envelope
	case "params":
		return &p.m.params, inParams
	case "result":
		return &p.m.result, inResult
	case "error":
		return &p.m.failed, envelope
	default:
		return nil, envelope
	}
}

func (p *parser) paramsMember(name []byte, at int, seen *names) (*span, level) {
	switch p.unambiguous(name, at, seen, paramNames, &p.params) {
	case "_meta":
		return p.metaMember(0, at)
	case "ref":
		return &p.ref, envelope
	case "name":
		return &p.named[0], envelope
	case "uri":
		return &p.named[1], envelope
	case "taskId":
		return &p.named[2], envelope
	default:
		return nil, envelope
	}
}

func (p *parser) refMember(name []byte, at int, seen *names) (*span, level) {
	switch p.unambiguous(name, at, seen, refNames, &p.params) {
	case "name":
		return &p.named[3], envelope
	case "uri":
		return &p.named[4], envelope
	default:
		return nil, envelope
	}
}

// metaMember takes the one _meta of params or result.
func (p *parser) metaMember(which, at int) (*span, level) {
	if p.metas[which].to != 0 {
		p.ambiguous.set(at, "a second _meta")
	}
	return &p.metas[which], inMeta
}

// unambiguous notes a name that is there already when case is put aside, or
// that is nearly one of the known names. It returns the known name it is.
func (p *parser) unambiguous(name []byte, at int, seen *names, known map[string]string, n *note) string {
	var f folded
	if f.read(name) {
		n.set(at, "half a surrogate pair in a name")
	}
	if seen.n >= MaxMembers {
		n.set(at, "too many members")
	} else if seen.add(f.hash()) {
		n.set(at, "a member that is there already")
	}
	full := known[string(f.short())]
	if full != "" && !reads(name, full) {
		n.set(at, "a member named almost as "+full)
		return ""
	}
	return full
}

// protocolKey notes what could be mistaken for another key of the protocol.
func (p *parser) protocolKey(name []byte, at int, seen *names) {
	p.unambiguous(name, at, seen, metaNames, &p.ambiguous)
	if !reads(name, "progressToken") && !readsPrefix(name, metaPrefix) {
		p.ambiguous.set(at, "a key named almost as one of the protocol")
	}
}
