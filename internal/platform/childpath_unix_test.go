//go:build unix

package platform

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func aFile(t *testing.T, path, text string, mode fs.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestACommandIsFoundInTheOrderOfThePath(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	aFile(t, filepath.Join(a, "tool"), "", 0o600) // may not be executed
	want := aFile(t, filepath.Join(b, "tool"), "", 0o700)
	t.Setenv("PATH", strings.Join([]string{"relative", a, b}, ":"))
	f, err := FindCommand("tool", nil, "")
	if err != nil || f.File != want {
		t.Errorf("got %v, %v, want %s", f, err, want)
	}
	if got := folders(f.path); !slices.Equal(got[:2], []string{a, b}) || !slices.Contains(got, "/usr/local/bin") {
		t.Errorf("the child's PATH is %q", f.path)
	}
}

func TestAConfiguredPathIsUsedAsItIs(t *testing.T) {
	dir := t.TempDir()
	want := aFile(t, filepath.Join(dir, "tool"), "", 0o700)
	configured := map[string]string{"PATH": dir}
	f, err := FindCommand("tool", configured, "")
	if err != nil || f.File != want {
		t.Fatalf("got %v, %v", f, err)
	}
	env, err := ChildEnviron(configured, f, "")
	if err != nil || !slices.Contains(env, "PATH="+dir) {
		t.Errorf("got %q, %v", env, err)
	}
}

func TestACommandWithASeparatorIsAFile(t *testing.T) {
	dir := t.TempDir()
	want := aFile(t, filepath.Join(dir, "bin/tool"), "", 0o700)
	for _, command := range []string{"./bin/tool", "bin/tool", want} {
		f, err := FindCommand(command, nil, dir)
		if err != nil || f.File != want {
			t.Errorf("%s: got %v, %v", command, f, err)
		}
		if !slices.Contains(folders(f.path), filepath.Dir(want)) {
			t.Errorf("%s: its folder is not on %q", command, f.path)
		}
	}
}

func TestAMissingCommandSaysWhereItWasLookedFor(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, command := range []string{"no-such-command", "./no-such-command", filepath.Join(dir, "no-such-command")} {
		_, err := FindCommand(command, nil, dir)
		var missing *NotFoundError
		if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: got %v", command, err)
		}
		if missing.Command != "no-such-command" || missing.Places[0] != dir {
			t.Errorf("%s: got %+v", command, missing)
		}
	}
	for _, command := range []string{"", ".", ".."} {
		if f, err := FindCommand(command, nil, dir); err == nil {
			t.Errorf("%q: got %v", command, f)
		}
	}
}

func TestAFileThatMayNotBeExecutedIsNamed(t *testing.T) {
	dir := t.TempDir()
	file := aFile(t, filepath.Join(dir, "a-tool-of-mine"), "", 0o600)
	t.Setenv("PATH", dir)
	for _, command := range []string{"a-tool-of-mine", file} {
		_, err := FindCommand(command, nil, "")
		var missing *NotFoundError
		if !errors.As(err, &missing) || !errors.Is(err, fs.ErrPermission) || missing.Denied != file {
			t.Errorf("%s: got %v", command, err)
		}
	}
}

// The environment of a helper that a client started may lack PATH altogether.
func TestTheLoginShellsPathServesAnEmptyEnvironment(t *testing.T) {
	dir := t.TempDir()
	tool := aFile(t, filepath.Join(dir, "tools", "a-tool-of-mine"), "", 0o700)
	shell := aFile(t, filepath.Join(dir, "shell"), fmt.Sprintf("#!/bin/sh\necho welcome\nexport PATH=%s:/usr/bin:/bin\nshift\nexec /bin/sh \"$@\"\n", filepath.Dir(tool)), 0o700)
	for _, path := range []string{"", "PATH=/usr/bin:/bin"} {
		env := []string{"SHELL=" + shell}
		if path != "" {
			env = append(env, path)
		}
		c, err := Start(Command{Path: os.Args[0], Args: []string{"fixture", "find", "a-tool-of-mine"}, Env: env})
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		_ = c.Stop(Waits{})
		if got := strings.Fields(string(b)); len(got) != 3 || got[0] != tool || !slices.Contains(folders(got[1]), filepath.Dir(tool)) {
			t.Errorf("with %q: got %q, %v, want %s", path, got, err, tool)
		}
	}
}

func TestAShellThatIsNoUseGivesNoPath(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"refuses":      "exit 1\n",
		"prints much":  "exec /usr/bin/yes\n",
		"never ends":   "/bin/sleep 1000 & /bin/sleep 1000\n",
		"leaves a job": "/bin/sleep 1000 &\n",
	} {
		t.Run(name, func(t *testing.T) {
			shell := aFile(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), "#!/bin/sh\n"+script, 0o700)
			begin := time.Now()
			if got := shellPath(shell, 300*time.Millisecond); got != "" {
				t.Errorf("got %q", got)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if got := shellPath(filepath.Join(dir, "none"), time.Second); got != "" {
		t.Errorf("a missing shell: got %q", got)
	}
	if got := shellPath("/bin/sh", 20*time.Second); !strings.Contains(got, "/") {
		t.Errorf("/bin/sh: got %q", got)
	}
}

func TestVariablesThatCannotBePassedOnAreRefused(t *testing.T) {
	for name, value := range map[string]string{"": "x", "A=B": "x", "A\x00": "x", "A": "x\x00"} {
		if env, err := ChildEnviron(map[string]string{name: value}, Found{}, ""); err == nil {
			t.Errorf("%q=%q was taken: %q", name, value, env)
		}
	}
}

func TestAChildHasAHomeThoughWeHaveNone(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("USER", "")
	env, err := ChildEnviron(nil, Found{}, "/tmp")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(env, "HOME="+homeDir()) || homeDir() == "" || !slices.Contains(env, "PWD=/tmp") {
		t.Errorf("got %q", env)
	}
}
