//go:build unix

package platform

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestAChildTalksOnItsPipes(t *testing.T) {
	c := mustStart(t, "echo")
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := c.CloseStdin(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: got %d, %v, want EOF", n, err)
	}
	<-c.Exited()
	if got := c.Status().String(); got != "status 0" {
		t.Errorf("got %s", got)
	}
}

func TestTheEndOfAChildIsNoticedAndExplained(t *testing.T) {
	for _, row := range []struct {
		args []string
		want Status
		last []string
	}{
		{[]string{"exit", "0"}, Status{}, []string{"last words"}},
		{[]string{"exit", "3"}, Status{Code: 3}, []string{"last words"}},
		{[]string{"die"}, Status{Signal: "killed"}, nil},
	} {
		t.Run(strings.Join(row.args, " "), func(t *testing.T) {
			c := mustStart(t, row.args...)
			if !within(c.Exited(), 20*time.Second) {
				t.Fatal("the end was not noticed")
			}
			if got := c.Status(); got != row.want {
				t.Errorf("status: got %+v, want %+v", got, row.want)
			}
			if got := c.LastLines(); !slices.Equal(got, row.last) {
				t.Errorf("last lines: got %q, want %q", got, row.last)
			}
			if _, err := io.WriteString(c, "x"); err == nil && row.want.Signal == "" {
				_, err = io.WriteString(c, "x")
				if err == nil {
					t.Error("a write to a dead child went through")
				}
			}
		})
	}
}

func TestWhatCannotRunIsSaidByStart(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, row := range []struct {
		name string
		c    Command
		want error
	}{
		{"no file", Command{Path: filepath.Join(dir, "none")}, fs.ErrNotExist},
		{"no interpreter", Command{Path: script("lost", "#!/no/such/interpreter\n")}, fs.ErrNotExist},
		{"a folder", Command{Path: dir}, fs.ErrPermission},
		{"no working directory", Command{Path: "/bin/sh", Dir: filepath.Join(dir, "gone")}, fs.ErrNotExist},
		{"a file as working directory", Command{Path: "/bin/sh", Dir: script("file", "")}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := Start(row.c)
			if err == nil {
				_ = c.Stop(Waits{})
				t.Fatal("it started")
			}
			var s *StartError
			if !errors.As(err, &s) || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("got %v, want a StartError for %v", err, row.want)
			}
		})
	}
}

func TestAScriptWithoutAFirstLineRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(path, []byte("echo \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := Start(Command{Path: path, Args: []string{"a b"}, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop(Waits{})
	if b, err := io.ReadAll(c); string(b) != "a b\n" {
		t.Errorf("got %q, %v", b, err)
	}
}

// S-44
func TestStopAsksBeforeItKills(t *testing.T) {
	for _, row := range []struct {
		obeys string
		waits Waits
		noted []string
		want  Status
	}{
		{"stdin", Waits{20 * time.Second, 20 * time.Second}, []string{"end of stdin"}, Status{}},
		{"SIGTERM", Waits{300 * time.Millisecond, 20 * time.Second}, []string{"end of stdin", "SIGTERM"}, Status{Code: 7}},
		{"nothing", Waits{300 * time.Millisecond, 300 * time.Millisecond}, []string{"end of stdin", "SIGTERM"}, Status{Signal: "killed"}},
	} {
		t.Run("obeys "+row.obeys, func(t *testing.T) {
			notes := filepath.Join(t.TempDir(), "notes")
			c := mustStart(t, "deaf", notes, row.obeys)
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
				t.Fatal(line, err)
			}
			var both sync.WaitGroup
			for range 2 { // two may stop it at once
				both.Go(func() {
					if err := c.Stop(row.waits); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			b, err := os.ReadFile(notes)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Fields(strings.ReplaceAll(string(b), " ", "_")); !slices.Equal(got, underscored(row.noted)) {
				t.Errorf("it saw %q, want %q", got, row.noted)
			}
			if got := c.Status(); got != row.want && runtime.GOOS == "linux" {
				t.Errorf("status: got %+v, want %+v", got, row.want)
			}
		})
	}
}

func underscored(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, strings.ReplaceAll(l, " ", "_"))
	}
	return out
}

// S-47
func TestAFloodOnStderrNeitherBlocksNorGrows(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := mustStart(t, "flood")
	if !within(c.Exited(), 60*time.Second) {
		t.Fatal("the child still waits")
	}
	lines := c.LastLines()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(lines) != tailLines || lines[len(lines)-1] != "the very last line" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1:])
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func TestInterruptWakesARead(t *testing.T) {
	c := mustStart(t, "echo")
	failed := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	c.Interrupt()
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestInterruptWakesAWriteThatNobodyReads(t *testing.T) {
	c := mustStart(t, "deaf", filepath.Join(t.TempDir(), "notes"), "stdin")
	if err := syscall.Kill(c.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 4<<20))
		failed <- err
	}()
	c.InterruptWrite()
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// S-48
func TestAChildGetsNoSecretAndNoDescriptorOfOurs(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "LD_PRELOAD_TEST", "LCX", "PATHS"} {
		t.Setenv(name, "canary")
	}
	t.Setenv("LC_TEST", "kept")
	leaked, err := syscall.Dup(2) // without close-on-exec, as careless parents leave them
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)
	env, err := ChildEnviron(map[string]string{"API_KEY": "configured", markName: "forged"}, Found{}, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(Command{Path: os.Args[0], Args: []string{"fixture", "show"}, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop(Waits{})
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for _, want := range []string{"env API_KEY=configured\n", "env LC_TEST=kept\n", "env PATH=", "env HOME=", "env " + markName + "=1,", "fd 0\nfd 1\nfd 2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	for _, no := range []string{"canary", "forged"} {
		if strings.Contains(got, no) {
			t.Errorf("%q reached the child:\n%s", no, got)
		}
	}
	if n := strings.Count(got, "fd "); n != 3 {
		t.Errorf("%d descriptors were inherited:\n%s", n, got)
	}
}

func TestOnlyTheFirstArgumentAsksForTheSupervisor(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"x", "--version"}, {"x", shimWord}, {"x", "mcp", shimWord, "y"}} {
		if handled, _ := ShimMain(args); handled {
			t.Errorf("%q was taken for a supervisor", args)
		}
	}
}
