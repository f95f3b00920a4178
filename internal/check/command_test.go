package check_test

import (
	"testing"

	"drawbridge/internal/catalog"
	"drawbridge/internal/check"
	"drawbridge/internal/fault"
	"github.com/google/go-cmp/cmp"
)

// A server in shell: it answers the handshake and the listing.
const shellServer = `while read -r line; do
case "$line" in
*'"initialize"'*) echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}' ;;
*'"tools/list"'*) echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"t"}]}}' ;;
esac
done`

func TestCommandsAreCheckedInSteps(t *testing.T) {
	tests := []struct {
		name    string
		command string
		args    []string
		step    string
		code    fault.Code
	}{
		{"missing program", "no-such-program-anywhere", nil, "command", fault.CommandNotFound},
		{"program that ends", "sh", []string{"-c", "echo broken >&2; exit 3"}, "initialize", fault.CommandExited},
		{"program that says something else", "sh", []string{"-c", `read -r x; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; read -r x`}, "initialize", fault.ProtocolError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, catalog.Server{Name: "srv", Transport: catalog.Stdio, Command: tt.command, Args: tt.args}, tt.step, tt.code, "")
		})
	}
	t.Run("program that works", func(t *testing.T) {
		r := check.Run(t.Context(), catalog.Server{Transport: catalog.Stdio, Command: "sh", Args: []string{"-c", shellServer}}, quiet())
		if d := cmp.Diff([]string{"command ok", "start ok", "initialize ok", "tools ok"}, steps(r)); d != "" || r.Err != nil {
			t.Errorf("%v %s", r.Err, d)
		}
		if r.Tools != 1 || r.Transport != catalog.Stdio {
			t.Errorf("%d tools by %s, want 1 by stdio", r.Tools, r.Transport)
		}
	})
}
