package catalog

import (
	"net/url"
	"strings"

	"drawbridge/internal/fault"
)

// Label is the transport as a listing shows it. Auto counts as streamable HTTP,
// which it tries first.
func (t Transport) Label() string {
	switch t {
	case Stdio:
		return "stdio"
	case SSE:
		return "SSE"
	case HTTP, Auto:
		return "Streamable HTTP"
	default:
		return string(t)
	}
}

// TypeLabel is the label of the server's transport.
func (s Server) TypeLabel() string { return s.Transport.Label() }

// About is the description, or a plain sentence for a server without one.
func (s Server) About() string {
	if s.Description == "" {
		return s.Name + " MCP server"
	}
	return s.Description
}

// The schemes of URIs, as gateways write them: how the server is reached, before
// the plain address.
const (
	uriStdio = "mcp+stdio://"
	uriHTTP  = "mcp+"
	uriSSE   = "mcp+sse+"
)

// URI is transport and address in one: mcp+stdio://, mcp+https://…,
// mcp+sse+https://….
func (s Server) URI() string {
	switch s.Transport {
	case Stdio:
		return uriStdio
	case SSE:
		return uriSSE + s.URL
	default:
		return uriHTTP + s.URL
	}
}

// ParseURI reads what URI wrote; an empty one is a command's. The scheme may be
// in any case. The error is DB_APP_INVALID.
func ParseURI(uri string) (t Transport, address string, err error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if uri == "" {
		return Stdio, "", nil
	}
	invalid := fault.New(fault.AppInvalid, "")
	t, web := HTTP, ""
	switch scheme = strings.ToLower(scheme); {
	case !ok:
		return "", "", invalid
	case scheme == "mcp+stdio":
		if rest != "" {
			return "", "", invalid.With("nothing follows mcp+stdio://").Step("give the command beside it")
		}
		return Stdio, "", nil
	case scheme == "mcp+http" || scheme == "mcp+https":
		web = strings.TrimPrefix(scheme, uriHTTP)
	case scheme == "mcp+sse+http" || scheme == "mcp+sse+https":
		t, web = SSE, strings.TrimPrefix(scheme, uriSSE)
	default:
		return "", "", invalid
	}
	address = web + "://" + rest
	if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
		return "", "", invalid.With("the address names no host").Step("write it like mcp+https://localhost:3000/mcp")
	}
	return t, address, nil
}

// Route is the address a streamable HTTP request goes to: scheme and host are
// the target's; a request for nothing or / goes to the target's own path, any
// other to the path it asks for, which is never appended to the target's.
func Route(target, asked *url.URL) *url.URL {
	to := *target
	if asked.Path != "" && asked.Path != "/" {
		to.Path, to.RawPath, to.RawQuery = asked.Path, asked.RawPath, asked.RawQuery
	}
	if to.Path == "" {
		to.Path = "/"
	}
	return &to
}
