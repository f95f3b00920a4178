package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// C-46, C-54, C-62, D-65: the watch tells of a client that is installed
// meanwhile, of our entry there, and of the client dropping it; it writes
// nothing.
func TestWatchingClientsTellsWhatBecomesOfOurEntries(t *testing.T) {
	home := t.TempDir()
	env := append(os.Environ(), "HOME="+home, "USERPROFILE="+home, "DRAWBRIDGE_HOME="+filepath.Join(home, "db"), "XDG_CONFIG_HOME=")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(home, "db"), 0o700))
	must(os.WriteFile(filepath.Join(home, "db", "catalog.json"), []byte(`{"servers":{"x":{"command":"npx"}}}`), 0o600))
	watch := start(t, env, "mcp", "clients", "--watch")
	tells := func(what string) {
		t.Helper()
		for !strings.Contains(watch.line(), what) { // of Claude Code, too, whose program is among the tests'
		}
	}
	tells("Claude Code, not added")
	file := filepath.Join(home, ".codeium", "windsurf", "mcp_config.json")
	must(os.MkdirAll(filepath.Dir(file), 0o700))
	must(os.WriteFile(file, []byte("{\"mcpServers\": {}}\n"), 0o600))
	tells("not added, " + file)
	if code := start(t, env, "mcp", "config", "x", "--client-config=windsurf").exit(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	tells("added, drawbridge-x, " + file)
	dropped := []byte("{\"mcpServers\": {}, \"saved\": true}\n")
	must(os.WriteFile(file, dropped, 0o600))
	tells("removed outside, drawbridge-x (removed outside), " + file)
	watch.interrupt()
	watch.exit()
	if text, err := os.ReadFile(file); err != nil || string(text) != string(dropped) {
		t.Errorf("the file is %q, %v; want what the client saved", text, err)
	}
}

// D-64: a path below the home folder is written short where a line is.
func TestHomeIsWrittenShort(t *testing.T) {
	sep := string(filepath.Separator)
	home := sep + "home" + sep + "a"
	for text, want := range map[string]string{
		home + sep + "x":   "~" + sep + "x",
		home + "b" + sep:   home + "b" + sep,
		sep + "mnt" + home: sep + "mnt" + home,
		"one of " + home + sep + "x, " + home + sep + "y": "one of ~" + sep + "x, ~" + sep + "y",
		"": "",
	} {
		if got := belowHome(text, home); got != want {
			t.Errorf("belowHome(%q) = %q, want %q", text, got, want)
		}
	}
}
