// Package internal holds the tests of the house itself: what may import what,
// what every package has to say about itself, and what is written nowhere. They
// read the sources of every system and build tag, so that a wrong import in a
// Windows file fails on Linux.
package internal

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "drawbridge"

// floors are the packages from the ground up; a package imports lower floors
// only. A package that is still to come has its place already.
var floors = map[string]int{
	"internal/jsonrpc": 0, "internal/sse": 0, "internal/policy": 0, "internal/fault": 0, "internal/words": 0, "internal/platform": 0,
	"internal/mcptest": 0, "internal/splice": 0,
	"internal/mcp": 1, "internal/catalog": 1, "internal/vault": 1, "internal/audit": 1, "internal/view": 1,
	"internal/upstream": 2, "internal/downstream": 2, "internal/clientconf": 2, "internal/login": 2, "internal/demo": 2, "internal/inspector": 2,
	"internal/era": 3, "internal/relay": 3, "internal/account": 3,
	"internal/session": 4, "internal/check": 4, "internal/local": 4,
	"internal/proxy": 5, "internal/doctor": 5, "internal/gateway": 5, "internal/paths": 5,
	"internal/daemon": 6,
	"app/tray":        7, "app/helper": 7, "app/gateway": 7,
	"app": 8,
	".":   9,
}

// fixtures are packages that only tests import.
var fixtures = []string{"internal/mcptest"}

// modules are the third-party modules and the packages that may import them.
// What is not here is imported by nobody.
var modules = map[string][]string{
	"github.com/fsnotify/fsnotify":    {"internal/platform", "internal/local"},
	"github.com/gofrs/flock":          {"internal/platform", "internal/local"},
	"golang.org/x/sys":                {"internal/platform", "internal/local"},
	"github.com/tailscale/hujson":     {"internal/catalog", "internal/splice", "build/e2e"},
	"github.com/pelletier/go-toml/v2": {"internal/splice", "build/e2e"},
	"github.com/spf13/cobra":          {"app/helper", "app/gateway"},
	"github.com/spf13/pflag":          {"app/helper", "app/gateway"},
	"golang.org/x/term":               {"app/helper", "app/gateway"},
	"go.yaml.in/yaml/v3":              {"app/helper", "internal/splice", "internal/clientconf", "internal/gateway"},
}

// testModules are for tests and for build.
var testModules = []string{"github.com/google/go-cmp", "github.com/rogpeppe/go-internal"}

// source is one parsed Go file.
type source struct {
	path string // from the root, with slashes
	pkg  string // its folder
	test bool
	file *ast.File
	text string
}

// sources are all Go files of the module, whatever system or tag they are for.
// A folder with a go.mod of its own is another module: what it imports is in no
// program of ours.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); name != "." && err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		list = append(list, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), file, string(text)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (s source) imports(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatalf("%s: import %s: %v", s.path, i.Path.Value, err)
		}
		list = append(list, p)
	}
	return list
}

// floorOf is the floor of a package; one below a listed folder stands with it.
func floorOf(pkg string) (int, bool) {
	for at := pkg; ; at = path.Dir(at) {
		if f, ok := floors[at]; ok && (at == pkg || at == "internal/gateway") {
			return f, true
		}
		if at == "." {
			return 0, false
		}
	}
}

// inBuild tells whether a package belongs to the task runner's folder, which
// stands beside the product and is imported by nothing in it.
func inBuild(pkg string) bool { return pkg == "build" || strings.HasPrefix(pkg, "build/") }

func TestPackagesImportLowerFloorsOnly(t *testing.T) {
	for _, s := range sources(t) {
		if inBuild(s.pkg) || s.pkg == "internal" {
			continue
		}
		own, ok := floorOf(s.pkg)
		if !ok {
			t.Errorf("%s: package %s has no floor; give it one in floors_test.go and in internal/README.md", s.path, s.pkg)
			continue
		}
		for _, p := range s.imports(t) {
			pkg, ours := strings.CutPrefix(p, module+"/")
			if !ours || pkg == s.pkg {
				continue
			}
			if wrong := climb(own, pkg, s.test); wrong != "" {
				t.Errorf("%s (floor %d) imports %s: %s", s.path, own, pkg, wrong)
			}
		}
	}
}

// climb says what is wrong with importing pkg from this floor. A test may use
// what stands beside it.
func climb(own int, pkg string, test bool) string {
	floor, ok := floorOf(pkg)
	switch {
	case inBuild(pkg):
		return "the product imports nothing of build"
	case !ok:
		return "it has no floor"
	case slices.Contains(fixtures, pkg) && !test:
		return "it is for tests"
	case floor > own || floor == own && !test:
		return fmt.Sprintf("it stands on floor %d", floor)
	default:
		return ""
	}
}

