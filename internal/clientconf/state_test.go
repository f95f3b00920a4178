package clientconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// wroteOurs is the ledger's record of an entry that starts Drawbridge.
func wroteOurs(t *testing.T, target Target, name string) Owned {
	t.Helper()
	s := Entry(target, name, Launch{Program: "/opt/drawbridge", Args: []string{"mcp", "connect", name}})
	o := Owned{Client: target.Client, Path: target.Path, Real: target.Path, Container: target.Place.Container, Name: name, Server: name}
	for _, m := range s.Entry {
		o.Fields = append(o.Fields, m.Name)
	}
	o.Hash = o.hashOf(s.Entry)
	return o
}

// The text of a file with the entry of wroteOurs in it.
const (
	oursIn     = `{"mcpServers": {"a": {"command": "/opt/drawbridge", "args": ["mcp", "connect", "a"]}}}`
	oursMoved  = `{"mcpServers": {"a": {"command": "/usr/bin/drawbridge", "args": ["mcp", "connect", "a"]}}}`
	oursExtra  = `{"mcpServers": {"a": {"args": ["mcp", "connect", "a"], "disabled": true, "command": "/opt/drawbridge"}}}`
	oursGone   = `{"mcpServers": {"other": {"command": "x"}}}`
	oursBroken = "{\n  \"mcpServers\": {\"a\" 1}}"
)

func cursorTarget(t *testing.T, path string) Target {
	t.Helper()
	c, err := Find("cursor")
	if err != nil {
		t.Fatal(err)
	}
	return c.target(System{OS: "linux"}, path, nil)
}

// C-46, C-67, C-68, D-64.
func TestTheStateFollowsFromWhatWasFound(t *testing.T) {
	target := cursorTarget(t, "/home/me/.cursor/mcp.json")
	a, b := wroteOurs(t, target, "a"), wroteOurs(t, target, "b")
	gone := a
	gone.Removed = time.Date(2026, 11, 20, 9, 31, 0, 0, time.UTC)
	elsewhere := a
	elsewhere.Container = []string{"servers"}
	for name, row := range map[string]struct {
		f       Finding
		want    State
		entries []State
	}{
		"nothing of ours, not read":           {Finding{}, StateNotAdded, nil},
		"nothing of ours":                     {Finding{Read: true, Text: []byte(oursGone)}, StateNotAdded, nil},
		"no file":                             {Finding{Read: true}, StateNotAdded, nil},
		"as we wrote it":                      {Finding{Read: true, Text: []byte(oursIn), Owned: []Owned{a}}, StateAdded, []State{StateAdded}},
		"with a field of the user's":          {Finding{Read: true, Text: []byte(oursExtra), Owned: []Owned{a}}, StateAdded, []State{StateAdded}},
		"not in the ledger, but ours":         {Finding{Read: true, Text: []byte(oursIn)}, StateAdded, []State{StateAdded}},
		"with another program":                {Finding{Read: true, Text: []byte(oursMoved), Owned: []Owned{a}}, StateChanged, []State{StateChanged}},
		"taken out":                           {Finding{Read: true, Text: []byte(oursGone), Owned: []Owned{a}}, StateRemoved, []State{StateRemoved}},
		"one of two taken out":                {Finding{Read: true, Text: []byte(oursIn), Owned: []Owned{a, b}}, StateRemoved, []State{StateAdded, StateRemoved}},
		"file gone":                           {Finding{Read: true, Owned: []Owned{a}}, StateRemoved, []State{StateRemoved}},
		"file empty":                          {Finding{Read: true, Text: []byte(" \n"), Owned: []Owned{a}}, StateRemoved, []State{StateRemoved}},
		"found gone before":                   {Finding{Read: true, Text: []byte(oursGone), Owned: []Owned{gone}}, StateRemoved, []State{StateRemoved}},
		"there again":                         {Finding{Read: true, Text: []byte(oursIn), Owned: []Owned{gone}}, StateAdded, []State{StateAdded}},
		"taken out by us":                     {Finding{Read: true, Text: []byte(oursGone), Owned: []Owned{a}, OwnWrite: true}, StateNotAdded, nil},
		"changed by us":                       {Finding{Read: true, Text: []byte(oursMoved), Owned: []Owned{a}, OwnWrite: true}, StateAdded, []State{StateAdded}},
		"in another place of the file":        {Finding{Read: true, Text: []byte(`{"servers":` + oursIn[len(`{"mcpServers":`):]), Owned: []Owned{elsewhere}}, StateAdded, []State{StateAdded}},
		"broken":                              {Finding{Read: true, Text: []byte(oursBroken), Owned: []Owned{a}}, StateUnreadable, nil},
		"not installed":                       {Finding{Err: fault.New(fault.ClientNotInstalled, "Cursor")}, StateNotInstalled, nil},
		"not installed any more":              {Finding{Err: fault.New(fault.ClientNotInstalled, "Cursor"), Owned: []Owned{a}}, StateNotInstalled, nil},
		"several places":                      {Finding{Err: fault.New(fault.ClientAmbiguous, "Claude Desktop").Because(&Ambiguous{Paths: []string{"/1", "/2"}})}, StateAmbiguous, nil},
		"not for us to read":                  {Finding{Read: true, Err: unreadable("/f", &fs.PathError{Op: "open", Path: "/f", Err: fs.ErrPermission}), Owned: []Owned{a}}, StateDenied, nil},
		"a folder in the place of the file":   {Finding{Read: true, Err: unreadable("/f", errNotRegular), Owned: []Owned{a}}, StateUnreadable, nil},
		"a disk that does not give the bytes": {Finding{Read: true, Err: unreadable("/f", errors.New("input/output error"))}, StateUnreadable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			row.f.Target = target
			got := row.f.Status()
			var states []State
			for _, e := range got.Entries {
				states = append(states, e.State)
			}
			if got.State != row.want || !slices.Equal(states, row.entries) {
				t.Errorf("got %q %q (%v), want %q %q", got.State, states, got.Problem, row.want, row.entries)
			}
			if (got.Problem == nil) != (row.f.Err == nil && row.want != StateUnreadable) {
				t.Errorf("Problem = %v", got.Problem)
			}
		})
	}
}

