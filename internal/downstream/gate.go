package downstream

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/mcp"
)

// gate decides on a request before anything reads its body. It is made for one
// listener and has no switch to turn it off. The order is: form of the request,
// Host, Origin and Fetch Metadata, method, the peer's user, capability, content
// type.
type gate struct {
	name    string   // the server's, for errors
	hosts   []string // Host values that are ours
	origins []string // more Origin values
	key     string   // the capability; "" asks for none
}

// route is what a path leads to.
type route string

const (
	routeMCP     route = "mcp"     // streamable HTTP
	routeSSE     route = "sse"     // the stream of HTTP+SSE
	routeMessage route = "message" // the posts of HTTP+SSE
)

// passage is what the gate found in a request that may pass.
type passage struct {
	route         route
	prefix        string // before the route's own path: "" or "/" and the capability
	query         string
	authorization string // the client's own header, for the server
}

// refusal is an answer of the gate or of a handler that refuses a request.
type refusal struct {
	status int
	err    *fault.Error
	id     jsonrpc.ID // of the request, where it was read
	allow  string     // methods, with a 405
	code   int        // of JSON-RPC, where it is not that of err
	data   []member   // more for the error's data
}

// member is one of a JSON object.
type member struct {
	name  string
	value []byte
}

func (g *gate) refuse(status int, code fault.Code, text string) *refusal {
	return &refusal{status: status, err: fault.New(code, g.name).With("%s", text)}
}

// newGate makes the gate of the listener at addr.
func newGate(h *HTTP, addr net.Addr) *gate {
	g := &gate{name: h.Name, key: h.Key}
	for _, o := range h.Origins {
		// No wildcard, and not what every sandboxed page sends.
		if o != "*" && o != "null" && o != "" {
			g.origins = append(g.origins, o)
		}
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return g // not TCP: no Host is right
	}
	port := strconv.Itoa(int(at.Port()))
	names := []string{"localhost", "127.0.0.1"}
	if own := at.Addr().Unmap(); own.Is6() {
		names = append(names, "["+own.String()+"]")
	} else {
		names = append(names, own.String())
	}
	for _, n := range names {
		g.hosts = append(g.hosts, n+":"+port)
		if port == "80" {
			g.hosts = append(g.hosts, n) // clients leave the scheme's own port out
		}
	}
	return g
}

// peer is the other end of a connection.
type peer interface {
	// sameUser is nil when it belongs to our user. It may cost a system call.
	sameUser() error
}

// check decides.
func (g *gate) check(r *http.Request, from peer) (passage, *refusal) {
	if no := g.form(r); no != nil {
		return passage{}, no
	}
	if no := g.host(r); no != nil {
		return passage{}, no
	}
	if no := g.origin(r); no != nil {
		return passage{}, no
	}
	if no := g.method(r); no != nil {
		return passage{}, no
	}
	if no := g.user(from); no != nil {
		return passage{}, no
	}
	p, no := g.capability(r)
	if no == nil {
		no = g.content(r)
	}
	if no != nil {
		return passage{}, no
	}
	return p, nil
}

// form refuses what we do not speak: other targets than a path, upgrades.
func (g *gate) form(r *http.Request) *refusal {
	switch {
	case !strings.HasPrefix(r.RequestURI, "/"):
		if r.Method == http.MethodConnect {
			return g.badMethod()
		}
		if r.Method == http.MethodOptions {
			return g.refuse(http.StatusForbidden, fault.OriginRefused, "this address answers no preflight")
		}
		// net/http takes the Host from such a target and loses the header.
		return g.refuse(http.StatusForbidden, fault.OriginRefused, "the request names a whole address where a path belongs")
	case r.ProtoMajor != 1 || len(r.Header["Upgrade"]) > 0 || len(r.Header["Http2-Settings"]) > 0:
		return g.refuse(http.StatusBadRequest, fault.InvalidRequest, "this address speaks HTTP/1.1 and nothing else")
	case r.Host == "" && r.ProtoMinor == 0:
		return g.refuse(http.StatusBadRequest, fault.InvalidRequest, "the request has no Host header")
	default:
		return nil
	}
}

// host lets our own names pass. A page that had its name rebound to this
// address still sends its own name.
func (g *gate) host(r *http.Request) *refusal {
	for _, h := range g.hosts {
		if strings.EqualFold(h, r.Host) {
			return nil
		}
	}
	return g.refuse(http.StatusForbidden, fault.OriginRefused, "the Host header is not an address of this computer's own")
}

