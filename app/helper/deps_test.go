package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
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

// Every client waits for what packages do before main, so what takes time (a
// regular expression, a table) is made when it is first asked for.
func TestOurPackagesDoNothingBeforeMain(t *testing.T) {
	cmd := exec.Command("drawbridge", "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1", "DRAWBRIDGE_HOME="+t.TempDir())
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, trace.String())
	}
	const most = 60 // allocations
	seen := false
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) .* (\d+) allocs$`).FindAllStringSubmatch(trace.String(), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		if ours := strings.HasPrefix(m[1], "drawbridge/"); ours && n > most {
			t.Errorf("package %s makes %d allocations before main, want at most %d", m[1], n, most)
		}
		seen = seen || m[1] == "runtime"
	}
	if !seen {
		t.Fatalf("no trace:\n%s", trace.String())
	}
}
