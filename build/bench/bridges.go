package main

// bridge is one program under test: its command lines for each direction. A nil
// command line means that it cannot do that.
//
// Placeholders: {url} the endpoint, {port} a free port, {stdio} the stdio server
// to expose, {bin} the folder of the built programs, {before} the program of
// -before, {node} and {npm} the Node runtime and the folder of its packages, {tmp} a folder of this run.
type bridge struct {
	Name     string
	Kind     kind
	HTTP     []string // stdio client -> streamable HTTP at {url}
	SSE      []string // stdio client -> HTTP+SSE at {url}
	Modern   []string // stdio client -> 2026-07-28; HTTP when nil
	Serve    []string // stdio server -> streamable HTTP at 127.0.0.1:{port}/mcp
	ServeSSE []string // stdio server -> HTTP+SSE at 127.0.0.1:{port}/sse
}

// kind says what a row of the tables stands for.
type kind string

const (
	physical kind = "physical" // no bridge at all
	raw      kind = "raw"      // the practical limit; ratios are to it
	own      kind = "own"      // Drawbridge
	earlier  kind = "earlier"  // Drawbridge as it was, the program of -before
	npm      kind = "npm"      // a peer from npm
)

// The peers and their versions; npmPackages installs the same.
const (
	mcpRemoteVersion    = "0.15.1"
	supergatewayVersion = "4.0.0"
	mcpProxyVersion     = "6.7.19"
	everythingVersion   = "2026.8.31"
)

func bridges() []bridge {
	cmd := func(words ...string) []string { return words }
	remote := func(more ...string) []string {
		return append(cmd("{node}", "{npm}/mcp-remote/dist/proxy.js", "{url}"), more...)
	}
	super := func(more ...string) []string {
		return append(cmd("{node}", "{npm}/supergateway/dist/index.js", "--logLevel", "none"), more...)
	}
	library := func(more ...string) []string { // npm mcp-proxy has no command for this direction
		return append(cmd("{node}", "{tmp}/mcp-proxy-stdio.mjs", "{npm}/mcp-proxy"), more...)
	}
	rawServe := cmd("{bin}/rawbridge", "-listen", "127.0.0.1:{port}", "--", "{stdio}")
	proxyServe := cmd("{node}", "{npm}/mcp-proxy/dist/bin/mcp-proxy.mjs", "--host", "127.0.0.1", "--port", "{port}", "--", "{stdio}")
	return []bridge{
		{Name: "rawbridge (practical limit)", Kind: raw,
			HTTP: cmd("{bin}/rawbridge", "{url}"), SSE: cmd("{bin}/rawbridge", "-sse", "{url}"), Serve: rawServe, ServeSSE: rawServe},
		drawbridge("drawbridge", own, "{bin}/drawbridge"),
		drawbridge("drawbridge before", earlier, "{before}"),
		{Name: "mcp-remote " + mcpRemoteVersion, Kind: npm,
			HTTP: remote(), SSE: remote("--transport", "sse-only"), Modern: remote("--protocol", "auto")},
		{Name: "supergateway " + supergatewayVersion, Kind: npm,
			HTTP: super("--streamableHttp", "{url}"), SSE: super("--sse", "{url}"),
			Serve:    super("--stdio", "{stdio}", "--outputTransport", "streamableHttp", "--stateful", "--port", "{port}"),
			ServeSSE: super("--stdio", "{stdio}", "--port", "{port}")},
		{Name: "npm mcp-proxy " + mcpProxyVersion, Kind: npm,
			HTTP: library("stream", "{url}"), SSE: library("sse", "{url}"), Modern: library("stream", "{url}", "auto"),
			Serve: proxyServe, ServeSSE: proxyServe},
	}
}

