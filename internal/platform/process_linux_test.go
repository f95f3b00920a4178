package platform

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestOwnProcessesAreNamedByTheirPrograms(t *testing.T) {
	child, out := startPlain(t, "watcher")
	mustLine(t, out)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Processes()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(p Process) bool { return p.PID == child.Pid })
	if at < 0 {
		t.Fatalf("process %d is not among %d", child.Pid, len(list))
	}
	p := list[at]
	if p.Program != self || p.Parent != os.Getpid() || !p.Lives() {
		t.Errorf("got %+v", p)
	}
	if slices.ContainsFunc(list, func(p Process) bool { return p.PID == os.Getpid() }) {
		t.Error("this process is among them")
	}
	other := p
	other.start = "1" // as when the number is given to another process
	if other.Lives() {
		t.Error("a process of another beginning is taken for it")
	}
	if err := other.askToQuit(t.Context()); !errors.Is(err, ErrProcessGone) {
		t.Errorf("it was asked to quit: %v", err)
	}
	if !p.Lives() {
		t.Error("it was ended")
	}
}

func TestTheScriptIsTheFirstArgumentThatIsNoFlag(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"node", "--no-warnings", "/lib/cli.js", "chat"}, "/lib/cli.js"},
		{[]string{"electron", "/lib/app.asar"}, "/lib/app.asar"},
		{[]string{"node"}, ""},
		{nil, ""},
	} {
		if got := scriptOf(row.args); got != row.want {
			t.Errorf("%q: got %q", row.args, got)
		}
	}
}

func TestAnImageIsStartedWithoutWhatItAdded(t *testing.T) {
	env := []string{"HOME=/home/me", "APPIMAGE=/home/me/App.AppImage", "APPDIR=/tmp/.mount_AppX", "ARGV0=./App", "OWD=/home/me",
		"PATH=/tmp/.mount_AppX/usr/bin:/usr/bin:/bin", "LD_LIBRARY_PATH=/tmp/.mount_AppX/usr/lib", "EMPTY="}
	want := []string{"HOME=/home/me", "PATH=/usr/bin:/bin", "EMPTY="}
	if got := withoutImage(env); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestAProgramThatIsGoneIsNotOpenedAgain(t *testing.T) {
	child, out := startPlain(t, "watcher")
	mustLine(t, out)
	p, ok := processOf(child.Pid)
	if !ok {
		t.Fatal("it is not there")
	}
	if _, err := p.Reopening(); err != nil {
		t.Errorf("its program is there: %v", err)
	}
	p.Program = filepath.Join(t.TempDir(), "gone")
	if _, err := p.Reopening(); err == nil {
		t.Error("a program that is not there can be opened again")
	}
}
