package catalog

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drawbridge/internal/platform"
)

// small mounts a file system of 64 KiB, for root only.
func small(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a full disk: only root can mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a full disk: no small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLeavesTheFile(t *testing.T) { // S-30, S-31
	dir := small(t)
	f := Open(platform.Dirs{Config: dir, State: t.TempDir()})
	put(t, f, fresh)
	// Fill what is left, to the last byte.
	full := os.WriteFile(filepath.Join(dir, "full"), []byte(strings.Repeat("x", 1<<20)), 0o600)
	if full == nil {
		t.Fatal("the disk is not full")
	}
	wantUnwritten(t, f, f.Add(t.Context(), added), syscall.ENOSPC)
	if err := os.Remove(filepath.Join(dir, "full")); err != nil {
		t.Fatal(err)
	}
	if err := f.Add(t.Context(), added); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestAReadOnlyHomeLeavesTheFile(t *testing.T) { // S-30, S-31
	dir := small(t)
	f := Open(platform.Dirs{Config: dir, State: dir})
	put(t, f, fresh)
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	wantUnwritten(t, f, f.Add(t.Context(), added), syscall.EROFS)
	if _, err := f.Load(); err != nil {
		t.Errorf("reading it: %v", err)
	}
	f = Open(platform.Dirs{Config: dir, State: t.TempDir()}) // the lock is elsewhere
	wantUnwritten(t, f, f.Add(t.Context(), added), syscall.EROFS)
}

// disturb makes another process add a server while strace injects what is said,
// and tells how it ended and whether anything was injected.
func disturb(t *testing.T, dir, inject string) (ended *os.ProcessState, stderr string, hit bool) {
	t.Helper()
	c, errs := other(t, "once", dir)
	log := filepath.Join(t.TempDir(), "log")
	syscalls, _, _ := strings.Cut(inject, ":")
	c.Args = append([]string{"strace", "-f", "-o", log, "-e", "trace=" + syscalls, "-e", "inject=" + inject}, c.Path)
	c.Path = "/usr/bin/strace"
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return c.ProcessState, errs.String(), strings.Contains(string(b), "INJECTED") || strings.Contains(string(b), "killed by")
}

func needStrace(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("faults at each system call: takes long")
	}
	if err := exec.Command("/usr/bin/strace", "-f", "-o", os.DevNull, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true").Run(); err != nil {
		t.Skipf("faults at each system call: strace does not work here: %v", err)
	}
}

func TestAWriterKilledAtAnySystemCallLeavesTheOldFileOrTheNew(t *testing.T) { // S-29
	needStrace(t)
	changed := mustAdd(t, fresh, added)
	for _, call := range []string{"openat", "write", "fchmod", "fsync", "close", "flock", "/^rename", "unlinkat"} {
		kills := 0
		for k := 1; k < 60; k++ {
			f, dir := open(t)
			put(t, f, fresh)
			_, _, hit := disturb(t, dir, fmt.Sprintf("%s:signal=SIGKILL:when=%d", call, k))
			got, err := os.ReadFile(f.Path())
			if err != nil || (string(got) != fresh && string(got) != changed) {
				t.Fatalf("%s %d: neither old nor new: %q, %v", call, k, got, err)
			}
			if !hit {
				wantText(t, f, changed)
				break
			}
			kills++
			if err := Open(platform.Dirs{Config: dir, State: dir}).Put(t.Context(), samples()[0]); err != nil { // the next start
				t.Fatal(err)
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".drawbridge-*")); err != nil || len(left) > 0 {
				t.Fatalf("%s %d left %v, %v", call, k, left, err)
			}
		}
		t.Logf("%s: %d kills", call, kills)
		if kills == 0 && call != "unlinkat" {
			t.Errorf("%s was never disturbed", call)
		}
	}
}

func TestAnErrorOfAnySystemCallLeavesTheOldFile(t *testing.T) { // S-30
	needStrace(t)
	changed := mustAdd(t, fresh, added)
	for _, fault := range []string{
		"write:error=ENOSPC", "write:error=EDQUOT", "write:error=EIO", "write:error=EINTR", "fsync:error=EIO", "close:error=EIO", "fchmod:error=EPERM",
		"/^rename:error=EBUSY", "/^rename:error=EXDEV", "/^rename:error=EACCES", "openat:error=EROFS", "openat:error=EMFILE", "openat:error=EINTR", "flock:error=ENOLCK",
	} {
		failures := 0
		for k := 1; k < 60; k++ {
			f, dir := open(t)
			put(t, f, fresh)
			ended, stderr, hit := disturb(t, dir, fmt.Sprintf("%s:when=%d", fault, k))
			if strings.Contains(stderr, "loading shared libraries") {
				continue // it hit what comes before our program
			}
			want := changed
			if !ended.Success() {
				failures++
				want = fresh
				if !strings.Contains(stderr, "[DB_") {
					t.Errorf("%s %d: ended %v and said %q", fault, k, ended, stderr)
				}
			}
			wantText(t, f, want)
			if left, err := filepath.Glob(filepath.Join(dir, ".drawbridge-*")); err != nil || len(left) > 0 {
				t.Fatalf("%s %d left %v, %v", fault, k, left, err)
			}
			if !hit {
				break
			}
		}
		t.Logf("%s: %d failures", fault, failures)
		if failures == 0 && !strings.HasSuffix(fault, "EINTR") {
			t.Errorf("%s never made it fail", fault)
		}
	}
}
