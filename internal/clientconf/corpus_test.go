package clientconf

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/splice"
)

// corpusCase is one of the example files, with what is to be done to it.
type corpusCase struct {
	ID        string
	File      string
	Format    splice.Format
	Client    string `json:"client_profile"`
	Container []string
	Op        struct {
		Kind, Name string
		Entry      json.RawMessage
	}
	Expect string
	Code   splice.Reason `json:"error_code"`
}

func corpus(t *testing.T) []corpusCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpusFolder, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Cases []corpusCase }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Cases
}

var corpusFolder = filepath.Join("..", "splice", "testdata", "corpus")

// rig is the case's file in a folder of its own.
func (c corpusCase) rig(t *testing.T) *rig {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpusFolder, c.File))
	if err != nil {
		t.Fatal(err)
	}
	d := newRig(t, ptr(string(text)))
	strict := slices.Contains([]string{"claude-desktop", "claude-code", "claude-code-project"}, c.Client)
	d.target.Client = c.Client
	d.target.Place = splice.Place{Format: c.Format, Strict: strict, NoBOM: strict, Container: c.Container, List: c.Client == "continue"}
	return d
}

// wish is what the case wants. An entry that it wants updated or removed is
// ours.
func (c corpusCase) wish(t *testing.T, d *rig) Wish {
	t.Helper()
	w := Wish{Shape: Shape{Name: c.Op.Name}, Remove: c.Op.Kind == "remove"}
	if !w.Remove {
		list, err := splice.Entries([]byte(`{"e": {"x": `+string(c.Op.Entry)+`}}`), splice.Place{Format: splice.JSON, Container: []string{"e"}})
		if err != nil {
			t.Fatal(err)
		}
		w.Entry, _ = list[0].Value.(splice.Object)
	}
	if c.Op.Kind == "add" {
		return w
	}
	list, err := d.Held(d.target)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		if value, ok := h.Value.(splice.Object); ok && h.Name == w.Name {
			record := newDraft(&opened{target: d.target, real: d.target.Path}).owned(Wish{Shape: Shape{Name: h.Name, Entry: value}})
			if err := d.changeLedger(t.Context(), func(l *ledger) { l.set(record.Real, record.Container, record.Name, record) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

func TestTheExampleFilesAreChangedAndTakenBack(t *testing.T) { // C-25 to C-28, C-41, C-55, C-59, 7.10
	for _, c := range corpus(t) {
		if c.ID == "s07-path-is-a-directory" {
			continue // TestWhatIsNoFileIsRefusedAndLeft
		}
		t.Run(c.ID, func(t *testing.T) {
			d := c.rig(t)
			was := d.text()
			untouched := still(t, d.target.Path)
			w := c.wish(t, d)
			p, err := d.Plan(d.target, w)
			untouched()
			if c.Expect == "refuse" {
				if Reason(err) != c.Code || !strings.Contains(err.Error(), d.target.Path) {
					t.Errorf("got %v (%s), want %s", err, Reason(err), c.Code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d.wantNoSecrets(was, w.Name, p.Diff)
			d.make(p)
			if p.Nothing() != (c.Expect == "noop") {
				t.Errorf("it changed something: %v, want %s", !p.Nothing(), c.Expect)
			}
			if p.Nothing() {
				untouched()
				return
			}
			again := d.plan(w)
			if !again.Nothing() {
				t.Errorf("a second time would do\n%s", again.Diff)
			}
			d.undo()
			d.wantText(was)
			if w.Remove {
				return
			}
			d.do(w)
			if c.Op.Kind == "add" {
				d.do(Wish{Shape: Shape{Name: w.Name}, Remove: true})
				d.wantText(was)
			}
		})
	}
}

// wantNoSecrets wants the diff to show nothing of the environments, headers and
// arguments of the entries that are not ours.
func (d *rig) wantNoSecrets(text, ours, diff string) {
	d.t.Helper()
	list, err := splice.Entries([]byte(text), d.target.Place)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, entry := range list {
		value, _ := entry.Value.(splice.Object)
		for _, m := range value {
			if entry.Name == ours || !slices.Contains([]string{"args", "env", "envs", "headers", "http_headers", "url"}, m.Name) {
				continue
			}
			for _, secret := range leaves(m.Value) {
				if strings.Contains(diff, `"`+secret+`"`) || len(secret) > 8 && strings.Contains(diff, secret) {
					d.t.Errorf("the diff shows %q of %s:\n%s", secret, entry.Name, diff)
				}
			}
		}
	}
}

// leaves are all texts in a value.
func leaves(value any) (list []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case splice.List:
		for _, x := range v {
			list = append(list, leaves(x)...)
		}
	case splice.Object:
		for _, m := range v {
			list = append(list, leaves(m.Value)...)
		}
	}
	return list
}
