package clientconf

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manifest is what the published schema (0.3) demands and allows of what we
// write: every object there is closed.
type manifest struct {
	ManifestVersion string `json:"manifest_version"`
	Name            string `json:"name"`
	DisplayName     string `json:"display_name"`
	Version         string `json:"version"`
	Description     string `json:"description"`
	Author          struct {
		Name string `json:"name"`
	} `json:"author"`
	Server struct {
		Type       string `json:"type"`
		EntryPoint string `json:"entry_point"`
		MCPConfig  struct {
			Command string            `json:"command"`
			Args    []string          `json:"args"`
			Env     map[string]string `json:"env"`
		} `json:"mcp_config"`
	} `json:"server"`
	ToolsGenerated   bool `json:"tools_generated"`
	PromptsGenerated bool `json:"prompts_generated"`
	Compatibility    struct {
		Platforms []string `json:"platforms"`
	} `json:"compatibility"`
}

func open(t *testing.T, bundle []byte) (files map[string][]byte, modes map[string]string, names []string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	files, modes = map[string][]byte{}, map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is of %s, and the same bundle has other bytes every time", f.Name, f.Modified)
		}
		names = append(names, f.Name)
		files[f.Name], modes[f.Name] = text, f.Mode().String()
	}
	return files, modes, names
}

func TestABundleStartsTheHelper(t *testing.T) {
	l := Launch{Program: `C:\Program Files\Drawbridge\drawbridge.exe`, Args: []string{"mcp", "connect", "notes"}, Env: []Pair{{"DRAWBRIDGE_HOME", `D:\100%\x`}}}
	for _, system := range []string{"windows", "darwin", "linux"} {
		bundle, err := Bundle(system, "notes", "1.2.3", l)
		if err != nil {
			t.Fatal(err)
		}
		files, modes, names := open(t, bundle)
		d := json.NewDecoder(bytes.NewReader(files["manifest.json"]))
		d.DisallowUnknownFields()
		var m manifest
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		if m.ManifestVersion != "0.3" || m.Name != "drawbridge-notes" || m.Version != "1.2.3" || m.Description == "" || m.Author.Name == "" {
			t.Errorf("%s: got %+v", system, m)
		}
		got := m.Server.MCPConfig
		if m.Server.Type != "binary" || got.Command != l.Program || !slices.Equal(got.Args, l.Args) || got.Env["DRAWBRIDGE_HOME"] != l.Env[0].Value {
			t.Errorf("%s: got %+v", system, m.Server)
		}
		if bytes.Contains(files["manifest.json"], []byte("${")) {
			t.Error("a variable in the manifest")
		}
		want := map[string]string{"windows": "win32", "darwin": "darwin", "linux": "linux"}[system]
		if !slices.Equal(m.Compatibility.Platforms, []string{want}) {
			t.Errorf("platforms %q", m.Compatibility.Platforms)
		}
		if !slices.Equal(names, []string{"manifest.json", m.Server.EntryPoint}) || modes[m.Server.EntryPoint] != "-rwxr-xr-x" {
			t.Errorf("files %q, modes %v", names, modes)
		}
		again, err := Bundle(system, "notes", "1.2.3", l)
		if err != nil || !bytes.Equal(bundle, again) {
			t.Errorf("the same bundle has other bytes: %v", err)
		}
	}
}

func TestTheScriptInABundleStartsTheSame(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here")
	}
	echo, err := exec.LookPath("printf")
	if err != nil {
		t.Skip("no printf here")
	}
	_, script := launcher("linux", Launch{Program: echo, Args: []string{"%s|", "it's", "a b", "$X", "", "\\"}, Env: []Pair{{"X", "'; exit 3"}}})
	cmd := exec.CommandContext(t.Context(), sh, "-c", script)
	cmd.Dir = filepath.Dir(sh)
	got, err := cmd.Output()
	if want := `it's|a b|$X||\|`; string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q from %s", got, err, want, script)
	}
	_, script = launcher("windows", Launch{Program: `C:\a b\drawbridge.exe`, Args: []string{"mcp", "connect", "notes"}, Env: []Pair{{"DRAWBRIDGE_HOME", `D:\100%`}}})
	want := "@echo off\r\nset \"DRAWBRIDGE_HOME=D:\\100%%\"\r\n\"C:\\a b\\drawbridge.exe\" \"mcp\" \"connect\" \"notes\"\r\n"
	if diff := cmp.Diff(want, script); diff != "" {
		t.Error(diff)
	}
	if !regexp.MustCompile(`^#!/bin/sh\n`).MatchString(scriptOf("linux")) || scriptOf("darwin") != scriptOf("linux") {
		t.Error("the script of macOS is another one than that of Linux")
	}
}

func scriptOf(system string) string {
	_, script := launcher(system, notes)
	return script
}