func TestAStatusSaysWhere(t *testing.T) {
	target := cursorTarget(t, "/home/me/.cursor/mcp.json")
	broken := Finding{Target: target, Read: true, Text: []byte(oursBroken)}.Status()
	if broken.Line != 2 || broken.Column == 0 || !fault.IsCode(broken.Problem, fault.ClientConfigInvalid) {
		t.Errorf("line %d, column %d, %v", broken.Line, broken.Column, broken.Problem)
	}
	several := Finding{Err: fault.New(fault.ClientAmbiguous, "Claude").Because(&Ambiguous{Paths: []string{"/1", "/2"}})}.Status()
	if !slices.Equal(several.Places, []string{"/1", "/2"}) {
		t.Errorf("places %q", several.Places)
	}
	ours := Finding{Target: target, Read: true, Text: []byte(oursIn)}.Status()
	if e := ours.Entries[0]; e.Name != "a" || e.Server != "a" || e.Line != 1 || e.Record != nil {
		t.Errorf("got %+v", e)
	}
}

// No parser may change what the caller holds (C-10).
func TestTheStateLeavesTheTextAlone(t *testing.T) {
	text := []byte("{ // note\n\"mcpServers\": {\"a\": {},},}")
	target := Target{Place: splice.Place{Format: splice.JSONC, Container: []string{"mcpServers"}}}
	before := string(text)
	Finding{Target: target, Read: true, Text: text}.Status()
	if string(text) != before {
		t.Errorf("the text is %q now", text)
	}
}

// C-68: on macOS a file may be another app's alone. It is neither missing nor is
// its client.
func TestAFileThatMacOSProtectsIsDenied(t *testing.T) {
	c, err := Find("claude-desktop")
	if err != nil {
		t.Fatal(err)
	}
	for why, remedy := range map[syscall.Errno]bool{syscall.EPERM: true, syscall.EACCES: false} {
		s := System{OS: "darwin", Home: "/Users/me", Env: func(string) string { return "" }, Folders: func(string) []string { return nil }}
		s.Stat = func(path string) (fs.FileInfo, error) { return nil, &fs.PathError{Op: "stat", Path: path, Err: why} }
		f, ok := row{client: c}.find(s, nil)
		got := f.Status()
		if !ok || got.State != StateDenied || got.Read {
			t.Fatalf("%v: got %+v", why, got)
		}
		if strings.Contains(got.Problem.Error(), "tccutil reset SystemPolicyAppData") != remedy {
			t.Errorf("%v: %v", why, got.Problem)
		}
	}
}
