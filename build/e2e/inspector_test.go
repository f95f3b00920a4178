//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// F-090, F-144, S-23: a server is added, listed with its type, and used by a
// real client that starts what mcp config printed.
func TestInspectorUsesAnAddedServer(t *testing.T) {
	for _, m := range modes {
		t.Run(m.arg, func(t *testing.T) {
			t.Parallel()
			e := newEverything(t, m)
			e.add()
			if row := listedRow(e.helper("mcp", "ls"), "everything"); !strings.Contains(row, " "+m.listed) {
				t.Errorf("mcp ls shows %q, want the type %s", row, m.listed)
			}
			e.inspect("--config", e.writeConfig(), "--server", "drawbridge-everything")
			address := e.proxy("everything")
			e.inspect("--server-url", address+"/mcp", "--transport", "http")
			e.inspect("--server-url", address+"/sse", "--transport", "sse")
		})
	}
}

// inspect uses the server at the place in every way of the table.
func (e *everything) inspect(place ...string) {
	e.t.Helper()
	for _, c := range inspections {
		args := append(append([]string{inspectorScript(), "--cli"}, place...), c.args...)
		if out := e.output(fixture.node, args...); !strings.Contains(out, c.want) {
			e.t.Errorf("inspector %s printed %s, want %s in it", strings.Join(args[1:], " "), out, c.want)
		}
	}
}

var inspections = []struct {
	args []string
	want string
}{
	{[]string{"--method", "tools/list"}, `"trigger-long-running-operation"`},
	{[]string{"--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=over the bridge"}, "Echo: over the bridge"},
	{[]string{"--method", "resources/read", "--uri", "demo://resource/static/document/architecture.md"}, "text/markdown"},
	{[]string{"--method", "prompts/get", "--prompt-name", "args-prompt", "--prompt-args", "city=Seoul"}, "Seoul"},
	{[]string{"--method", "tools/call", "--tool-name", "trigger-long-running-operation", "--tool-args-json", `{"duration":0.2,"steps":2}`}, "Long running operation completed"},
}

func inspectorScript() string {
	return filepath.Join(fixture.npm, "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
}

// listedRow is the line of the table that begins with the name.
func listedRow(table, name string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, name+" ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// writeConfig does what the text of mcp config asks a person to do: put the
// JSON into a client's file.
func (e *everything) writeConfig() string {
	e.t.Helper()
	text := e.helper("mcp", "config", "everything")
	from, to := strings.Index(text, "\n{"), strings.LastIndex(text, "\n}")
	if from < 0 || to < from {
		e.t.Fatalf("mcp config printed no JSON:\n%s", text)
	}
	path := filepath.Join(e.home, "client.json")
	e.must(os.WriteFile(path, []byte(text[from:to+2]), 0o600), "write %s", path)
	return path
}
