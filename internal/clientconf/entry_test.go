package clientconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

var notes = Launch{Program: "/opt/Draw bridge/é/drawbridge", Args: []string{"mcp", "connect", "notes"}}

// targets are the files of every client and form, and one of no client.
func targets(t *testing.T) []Target {
	t.Helper()
	list := []Target{{Place: clients().Other.place()}}
	for _, c := range Clients() {
		list = append(list, Target{Client: c.ID, Place: c.place()})
		for _, v := range c.Forms {
			list = append(list, Target{Client: c.ID, Form: v.Name, Place: c.form(v.Name).place()})
		}
	}
	return list
}

// F-102, F-103, D-68, C-29: what is written for a server, in every client's
// notation, alone and with variables, for a program and for an address.
func TestEntriesOfAllClients(t *testing.T) {
	programs := map[string]string{"linux": notes.Program, "darwin": "/Applications/Drawbridge.app/Contents/MacOS/drawbridge", "windows": `C:\Program Files\Drawbridge\drawbridge.exe`}
	var out bytes.Buffer
	for _, target := range targets(t) {
		name := strings.TrimSpace(target.Client + " " + target.Form)
		if name == "" {
			name = "(any other)"
		}
		for _, system := range []string{"linux", "darwin", "windows"} {
			l := notes
			l.Program = programs[system]
			fmt.Fprintf(&out, "%s\t%s\t%s\n", name, system, JSON(Entry(target, "drawbridge-notes", l).Add().Entry))
		}
		l := notes
		l.Env = []Pair{{"DRAWBRIDGE_HOME", "/w/home"}}
		fmt.Fprintf(&out, "%s\tenv\t%s\n", name, JSON(Entry(target, "drawbridge-notes", l).Entry))
		http, err := EntryHTTP(target, "drawbridge-notes", "http://127.0.0.1:8000/mcp/k?a=1&b=2", nil)
		text := JSON(http.Add().Entry)
		if err != nil {
			text = string(fault.Of(err, "").Code)
		}
		fmt.Fprintf(&out, "%s\thttp\t%s\n", name, text)
		s, err := EntryHTTP(target, "drawbridge-notes", "http://127.0.0.1:8000/mcp", []Pair{{"X-Team", "a"}})
		if err == nil {
			fmt.Fprintf(&out, "%s\theaders\t%s\n", name, JSON(s.Entry))
		}
	}
	golden(t, "entries.golden", out.Bytes())
	for _, never := range []string{"@latest", "npx", "node", `"drawbridge":`, "{env}", "{args}", "{program}", "null"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("an entry holds %s", never)
		}
	}
}

func TestAClientThatTakesOnlyProgramsGetsNoAddress(t *testing.T) { // C-56
	_, err := EntryHTTP(Target{Client: "claude-desktop"}, "drawbridge-notes", "http://127.0.0.1:8000/mcp", nil)
	if !fault.IsCode(err, fault.EntryUnsupported) || !strings.Contains(err.Error(), "Claude Desktop") {
		t.Errorf("got %v, want %s", err, fault.EntryUnsupported)
	}
}

func object(t *testing.T, text string) splice.Object {
	t.Helper()
	var o Template
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return splice.Object(o)
}

