package clientconf

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// played is a system with these files, and the folders they lie in. What ends in
// a slash is a folder. Windows and macOS are played in this way alone: no test
// here ran on them.
func played(system string, env map[string]string, paths ...string) System {
	home := map[string]string{"linux": "/home/ann", "darwin": "/Users/ann", "windows": `C:\Users\ann`}[system]
	s := System{OS: system, Home: home, Dir: home, Env: func(name string) string { return env[name] }}
	files := map[string]bool{} // true for folders
	for _, p := range paths {
		at, ok := s.expand(strings.TrimSuffix(p, "/"))
		if !ok {
			panic("no path: " + p)
		}
		files[at] = strings.HasSuffix(p, "/")
		for dir := s.parent(at); !files[dir]; dir = s.parent(dir) { // a root is its own parent
			files[dir] = true
		}
	}
	s.Stat = func(path string) (fs.FileInfo, error) {
		dir, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		}
		return playedInfo{path, dir}, nil
	}
	s.Folders = func(path string) []string {
		var names []string
		for f, dir := range files {
			if dir && f != path && s.parent(f) == path {
				names = append(names, s.segments(f)[len(s.segments(f))-1])
			}
		}
		slices.Sort(names)
		return names
	}
	return s
}

type playedInfo struct {
	name string
	dir  bool
}

func (i playedInfo) Name() string       { return i.name }
func (i playedInfo) Size() int64        { return 0 }
func (i playedInfo) ModTime() time.Time { return time.Time{} }
func (i playedInfo) IsDir() bool        { return i.dir }
func (i playedInfo) Sys() any           { return nil }
func (i playedInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

func TestPathsAreWrittenAsTheSystemDoes(t *testing.T) { // F-105
	windows, mac := played("windows", nil), played("darwin", nil)
	for _, c := range []struct{ got, want string }{
		{windows.join(`C:\Users\ann`, "AppData/Roaming", "Claude"), `C:\Users\ann\AppData\Roaming\Claude`},
		{windows.join(`C:\`, "x"), `C:\x`},
		{windows.join(`\\server\share\ann`, ".cursor/mcp.json"), `\\server\share\ann\.cursor\mcp.json`},
		{windows.clean(`C:/a/../b\c`), `C:\b\c`},
		{windows.parent(`C:\Users\ann\x.json`), `C:\Users\ann`},
		{mac.join("/Users/ann", "Library/Application Support", "x"), "/Users/ann/Library/Application Support/x"},
		{mac.clean(`/a/b\c`), `/a/b\c`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	for path, want := range map[string]bool{`C:\x`: true, "C:/x": true, `\\s\x`: true, `\x`: false, "x": false, `C:x`: false, "": false} {
		if got := windows.abs(path); got != want {
			t.Errorf("%s is absolute on Windows: got %v", path, got)
		}
	}
}

func TestPatternsFollowTheUsersEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		system  string
		env     map[string]string
		pattern string
		want    string // "" for a pattern that leads nowhere
	}{
		"home":                     {"linux", nil, "~/.cursor/mcp.json", "/home/ann/.cursor/mcp.json"},
		"home of Windows":          {"windows", nil, "~/.cursor/mcp.json", `C:\Users\ann\.cursor\mcp.json`},
		"roaming":                  {"windows", map[string]string{"APPDATA": `D:\Roaming`}, "%APPDATA%/Claude/x.json", `D:\Roaming\Claude\x.json`},
		"roaming is not set":       {"windows", nil, "%APPDATA%/Claude/x.json", `C:\Users\ann\AppData\Roaming\Claude\x.json`},
		"local is not set":         {"windows", nil, "%LOCALAPPDATA%/crush/x.json", `C:\Users\ann\AppData\Local\crush\x.json`},
		"variable":                 {"linux", map[string]string{"CODEX_HOME": "/opt/codex"}, "${CODEX_HOME}/config.toml", "/opt/codex/config.toml"},
		"variable is not set":      {"linux", nil, "${CODEX_HOME}/config.toml", ""},
		"variable is relative":     {"linux", map[string]string{"CODEX_HOME": "codex"}, "${CODEX_HOME}/config.toml", ""},
		"variable alone":           {"linux", map[string]string{"OPENCODE_CONFIG": "/x/o.json"}, "${OPENCODE_CONFIG}", "/x/o.json"},
		"fallback":                 {"linux", nil, "${XDG_CONFIG_HOME:-~/.config}/zed/settings.json", "/home/ann/.config/zed/settings.json"},
		"fallback is not needed":   {"linux", map[string]string{"XDG_CONFIG_HOME": "/cfg"}, "${XDG_CONFIG_HOME:-~/.config}/zed/settings.json", "/cfg/zed/settings.json"},
		"relative ones are nobody": {"linux", map[string]string{"XDG_CONFIG_HOME": "cfg"}, "${XDG_CONFIG_HOME:-~/.config}/zed/settings.json", "/home/ann/.config/zed/settings.json"},
		"absolute":                 {"darwin", nil, "/Applications/Claude.app", "/Applications/Claude.app"},
		"absolute on Windows":      {"windows", nil, "C:/Program Files/x", `C:\Program Files\x`},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := played(c.system, c.env).expand(c.pattern)
			if got != c.want || ok != (c.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, c.want)
			}
		})
	}
}

func TestProgramsAreFoundOnThePath(t *testing.T) {
	linux := played("linux", map[string]string{"PATH": "bin:/usr/bin::/opt/x"}, "/opt/x/claude", "/home/ann/bin/near", "/usr/bin/folder/")
	windows := played("windows", map[string]string{"PATH": `C:\Windows;C:\npm`}, `C:\npm\claude.cmd`, `C:\npm\codex.exe`, `C:\npm\bare`)
	for _, c := range []struct {
		s    System
		name string
		want bool
	}{
		{linux, "claude", true}, {linux, "near", false}, {linux, "folder", false}, {linux, "none", false},
		{windows, "claude", true}, {windows, "codex", true}, {windows, "bare", false},
	} {
		if got := c.s.program(c.name); got != c.want {
			t.Errorf("%s on %s: got %v, want %v", c.name, c.s.OS, got, c.want)
		}
	}
}

// What may not be looked at is there: macOS protects the folders of programs.
func TestWhatMayNotBeLookedAtIsThere(t *testing.T) { // C-68, D-64
	s := played("darwin", nil)
	s.Stat = func(path string) (fs.FileInfo, error) {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrPermission}
	}
	desktop := client(t, "claude-desktop")
	if !s.there("/x") || !s.isFile("/x") || !Installed(desktop, s) {
		t.Error("a client whose folder is protected counts as not installed")
	}
	if _, err := Locate(desktop, s, nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestThisSystemFollowsTheSession(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	s, err := ThisSystem()
	if err != nil {
		t.Fatal(err)
	}
	if s.Home != home || s.Env("HOME") != home || !s.there(home) || s.there(filepath.Join(home, "none")) {
		t.Errorf("got %+v", s)
	}
	if err := os.MkdirAll(filepath.Join(home, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := s.Folders(home); !slices.Equal(got, []string{"a"}) {
		t.Errorf("folders: got %v", got)
	}
}

// client is a row of the table.
func client(t *testing.T, id string) Client {
	t.Helper()
	c, err := Find(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
