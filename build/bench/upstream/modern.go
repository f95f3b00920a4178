package main

import (
	"net/http"
	"strings"

	"drawbridge/build/bench/testserver"
	"drawbridge/build/bench/wire"
)

const modernVersion = "2026-07-28"

// modern serves 2026-07-28 only.
func (a *app) modern(w http.ResponseWriter, r *http.Request) {
	a.note(r)
	body, err := readBody(r)
	if err != nil {
		return
	}
	m, err := wire.Scan(body)
	if err != nil {
		writeError(w, http.StatusBadRequest, wire.Error(nil, -32700, "parse error"))
		return
	}
	version := strings.Trim(string(wire.Get(wire.Get(m.Params, "_meta"), "io.modelcontextprotocol/protocolVersion")), `"`)
	switch {
	case version != modernVersion:
		writeError(w, http.StatusBadRequest, wire.Error(m.ID, -32022, "Unsupported protocol version: this server speaks "+modernVersion+" only"))
	case r.Header.Get("Mcp-Protocol-Version") != version || r.Header.Get("Mcp-Method") != m.Method:
		writeError(w, http.StatusBadRequest, wire.Error(m.ID, -32020, "header mismatch"))
	case !m.IsRequest():
		w.WriteHeader(http.StatusAccepted)
	default:
		a.modernRequest(w, r, m)
	}
}

func (a *app) modernRequest(w http.ResponseWriter, r *http.Request, m wire.Message) {
	var out []byte
	switch m.Method {
	case "subscriptions/listen":
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = wire.WriteEvent(w, wire.Event{Data: []byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(m.ID) + `}}}`)})
		<-r.Context().Done()
		return
	case "server/discover":
		a.srv.C.Discover.Add(1)
		out = wire.Result(m.ID, `{"resultType":"complete","supportedVersions":["`+modernVersion+`"],"capabilities":{"tools":{"listChanged":true}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"raw-modern","version":"1.0.0"}},"instructions":"modern","ttlMs":60000,"cacheScope":"public"}`)
	default:
		out = a.srv.Handle(r.Context(), testserver.NewSession(), m, func([]byte) error { return nil })
		if done, err := wire.Scan(out); err == nil && len(done.Result) > 2 {
			out = wire.Result(m.ID, `{"resultType":"complete",`+string(done.Result[1:]))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out) // the client may have left
}
