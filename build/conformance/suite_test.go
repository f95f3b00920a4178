package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSummaryIsReadWithWhatIsNotScored(t *testing.T) {
	text := `=== Running scenario: one ===
✓ not the summary: 1 passed, 0 failed

=== SUMMARY ===
✓ one: 3 passed, 0 failed
✗ auth/two: 1 passed, 2 failed
✗ three: 0 passed, 1 failed

Total: 4 passed, 3 failed

Not scored for 2026-07-28: 1 scenario(s) run, 1 failing. These do not affect conformance.
  ✗ three (extension)
`
	got, err := readSummary(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []outcome{
		{Scenario: "one", Passed: true, Good: 3},
		{Scenario: "auth/two", Good: 1, Bad: 2},
		{Scenario: "three", Unscored: "extension", Bad: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestARunWithoutASummaryIsAnError(t *testing.T) {
	if list, err := readSummary("Failed to connect\n"); err == nil {
		t.Errorf("read %v, want an error", list)
	}
}

func TestClientRequirementsAreReadWithWhatIsNotScored(t *testing.T) {
	text := `Server scenarios (test against a server):
  - ping

Client scenarios (test against a client):
  - tools_call
  - auth/metadata-default

Run and reported, but never scored:
  extension (2):
    - auth/dpop [client]
    - tasks-lifecycle [server]
  added-after-release (1):
    - json-schema-2020-12-preservation [client]
`
	want := []requirement{
		{"tools_call", ""}, {"auth/metadata-default", ""}, {"auth/dpop", "extension"},
		{"json-schema-2020-12-preservation", "added-after-release"},
	}
	if d := cmp.Diff(want, readRequirements(text), cmp.AllowUnexported(requirement{})); d != "" {
		t.Error(d)
	}
}

func TestComplaintsAreOfOneScenario(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"server-tools-list-2026-11-21":        `[{"id":"a","status":"FAILURE","errorMessage":"no tools"},{"id":"b","status":"SUCCESS"},{"id":"c","status":"WARNING","description":"c should"}]`,
		"server-tools-list-extra-2026-11-21":  `[{"id":"d","status":"FAILURE","errorMessage":"another"}]`,
		"server-auth/tools-list-2026-11-21-x": `[{"id":"e","status":"FAILURE","errorMessage":"another"}]`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name), "checks.json")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := complaints(dir, "server-tools-list-")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"failure a: no tools", "warning c: c should"}, got); d != "" {
		t.Error(d)
	}
}

func TestAPathWithSpacesIsOneWordOfTheCommand(t *testing.T) {
	got := joined([]string{"/a b/driver", "-era", "modern", "{url}"})
	if want := `"/a b/driver" -era modern "{url}"`; got != want {
		t.Errorf("joined %s, want %s", got, want)
	}
}
