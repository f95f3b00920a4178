package platform

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAReplacedFileKeepsItsExtendedAttributes(t *testing.T) { // S-33
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o640)
	if err := unix.Setxattr(path, "user.drawbridge.test", []byte("kept"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	if err := SwapFile(path, []byte("old"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	n, err := unix.Getxattr(path, "user.drawbridge.test", value)
	if err != nil || string(value[:n]) != "kept" {
		t.Errorf("got %q, %v", value[:max(n, 0)], err)
	}
	wantFile(t, path, "new")
	wantMode(t, path, 0o640)
}

// A save that lands after our last look comes back (C-51).
func TestASaveBetweenTheLastLookAndTheSwapSurvives(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for name, save := range map[string]func() error{
		"by rename": func() error {
			if err := os.WriteFile(path+"~", []byte("theirs"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+"~", path)
		},
		"in place": func() error { return os.WriteFile(path, []byte("theirs"), 0o600) },
		"removed":  func() error { return os.Remove(path) },
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, "old", 0o600)
			err := replaceFile(path, []byte("ours"), 0o600, placing{
				func(*os.Root, string) error { return nil },
				func(root *os.Root, temp, name string) error {
					if err := save(); err != nil {
						t.Fatal(err)
					}
					return exchange(root, temp, name, []byte("old"))
				},
			})
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this file system cannot have files change places")
			}
			if !errors.Is(err, ErrChanged) {
				t.Errorf("got %v, want %v", err, ErrChanged)
			}
			if name == "removed" {
				wantOnly(t, dir)
				return
			}
			wantFile(t, path, "theirs")
			wantOnly(t, dir, "f")
		})
	}
}

// A program that has the file open and writes on after the swap writes into its
// file, which is put back.
func TestASaveThatIsUnderWayIsNotCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o600)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write(t, path+".t", "ours", 0o600)
	err = exchange(root, "f.t", "f", []byte("old"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this file system cannot have files change places")
	}
	if !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, want %v", err, ErrChanged)
	}
	if _, err := f.Write(bytes.Repeat([]byte("x"), 3)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "xxx")
}