// C-28: fields that are not ours stay, and so do variables.
func TestAnUpdateLeavesTheUsersFields(t *testing.T) {
	withEnv := notes
	withEnv.Env = []Pair{{"DRAWBRIDGE_HOME", "/w"}}
	for name, c := range map[string]struct {
		client, old string
		launch      Launch
		entry       string
		drop        []string
	}{
		"moved":                       {"cursor", `{"command": "/old/drawbridge", "args": ["mcp", "connect", "notes"], "disabled": true}`, notes, `{"command":"P","args":["mcp","connect","notes"]}`, nil},
		"tools narrowed":              {"copilot-cli", `{"type": "local", "command": "/old/drawbridge", "args": [], "tools": ["a"]}`, notes, `{"type":"local","command":"P","args":["mcp","connect","notes"]}`, nil},
		"switched off":                {"goose", `{"type": "stdio", "name": "n", "cmd": "/old/drawbridge", "args": [], "enabled": false, "timeout": 9}`, notes, `{"type":"stdio","name":"drawbridge-notes","cmd":"P","args":["mcp","connect","notes"]}`, nil},
		"the user's variable":         {"cursor", `{"command": "/old/drawbridge", "args": [], "env": {"LANG": "C"}}`, notes, `{"command":"P","args":["mcp","connect","notes"],"env":{"LANG":"C"}}`, nil},
		"the user's variable and one": {"cursor", `{"command": "/old/drawbridge", "args": [], "env": {"DRAWBRIDGE_HOME": "/x", "LANG": "C"}}`, withEnv, `{"command":"P","args":["mcp","connect","notes"],"env":{"LANG":"C","DRAWBRIDGE_HOME":"/w"}}`, nil},
		"a variable of ours is gone":  {"cursor", `{"command": "/old/drawbridge", "args": [], "env": {"DRAWBRIDGE_HOME": "/x"}}`, notes, `{"command":"P","args":["mcp","connect","notes"]}`, []string{"env"}},
		"it was an address":           {"vscode", `{"type": "http", "url": "http://127.0.0.1:1/", "headers": {}, "gallery": true}`, notes, `{"type":"stdio","command":"P","args":["mcp","connect","notes"]}`, []string{"url", "headers"}},
		"opencode":                    {"opencode", `{"type": "local", "command": ["/old/drawbridge"], "environment": {"A": "b"}, "enabled": false}`, notes, `{"type":"local","command":["P","mcp","connect","notes"],"environment":{"A":"b"}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := Entry(Target{Client: c.client}, "drawbridge-notes", c.launch)
			got := s.Update(splice.Entry{Name: "drawbridge-notes", Value: object(t, c.old)})
			want := strings.ReplaceAll(c.entry, `"P"`, JSON(notes.Program))
			if JSON(got.Entry) != want || !slices.Equal(got.Drop, c.drop) || got.Name != "drawbridge-notes" {
				t.Errorf("got %s without %q, want %s without %q", JSON(got.Entry), got.Drop, want, c.drop)
			}
		})
	}
}

func TestAnAddressTakesThePlaceOfAProgram(t *testing.T) { // C-28
	s, err := EntryHTTP(Target{Client: "vscode"}, "drawbridge-notes", "http://127.0.0.1:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Update(splice.Entry{Value: object(t, `{"type": "stdio", "command": "/x/drawbridge", "args": [], "env": {"A": "b"}, "sandbox": 1}`)})
	if JSON(got.Entry) != `{"type":"http","url":"http://127.0.0.1:1/"}` || !slices.Equal(got.Drop, []string{"command", "args", "env"}) {
		t.Errorf("got %s without %q", JSON(got.Entry), got.Drop)
	}
}

func TestNothingStaysOfAnEntryThatIsReplaced(t *testing.T) { // C-27
	s := Entry(Target{Client: "copilot-cli"}, "drawbridge-notes", notes)
	got := s.Replace(splice.Entry{Value: object(t, `{"url": "https://x", "auth": {}, "tools": []}`)})
	if !has(got.Entry, "tools") || !slices.Equal(got.Drop, []string{"url", "auth"}) {
		t.Errorf("got %s without %q", JSON(got.Entry), got.Drop)
	}
}

// C-26, D-69: an entry is ours by what it starts, whatever its shape and wherever
// the program lies.
func TestOurEntriesAreRecognisedInEveryShape(t *testing.T) {
	for _, target := range targets(t) {
		for _, program := range []string{"/usr/local/bin/drawbridge", `C:\Program Files\Drawbridge\Drawbridge.exe`, "drawbridge", "/Applications/D.app/Contents/MacOS/drawbridge"} {
			for _, args := range [][]string{{"mcp", "connect", "notes", "--no-auto-reconnect"}, {"connect", "notes", "--no-auto-reconnect"}} {
				e := splice.Entry{Name: "x", Value: Entry(target, "x", Launch{Program: program, Args: args}).Add().Entry}
				got, ok := Own(e)
				if !ok || got.Server != "notes" || got.Program != program || !slices.Equal(got.Flags, []string{"--no-auto-reconnect"}) {
					t.Errorf("%s: got %+v, %v for %s", target.Client, got, ok, JSON(e.Value))
				}
				before := JSON(e.Value)
				change, ok := Moved(e, "/new/drawbridge")
				if JSON(e.Value) != before {
					t.Errorf("%s: the entry that was read is now %s", target.Client, JSON(e.Value))
				}
				now := splice.Entry{Value: change.Entry}
				if len(change.Entry) == 1 && !has(change.Entry, "args") {
					args := field(e.Value.(splice.Object), "args")
					now.Value = append(slices.Clone(change.Entry), splice.Member{Name: "args", Value: args})
				}
				if got, _ := Own(now); !ok || got.Program != "/new/drawbridge" || got.Server != "notes" || len(change.Entry) != 1 {
					t.Errorf("%s: moved to %s", target.Client, JSON(change.Entry))
				}
			}
		}
	}
}

func TestEntriesOfOthersAreNotOurs(t *testing.T) { // C-26
	for _, text := range []string{
		`{"command": "/usr/bin/bridge", "args": ["mcp", "connect", "notes"]}`,
		`{"command": "/opt/drawbridge/other", "args": ["mcp", "connect", "notes"]}`,
		`{"command": "/opt/drawbridge-old", "args": ["mcp", "connect", "notes"]}`,
		`{"command": "/opt/drawbridge", "args": ["mcp", "demo"]}`,
		`{"command": "/opt/drawbridge", "args": ["mcp", "connect"]}`,
		`{"command": "/opt/drawbridge", "args": ["mcp", "connect", "--help"]}`,
		`{"command": "/opt/drawbridge", "args": ["mcp", "connect", 7]}`,
		`{"command": "/opt/drawbridge", "args": "mcp connect notes"}`,
		`{"command": "/opt/drawbridge mcp connect notes"}`,
		`{"command": "env", "args": ["drawbridge", "mcp", "connect", "notes"]}`,
		`{"url": "http://127.0.0.1:8000/mcp"}`,
		`{}`,
	} {
		e := splice.Entry{Name: "drawbridge-notes", Value: object(t, text)}
		if got, ok := Own(e); ok {
			t.Errorf("%s is taken for ours: %+v", text, got)
		}
		if _, ok := Moved(e, "/new/drawbridge"); ok {
			t.Errorf("%s is moved", text)
		}
	}
	if _, ok := Own(splice.Entry{Value: "text"}); ok {
		t.Error("a text is taken for ours")
	}
	old := object(t, `{"source": "custom", "command": {"path": "/x/drawbridge", "args": ["mcp", "connect", "notes"]}}`)
	if got, ok := Own(splice.Entry{Value: old}); !ok || got.Server != "notes" {
		t.Errorf("the old notation of Zed: got %+v, %v", got, ok)
	}
	if c, _ := Moved(splice.Entry{Value: old}, "/n/drawbridge"); JSON(c.Entry) != `{"command":{"path":"/n/drawbridge","args":["mcp","connect","notes"]}}` || JSON(old) != `{"source":"custom","command":{"path":"/x/drawbridge","args":["mcp","connect","notes"]}}` {
		t.Errorf("got %s from %s", JSON(c.Entry), JSON(old))
	}
}

// F-102, C-15: the file that every client gets when it has none, and that our
// entry is found in it again.
func TestNewFilesOfAllClients(t *testing.T) {
	var out bytes.Buffer
	for _, target := range targets(t) {
		for _, l := range []Launch{notes, {Program: `C:\Program Files\Drawbridge\drawbridge.exe`, Args: notes.Args, Env: []Pair{{"DRAWBRIDGE_HOME", `D:\bridge`}}}} {
			s := Entry(target, "drawbridge-notes", l)
			plan, err := splice.Make(nil, target.Place, s.Add())
			if err != nil {
				t.Errorf("%s %s: %v", target.Client, target.Form, err)
				continue
			}
			if l.Env == nil {
				fmt.Fprintf(&out, "---- %s %s\n%s\n", target.Client, target.Form, plan.After)
			}
			entries, err := splice.Entries(plan.After, target.Place)
			if err != nil || len(entries) != 1 {
				t.Errorf("%s %s: got %v, %v", target.Client, target.Form, entries, err)
				continue
			}
			if own, ok := Own(entries[0]); !ok || own.Server != "notes" || own.Program != l.Program {
				t.Errorf("%s %s: got %+v, %v", target.Client, target.Form, own, ok)
			}
			again, err := splice.Make(plan.After, target.Place, s.Update(entries[0]))
			if err != nil || len(again.Edits) > 0 { // C-25
				t.Errorf("%s %s: the same again gives %s, %v", target.Client, target.Form, again.After, err)
			}
		}
	}
	golden(t, "files.golden", out.Bytes())
}

// The entries are those that the example files of package splice were made for.
func TestEntriesAreThoseOfTheExamples(t *testing.T) {
	text, err := os.ReadFile("../splice/testdata/corpus/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples struct {
		Cases []struct {
			ID     string
			Client string `json:"client_profile"`
			Expect string
			Op     struct {
				Kind, Name string
				Entry      json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	for _, c := range examples.Cases {
		if c.Op.Kind != "add" || c.Expect != "edit" {
			continue
		}
		target := Target{Client: client(t, c.Client).ID}
		got := Entry(target, c.Op.Name, Launch{Program: "/opt/drawbridge/bridge", Args: []string{"connect", "notes"}}).Add().Entry
		if want := JSON(object(t, string(c.Op.Entry))); JSON(got) != want {
			t.Errorf("%s: got %s, want %s", c.ID, JSON(got), want)
		}
	}
}
