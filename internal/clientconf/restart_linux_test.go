package clientconf

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// fakeClient in the environment makes this program a client: "polite" quits for
// SIGTERM, "deaf" does not. fakeDiary names the folder in which it tells about
// itself.
const (
	fakeClient = "DRAWBRIDGE_TEST_CLIENT"
	fakeDiary  = "DRAWBRIDGE_TEST_DIARY"
)

// fakeLife is when a fake client ends at the latest, whatever becomes of its
// test.
const fakeLife = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(fakeClient) != "" {
		beClient()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// about is what a fake client tells of itself.
type about struct {
	PID, Session int
	Args         []string
	Mode, Dir    string
}

func beClient() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	if !slices.Contains(os.Args, "--type=renderer") {
		child := exec.Command("/proc/self/exe", "--type=renderer")
		child.Path, _ = os.Executable()
		in, err := child.StdinPipe()
		if err != nil || child.Start() != nil {
			os.Exit(1)
		}
		defer child.Wait() //nolint:errcheck // it ends with its stdin
		defer in.Close()   //nolint:errcheck // the child sees it
		dir, _ := os.Getwd()
		session, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
		text, _ := json.Marshal(about{os.Getpid(), int(session), os.Args, os.Getenv(fakeClient), dir})
		name := filepath.Join(os.Getenv(fakeDiary), strconv.Itoa(os.Getpid()))
		if os.WriteFile(name+".part", text, 0o600) != nil || os.Rename(name+".part", name) != nil {
			os.Exit(1)
		}
	} else {
		go func() {
			_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin)) // until the client is gone
			os.Exit(0)
		}()
	}
	late := time.After(fakeLife)
	for {
		select {
		case <-terms:
			if os.Getenv(fakeClient) == "polite" {
				return
			}
		case <-late:
			return
		}
	}
}

// fakeApp is a fake client that was installed.
type fakeApp struct {
	t       *testing.T
	program string
	diary   string
}

// installFake copies this program to where a client's lies.
func installFake(t *testing.T, elem ...string) *fakeApp {
	t.Helper()
	f := &fakeApp{t: t, program: filepath.Join(append([]string{t.TempDir()}, elem...)...), diary: t.TempDir()}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if err := os.MkdirAll(filepath.Dir(f.program), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(f.program, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, self); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

// start starts it and waits for what it tells.
func (f *fakeApp) start(mode string, args ...string) about {
	f.t.Helper()
	c := exec.Command(f.program, args...)
	c.Env = append(os.Environ(), fakeClient+"="+mode, fakeDiary+"="+f.diary)
	c.Dir = f.diary
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal of ours
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Wait() }() // so that it is gone when it ends
	f.t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		<-ended
	})
	return f.told(c.Process.Pid)
}

// told waits for what a fake client tells of itself; pid 0 is any that is not
// among the known.
func (f *fakeApp) told(pid int, known ...int) about {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		entries, err := os.ReadDir(f.diary)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range entries {
			n, err := strconv.Atoi(e.Name())
			if err != nil || pid != 0 && n != pid || slices.Contains(known, n) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(f.diary, e.Name()))
			if err != nil {
				f.t.Fatal(err)
			}
			var a about
			if err := json.Unmarshal(text, &a); err != nil {
				f.t.Fatal(err)
			}
			return a
		}
		select {
		case <-tick.C:
		case <-late:
			f.t.Fatal("the client does not run")
		}
	}
}

// only is a client whose programs are those of the fake one, so that no other
// test, and no client of the person at this machine, is met.
func (f *fakeApp) only(t *testing.T) Client {
	t.Helper()
	c, err := Find("claude-desktop")
	if err != nil {
		t.Fatal(err)
	}
	c.Processes = map[string][]string{"linux": {strings.TrimPrefix(f.program, "/")}}
	return c
}

