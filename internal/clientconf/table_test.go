package clientconf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// C-05: the table is data, and every row of it is sound.
func TestEveryRowOfTheTableIsSound(t *testing.T) {
	names := map[string]string{}
	for _, c := range Clients() {
		t.Run(c.ID, func(t *testing.T) {
			for _, n := range append(c.Aliases, c.ID) {
				if n != strings.ToLower(n) || strings.ContainsAny(n, " ./\\_") || n == "" {
					t.Errorf("%q is no name for a command line", n)
				}
				if names[n] != "" {
					t.Errorf("%s is also a name of %s", n, names[n])
				}
				names[n] = c.ID
			}
			if c.Name == "" || !slices.Contains([]Confidence{High, Medium, Low}, c.Confidence) {
				t.Errorf("name %q, confidence %q", c.Name, c.Confidence)
			}
			if (len(c.User) == 0) != (c.ByHand != "") {
				t.Error("a client has files, or words for what to do by hand")
			}
			checkPatterns(t, c)
			checkForm(t, c.Form)
			checkHabits(t, c)
			for _, v := range c.Forms {
				if v.Name == "" || v.Ends == "" && len(v.Holds) == 0 {
					t.Errorf("the form %q is for no file", v.Name)
				}
				checkForm(t, c.form(v.Name))
			}
		})
	}
	checkForm(t, clients().Other)
}

