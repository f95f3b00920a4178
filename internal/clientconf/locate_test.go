package clientconf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// F-105, C-01: where every client's file is on every system, when the client is
// installed and has none yet, and the other places where one may be. Windows and
// macOS are played.
func TestPlacesOfAllClients(t *testing.T) {
	var out bytes.Buffer
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, c := range Clients() {
			s := played(system, nil)
			files := Files(c, s)
			if len(files) == 0 && len(onSystem(c.User, s)) == 0 {
				fmt.Fprintf(&out, "%s\t%s\tno file\n", system, c.ID)
				continue
			}
			for i, f := range files {
				target := c.target(s, f, nil)
				fmt.Fprintf(&out, "%s\t%s\t%s\t%s %s %s %s\n", system, c.ID, f, target.Place.Format, strings.Join(target.Place.Container, " / "),
					map[bool]string{true: "list", false: "map"}[target.Place.List], flags(target.Place))
				if i == 0 && system == "linux" && !strings.HasPrefix(f, "/home/ann/") {
					t.Errorf("%s lies outside of the home folder: %s", c.ID, f)
				}
			}
		}
	}
	golden(t, "places.golden", out.Bytes())
}

func flags(p splice.Place) string {
	var words []string
	if p.Strict {
		words = append(words, "strict")
	}
	if p.NoBOM {
		words = append(words, "no BOM")
	}
	return strings.Join(words, ", ")
}

const (
	msixA    = `C:\Users\ann\AppData\Local\Packages\Claude_pzs8sxrjxfjjc`
	msixB    = `C:\Users\ann\AppData\Local\Packages\Claude_abc123`
	inMSIX   = `\LocalCache\Roaming\Claude\claude_desktop_config.json`
	classic  = `C:\Users\ann\AppData\Roaming\Claude`
	fileName = `\claude_desktop_config.json`
)

