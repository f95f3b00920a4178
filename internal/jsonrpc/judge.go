package jsonrpc

// judge decides what the scanned object is; false says that it is refused and
// p.ambiguous why.
func (p *parser) judge() bool {
	m := &p.m
	m.lines = p.lines
	p.judgeEnvelope()
	if m.method.to != 0 {
		p.judgeMethod()
		m.meta = p.metas[0]
		m.kind = Request
		if m.id.to == 0 {
			m.kind = Notification
		}
	} else {
		m.meta = p.metas[1]
		m.kind = Response
	}
	p.judgeID()
	return p.ambiguous.why == ""
}

func (p *parser) judgeEnvelope() {
	m, bad := &p.m, &p.ambiguous
	switch method, result, failed := m.method.to != 0, m.result.to != 0, m.failed.to != 0; {
	case p.version.to == 0:
		bad.set(0, "no member jsonrpc")
	case !isString(m.at(p.version)) || !reads(inner(m.at(p.version)), "2.0"):
		bad.set(int(p.version.from), "jsonrpc is not 2.0")
	case method && (result || failed):
		bad.set(int(m.method.from), "a method together with an answer")
	case result && failed:
		bad.set(int(m.failed.from), "a result together with an error")
	case !method && !result && !failed:
		bad.set(0, "neither a request nor a response")
	case failed && m.at(m.failed)[0] != '{':
		bad.set(int(m.failed.from), "the error is not an object")
	}
}

func (p *parser) judgeMethod() {
	m, bad := &p.m, &p.ambiguous
	method := m.at(m.method)
	if !isString(method) {
		bad.set(int(m.method.from), "the method is not a string")
		return
	}
	if params := m.at(m.params); params != nil && params[0] != '{' && params[0] != '[' {
		bad.set(int(m.params.from), "params is neither an object nor an array")
	}
	var buf [64]byte
	name, lone := unescape(buf[:0], inner(method))
	if lone {
		bad.set(int(m.method.from), "half a surrogate pair in the method")
	}
	if m.known = methods[string(name)]; m.known == "" {
		return
	}
	if m.known == complete && p.ref.to != 0 && p.b[p.ref.from] == '{' {
		p.object(int(p.ref.from), inRef)
	}
	if p.params.why != "" {
		bad.set(p.params.at, p.params.why+" in params")
	}
	for _, s := range p.named {
		if v := m.at(s); isString(v) && hasLone(inner(v)) {
			bad.set(int(s.from), "half a surrogate pair in a name")
		}
	}
}

func (p *parser) judgeID() {
	m, bad := &p.m, &p.ambiguous
	if m.id.to == 0 {
		// MCP 2025-11-25 lets an error that belongs to no request leave it out.
		if m.kind == Response && m.failed.to == 0 {
			bad.set(0, "a result without an id")
		}
		return
	}
	switch m.at(m.id)[0] {
	case '"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
	case 'n':
		if m.failed.to == 0 {
			bad.set(int(m.id.from), "the id is null")
		}
	default:
		bad.set(int(m.id.from), "the id is neither a string nor a number")
	}
}

func isString(v []byte) bool { return len(v) >= 2 && v[0] == '"' }

// inner is a JSON string without its quotes.
func inner(v []byte) []byte { return v[1 : len(v)-1] }