func checkPatterns(t *testing.T, c Client) {
	for _, rows := range []map[string][]string{c.User, c.Installed, c.Processes} {
		for system := range rows {
			if !slices.Contains([]string{"darwin", "linux", "windows", "any"}, system) {
				t.Errorf("there is no system %q", system)
			}
		}
	}
	for _, rows := range []map[string][]string{c.User, c.Installed} {
		for system, patterns := range rows {
			for _, p := range patterns {
				checkPattern(t, system, p)
			}
		}
	}
	for _, p := range c.Overrides {
		if !strings.HasPrefix(p, "${") || strings.Contains(p, ":-") {
			t.Errorf("the override %s depends on no variable", p)
		}
		checkPattern(t, "any", p)
	}
	for _, p := range slices.Concat(c.Project, c.Ends, slices.Concat(slices.Collect(valuesOf(c.Processes))...)) {
		if strings.HasPrefix(p, "/") || strings.Contains(p, `\`) || p == "" {
			t.Errorf("%q is not the end of a path", p)
		}
	}
}

func valuesOf(m map[string][]string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// checkPattern: a pattern is absolute on its system, once its variables are set.
func checkPattern(t *testing.T, system, pattern string) {
	t.Helper()
	if strings.Contains(pattern, `\`) || strings.Contains(pattern, "..") || strings.HasSuffix(pattern, "/") || strings.Count(pattern, "*") > 1 {
		t.Errorf("%s: not written as a pattern is", pattern)
	}
	if strings.HasPrefix(pattern, "%") && system != "windows" {
		t.Errorf("%s: a folder of Windows on %s", pattern, system)
	}
	systems := []string{system}
	if system == "any" {
		systems = []string{"linux", "darwin", "windows"}
	}
	for _, name := range systems {
		s := played(name, nil)
		s.Env = func(string) string { return s.Home }
		if _, ok := s.expand(pattern); !ok {
			t.Errorf("%s is not absolute on %s", pattern, name)
		}
	}
}

func checkForm(t *testing.T, f Form) {
	t.Helper()
	dialects := map[splice.Format][]Dialect{splice.JSON: {Strict, AnyJSON}, splice.JSONC: {WithNotes}, splice.TOML: {""}, splice.YAML: {""}}
	if !slices.Contains(dialects[f.Format], f.Dialect) {
		t.Errorf("format %q with dialect %q", f.Format, f.Dialect)
	}
	if !slices.Contains([]BOM{BOMRejected, BOMTolerated, BOMUnknown}, f.BOM) || !slices.Contains([]Layout{Map, List}, f.Layout) {
		t.Errorf("BOM %q, layout %q", f.BOM, f.Layout)
	}
	if len(f.Container) == 0 || slices.Contains(f.Container, "") {
		t.Errorf("container %q", f.Container)
	}
	if !slices.Contains([]string{"", "enabled", "disabled"}, f.Disabled) {
		t.Errorf("an entry is switched off by %q", f.Disabled)
	}
	checkTemplate(t, f, f.Stdio, []string{"{name}", "{program}", "{args}", "{command}", "{env}"})
	if f.HTTP != nil {
		checkTemplate(t, f, f.HTTP, []string{"{name}", "{url}", "{headers}"})
	}
	for _, m := range f.Fresh {
		if has(splice.Object(f.Stdio), m.Name) || has(splice.Object(f.HTTP), m.Name) {
			t.Errorf("%s is ours and the user's", m.Name)
		}
	}
}

// checkTemplate: what must be in an entry is in it, once, and what is no value
// to fill in is a text of the client's.
func checkTemplate(t *testing.T, f Form, template Template, known []string) {
	t.Helper()
	text := JSON(splice.Object(template))
	for _, part := range strings.Split(text, `"{`)[1:] {
		if name := "{" + part[:strings.Index(part, `"`)]; !slices.Contains(known, name) {
			t.Errorf("%s in %s stands for nothing", name, text)
		}
	}
	for _, value := range known {
		count := strings.Count(text, `"`+value+`"`)
		if count > 1 || count == 0 && value == "{url}" {
			t.Errorf("%s %d times in %s", value, count, text)
		}
	}
	if slices.Contains(known, "{program}") {
		apart := strings.Contains(text, `"{program}"`) && strings.Contains(text, `"{args}"`)
		if together := strings.Contains(text, `"{command}"`); apart == together {
			t.Errorf("%s starts no program", text)
		}
	}
	if strings.Contains(text, `"{name}"`) != (template.fieldOf("{name}") == "name") || f.Layout == List && template.fieldOf("{name}") != "name" {
		t.Errorf("the name of the entry in %s", text)
	}
}

func checkHabits(t *testing.T, c Client) {
	if c.Sentence() == "" || strings.HasSuffix(c.Sentence(), ".") {
		t.Errorf("reload %q: %q", c.Reload, c.Sentence())
	}
	for _, q := range c.Quirks {
		if !slices.Contains([]Quirk{Rewrites, Hot, BreaksLinks, QuitFirst, AsksConsent, InHome, SharesFolder, Approval, UntypedIsSSE}, q) {
			t.Errorf("quirk %q", q)
		}
	}
	if !slices.Contains([]Expansion{ExpandsNothing, ExpandsBraces, ExpandsDollar, ExpandsCurly, ExpandsUnknowns, ExpandsSecrets}, c.Expansion) {
		t.Errorf("expansion %q", c.Expansion)
	}
	if !slices.Contains([]Deeplink{"", LinkCursor, LinkVSCode, LinkInsiders, LinkLMStudio, LinkKiro, LinkGoose}, c.Deeplink) {
		t.Errorf("deeplink %q", c.Deeplink)
	}
}

func TestARowWithAnUnknownFieldIsRefused(t *testing.T) { // C-05
	for name, text := range map[string]string{
		"in a client":   `{"version":1,"clients":[{"id":"x","pats":{}}]}`,
		"in a form":     `{"version":1,"clients":[{"id":"x","forms":[{"name":"v2","hold":[]}]}]}`,
		"at the top":    `{"version":1,"client":[]}`,
		"not a mapping": `{"version":1,"clients":[{"id":"x","stdio":["command"]}]}`,
	} {
		if _, err := parseTable([]byte(text)); err == nil {
			t.Errorf("%s: it passed", name)
		}
	}
}

func TestTheTableIsWrittenInOneNotation(t *testing.T) {
	var any any
	if err := json.Unmarshal(clientsJSON, &any); err != nil {
		t.Fatal(err)
	}
	if n := len(clientsJSON); n > 64<<10 {
		t.Errorf("clients.json has %d bytes; it is to be read and changed by hand", n)
	}
	if n := len(Clients()); n < 40 {
		t.Errorf("only %d clients", n)
	}
}

func TestClientsAreFoundByTheirNames(t *testing.T) { // F-104
	for name, want := range map[string]string{
		"claude": "claude-desktop", "claude-desktop": "claude-desktop", "Claude-Code": "claude-code", "cursor": "cursor", "vscode": "vscode",
		"codex": "codex", "windsurf": "devin-desktop", "gemini": "gemini-cli", "zed": "zed", "goose": "goose", "continue": "continue",
		"lm-studio": "lm-studio", "kiro": "kiro", "opencode": "opencode", "copilot": "copilot-cli", "warp": "warp", "cline": "cline",
	} {
		if c, err := Find(name); err != nil || c.ID != want {
			t.Errorf("%s: got %s, %v, want %s", name, c.ID, err, want)
		}
	}
	if _, err := Find("emacs"); !fault.IsCode(err, fault.ClientUnknown) {
		t.Errorf("got %v, want %s", err, fault.ClientUnknown)
	}
}
