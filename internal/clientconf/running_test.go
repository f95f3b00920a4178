package clientconf

import (
	"slices"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// F-119: a client is found by the path of its program.
func TestAClientIsFoundByThePathOfItsProgram(t *testing.T) {
	for name, row := range map[string]struct {
		client, system string
		programs       []string
		want           []string
	}{
		"Linux":                      {"claude-desktop", "linux", []string{"/usr/lib/claude-desktop/claude-desktop", "/usr/bin/bash"}, []string{"/usr/lib/claude-desktop/claude-desktop"}},
		"Linux, a name like it":      {"claude-desktop", "linux", []string{"/home/me/claude-desktop", "/opt/claude-desktop/claude-desktop-updater", "/opt/my-claude-desktop/x"}, nil},
		"macOS":                      {"claude-desktop", "darwin", []string{"/Applications/Claude.app/Contents/MacOS/Claude", "/Applications/Claude.app/Contents/Frameworks/Claude Helper.app/Contents/MacOS/Claude Helper"}, []string{"/Applications/Claude.app/Contents/MacOS/Claude"}},
		"Windows, from the store":    {"claude-desktop", "windows", []string{`C:\Program Files\WindowsApps\Claude_1.2.3_x64__pzs8sxrjxfjjc\app\claude.exe`, `C:\Users\me\AppData\Local\claude.exe`}, []string{`C:\Program Files\WindowsApps\Claude_1.2.3_x64__pzs8sxrjxfjjc\app\claude.exe`}},
		"Windows, in another case":   {"cursor", "windows", []string{`c:\users\me\appdata\local\programs\CURSOR\cursor.EXE`}, []string{`c:\users\me\appdata\local\programs\CURSOR\cursor.EXE`}},
		"Windows, the classic one":   {"claude-desktop", "windows", []string{`C:\Users\me\AppData\Local\AnthropicClaude\app-1.2.3\claude.exe`}, []string{`C:\Users\me\AppData\Local\AnthropicClaude\app-1.2.3\claude.exe`}},
		"a program of no client":     {"cursor", "linux", []string{"/usr/bin/cursor-theme", "/opt/Cursor/cursor-helper"}, nil},
		"one the table knows not of": {"junie", "linux", []string{"/usr/bin/junie"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Find(row.client)
			if err != nil {
				t.Fatal(err)
			}
			var list []platform.Process
			for i, p := range row.programs {
				list = append(list, platform.Process{PID: 100 + i, Parent: 1, Program: p})
			}
			var got []string
			if r := running(c, System{OS: row.system}, list); r != nil {
				for _, p := range r.Processes {
					got = append(got, p.Program)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestAScriptIsFoundByItsPath(t *testing.T) {
	c, err := Find("claude-code")
	if err != nil {
		t.Fatal(err)
	}
	list := []platform.Process{
		{PID: 1, Program: "/usr/bin/node", Script: "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"},
		{PID: 2, Program: "/usr/bin/node", Script: "/home/me/cli.js"},
	}
	r := running(c, System{OS: "linux"}, list)
	if r == nil || len(r.Processes) != 1 || r.Processes[0].PID != 1 {
		t.Errorf("got %+v", r)
	}
}

// A client's own children are not further clients; a second client is.
func TestARestartNeedsOneProgramToMean(t *testing.T) {
	c, err := Find("claude-desktop")
	if err != nil {
		t.Fatal(err)
	}
	program := "/usr/lib/claude-desktop/claude-desktop"
	main := platform.Process{PID: 10, Parent: 1, Program: program}
	family := []platform.Process{{PID: 12, Parent: 11, Program: program}, {PID: 11, Parent: 10, Program: program}, main}
	if r := running(c, System{OS: "linux"}, family); len(r.Processes) != 1 || r.Processes[0].PID != 10 {
		t.Errorf("got %+v", r.Processes)
	}
	two := running(c, System{OS: "linux"}, append(family, platform.Process{PID: 20, Parent: 1, Program: program}))
	if err := two.Restartable(); !fault.IsCode(err, fault.ClientRestart) {
		t.Errorf("two of them: %v", err)
	}
	shell := main
	shell.Terminal = true
	if err := running(c, System{OS: "linux"}, []platform.Process{shell}).Restartable(); !fault.IsCode(err, fault.ClientRestart) {
		t.Errorf("in a terminal: %v", err)
	}
}

func TestWhatTakesUpAChangeByItselfIsNotRestarted(t *testing.T) {
	for _, c := range Clients() {
		if c.Reload != ReloadsNow && c.Reload != ReloadsSession {
			continue
		}
		r := &Running{Client: c, Processes: []platform.Process{{PID: 1}}}
		if err := r.Restartable(); !fault.IsCode(err, fault.ClientRestart) {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
}
