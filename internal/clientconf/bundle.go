package clientconf

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"drawbridge/internal/splice"
)

// BundleVersion is the version of the manifest's specification that Bundle
// follows.
const BundleVersion = "0.3"

// Bundle makes an .mcpb file, which Claude Desktop installs when it is opened:
// the way in when the app keeps dropping entries from its file. The bundle
// brings no program: it starts the one of the launch, by its absolute path, as
// ${__dirname} leads astray in the store build for Windows. The same arguments
// give the same bytes. version is Drawbridge's own.
func Bundle(system, server, version string, l Launch) ([]byte, error) {
	name, script := launcher(system, l)
	config := splice.Object{{Name: "command", Value: l.Program}, {Name: "args", Value: texts(l.Args)}}
	if len(l.Env) > 0 {
		config = append(config, splice.Member{Name: "env", Value: pairs(l.Env)})
	}
	manifest := JSON(splice.Object{
		{Name: "manifest_version", Value: BundleVersion},
		{Name: "name", Value: EntryName(server)},
		{Name: "display_name", Value: server + " (Drawbridge)"},
		{Name: "version", Value: version},
		{Name: "description", Value: "Connects to the MCP server " + server + " through Drawbridge on this computer"},
		{Name: "author", Value: splice.Object{{Name: "name", Value: "Drawbridge"}}},
		{Name: "server", Value: splice.Object{{Name: "type", Value: "binary"}, {Name: "entry_point", Value: name}, {Name: "mcp_config", Value: config}}},
		{Name: "tools_generated", Value: true},
		{Name: "prompts_generated", Value: true},
		{Name: "compatibility", Value: splice.Object{{Name: "platforms", Value: splice.List{platformName(system)}}}},
	})
	return zipped([]member{{"manifest.json", 0o644, manifest + "\n"}, {name, 0o755, script}})
}

// platformName is what bundles call a system.
func platformName(system string) string {
	if system == "windows" {
		return "win32"
	}
	return system
}

// launcher is the bundle's entry point: the format asks for a file, and a host
// that starts it gets the same program.
func launcher(system string, l Launch) (name, script string) {
	if system == "windows" {
		var b strings.Builder
		b.WriteString("@echo off\r\n")
		for _, p := range l.Env {
			fmt.Fprintf(&b, "set \"%s=%s\"\r\n", p.Name, percent(p.Value))
		}
		fmt.Fprintf(&b, "\"%s\"", percent(l.Program))
		for _, a := range l.Args {
			fmt.Fprintf(&b, " \"%s\"", percent(a))
		}
		b.WriteString("\r\n")
		return "server/drawbridge.cmd", b.String()
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for _, p := range l.Env {
		fmt.Fprintf(&b, "%s=%s; export %s\n", p.Name, quote(p.Value), p.Name)
	}
	b.WriteString("exec " + quote(l.Program))
	for _, a := range l.Args {
		b.WriteString(" " + quote(a))
	}
	b.WriteString("\n")
	return "server/drawbridge", b.String()
}

func quote(s string) string   { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
func percent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

type member struct {
	name string
	mode fs.FileMode
	text string
}

// zipped is an archive of the members, all of the first moment the format knows:
// the present would make it another one every time.
func zipped(members []member) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(m.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, fmt.Errorf("make the bundle: %w", err)
		}
		if _, err := w.Write([]byte(m.text)); err != nil {
			return nil, fmt.Errorf("make the bundle: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("make the bundle: %w", err)
	}
	return out.Bytes(), nil
}
