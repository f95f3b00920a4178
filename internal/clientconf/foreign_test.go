package clientconf

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/splice"
)

// reveal is an entry with all its values, for comparison.
type reveal struct {
	Program, Args, Env, URL, Headers, Transport string
	Off                                         bool
}

func revealed(f Foreign) reveal {
	join := func(list []Setting) string {
		var parts []string
		for _, s := range list {
			parts = append(parts, s.Name+"="+s.Reveal())
		}
		return strings.Join(parts, " ")
	}
	var args []string
	for _, a := range f.Args {
		args = append(args, a.Reveal())
	}
	return reveal{f.Program, strings.Join(args, " "), join(f.Env), f.URL.Reveal(), join(f.Headers), f.Transport, f.Disabled}
}

func TestEntriesOfEveryShapeAreRead(t *testing.T) { // D-67
	for name, c := range map[string]struct {
		client, entry string
		want          reveal
	}{
		"plain":                  {"claude", `{"command": "npx", "args": ["-y", "pkg"], "env": {"A": "b", "N": 3, "T": true}}`, reveal{Program: "npx", Args: "-y pkg", Env: "A=b N=3 T=true"}},
		"VS Code":                {"vscode", `{"type": "http", "url": "https://x/mcp", "headers": {"X-A": "b"}}`, reveal{URL: "https://x/mcp", Headers: "X-A=b", Transport: "http"}},
		"opencode":               {"opencode", `{"type": "local", "command": ["bun", "x", "pkg"], "environment": {"A": "b"}, "enabled": false}`, reveal{Program: "bun", Args: "x pkg", Env: "A=b", Off: true}},
		"opencode, remote":       {"opencode", `{"type": "remote", "url": "https://x/mcp"}`, reveal{URL: "https://x/mcp"}},
		"Goose":                  {"goose", `{"type": "stdio", "cmd": "uvx", "args": ["m"], "envs": {"A": "b"}, "enabled": true}`, reveal{Program: "uvx", Args: "m", Env: "A=b"}},
		"Goose, remote":          {"goose", `{"type": "streamable_http", "uri": "https://x/mcp", "headers": {"A": "b"}}`, reveal{URL: "https://x/mcp", Headers: "A=b", Transport: "http"}},
		"Continue":               {"continue", `{"name": "n", "type": "sse", "url": "https://x/sse", "requestOptions": {"headers": {"A": "b"}}}`, reveal{URL: "https://x/sse", Headers: "A=b", Transport: "sse"}},
		"Codex":                  {"codex", `{"url": "https://x/mcp", "http_headers": {"A": "b"}, "enabled": false}`, reveal{URL: "https://x/mcp", Headers: "A=b", Off: true}},
		"Gemini":                 {"gemini", `{"httpUrl": "https://x/mcp"}`, reveal{URL: "https://x/mcp", Transport: "http"}},
		"Gemini, old transport":  {"gemini", `{"url": "https://x/sse"}`, reveal{URL: "https://x/sse", Transport: "sse"}},
		"Windsurf":               {"windsurf", `{"serverUrl": "https://x/mcp", "disabled": true}`, reveal{URL: "https://x/mcp", Off: true}},
		"Cline":                  {"cline", `{"type": "streamableHttp", "url": "https://x/mcp"}`, reveal{URL: "https://x/mcp", Transport: "http"}},
		"Cline without a type":   {"cline", `{"url": "https://x/mcp"}`, reveal{URL: "https://x/mcp", Transport: "sse"}},
		"Zed, old":               {"zed", `{"source": "custom", "command": {"path": "npx", "args": ["pkg"], "env": {"A": "b"}}}`, reveal{Program: "npx", Args: "pkg", Env: "A=b"}},
		"Vibe":                   {"mistral-vibe", `{"name": "n", "transport": "streamable-http", "url": "https://x/mcp"}`, reveal{URL: "https://x/mcp", Transport: "http"}},
		"Copilot in JetBrains":   {"copilot-jetbrains", `{"url": "https://x/mcp", "requestInit": {"headers": {"A": "b"}}}`, reveal{URL: "https://x/mcp", Headers: "A=b"}},
		"a switch of others":     {"goose", `{"type": "stdio", "cmd": "uvx", "disabled": true}`, reveal{Program: "uvx"}},
		"a switch of whom":       {"warp", `{"command": "uvx", "enabled": false}`, reveal{Program: "uvx", Off: true}},
		"another one's notation": {"cursor", `{"type": "streamable-http", "uri": "https://x/mcp"}`, reveal{URL: "https://x/mcp", Transport: "http"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Client: client(t, c.client).ID}
			f, ok := Read(target, splice.Entry{Name: "n", Line: 3, Value: object(t, c.entry)})
			if diff := cmp.Diff(c.want, revealed(f)); diff != "" || !ok || f.Name != "n" || f.Line != 3 {
				t.Errorf("%v %+v (-want +got):\n%s", ok, f, diff)
			}
		})
	}
	for _, text := range []string{`{}`, `{"command": 7}`, `{"command": []}`, `{"type": "builtin", "name": "developer"}`} {
		if f, ok := Read(Target{}, splice.Entry{Value: object(t, text)}); ok {
			t.Errorf("%s reads as %+v", text, f)
		}
	}
}