// origin keeps pages out. Programs send neither Origin nor Sec-Fetch-Site;
// every browser sends one of them with each request that has our own Host.
func (g *gate) origin(r *http.Request) *refusal {
	switch o := r.Header["Origin"]; {
	case len(o) > 1:
		return g.refuse(http.StatusBadRequest, fault.InvalidRequest, "there is more than one Origin header")
	case len(o) == 1 && !g.ownOrigin(o[0], r.Host):
		return g.refuse(http.StatusForbidden, fault.OriginRefused, "the Origin header is not one that may use this address")
	case len(o) == 0 && len(r.Header["Sec-Fetch-Site"]) > 0:
		return g.refuse(http.StatusForbidden, fault.OriginRefused, "the request comes from a web page")
	default:
		return nil
	}
}

func (g *gate) ownOrigin(origin, host string) bool {
	name, ok := strings.CutPrefix(origin, "http://")
	return ok && strings.EqualFold(name, host) || slices.Contains(g.origins, origin)
}

const methods = "GET, POST, DELETE"

func (g *gate) method(r *http.Request) *refusal {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
		return nil
	case http.MethodOptions:
		return g.refuse(http.StatusForbidden, fault.OriginRefused, "this address answers no preflight")
	default:
		return g.badMethod()
	}
}

func (g *gate) badMethod() *refusal {
	no := g.refuse(http.StatusMethodNotAllowed, fault.InvalidRequest, "this method is not served here")
	no.allow = methods
	return no
}

func (g *gate) user(from peer) *refusal {
	if err := from.sameUser(); err != nil {
		return &refusal{status: http.StatusForbidden, err: fault.New(fault.OriginRefused, g.name).Because(err)}
	}
	return nil
}

// capability finds the route, and the key as the path's first part or in a
// header. Paths are compared as written: nothing is unescaped or cleaned, and
// no path leads to another. A wrong key is an unknown path, never 401, which
// would make clients start a sign-in of their own.
func (g *gate) capability(r *http.Request) (passage, *refusal) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if strings.Contains(query, "#") {
		return passage{}, g.unknown()
	}
	p := passage{query: query, authorization: r.Header.Get("Authorization")}
	if to, ok := routeOf(path); ok {
		p.route = to
		no := g.header(r, &p)
		return p, no
	}
	slash := strings.IndexByte(path[1:], '/') + 1
	if g.key == "" || slash == 0 || !g.isKey(path[1:slash]) {
		return passage{}, g.unknown()
	}
	to, ok := routeOf(path[slash:])
	if !ok {
		return passage{}, g.unknown()
	}
	p.route, p.prefix = to, path[:slash]
	return p, nil
}

// unknown answers a wrong path and a wrong key alike.
func (g *gate) unknown() *refusal {
	return g.refuse(http.StatusNotFound, fault.LocalToken, "there is nothing at this address")
}

func routeOf(path string) (route, bool) {
	switch path {
	case "/mcp", "/":
		return routeMCP, true
	case "/sse":
		return routeSSE, true
	case "/message":
		return routeMessage, true
	default:
		return "", false
	}
}

// header looks for the key in the two headers that may carry it. The one in
// Authorization is ours and goes no further.
func (g *gate) header(r *http.Request, p *passage) *refusal {
	if g.key == "" {
		return nil
	}
	scheme, token, bearer := strings.Cut(p.authorization, " ")
	bearer = bearer && strings.EqualFold(scheme, "Bearer")
	switch own := r.Header.Get(headerKey); {
	case own != "" && g.isKey(own):
		return nil
	case bearer && g.isKey(strings.TrimSpace(token)):
		p.authorization = ""
		return nil
	case own != "" || bearer:
		return g.unknown()
	default:
		return &refusal{status: http.StatusForbidden, err: fault.New(fault.LocalToken, g.name)}
	}
}

// headerKey carries the capability for clients whose Authorization header is
// the server's.
const headerKey = "X-Drawbridge-Key"

func (g *gate) isKey(s string) bool { return subtle.ConstantTimeCompare([]byte(s), []byte(g.key)) == 1 }

// content asks a POST for JSON: a page may send anything else without a
// preflight.
func (g *gate) content(r *http.Request) *refusal {
	if r.Method != http.MethodPost {
		return nil
	}
	if v := r.Header["Content-Type"]; len(v) == 1 {
		media, _, _ := strings.Cut(v[0], ";")
		if strings.EqualFold(strings.TrimSpace(media), mcp.TypeJSON) {
			return nil
		}
	}
	return g.refuse(http.StatusUnsupportedMediaType, fault.InvalidRequest, "the body has to be "+mcp.TypeJSON)
}
