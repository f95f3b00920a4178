package downstream

import (
	"net/http"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// modern checks a request of the stateless versions: what its _meta has to say,
// and that the headers which repeat parts of the body say the same. A program
// on the way may have judged the request by them.
func (g *gate) modern(h http.Header, m jsonrpc.Message) *refusal {
	method := m.Method()
	if method == mcp.MethodInitialize {
		return g.removed(method)
	}
	version, no := g.meta(m)
	if no == nil {
		no = g.repeated(h, mcp.HeaderVersion, version)
	}
	switch {
	case no != nil:
		return no
	case version != mcp.V2026_07_28:
		return g.unsupported(version)
	}
	if no := g.repeated(h, mcp.HeaderMethod, method); no != nil {
		return no
	}
	if mcp.IsRemoved(method) {
		return g.removed(method)
	}
	return g.named(h, m)
}

// meta finds the version in what every request has to say.
func (g *gate) meta(m jsonrpc.Message) (version string, no *refusal) {
	missing := func(key string) (string, *refusal) {
		no := g.refuse(http.StatusBadRequest, fault.InvalidRequest, "the request's _meta has no "+key)
		no.code = jsonrpc.CodeInvalidParams
		return "", no
	}
	value, _ := jsonrpc.Member(m.Meta(), mcp.MetaVersion)
	version, ok := jsonrpc.String(value)
	if !ok {
		return missing(mcp.MetaVersion)
	}
	if able, _ := jsonrpc.Member(m.Meta(), mcp.MetaCapabilities); len(able) == 0 || able[0] != '{' {
		return missing(mcp.MetaCapabilities)
	}
	return version, nil
}

// repeated asks for a header, once, with this value.
func (g *gate) repeated(h http.Header, name, want string) *refusal {
	switch v := h[name]; {
	case len(v) == 0:
		return g.mismatch("the header " + name + " is missing")
	case len(v) > 1:
		return g.mismatch("there is more than one header " + name)
	case strings.Trim(v[0], " \t") != want:
		return g.mismatch("the header " + name + " does not say what the body says")
	default:
		return nil
	}
}

// named compares Mcp-Name. A body that lacks the name is for the server to
// refuse.
func (g *gate) named(h http.Header, m jsonrpc.Message) *refusal {
	by := mcp.NamedBy(m.Method())
	if by == "" {
		return nil
	}
	value, _ := jsonrpc.Member(m.Params(), by)
	name, ok := jsonrpc.String(value)
	if !ok && len(h[mcp.HeaderName]) == 0 {
		return nil
	}
	if v := h[mcp.HeaderName]; len(v) == 1 {
		text, readable := mcp.DecodeHeader(v[0])
		if ok && readable && text == name {
			return nil
		}
		return g.mismatch("the header " + mcp.HeaderName + " does not say what the body says")
	}
	return g.repeated(h, mcp.HeaderName, name)
}

func (g *gate) mismatch(text string) *refusal {
	no := g.refuse(http.StatusBadRequest, fault.InvalidRequest, text)
	no.code = mcp.CodeHeaderMismatch
	return no
}

func (g *gate) unsupported(version string) *refusal {
	no := g.refuse(http.StatusBadRequest, fault.InvalidRequest, "this protocol version is not served without a session")
	no.code = mcp.CodeUnsupportedVersion
	no.data = []member{{"supported", []byte(`["` + mcp.V2026_07_28 + `"]`)}, {"requested", jsonrpc.Quote(version)}}
	return no
}

func (g *gate) removed(method string) *refusal {
	no := g.refuse(http.StatusNotFound, fault.InvalidRequest, "there is no method "+method+" in "+mcp.V2026_07_28)
	no.code = jsonrpc.CodeMethodNotFound
	return no
}

// schemas tells which headers a tool's arguments have to be repeated in.
type schemas interface {
	// of gives a tool's; fresh asks the server again, and is not ok when
	// what is known is as new as can be.
	of(r *http.Request, tool string, fresh bool) (params []mcp.Param, ok bool)
}

// params compares the headers that repeat arguments of a tool. Before a call is
// refused the server is asked whether its schema is another by now.
func (g *gate) params(r *http.Request, m jsonrpc.Message, known schemas) *refusal {
	arguments, _ := jsonrpc.Member(m.Params(), "arguments")
	if !hasParams(r.Header) && isEmpty(arguments) {
		return nil
	}
	name, _ := mcp.ToolName(m.Params())
	list, _ := known.of(r, name, false)
	wrong := compare(r.Header, arguments, list)
	if wrong == "" {
		return nil
	}
	if list, ok := known.of(r, name, true); ok {
		wrong = compare(r.Header, arguments, list)
	}
	if wrong == "" {
		return nil
	}
	return g.mismatch(wrong)
}

// compare says what is wrong with the headers, "" for nothing.
func compare(h http.Header, arguments []byte, list []mcp.Param) string {
	for _, p := range list {
		value, err := p.Argument(arguments)
		headers := h[p.Header]
		switch {
		case err != nil:
			return err.Error()
		case value == nil && len(headers) == 0:
			continue
		case value == nil:
			return "the header " + p.Header + " repeats an argument that is not there"
		case len(headers) == 0:
			return "the header " + p.Header + " is missing"
		case len(headers) > 1:
			return "there is more than one header " + p.Header
		}
		if text, ok := mcp.DecodeHeader(headers[0]); !ok || !p.Matches(text, value) {
			return "the header " + p.Header + " does not say what the body says"
		}
	}
	return ""
}

func hasParams(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, mcp.HeaderParam) {
			return true
		}
	}
	return false
}

func isEmpty(object []byte) bool {
	for range jsonrpc.Members(object) {
		return false
	}
	return true
}
