package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if file == "" || file == os.DevNull {
		return "", fmt.Errorf("no go.mod here: run the benchmark inside the checkout")
	}
	return filepath.Dir(file), nil
}

// compile builds the bench's own programs and, if wanted, Drawbridge as it is
// released: static and stripped.
func compile(ctx context.Context, root, bin string, drawbridge bool) error {
	const here = "./build/bench/"
	if err := goBuild(ctx, root, bin+string(filepath.Separator), here+"upstream", here+"echostdio", here+"rawbridge"); err != nil {
		return err
	}
	if !drawbridge {
		return nil
	}
	return goBuild(ctx, root, filepath.Join(bin, "drawbridge"+exeSuffix()), "./app/helper")
}

func goBuild(ctx context.Context, root, out string, packages ...string) error {
	note("building %s", strings.Join(packages, " "))
	if err := os.MkdirAll(filepath.Dir(out), 0o700); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", out}, packages...)...)
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(packages, " "), err, text)
	}
	return nil
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// peers is where the npm packages and the Node that runs them are.
type peers struct{ node, modules string }

// npmPackages are the peers and a server, at the versions compared with.
var npmPackages = map[string]string{
	"mcp-remote":   mcpRemoteVersion,
	"supergateway": supergatewayVersion,
	"mcp-proxy":    mcpProxyVersion,
	"@modelcontextprotocol/server-everything": everythingVersion,
}

// installPeers fetches what is not in the cache yet. Scripts of packages do not run.
func installPeers(ctx context.Context, cache string) (peers, error) {
	dir := filepath.Join(cache, "bench", "npm")
	p := peers{modules: filepath.Join(dir, "node_modules")}
	for name, version := range npmPackages {
		if installedVersion(p.modules, name) == version {
			continue
		}
		if err := npmInstall(ctx, dir, npmPackages); err != nil {
			return p, err
		}
		break
	}
	var err error
	p.node, err = findNode(ctx, cache)
	return p, err
}

// installedVersion is "" when the package is not there.
func installedVersion(modules, name string) string {
	b, err := os.ReadFile(filepath.Join(modules, filepath.FromSlash(name), "package.json"))
	if err != nil {
		return ""
	}
	var p struct {
		Version string `json:"version"`
	}
	if json.Unmarshal(b, &p) != nil {
		return ""
	}
	return p.Version
}

func npmInstall(ctx context.Context, dir string, packages map[string]string) error {
	note("installing from npm: %v", packages)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{"private": true, "dependencies": packages})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o644); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")
	c.Dir = dir
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install in %s: %w\n%s", dir, err, text)
	}
	return nil
}

// nodeMajor is the oldest Node that all peers run on.
const nodeMajor = 22

// findNode takes the Node that the task runner names, the machine's if it is new
// enough, or one that the task runner has fetched before.
func findNode(ctx context.Context, cache string) (string, error) {
	candidates := []string{os.Getenv("DRAWBRIDGE_NODE")}
	if path, err := exec.LookPath("node"); err == nil {
		candidates = append(candidates, path)
	}
	fetched, err := filepath.Glob(filepath.Join(cache, "node-*", "node_modules", "*", "bin", "node"+exeSuffix()))
	if err != nil {
		return "", err
	}
	for _, path := range append(candidates, fetched...) {
		if path != "" && majorOf(ctx, path) >= nodeMajor {
			return path, nil
		}
	}
	return "", fmt.Errorf("the npm peers need Node %d or newer: run `go run ./build bench`, which fetches it, or leave them out with -peers none", nodeMajor)
}

// majorOf is the major version a Node says it is, 0 when it does not run.
func majorOf(ctx context.Context, node string) int {
	out, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return 0
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}
