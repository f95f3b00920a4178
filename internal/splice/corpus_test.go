package splice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpusCase is one case of testdata/corpus/cases.json; its README.md says what
// the fields mean.
type corpusCase struct {
	ID        string   `json:"id"`
	File      string   `json:"file"`
	SHA256    string   `json:"sha256"`
	Format    Format   `json:"format"`
	Client    string   `json:"client_profile"`
	Container []string `json:"container"`
	Op        struct {
		Kind  string          `json:"kind"`
		Name  string          `json:"name"`
		Entry json.RawMessage `json:"entry"`
	} `json:"op"`
	Expect    string   `json:"expect"`
	ErrorCode string   `json:"error_code"`
	Checks    []string `json:"checks"`
	Scenario  []string `json:"scenario"`
}

// place is the place as the table of clients has it for the client of the case.
func (c corpusCase) place() Place {
	strict := slices.Contains([]string{"claude-desktop", "claude-code", "claude-code-project"}, c.Client)
	return Place{Format: c.Format, Strict: strict, NoBOM: strict, Container: c.Container, List: c.Client == "continue"}
}

func (c corpusCase) change(t *testing.T) Change {
	t.Helper()
	if c.Op.Kind == "remove" {
		return Change{Name: c.Op.Name, Remove: true}
	}
	entry, err := treeOf(c.Op.Entry)
	if err != nil {
		t.Fatal(err)
	}
	return Change{Name: c.Op.Name, Entry: entry.(Object)}
}

func corpus(t *testing.T) []corpusCase {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Cases []corpusCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Cases) != 45 {
		t.Fatalf("%d cases, want 45", len(all.Cases))
	}
	return all.Cases
}

func (c corpusCase) read(t *testing.T) []byte {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("testdata/corpus", c.File))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(doc); hex.EncodeToString(sum[:]) != c.SHA256 {
		t.Fatalf("%s is not as it was handed over", c.File)
	}
	return doc
}

// Every case of the corpus that is about bytes has the outcome it states and
// passes its checks. The golden files hold the whole results.
func TestTheCorpusComesOutAsItSays(t *testing.T) {
	for _, c := range corpus(t) {
		t.Run(c.ID, func(t *testing.T) {
			if len(c.Scenario) > 0 || c.ErrorCode == "name_taken" {
				t.Skip("about files or ownership")
			}
			doc := c.read(t)
			given := bytes.Clone(doc)
			got, err := Make(given, c.place(), c.change(t))
			if !bytes.Equal(given, doc) {
				t.Error("Make changed the document it was given")
			}
			switch c.Expect {
			case "refuse":
				c.checkRefusal(t, err)
			case "noop":
				if err != nil || len(got.Edits) > 0 || !bytes.Equal(got.After, doc) {
					t.Errorf("edits %v, %v; want none", got.Edits, err)
				}
			default:
				if err != nil {
					t.Fatal(err)
				}
				c.checkGolden(t, got.After)
				for _, check := range c.Checks {
					c.check(t, check, doc, got)
				}
			}
		})
	}
}

func (c corpusCase) checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || string(refusal.Reason) != c.ErrorCode {
		t.Fatalf("got %v, want %s", err, c.ErrorCode)
	}
	if refusal.Line < 1 || refusal.Column < 1 || refusal.Detail == "" {
		t.Errorf("no place: %v", refusal)
	}
}

// checkGolden compares the whole result. UPDATE_GOLDEN=1 writes the files anew,
// to be read before they are committed.
func (c corpusCase) checkGolden(t *testing.T, after []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", c.File)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, after, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(after)); diff != "" {
		t.Errorf("the result (-want +got):\n%s", diff)
	}
}

// check is one of the checks that the corpus names.
func (c corpusCase) check(t *testing.T, check string, doc []byte, got Plan) {
	t.Helper()
	after := string(got.After)
	added := strings.Replace(after, string(doc), "", 1)
	switch check {
	case "only_span_changed":
		if len(got.Edits) != 1 && !onlyInsertion(doc, got.After) || got.Edits[0].Delete > 0 {
			t.Errorf("%s: edits %v", check, got.Edits)
		}
	case "changed_spans<=2":
		if len(got.Edits) > 2 || deleted(got) > 0 {
			t.Errorf("%s: edits %v", check, got.Edits)
		}
	case "only_owned_fields_changed", "only_entry_value_changed":
		if len(got.Edits) > len(c.change(t).Entry) {
			t.Errorf("%s: %d edits for %d fields", check, len(got.Edits), len(c.change(t).Entry))
		}
	case "semantic_diff_is_only_our_entry", "result_is_valid", "only_our_entry_present":
		c.checkMeaning(t, doc, got.After)
	case "add_then_remove_is_identity":
		back, err := Apply(got.After, got.Inverse)
		if err != nil || !bytes.Equal(back, doc) {
			t.Errorf("%s: the journal's way back gives %q, %v", check, back, err)
		}
	case "second_run_is_noop":
		again, err := Make(got.After, c.place(), c.change(t))
		if err != nil || len(again.Edits) > 0 {
			t.Errorf("%s: edits %v, %v", check, again.Edits, err)
		}
	case "no_final_newline_added":
		if strings.HasSuffix(after, "\n") {
			t.Errorf("%s", check)
		}
	case "no_newline_inserted":
		if strings.Contains(after, "\n") {
			t.Errorf("%s: %s", check, after)
		}
	case "indent_is_4_spaces":
		if !strings.Contains(after, "\n        \"drawbridge-notes\": {\n            \"command\"") {
			t.Errorf("%s: %s", check, after)
		}
	case "bom_kept_once":
		if strings.Count(after, "\ufeff") != 1 || !strings.HasPrefix(after, "\ufeff") {
			t.Errorf("%s: %q", check, after)
		}
	case "inserted_eol_is_crlf":
		if strings.Count(added, "\n") != strings.Count(added, "\r\n") {
			t.Errorf("%s: %q", check, after)
		}
	case "lookalike_keys_unchanged", "decoy_unchanged", "comments_keep_their_line", "keep_entry_bytes_unchanged",
		"comment_about_keep_stays_above_keep", "comment_text_kept":
		// the golden file shows it
	default:
		t.Logf("%s: the golden file shows it", check)
	}
}

// onlyInsertion tells whether after is doc with one span put in.
func onlyInsertion(doc, after []byte) bool {
	head := 0
	for head < len(doc) && head < len(after) && doc[head] == after[head] {
		head++
	}
	return bytes.HasSuffix(after[head:], doc[head:])
}

func deleted(p Plan) int {
	n := 0
	for _, e := range p.Edits {
		n += e.Delete
	}
	return n
}

// checkMeaning compares the entries before and after by what the collection
// holds.
func (c corpusCase) checkMeaning(t *testing.T, doc, after []byte) {
	t.Helper()
	change := c.change(t)
	foreign := func(doc []byte) []Entry {
		list, err := Entries(doc, c.place())
		if err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(e Entry) bool { return e.Name == change.Name })
		for i := range list {
			list[i].Line, list[i].Column = 0, 0
		}
		return append([]Entry{}, list...)
	}
	if diff := cmp.Diff(foreign(doc), foreign(after)); diff != "" {
		t.Errorf("other entries (-before +after):\n%s", diff)
	}
}
