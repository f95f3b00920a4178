//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A server of one's own that several clients share, set up in the order a guide
// tells it: F-112, F-114, F-115, F-116, F-119, F-125.
func TestThreeClientsShareOneSSEServer(t *testing.T) {
	r := newRig(t)
	r.wrongPortChangesNothing()
	e := &everything{rig: r, mode: modes[1], port: r.guidesPort()}
	e.serve()
	clients := []string{"--client-config=claude", "--client-config=cursor", "--client-config=vscode"}
	files := []string{".config/Claude/claude_desktop_config.json", ".cursor/mcp.json", ".config/Code/User/mcp.json"}
	for _, f := range files { // the clients are installed
		r.must(os.MkdirAll(filepath.Dir(filepath.Join(r.home, f)), 0o755), "make the folder of %s", f)
	}
	add := append([]string{"mcp", "add", "everything", "--transport", "sse"}, clients...)
	if e.port != 8000 {
		add = append(add, e.url())
	}
	if shown := r.helper(append(add, "--dry")...); !strings.Contains(shown, "answers as SSE (") || !strings.Contains(shown, "Nothing was written (--dry).") {
		t.Errorf("--dry shows\n%s", shown)
	}
	r.nothingWritten(files)
	told := r.helper(add...)
	if !strings.Contains(told, "quit Claude Desktop fully (closing its window is not enough) and open it again") {
		t.Errorf("no help for the restart:\n%s", told)
	}
	var listed []struct{ Name, Owner, State string }
	r.must(json.Unmarshal([]byte(r.helper("mcp", "config", "--show", "-f", "json")), &listed), "read --show")
	for _, l := range listed {
		if l.Name != "drawbridge-everything" || l.Owner != "drawbridge" || l.State != "ok" {
			t.Errorf("--show has %+v", l)
		}
	}
	if len(listed) != len(files) {
		t.Errorf("--show lists %d entries, want %d", len(listed), len(files))
	}
	r.shareOne(e, files)
}

// wrongPortChangesNothing adds a server that is not there.
func (r *rig) wrongPortChangesNothing() {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), fixture.helper, "mcp", "add", "everything", "--transport", "sse", "--client-config=claude-code",
		"http://127.0.0.1:"+strconv.Itoa(r.freePort())+"/sse")
	cmd.Env = r.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 {
		r.t.Errorf("a wrong port: %v, want exit code 5; %s", err, out)
	}
	r.nothingWritten([]string{".claude.json", "drawbridge/catalog.json"})
}

func (r *rig) nothingWritten(files []string) {
	r.t.Helper()
	for _, f := range files {
		if _, err := os.Stat(filepath.Join(r.home, f)); err == nil {
			r.t.Errorf("%s was written", f)
		}
	}
}

// guidesPort is 8000, where the guides have their server, or another if that is
// taken on this machine.
func (r *rig) guidesPort() int {
	ln, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		return r.freePort()
	}
	r.must(ln.Close(), "free the port")
	return 8000
}

// shareOne starts what each file says. One client is killed and the others go
// on with the same server.
func (r *rig) shareOne(e *everything, files []string) {
	r.t.Helper()
	var talks []*conversation
	var kill func()
	for i, f := range files {
		text, err := os.ReadFile(filepath.Join(r.home, f))
		r.must(err, "read %s", f)
		var config map[string]map[string]struct {
			Command string
			Args    []string
		}
		r.must(json.Unmarshal(text, &config), "read %s", f)
		for _, servers := range config {
			entry := servers["drawbridge-everything"]
			c := r.stdio(append([]string{entry.Command}, entry.Args...)...)
			talks = append(talks, r.converseStdio(c))
			if i == 0 {
				kill = c.Kill
			}
		}
	}
	for _, v := range talks {
		v.tool("echo", `{"message":"before"}`)
	}
	kill()
	for _, v := range talks[1:] {
		if got := v.tool("echo", `{"message":"after"}`); !strings.Contains(got, "Echo: after") {
			r.t.Errorf("after another client was killed: %s", got)
		}
	}
	select {
	case <-e.proc.done:
		r.t.Error("the server ended")
	default:
	}
}