func TestOwnEntriesAreReadAsTheyAreWritten(t *testing.T) {
	for _, target := range targets(t) {
		l := notes
		l.Env = []Pair{{"DRAWBRIDGE_HOME", "/w"}}
		f, ok := Read(target, splice.Entry{Value: Entry(target, "x", l).Add().Entry})
		want := reveal{Program: notes.Program, Args: "mcp connect notes", Env: "DRAWBRIDGE_HOME=/w"}
		if !ok || revealed(f) != want || f.Secrets() != nil || f.Expansions() != nil || f.Missing != nil {
			t.Errorf("%s %s: got %+v", target.Client, target.Form, revealed(f))
		}
		s, err := EntryHTTP(target, "x", "http://127.0.0.1:8000/mcp", nil)
		if err != nil {
			continue
		}
		f, ok = Read(target, splice.Entry{Value: s.Add().Entry})
		if !ok || f.URL.Reveal() != "http://127.0.0.1:8000/mcp" || f.Transport == "sse" {
			t.Errorf("%s %s: got %+v", target.Client, target.Form, revealed(f))
		}
	}
}

func TestSecretsAreNamed(t *testing.T) { // S-38
	for text, want := range map[string]string{
		`{"command": "x", "env": {"API_KEY": "v", "LANG": "C", "GITHUB_TOKEN": "v", "PGPASSWORD": "v", "PORT": "8000", "DEBUG": "true"}}`:                       "env API_KEY, env GITHUB_TOKEN, env PGPASSWORD",
		`{"command": "x", "env": {"A": "ghp_abc", "B": "sk-abc", "C": "eyJhbGciOi.e30.x", "D": "xoxb-1-2", "E": "AKIAIOSFODNN7EXAMPLE"}}`:                       "env A, env B, env C, env D, env E",
		`{"command": "x", "env": {"A": "f81d4fae7dec11d0a76500a0c91e6bf6", "B": "a-long-name-of-a-package-without-digits", "C": "/home/ann/a1b2/c3d4/e5f6g7"}}`: "env A",
		`{"command": "x", "env": {"DATABASE_URL": "postgres://ann:pw@db/x", "PLAIN_URL": "https://x/y"}}`:                                                       "env DATABASE_URL",
		`{"command": "x", "env": {"TOKEN": "${env:TOKEN}", "OTHER_TOKEN": "${env:A}x", "EMPTY_TOKEN": ""}}`:                                                     "env OTHER_TOKEN",
		`{"command": "x", "args": ["--api-key", "abc", "--token=abc", "--port", "8000", "postgres://ann:pw@db/x", "--verbose", "--token", "--other"]}`:          "argument 2, argument 3, argument 6",
		`{"command": "docker", "args": ["run", "-e", "DB_PASSWORD=hunter2", "--env=API_KEY=hunter2", "-e", "MODE=fast", "img"], "env": {"PASS": "hunter2"}}`:    "argument 3, argument 4, env PASS",
		`{"command": "sh", "args": ["-c", "API_KEY=hunter2 npx x"]}`:                                                                                            "argument 2",
		`{"url": "https://x.example.com/api/mcp/s/QkFzWmpLdVhNcE9yVGVIZ0RmU2FCbkN3RXlUaUxr/mcp"}`:                                                               "URL",
		`{"url": "https://x.example.com/very-long-name-of-a-path-without-any-key/mcp"}`:                                                                         "",
		`{"command": "npx", "args": ["-y", "mcp-remote", "https://x/mcp", "--header", "Authorization: Bearer abc", "--header", "X-Team: a"]}`:                   "argument 5",
		`{"url": "https://x/mcp?api_key=abc", "headers": {"Authorization": "Bearer v", "X-Team": "a", "x-api-key": "v"}}`:                                       "URL, header Authorization, header x-api-key",
		`{"url": "https://x/mcp", "headers": {"Authorization": "Bearer ${input:token}"}}`:                                                                       "header Authorization",
	} {
		f, _ := Read(Target{Client: "vscode"}, splice.Entry{Value: object(t, text)})
		if got := strings.Join(f.Secrets(), ", "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestNoSecretIsPrinted(t *testing.T) { // C-59
	f, _ := Read(Target{}, splice.Entry{Name: "n", Value: object(t, `{"command": "x", "args": ["--token", "hunter2"], "env": {"TOKEN": "hunter2", "LANG": "C"}, "url": "https://a:hunter2@x", "headers": {"Cookie": "hunter2"}}`)})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "entry", f)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "entry", f)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(text), fmt.Sprint(f)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, f), fmt.Sprintf(verb, f.Env), fmt.Sprintf(verb, &f.URL))
	}
	for _, shown := range printed {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("the secret is in %s", shown)
		}
	}
	if !strings.Contains(string(text), `"C"`) || f.Env[0].Reveal() != "hunter2" {
		t.Errorf("what is no secret is shown, and a secret can be revealed: %s", text)
	}
}

