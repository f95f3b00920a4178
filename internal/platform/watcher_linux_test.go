package platform

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// limitsVariable says in the environment which limit of the system the test is
// run under: a user namespace has its own.
const limitsVariable = "DRAWBRIDGE_TEST_LIMIT"

// What the system refuses is looked at by the clock, and the Watcher says so.
func TestAWatcherGoesOnAtTheLimitsOfTheSystem(t *testing.T) {
	t.Parallel()
	if limit := os.Getenv(limitsVariable); limit != "" {
		watchAtLimit(t, limit)
		return
	}
	for _, limit := range []string{"max_inotify_instances", "max_inotify_watches"} {
		t.Run(limit, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run=^TestAWatcherGoesOnAtTheLimitsOfTheSystem$", "-test.v", "-test.timeout=60s")
			c.Env = append(os.Environ(), limitsVariable+"="+limit)
			c.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			said, err := c.CombinedOutput()
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
				t.Skipf("no user namespace here: %v", err)
			}
			if t.Logf("%s", said); err != nil {
				t.Error(err)
			}
		})
	}
}

func watchAtLimit(t *testing.T, limit string) {
	if err := os.WriteFile("/proc/sys/user/"+limit, []byte("0"), 0); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "f")
	w := NewWatcher()
	w.Set(path)
	told := runWatcher(t, w)
	if s := wantStir(t, told, path, "the beginning"); !errors.Is(s.Polls, syscall.ENOSPC) && !errors.Is(s.Polls, syscall.EMFILE) {
		t.Errorf("Polls = %v", s.Polls)
	}
	write(t, path, "x", 0o600)
	wantStir(t, told, path, "a file found by looking")
}