// F-119, D-66.
func TestAClientIsQuitAndOpenedAgain(t *testing.T) {
	f := installFake(t, "claude-desktop", "claude-desktop")
	before := f.start("polite", "--flag", "claude://open/me")
	c := f.only(t)
	system := System{OS: platform.OS()}
	r, err := FindRunning(c, system)
	if err != nil || r == nil {
		t.Fatalf("got %v, %v", r, err)
	}
	if len(r.Processes) != 1 || r.Processes[0].PID != before.PID {
		t.Fatalf("got %+v, want process %d alone", r.Processes, before.PID)
	}
	if err := r.Restartable(); err != nil {
		t.Fatal(err)
	}
	if err := r.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := FindRunning(c, system); err != nil || now != nil {
		t.Fatalf("after it was quit: %+v, %v", now, err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := f.told(0, before.PID)
	t.Cleanup(func() { endAndReap(t, after.PID) })
	if want := []string{f.program, "--flag"}; !slices.Equal(after.Args, want) {
		t.Errorf("arguments %q, want %q: an address is not opened twice", after.Args, want)
	}
	if after.Mode != "polite" || after.Dir != before.Dir || after.Session != after.PID {
		t.Errorf("got %+v, want the environment and the folder of %+v, and a session of its own", after, before)
	}
}

// endAndReap ends a process that is our child without exec knowing.
func endAndReap(t *testing.T, pid int) {
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Error(err)
		return
	}
	_ = p.Kill() // it may have ended
	_, _ = p.Wait()
}

func TestAClientThatDoesNotQuitIsLeftAlone(t *testing.T) {
	t.Parallel() // it waits
	f := installFake(t, "claude-desktop", "claude-desktop")
	before := f.start("deaf")
	c := f.only(t)
	r, err := FindRunning(c, System{OS: platform.OS()})
	if err != nil || r == nil {
		t.Fatalf("got %v, %v", r, err)
	}
	if err := r.Quit(t.Context()); !fault.IsCode(err, fault.ClientRestart) {
		t.Errorf("got %v", err)
	}
	now, err := FindRunning(c, System{OS: platform.OS()})
	if err != nil || now == nil || now.Processes[0].PID != before.PID {
		t.Errorf("afterwards: %+v, %v", now, err)
	}
}

func TestAQuitEndsWithItsContext(t *testing.T) {
	f := installFake(t, "claude-desktop", "claude-desktop")
	f.start("deaf")
	r, err := FindRunning(f.only(t), System{OS: platform.OS()})
	if err != nil || r == nil {
		t.Fatalf("got %v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Quit(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestAProgramOfAnotherPathIsNotTouched(t *testing.T) {
	client, other := installFake(t, "claude-desktop", "claude-desktop"), installFake(t, "elsewhere", "claude-desktop")
	client.start("polite")
	stranger := other.start("polite")
	r, err := FindRunning(client.only(t), System{OS: platform.OS()})
	if err != nil || r == nil || len(r.Processes) != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if err := r.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := FindRunning(other.only(t), System{OS: platform.OS()}); err != nil || left == nil || left.Processes[0].PID != stranger.PID {
		t.Errorf("the other program: %+v, %v", left, err)
	}
}

// A program that was updated while it runs is opened again from its new file;
// one that was removed is not quit at all.
func TestAProgramIsQuitOnlyWhenItCanBeOpenedAgain(t *testing.T) {
	f := installFake(t, "claude-desktop", "claude-desktop")
	f.start("polite")
	if err := os.Rename(f.program, f.program+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.program + ".old"); err != nil {
		t.Fatal(err)
	}
	c := f.only(t)
	c.Processes = map[string][]string{"linux": {strings.TrimPrefix(f.program, "/") + ".old"}}
	r, err := FindRunning(c, System{OS: platform.OS()})
	if err != nil || r == nil {
		t.Fatalf("got %v, %v", r, err)
	}
	if err := r.Quit(t.Context()); !fault.IsCode(err, fault.ClientRestart) {
		t.Errorf("got %v", err)
	}
	if now, err := FindRunning(c, System{OS: platform.OS()}); err != nil || now == nil {
		t.Errorf("it was quit: %v", err)
	}
}
