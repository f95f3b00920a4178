package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNodeIsNewEnough(t *testing.T) {
	for version, want := range map[string]bool{
		"v22.19.0": true, "v22.23.3": true, "v24.0.0": true, "v22.18.9": false, "v20.20.2": false,
		"": false, "v": false, "v22": false, "vX.Y.Z": false,
	} {
		if got := newEnough(version); got != want {
			t.Errorf("newEnough(%q) = %v, want %v", version, got, want)
		}
	}
}

func TestStepsGoOnAfterAFailureAndAreCounted(t *testing.T) {
	var out bytes.Buffer
	b := &builder{out: &out}
	ran := 0
	good := func(context.Context) error { ran++; return nil }
	bad := func(context.Context) error { ran++; return errors.New("the reason") }
	err := b.perform(t.Context(), []step{{"one", good}, {"two", bad}, {"three", good}})
	var code exitError
	if !errors.As(err, &code) || code != 1 {
		t.Errorf("error %v, want exit 1", err)
	}
	if ran != 3 {
		t.Errorf("%d steps ran, want 3", ran)
	}
	if !strings.HasSuffix(out.String(), "\n2 passed, 1 failed\n") || !strings.Contains(out.String(), "the reason") {
		t.Errorf("printed %q, want the reason and a last line with the count", out.String())
	}
}

func TestAnInterruptedRunCountsNothing(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	err := (&builder{out: &out}).perform(ctx, []step{{"one", func(context.Context) error { cancel(); return ctx.Err() }}})
	if err == nil || strings.Contains(out.String(), "passed") {
		t.Errorf("error %v, printed %q, want an error and no count", err, out.String())
	}
}

func TestTheNullDeviceIsNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if onTerminal(f) {
		t.Error("onTerminal says yes")
	}
}

func TestFuzzTargetsAreFoundOutsideOfCaches(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"a/x_test.go":                "package a\n\nfunc FuzzScan(f *testing.F) {\n}\n\nfunc fuzzNot(f *testing.F) {}\n",
		"a/x.go":                     "package a\n\nfunc FuzzNot(f *testing.F) {}\n",
		".cache/b_test.go":           "package b\n\nfunc FuzzNot(f *testing.F) {}\n",
		"c/node_modules/d/d_test.go": "package d\n\nfunc FuzzNot(f *testing.F) {}\n",
	} {
		full := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := (&builder{root: root}).fuzzTargets()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != (target{"a", "FuzzScan"}) {
		t.Errorf("found %v, want one target FuzzScan in a", got)
	}
}

func TestWhatIsMissingIsNamedWithItsReason(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	lack := missing([]need{needGCC, needWindowsGCC, needNPM})
	if len(lack) == 0 || lack[len(lack)-1].program != "npm" {
		t.Fatalf("missing %v, want npm among it", lack)
	}
	for _, n := range lack {
		if n.why == "" {
			t.Errorf("%s has no reason", n.program)
		}
	}
	for _, line := range installers(lack) {
		if line == "" {
			t.Error("an empty command is shown")
		}
	}
}