func TestWhatTheClientReplacesIsReported(t *testing.T) {
	for _, c := range []struct{ client, entry, want string }{
		{"vscode", `{"command": "x", "args": ["${workspaceFolder}/a"], "env": {"A": "${env:B}", "C": "$D"}}`, "argument 1, env A"},
		{"gemini", `{"command": "x", "env": {"A": "$B", "C": "${D}", "E": "5$"}}`, "env A, env C"},
		{"opencode", `{"command": ["x"], "environment": {"A": "{env:B}", "C": "{file:~/c}", "D": "{}"}}`, "env A, env C"},
		{"continue", `{"name": "n", "command": "x", "env": {"A": "${{ secrets.B }}"}}`, "env A"},
		{"claude", `{"command": "x", "env": {"A": "${B}"}}`, ""},
		{"codex", `{"url": "https://x/${B}"}`, ""},
		{"cursor", `{"url": "https://${env:HOST}/mcp", "headers": {"A": "${env:B}"}}`, "URL, header A"},
	} {
		f, _ := Read(Target{Client: client(t, c.client).ID}, splice.Entry{Value: object(t, c.entry)})
		if got := strings.Join(f.Expansions(), ", "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.entry, got, c.want)
		}
	}
	f, _ := Read(Target{Client: "cursor"}, splice.Entry{Value: object(t, `{"command": "x", "env": {"TOKEN": "a${env:B}"}}`)})
	if f.Env[0].Expansion != "${env:B}" || f.Env[0].Reveal() != "a${env:B}" {
		t.Errorf("got %#v", f.Env[0])
	}
}

func TestWhatIsNotTakenOverIsSaid(t *testing.T) {
	f, _ := Read(Target{}, splice.Entry{Value: object(t, `{"command": "x", "envFile": ".env", "env_keys": ["A", "B"], "bearer_token_env_var": "T", "env_http_headers": {"X-Key": "K"}, "auth": {"CLIENT_SECRET": "hunter2"}}`)})
	want := []string{
		"the variables of the file .env are not taken over", "the values of A, B are in the client's keychain",
		"the header Authorization is made of the variable T", "the header X-Key is taken from the variable K",
		"the settings for signing in (auth) are not taken over",
	}
	if !slices.Equal(f.Missing, want) {
		t.Errorf("got %q, want %q", f.Missing, want)
	}
}

// Whatever an entry holds, it is read, and one of ours that is moved is ours.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"command": "/x/drawbridge", "args": ["mcp", "connect", "n"], "env": {"A": "${B}"}}`,
		`{"command": ["drawbridge", "connect", "n"]}`, `{"command": {"path": "drawbridge", "args": ["connect", "n"]}}`,
		`{"command": [], "args": {}, "env": [], "headers": 7, "requestInit": {"headers": null}, "env_keys": [1]}`,
	} {
		f.Add(text, "x")
	}
	all := Clients()
	f.Fuzz(func(t *testing.T, text, name string) {
		var o Template
		if o.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		e := splice.Entry{Name: name, Value: splice.Object(o)}
		for _, c := range all {
			got, _ := Read(Target{Client: c.ID}, e)
			if got.Secrets() != nil && fmt.Sprint(got) == "" {
				t.Error("nothing is printed")
			}
		}
		own, is := Own(e)
		change, moved := Moved(e, "/new/drawbridge")
		if is != moved {
			t.Fatalf("ours: %v, moved: %v", is, moved)
		}
		if !is {
			return
		}
		if len(change.Entry) != 1 || !has(splice.Object(o), change.Entry[0].Name) {
			t.Fatalf("moved by %s", JSON(change.Entry))
		}
		after := slices.Clone(splice.Object(o))
		for i := range after {
			if after[i].Name == change.Entry[0].Name {
				after[i] = change.Entry[0]
			}
		}
		if now, ok := Own(splice.Entry{Value: after}); !ok || now.Program != "/new/drawbridge" || now.Server != own.Server {
			t.Errorf("%s moved is %s", text, JSON(after))
		}
	})
}
