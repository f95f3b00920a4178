package catalog

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/splice"
)

// plainGet reads one good entry out of a file that is JSON without comments, as
// we write it. Clients start `mcp connect` over and over and wait for it; this
// takes half the time of reading the whole file and a fifth of the memory. It is not ok for whatever
// is unusual or wrong: parseDocument knows what to say of it.
func plainGet(src []byte, name string) (s Server, ok bool) {
	if len(src) > MaxBytes || !utf8.Valid(src) || !json.Valid(src) {
		return s, false
	}
	if jsonrpc.Ambiguous(src, "version") || jsonrpc.Ambiguous(src, "servers") {
		return s, false
	}
	if v, there := jsonrpc.Member(src, "version"); there && string(v) != "1" {
		return s, false
	}
	servers, ok := jsonrpc.Member(src, "servers")
	if !ok || jsonrpc.Ambiguous(servers, name) {
		return s, false
	}
	entry, ok := jsonrpc.Member(servers, name)
	if !ok || splice.PastDepth(entry, MaxDepth) >= 0 {
		return s, false
	}
	value, err := hujson.Parse(entry)
	if err != nil {
		return s, false
	}
	d := document{text: entry}
	m := hujson.ObjectMember{Name: hujson.Value{Value: hujson.String(name)}, Value: value}
	s, err = d.server(&m)
	return s, err == nil
}