// C-02, D-63: Claude Desktop's file on Windows, with made-up profiles.
func TestClaudeDesktopOfTheWindowsStore(t *testing.T) {
	for name, c := range map[string]struct {
		paths []string
		want  string   // the file
		ask   []string // or these, to choose from
		code  fault.Code
	}{
		"one package with a file":                       {paths: []string{msixA + inMSIX}, want: msixA + inMSIX},
		"the same, and a classic file":                  {paths: []string{msixA + inMSIX, classic + fileName}, want: msixA + inMSIX},
		"two packages, one with a file":                 {paths: []string{msixA + `\`, msixB + inMSIX}, want: msixB + inMSIX},
		"two packages with files":                       {paths: []string{msixA + inMSIX, msixB + inMSIX}, ask: []string{msixB + inMSIX, msixA + inMSIX}},
		"two packages with files, and a classic":        {paths: []string{msixA + inMSIX, msixB + inMSIX, classic + fileName}, ask: []string{msixB + inMSIX, msixA + inMSIX}},
		"a package without a file, and a classic":       {paths: []string{msixA + `\`, classic + fileName}, want: classic + fileName},
		"two packages without files, and a classic":     {paths: []string{msixA + `\`, msixB + `\`, classic + fileName}, want: classic + fileName},
		"one package, no file":                          {paths: []string{msixA + `\`}, want: msixA + inMSIX},
		"one package, no file, a classic folder":        {paths: []string{msixA + `\`, classic + `\`}, want: msixA + inMSIX},
		"two packages, no file":                         {paths: []string{msixA + `\`, msixB + `\`}, ask: []string{msixB + inMSIX, msixA + inMSIX}},
		"classic alone":                                 {paths: []string{classic + fileName}, want: classic + fileName},
		"a classic folder":                              {paths: []string{classic + `\`}, want: classic + fileName},
		"nothing":                                       {code: fault.ClientNotInstalled},
		"a package of another program":                  {paths: []string{`C:\Users\ann\AppData\Local\Packages\ClaudeCode_pzs8` + inMSIX}, code: fault.ClientNotInstalled},
		"a package whose publisher is no publisher":     {paths: []string{`C:\Users\ann\AppData\Local\Packages\Claude_PZS8` + inMSIX}, code: fault.ClientNotInstalled},
		"a file in the place of a package":              {paths: []string{msixA}, code: fault.ClientNotInstalled},
		"the old installer's folder, nothing started":   {paths: []string{`C:\Users\ann\AppData\Local\AnthropicClaude\claude.exe`}, want: classic + fileName},
		"a package next to that of another publisher's": {paths: []string{msixA + inMSIX, `C:\Users\ann\AppData\Local\Packages\Claude_\`}, want: msixA + inMSIX},
	} {
		t.Run(name, func(t *testing.T) {
			for i, p := range c.paths {
				if strings.HasSuffix(p, `\`) {
					c.paths[i] = strings.TrimSuffix(p, `\`) + "/"
				}
			}
			got, err := Locate(client(t, "claude"), played("windows", nil, c.paths...), nil)
			if c.ask != nil {
				c.code = fault.ClientAmbiguous
				var ask *Ambiguous
				if !errors.As(err, &ask) || !slices.Equal(ask.Paths, c.ask) || !strings.Contains(err.Error(), c.ask[len(c.ask)-1]) {
					t.Errorf("got %v, want a question about %v", err, c.ask)
				}
			}
			if c.code != "" {
				if !fault.IsCode(err, c.code) {
					t.Errorf("got %v, %v, want %s", got, err, c.code)
				}
				return
			}
			if err != nil || got.Path != c.want {
				t.Errorf("got %s, %v, want %s", got.Path, err, c.want)
			}
		})
	}
}

// C-01: the first place with a file; without one, the first whose folder is
// there; and before all, the places that the environment names.
func TestTheFileThatIsThereIsChosen(t *testing.T) {
	const cline = "/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"
	for name, c := range map[string]struct {
		client, system string
		env            map[string]string
		paths          []string
		want           string
	}{
		"new place of Windsurf":               {"windsurf", "linux", nil, []string{"~/.codeium/windsurf/", "~/.config/devin/mcp_config.json"}, "/home/ann/.config/devin/mcp_config.json"},
		"old place of Windsurf":               {"windsurf", "linux", nil, []string{"~/.codeium/windsurf/mcp_config.json", "~/.config/devin/"}, "/home/ann/.codeium/windsurf/mcp_config.json"},
		"old Windsurf without a file":         {"windsurf", "linux", nil, []string{"~/.codeium/windsurf/"}, "/home/ann/.codeium/windsurf/mcp_config.json"},
		"both, without files":                 {"windsurf", "linux", nil, []string{"~/.codeium/windsurf/", "~/.config/devin/"}, "/home/ann/.config/devin/mcp_config.json"},
		"opencode without a file":             {"opencode", "linux", nil, []string{"~/.config/opencode/"}, "/home/ann/.config/opencode/opencode.jsonc"},
		"opencode with json":                  {"opencode", "linux", nil, []string{"~/.config/opencode/opencode.json"}, "/home/ann/.config/opencode/opencode.json"},
		"opencode with both":                  {"opencode", "linux", nil, []string{"~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"}, "/home/ann/.config/opencode/opencode.jsonc"},
		"opencode elsewhere":                  {"opencode", "linux", map[string]string{"OPENCODE_CONFIG": "/w/o.json"}, []string{"~/.config/opencode/opencode.json", "/w/o.json"}, "/w/o.json"},
		"Cline in Cursor":                     {"cline", "darwin", nil, []string{"~/Library/Application Support/Code/User/", "~/Library/Application Support/Cursor" + cline}, "/Users/ann/Library/Application Support/Cursor" + cline},
		"Cline in both":                       {"cline", "linux", nil, []string{"~/.config/Cursor" + cline, "~/.config/Code" + cline}, "/home/ann/.config/Code" + cline},
		"Claude Code":                         {"claude-code", "linux", map[string]string{"PATH": "/usr/bin"}, []string{"/usr/bin/claude"}, "/home/ann/.claude.json"},
		"Claude Code elsewhere":               {"claude-code", "linux", map[string]string{"CLAUDE_CONFIG_DIR": "/w/claude", "PATH": "/usr/bin"}, []string{"~/.claude.json", "/usr/bin/claude"}, "/w/claude/.claude.json"},
		"Codex elsewhere on Windows":          {"codex", "windows", map[string]string{"CODEX_HOME": `D:\codex`}, []string{`D:\codex/`, "~/.codex/"}, `D:\codex\config.toml`},
		"Copilot elsewhere":                   {"copilot", "linux", map[string]string{"COPILOT_HOME": "/w/c"}, []string{"/w/c/mcp-config.json"}, "/w/c/mcp-config.json"},
		"Cline's own program elsewhere":       {"cline-cli", "linux", map[string]string{"CLINE_DIR": "/w/c"}, []string{"/w/c/data/settings/cline_mcp_settings.json"}, "/w/c/data/settings/cline_mcp_settings.json"},
		"and its file elsewhere":              {"cline-cli", "linux", map[string]string{"CLINE_DIR": "/w/c", "CLINE_MCP_SETTINGS_PATH": "/w/s.json"}, []string{"/w/s.json"}, "/w/s.json"},
		"VS Code on a stick":                  {"vscode", "windows", map[string]string{"VSCODE_PORTABLE": `E:\code\data`}, []string{`E:\code\data\user-data\User/`, "%APPDATA%/Code/User/mcp.json"}, `E:\code\data\user-data\User\mcp.json`},
		"VS Code with a configuration folder": {"vscode", "linux", map[string]string{"XDG_CONFIG_HOME": "/cfg"}, []string{"/cfg/Code/User/"}, "/cfg/Code/User/mcp.json"},
		"Claude Desktop on a Mac":             {"claude", "darwin", nil, []string{"/Applications/Claude.app/"}, "/Users/ann/Library/Application Support/Claude/claude_desktop_config.json"},
		"Antigravity 1":                       {"antigravity", "darwin", nil, []string{"~/.gemini/antigravity/"}, "/Users/ann/.gemini/antigravity/mcp_config.json"},
		"LM Studio's old home":                {"lm-studio", "linux", nil, []string{"~/.lmstudio/", "~/.cache/lm-studio/mcp.json"}, "/home/ann/.cache/lm-studio/mcp.json"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Locate(client(t, c.client), played(c.system, c.env, c.paths...), nil)
			if err != nil || got.Path != c.want {
				t.Errorf("got %s, %v, want %s", got.Path, err, c.want)
			}
		})
	}
}

func TestAClientThatIsNotHereIsSaidToBe(t *testing.T) {
	for name, c := range map[string]struct {
		client, system string
		code           fault.Code
		next           string
	}{
		"nothing of it":             {"cursor", "linux", fault.ClientNotInstalled, "path of its file"},
		"not for this system":       {"visual-studio", "linux", fault.ClientUnsupported, ""},
		"no file on any system":     {"jetbrains-ai-assistant", "darwin", fault.ClientUnsupported, "Settings > Tools"},
		"its file is a guess there": {"copilot-jetbrains", "darwin", fault.ClientUnsupported, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Locate(client(t, c.client), played(c.system, nil), nil)
			if !fault.IsCode(err, c.code) || !strings.Contains(err.Error(), c.next) {
				t.Errorf("got %v, want %s with %q", err, c.code, c.next)
			}
		})
	}
}

// C-04: opencode's second version keeps servers one level deeper.
func TestOpencodeIsTakenAsItsFileIsWritten(t *testing.T) {
	installed := []string{"~/.config/opencode/"}
	const file = "~/.config/opencode/opencode.json"
	for name, c := range map[string]struct {
		doc       string // "" for no file
		paths     []string
		env       map[string]string
		form      string
		container []string
	}{
		"first version":              {doc: `{"mcp": {"notes": {"type": "local"}}}`, paths: []string{file}, container: []string{"mcp"}},
		"second version":             {doc: `{"mcp": {"servers": {}}}`, paths: []string{file}, form: "v2", container: []string{"mcp", "servers"}},
		"a server that is so called": {doc: `{"mcp": {"servers": {"type": "local", "command": ["x"]}}}`, paths: []string{file}, container: []string{"mcp"}},
		"a list":                     {doc: `{"mcp": {"servers": []}}`, paths: []string{file}, container: []string{"mcp"}},
		"broken":                     {doc: `{"mcp": {"servers": {`, paths: []string{file}, container: []string{"mcp"}},
		"no file":                    {paths: installed, container: []string{"mcp"}},
		"no file, second version":    {paths: append(installed, "/usr/bin/opencode2"), env: map[string]string{"PATH": "/usr/bin"}, form: "v2", container: []string{"mcp", "servers"}},
	} {
		t.Run(name, func(t *testing.T) {
			look := func(string) ([]byte, error) {
				if c.doc == "" {
					return nil, fs.ErrNotExist
				}
				return []byte(c.doc), nil
			}
			got, err := Locate(client(t, "opencode"), played("linux", c.env, c.paths...), look)
			if err != nil || got.Form != c.form || !slices.Equal(got.Place.Container, c.container) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// F-106: the format follows from the path.
func TestAPathTellsWhoseFileItIs(t *testing.T) {
	for path, c := range map[string]struct{ client, container string }{
		"/p/.vscode/mcp.json":                                  {"vscode", "servers"},
		"/p/.vscode/other.json":                                {"vscode", "servers"},
		"/p/.cursor/mcp.json":                                  {"cursor", "mcpServers"},
		"/p/.cursor/x.json":                                    {"cursor", "mcpServers"},
		"/p/.mcp.json":                                         {"claude-code", "mcpServers"},
		"/p/.warp/.mcp.json":                                   {"warp", "mcpServers"},
		"/p/.vs/mcp.json":                                      {"visual-studio", "servers"},
		"/p/.codex/config.toml":                                {"codex", "mcp_servers"},
		"/p/.zed/settings.json":                                {"zed", "context_servers"},
		"/p/.gemini/settings.json":                             {"gemini-cli", "mcpServers"},
		"/p/.agents/mcp_config.json":                           {"antigravity", "mcpServers"},
		"/p/.kiro/settings/mcp.json":                           {"kiro", "mcpServers"},
		"/p/.github/mcp.json":                                  {"copilot-cli", "mcpServers"},
		"/p/.devin/mcp_config.json":                            {"devin-desktop", "mcpServers"},
		"/p/opencode.json":                                     {"opencode", "mcp"},
		"/p/claude_desktop_config.json":                        {"claude-desktop", "mcpServers"},
		"/p/.claude.json":                                      {"claude-code", "mcpServers"},
		"/p/cline_mcp_settings.json":                           {"cline", "mcpServers"},
		"/p/.config/Code/User/profiles/-1a2b/mcp.json":         {"vscode", "servers"},
		"/p/data/User/mcp.json":                                {"vscode", "servers"},
		"/p/Trae/User/mcp.json":                                {"trae", "mcpServers"},
		"/p/goose/config.yaml":                                 {"goose", "extensions"},
		"/p/.config/Code - Insiders/User/profiles/ab/mcp.json": {"vscode-insiders", "servers"},
		"/p/x.json":                                            {"", "mcpServers"},
		"/p/mcp.json":                                          {"", "mcpServers"},
		"/home/ann/.config/zed/settings.json":                  {"zed", "context_servers"},
		"/home/ann/.config/Code/User/mcp.json":                 {"vscode", "servers"},
		"/home/ann/.config/goose/config.yaml":                  {"goose", "extensions"},
		"/home/ann/.continue/config.yaml":                      {"continue", "mcpServers"},
		"/home/ann/.codeium/windsurf/mcp_config.json":          {"devin-desktop", "mcpServers"},
	} {
		got, err := LocatePath(path, "", played("linux", nil), nil)
		if err != nil || got.Client != c.client || got.Path != path || !slices.Equal(got.Place.Container, []string{c.container}) {
			t.Errorf("%s: got %+v, %v, want %s of %s", path, got, err, c.container, c.client)
		}
	}
}

// C-03: Visual Studio and Claude Code share a file, with a key each.
func TestASharedFileIsTakenAsWhatItHolds(t *testing.T) {
	s := played("windows", nil)
	for name, c := range map[string]struct{ path, doc, dialect, want string }{
		"one key":                 {`C:\p\.mcp.json`, `{"mcpServers": {}}`, "", "claude-code"},
		"the other":               {`C:\p\.mcp.json`, `{"servers": {}}`, "", "visual-studio"},
		"both":                    {`C:\p\.mcp.json`, `{"servers": {}, "mcpServers": {}}`, "", "claude-code"},
		"both, and asked":         {`C:\p\.mcp.json`, `{"servers": {}, "mcpServers": {}}`, "visual-studio", "visual-studio"},
		"none":                    {`C:\p\.mcp.json`, `{}`, "", "claude-code"},
		"no file":                 {`C:\p\.mcp.json`, "", "", "claude-code"},
		"broken":                  {`C:\p\.mcp.json`, `{"servers"`, "", "claude-code"},
		"the user's":              {`C:\Users\ann\.mcp.json`, "", "", "visual-studio"},
		"the user's, by key":      {`C:\Users\ann\.mcp.json`, `{"mcpServers": {}}`, "", "claude-code"},
		"the user's, in capitals": {`c:\users\ANN\.mcp.json`, "", "", "visual-studio"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := LocatePath(c.path, c.dialect, s, func(string) ([]byte, error) {
				if c.doc == "" {
					return nil, fs.ErrNotExist
				}
				return []byte(c.doc), nil
			})
			if err != nil || got.Client != c.want {
				t.Errorf("got %+v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestAPersonChoosesByNameOrPath(t *testing.T) { // F-104, F-106
	s := played("linux", nil, "~/.cursor/mcp.json")
	s.Dir = "/w/project"
	for name, c := range map[string]struct {
		name, dialect string
		path, client  string
		code          fault.Code
	}{
		"by name":                  {name: "cursor", path: "/home/ann/.cursor/mcp.json", client: "cursor"},
		"by name in capitals":      {name: "Cursor", path: "/home/ann/.cursor/mcp.json", client: "cursor"},
		"a file of the project":    {name: ".cursor/mcp.json", path: "/w/project/.cursor/mcp.json", client: "cursor"},
		"a file above":             {name: "../x.json", path: "/w/x.json"},
		"a file below home":        {name: "~/.codex/config.toml", path: "/home/ann/.codex/config.toml", client: "codex"},
		"a file, its client named": {name: "/w/servers.yaml", dialect: "goose", path: "/w/servers.yaml", client: "goose"},
		"a file of whom":           {name: "/w/servers.yaml", code: fault.ClientUnknown},
		"a client of whom":         {name: "/w/servers.yaml", dialect: "emacs", code: fault.ClientUnknown},
		"no client, no path":       {name: "emacs", code: fault.ClientUnknown},
		"a client and a client":    {name: "cursor", dialect: "vscode", code: fault.UsageInvalid},
		"not here":                 {name: "zed", code: fault.ClientNotInstalled},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(c.name, c.dialect, s, nil)
			if c.code != "" {
				if !fault.IsCode(err, c.code) {
					t.Errorf("got %+v, %v, want %s", got, err, c.code)
				}
				return
			}
			if err != nil || got.Path != c.path || got.Client != c.client {
				t.Errorf("got %+v, %v, want %s of %s", got, err, c.path, c.client)
			}
		})
	}
}

func TestARunningClientIsKnownByItsProgram(t *testing.T) { // F-119
	for _, c := range []struct {
		client, system, exe string
		want                bool
	}{
		{"claude", "darwin", "/Applications/Claude.app/Contents/MacOS/Claude", true},
		{"claude", "darwin", "/Applications/Claude.app/Contents/Frameworks/Claude Helper.app/Contents/MacOS/Claude Helper", false},
		{"claude", "windows", `C:\Program Files\WindowsApps\Claude_1.1.0.0_x64__pzs8sxrjxfjjc\app\Claude.exe`, true},
		{"claude", "windows", `C:\Users\ann\AppData\Local\AnthropicClaude\app-0.9.1\claude.exe`, true},
		{"claude", "windows", `C:\Users\ann\.local\bin\claude.exe`, false}, // Claude Code
		{"claude-code", "windows", `C:\Users\ann\.local\bin\claude.exe`, true},
		{"claude-code", "linux", "/home/ann/.local/share/claude/versions/2.1.0", true},
		{"claude", "linux", "/usr/lib/claude-desktop/claude-desktop", true},
		{"claude", "linux", "/usr/lib/claude-desktop/Claude-desktop", false},
		{"cursor", "windows", `C:\Users\ann\AppData\Local\Programs\cursor\Cursor.exe`, true},
		{"vscode", "linux", "/usr/share/code/code", true},
		{"vscode", "linux", "/usr/share/cursor/cursor", false},
		{"vscode", "linux", "code", false},
		{"gemini-cli", "linux", "/usr/bin/node", false},
	} {
		if got := client(t, c.client).Runs(played(c.system, nil), c.exe); got != c.want {
			t.Errorf("%s runs as %s: got %v", c.client, c.exe, got)
		}
	}
}
