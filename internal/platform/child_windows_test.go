package platform

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// The test binary plays every process of these tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "fixture" {
		os.Exit(play(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func play(role string, args []string) int {
	switch role {
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "exit":
		code, _ := strconv.Atoi(args[0])
		fmt.Fprintln(os.Stderr, "last words")
		return code
	case "args":
		for _, a := range args {
			fmt.Printf("%q\n", a)
		}
	case "hang":
		<-time.After(time.Hour)
	case "tree":
		fmt.Println("grandchild", spawn("hang"))
		<-time.After(time.Hour)
	case "owner":
		c, err := startFixture("tree")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Print("child ", c.Pid, " ", line)
		<-time.After(time.Hour)
	case "middle":
		spawn("watcher")
		<-time.After(time.Hour)
	case "watcher":
		fmt.Println("watching")
		WatchParent(context.Background(), func() { fmt.Println("gone") })
	default:
		panic("no such fixture: " + role)
	}
	return 0
}

func spawn(args ...string) int {
	p, err := os.StartProcess(os.Args[0], append([]string{os.Args[0], "fixture"}, args...), &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		panic(err)
	}
	return p.Pid
}

func startFixture(args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	env, err := ChildEnviron(nil, Found{}, "")
	if err != nil {
		return nil, err
	}
	return Start(Command{Path: self, Args: append([]string{"fixture"}, args...), Env: env})
}

func mustStart(t *testing.T, args ...string) *Child {
	t.Helper()
	c, err := startFixture(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(Waits{}); err != nil {
			t.Error(err)
		}
	})
	return c
}

// startPlain runs a fixture outside of any job of ours and gives its stdout.
func startPlain(t *testing.T, args ...string) (*os.Process, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := os.StartProcess(os.Args[0], append([]string{os.Args[0], "fixture"}, args...), &os.ProcAttr{Files: []*os.File{null, w, os.Stderr}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		r.Close()
	})
	return p, bufio.NewReader(r)
}

// ended tells whether the process ends within the limit.
func ended(t *testing.T, pid int, limit time.Duration) bool {
	t.Helper()
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return true
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, uint32(limit.Milliseconds()))
	return err == nil && event == windows.WAIT_OBJECT_0
}

func TestAChildTalksAndItsEndIsNoticed(t *testing.T) {
	c := mustStart(t, "echo")
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseStdin(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "hello\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	c = mustStart(t, "exit", "3")
	if !within(c.Gone(), 20*time.Second) || c.Status() != (Status{Code: 3}) || !slices.Equal(c.LastLines(), []string{"last words"}) {
		t.Errorf("got %v, %q", c.Status(), c.LastLines())
	}
}

// S-43
func TestNothingIsLeftOfAKilledOwner(t *testing.T) {
	owner, out := startPlain(t, "owner")
	line, err := out.ReadString('\n')
	var child, grandchild int
	if _, bad := fmt.Sscanf(line, "child %d grandchild %d", &child, &grandchild); bad != nil {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	if ended(t, child, 0) || ended(t, grandchild, 0) {
		t.Fatal("the tree does not run")
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{child, grandchild} {
		if !ended(t, pid, 2*time.Second) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// S-43, S-44
func TestStopEndsTheWholeTree(t *testing.T) {
	c := mustStart(t, "tree")
	line, err := bufio.NewReader(c).ReadString('\n')
	var grandchild int
	if _, bad := fmt.Sscanf(line, "grandchild %d", &grandchild); bad != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := c.Stop(Waits{50 * time.Millisecond, time.Hour}); err != nil {
		t.Error(err)
	}
	if !ended(t, c.Pid, 2*time.Second) || !ended(t, grandchild, 2*time.Second) {
		t.Error("a process is left")
	}
}

func TestABatchFileHandsItsArgumentsOnWhole(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tool.cmd")
	text := "@\"" + os.Args[0] + "\" fixture args %*\r\n"
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := FindCommand("tool", map[string]string{"PATH": dir}, "")
	if err != nil || !strings.EqualFold(f.File, script) {
		t.Fatalf("got %v, %v", f, err)
	}
	env, err := ChildEnviron(map[string]string{"SECRET": "expanded"}, f, "")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"plain", "a b", "!SECRET!", `say "hi"`, "a&b|c>d", `c:\dir\`}
	c, err := Start(Command{Path: f.File, Args: args, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop(Waits{})
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(strings.ReplaceAll(string(b), " ", "_"))
	for i, a := range args {
		if want := strings.ReplaceAll(strconv.Quote(a), " ", "_"); i >= len(got) || got[i] != want {
			t.Fatalf("got %q, want %q; stderr %q", got, args, c.LastLines())
		}
	}
}

func TestAWatcherLearnsThatItsParentIsGone(t *testing.T) {
	middle, out := startPlain(t, "middle")
	if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "watching") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := middle.Kill(); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "gone") {
		t.Errorf("got %q, %v", line, err)
	}
}
