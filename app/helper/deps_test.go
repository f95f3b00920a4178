package main

import (
	"os/exec"
	"strings"
	"testing"
)

// What is linked here is paid for at every start of every client.
func TestHelperLinksNothingHeavy(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}", ".")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list cannot run here: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, dep := range deps {
		for _, bad := range []string{
			"github.com/wailsapp/",
			"fyne.io/systray",
			"github.com/nats-io/",
			"github.com/mark3labs/mcp-go/client",
			"github.com/mark3labs/mcp-go/server",
			"github.com/santhosh-tekuri/jsonschema",
			"drawbridge/internal/gateway",
			"drawbridge/internal/mcptest",
			"testing",
		} {
			if dep == bad || strings.HasPrefix(dep, strings.TrimSuffix(bad, "/")+"/") {
				t.Errorf("the helper links %s", dep)
			}
		}
	}
}
