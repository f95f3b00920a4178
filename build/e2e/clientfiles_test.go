//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
)

// clientFile is a client's file as its user has it.
type clientFile struct {
	client    string // of --client-config, "" for the path
	path      string // in the home folder
	container string
	text      string
}

var clientsFiles = []clientFile{
	{"claude", ".config/Claude/claude_desktop_config.json", "mcpServers", `{
    "globalShortcut": "Ctrl+Space",
    "mcpServers": {
        "other": {"command": "uvx", "args": ["other-server", "--big", "12345678901234567890"],
                  "env": {"OTHER_TOKEN": "sk-not-to-be-shown"}}
    },
    "scale": 1.50
}`},
	{"cursor", ".cursor/mcp.json", "mcpServers", "{\r\n\t\"mcpServers\": {}\r\n}\r\n"},
	{"vscode", ".config/Code/User/mcp.json", "servers", `{
  // the servers of this profile
  "servers": {
    "github": { "type": "http", "url": "https://api.example.com/mcp/" }, // team
  },
  "inputs": [],
}
`},
	{"codex", ".codex/config.toml", "mcp_servers", `model = "gpt-5"   # the default

[mcp_servers . "other"]
command = 'npx'
args = ["-y", "other"]
`},
	{"", "project/.mcp.json", "mcpServers", `{"mcpServers":{"x":{"command":"y"}}}`},
}

// C-25, C-39, C-55, D-61, D-62: the change that --dry shows is made, a real
// client starts the very entry, and --undo gives back the very bytes.
func TestAnEntryIsWrittenUsedAndTakenBack(t *testing.T) {
	for _, f := range clientsFiles {
		t.Run(f.path, func(t *testing.T) {
			t.Parallel()
			e := newEverything(t, modes[0])
			e.add()
			path := filepath.Join(e.home, f.path)
			e.must(os.MkdirAll(filepath.Dir(path), 0o755), "make the folder")
			e.must(os.WriteFile(path, []byte(f.text), 0o640), "write %s", path)
			flag := "--client-config=" + f.client
			if f.client == "" {
				flag += path
			}
			before := sum(t, path)
			shown := e.helper("mcp", "config", "everything", flag, "--dry")
			if sum(t, path) != before || !strings.Contains(shown, "drawbridge-everything") || strings.Contains(shown, "sk-not-to-be-shown") {
				t.Errorf("--dry wrote, or showed no change, or a secret:\n%s", shown)
			}
			written := e.helper("mcp", "config", "everything", flag)
			if change, _, _ := strings.Cut(shown, "Nothing was written"); !strings.HasPrefix(written, change) {
				t.Errorf("written was\n%s\nand shown was\n%s", written, change)
			}
			e.inspect("--config", e.asInspectorsConfig(f, path), "--server", "drawbridge-everything")
			e.helper("mcp", "config", "--undo", flag)
			if after := sum(t, path); after != before {
				t.Errorf("after --undo the file's hash is %s, want %s", after, before)
			}
		})
	}
}

func sum(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// asInspectorsConfig is the file itself where the inspector can read it, else
// one with the very entry.
func (r *rig) asInspectorsConfig(f clientFile, path string) string {
	r.t.Helper()
	if f.container == "mcpServers" && json.Valid([]byte(f.text)) {
		return path
	}
	var whole map[string]any
	text, err := os.ReadFile(path)
	r.must(err, "read %s", path)
	if strings.HasSuffix(path, ".toml") {
		r.must(toml.Unmarshal(text, &whole), "read %s", path)
	} else {
		plain, err := hujson.Standardize(bytes.Clone(text))
		r.must(err, "read %s", path)
		r.must(json.Unmarshal(plain, &whole), "read %s", path)
	}
	servers := whole[f.container].(map[string]any)
	text, err = json.Marshal(map[string]any{"mcpServers": map[string]any{"drawbridge-everything": servers["drawbridge-everything"]}})
	r.must(err, "write the entry")
	config := filepath.Join(r.home, "inspector.json")
	r.must(os.WriteFile(config, text, 0o600), "write %s", config)
	return config
}