func drawbridge(name string, k kind, program string) bridge {
	return bridge{Name: name, Kind: k,
		HTTP:     []string{program, "mcp", "connect", "{url}"},
		SSE:      []string{program, "mcp", "connect", "--transport", "sse", "{url}"},
		Serve:    []string{program, "proxy", "mcp", "-p", "{port}", "--", "{stdio}"},
		ServeSSE: []string{program, "proxy", "mcp", "-p", "{port}", "--as", "sse", "--", "{stdio}"}}
}

// row is one line of a set: a command or an endpoint to measure.
type row struct {
	Name   string
	Kind   kind
	Args   []string // a stdio command, or with URL one that serves it
	URL    string
	Legacy bool // the URL speaks HTTP+SSE
}

// set is one comparison.
type set struct {
	ID, Title string
	Rows      []row
	Tool      echoTool
	Server    []string // an upstream of its own, at {port}; {server} is its address
}

// The ids of the sets that are compared; the other sets have no rows.
const (
	setForward       = "forward"
	setForwardSSE    = "forward-sse-answers"
	setForwardLegacy = "forward-legacy-sse"
	setReverse       = "reverse"
	setReverseSSE    = "reverse-sse"
	setEverything    = "forward-everything"
	setEverythingSSE = "forward-everything-sse"
	setMany          = "many"
	setRobust        = "robust"
	setReverseRobust = "reverse-robust"
	setSoak          = "soak"
)

func comparedSets() []set {
	echo := echoTool{name: "echo", arg: "text"}
	everything := echoTool{name: "echo", arg: "message", prefix: "Echo: "}
	server := func(mode string) []string {
		return []string{"{node}", "{npm}/@modelcontextprotocol/server-everything/dist/index.js", mode}
	}
	return []set{
		{ID: setForward, Title: "stdio client → streamable HTTP, JSON answers", Rows: forward("{base}/mcp", streamable), Tool: echo},
		{ID: setForwardSSE, Title: "stdio client → streamable HTTP, SSE answers", Rows: forward("{base}/mcps", streamable), Tool: echo},
		{ID: setForwardLegacy, Title: "stdio client → HTTP+SSE (2024-11-05)", Rows: forward("{base}/sse", legacySSE), Tool: echo},
		{ID: setReverse, Title: "stdio server → streamable HTTP", Rows: reverse(streamable), Tool: echo},
		{ID: setReverseSSE, Title: "stdio server → HTTP+SSE", Rows: reverse(legacySSE), Tool: echo},
		{ID: setEverything, Title: "stdio client → npm server-everything " + everythingVersion + ", streamable HTTP",
			Rows: forward("{server}/mcp", streamable), Tool: everything, Server: server("streamableHttp")},
		{ID: setEverythingSSE, Title: "stdio client → npm server-everything " + everythingVersion + ", HTTP+SSE",
			Rows: forward("{server}/sse", legacySSE), Tool: everything, Server: server("sse")},
	}
}

// transport is what the HTTP side of a bridge speaks.
type transport string

const (
	streamable transport = "streamable HTTP"
	legacySSE  transport = "HTTP+SSE"
)

// forward is a set of bridges from stdio to an endpoint.
func forward(url string, t transport) []row {
	rows := []row{{Name: "direct, no bridge (physical limit)", Kind: physical, URL: url, Legacy: t == legacySSE}}
	for _, b := range bridges() {
		args := b.HTTP
		if t == legacySSE {
			args = b.SSE
		}
		rows = append(rows, row{Name: b.Name, Kind: b.Kind, Args: replaceAll(args, "{url}", url)})
	}
	return rows
}

// reverse is a set of bridges that expose the stdio server.
func reverse(t transport) []row {
	rows := []row{{Name: "stdio server alone (physical limit)", Kind: physical, Args: []string{"{stdio}"}}}
	for _, b := range bridges() {
		args, path := b.Serve, "/mcp"
		if t == legacySSE {
			args, path = b.ServeSSE, "/sse"
		}
		if args != nil {
			rows = append(rows, row{Name: b.Name, Kind: b.Kind, Args: args, URL: "http://127.0.0.1:{port}" + path, Legacy: t == legacySSE})
		}
	}
	return rows
}