func TestModulesAreImportedWhereTheyAreNamed(t *testing.T) {
	for _, s := range sources(t) {
		for _, p := range s.imports(t) {
			host, _, _ := strings.Cut(p, "/")
			if !strings.Contains(host, ".") {
				continue // the standard library or ours
			}
			if slices.ContainsFunc(testModules, within(p)) && (s.test || inBuild(s.pkg)) {
				continue
			}
			if !slices.Contains(importers(p), s.pkg) {
				t.Errorf("%s imports %s, which package %s is not named for", s.path, p, s.pkg)
			}
		}
	}
}

// within tells of a module whether it holds the package.
func within(pkg string) func(module string) bool {
	return func(module string) bool { return pkg == module || strings.HasPrefix(pkg, module+"/") }
}

func importers(pkg string) []string {
	for m, by := range modules {
		if within(pkg)(m) {
			return by
		}
	}
	return nil
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	said, packages := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test && s.pkg != "internal" {
			continue
		}
		packages[s.pkg] = true
		begin := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			begin = "" // a program is named for what it installs as
		}
		if s.file.Doc != nil && strings.HasPrefix(s.file.Doc.Text(), begin) {
			said[s.pkg] = true
		}
	}
	if len(packages) < 10 {
		t.Fatalf("found %d packages, which cannot be all", len(packages))
	}
	for pkg := range packages {
		if !said[pkg] {
			t.Errorf("package %s has no doc comment that begins with its name", pkg)
		}
	}
}

// perSystem are the packages that have files per system.
var perSystem = []string{"internal/platform", "internal/vault", "internal/local", "app/tray"}

func TestSystemsDifferInFewPackages(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || inBuild(s.pkg) || slices.Contains(perSystem, s.pkg) {
			continue
		}
		if word := systemWord(s); word != "" {
			t.Errorf("%s is for %s only; files per system stand in %s", s.path, word, strings.Join(perSystem, ", "))
		}
	}
}

var systemWords = []string{"linux", "windows", "darwin", "unix", "freebsd", "openbsd", "netbsd"}

// systemWord is the system that a file's name or build line chooses.
func systemWord(s source) string {
	stem := strings.TrimSuffix(path.Base(s.path), ".go")
	for _, w := range systemWords {
		if strings.HasSuffix(stem, "_"+w) {
			return w
		}
	}
	for line := range strings.Lines(s.text) {
		rule, ok := strings.CutPrefix(line, "//go:build ")
		if !ok {
			continue
		}
		for _, w := range strings.FieldsFunc(rule, func(r rune) bool { return strings.ContainsRune(" !()&|\n", r) }) {
			if slices.Contains(systemWords, w) {
				return w
			}
		}
	}
	return ""
}

func TestTheSystemIsAskedInPackagePlatformOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || inBuild(s.pkg) || s.pkg == "internal/platform" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && named(sel.X, "runtime") && sel.Sel.Name == "GOOS" {
				t.Errorf("%s reads runtime.GOOS", s.path)
			}
			return true
		})
	}
}

func named(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// S-59: no code path turns the verification of certificates off.
func TestCertificatesAreAlwaysVerified(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				t.Errorf("%s names %s", s.path, id.Name)
			}
			return true
		})
	}
}

// The names at the top of the clone, the files with a dot aside.
var topLevel = []string{"app", "frontend", "internal", "build", "wails.json", "go.mod", "go.sum", "main.go", "README.md", "LICENSE"}

func TestTheTopLevelIsShort(t *testing.T) {
	names := map[string]bool{}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names[e.Name()] = true
		}
	}
	for name := range names {
		if !slices.Contains(topLevel, name) {
			t.Errorf("%s stands at the top of the clone", name)
		}
	}
	for _, name := range []string{"app", "internal", "build", "go.mod", "README.md", "LICENSE"} {
		if !names[name] {
			t.Errorf("%s is missing at the top of the clone", name)
		}
	}
}

// The table of internal/README.md names the packages there are, on the floors
// they are on.
func TestTheArchitecturePageNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) > 2 {
			rows[strings.TrimSpace(cells[1])] += cells[2]
		}
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		floor, ok := floorOf(s.pkg)
		if !ok || s.test || seen[s.pkg] {
			continue
		}
		seen[s.pkg] = true
		short := cmp.Or(strings.TrimPrefix(s.pkg, "internal/"), s.pkg)
		if !strings.Contains(rows[strconv.Itoa(floor)], "`"+short+"`") {
			t.Errorf("internal/README.md does not name `%s` in the row of floor %d", short, floor)
		}
	}
}
