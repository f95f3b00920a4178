package fault

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// W-29: for every code some test makes what it stands for happen.
func TestEveryCodeIsForcedByATest(t *testing.T) {
	names := map[string]string{} // of the constants, by code
	text, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(\w+)\s+Code = "(DB_\w+)"`).FindAllSubmatch(text, -1) {
		names[string(m[2])] = string(m[1])
	}
	tests := otherTests(t)
	for _, c := range codes(t) {
		if !strings.Contains(tests, string(c)) && !regexp.MustCompile(`fault\.`+names[string(c)]+`\b`).MatchString(tests) {
			t.Errorf("no test outside of this package is about %s", c)
		}
	}
}

// otherTests is the text of all tests and scripts but this package's.
func otherTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || name == "internal/fault"):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go") && path.Ext(name) != ".txtar":
			return nil
		}
		b, err := fs.ReadFile(root, name)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
