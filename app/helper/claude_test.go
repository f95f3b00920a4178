package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// claude does what Claude Code's program of this name does with the arguments
// mcp add-json --scope user NAME JSON: it writes its file anew.
func claude() {
	if os.Getenv("CLAUDE_FAILS") != "" {
		fmt.Fprintln(os.Stderr, "not today")
		os.Exit(1)
	}
	a := os.Args
	if len(a) != 7 || a[1] != "mcp" || a[2] != "add-json" || a[3] != "--scope" || a[4] != "user" {
		fmt.Fprintln(os.Stderr, "unexpected arguments", a[1:])
		os.Exit(2)
	}
	path := filepath.Join(os.Getenv("HOME"), ".claude.json")
	config := map[string]json.RawMessage{}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	config["mcpServers"], config["addedBy"] = json.RawMessage(fmt.Sprintf(`{%q: %s}`, a[5], a[6])), json.RawMessage(`"claude"`)
	if text, merr := json.MarshalIndent(config, "", "  "); err == nil && merr == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
