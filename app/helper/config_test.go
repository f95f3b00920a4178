package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/catalog"
)

// F-101, F-102, F-103.
func TestConfigSampleByteForByte(t *testing.T) {
	t.Setenv("DRAWBRIDGE_HOME", "")
	var out bytes.Buffer
	a := &app{stdout: &out, form: text}
	list := []catalog.Server{{Name: "everything", Transport: catalog.HTTP}, {Name: "drawbridge-x", Transport: catalog.Stdio}}
	if err := a.printConfig(list, entryOptions{}, ""); err != nil {
		t.Fatal(err)
	}
	program, err := programPath(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(program)
	if err != nil {
		t.Fatal(err)
	}
	want := `Selected MCP servers:
everything
drawbridge-x

Put this into the configuration of your MCP client:
{
  "mcpServers": {
    "drawbridge-drawbridge-x": {
      "command": PROGRAM,
      "args": ["mcp", "connect", "drawbridge-x"]
    },
    "drawbridge-everything": {
      "command": PROGRAM,
      "args": ["mcp", "connect", "everything"]
    }
  }
}

` + configTip
	if d := cmp.Diff(strings.ReplaceAll(want, "PROGRAM", string(quoted)), out.String()); d != "" {
		t.Error(d)
	}
}
