//go:build unix

package platform

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != want {
		t.Errorf("%s has mode %v, %v; want %v", path, st.Mode().Perm(), err, want)
	}
}

func TestAReplacedFileKeepsItsOwner(t *testing.T) { // S-33
	if os.Getuid() != 0 {
		t.Skip("only root can make a file of another user")
	}
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o600)
	if err := os.Chown(path, 12345, 54321); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Sys().(*syscall.Stat_t); got.Uid != 12345 || got.Gid != 54321 {
		t.Errorf("owner is %d:%d, want 12345:54321", got.Uid, got.Gid)
	}
}

func TestAFolderThatCannotBeWrittenLeavesTheFile(t *testing.T) { // S-31
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o600)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if err := ReplaceFile(path, []byte("new"), 0o600); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want %v", err, fs.ErrPermission)
	}
	wantFile(t, path, "old")
}
