package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, text)
	}
}

func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("%s holds %v, want %v", dir, got, names)
	}
}

func TestANewFileGetsTheModeAndAPrivateFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	path := filepath.Join(dir, "f")
	if err := ReplaceFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "x")
	wantOnly(t, dir, "f")
	wantMode(t, path, 0o600)
	wantMode(t, dir, 0o700)
}

func TestAReplacedFileKeepsItsMode(t *testing.T) { // S-33
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o640)
	if err := ReplaceFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new")
	wantMode(t, path, 0o640)
}

func TestALinkStaysALink(t *testing.T) { // S-32
	for _, kind := range []string{"relative", "absolute"} {
		for _, dangling := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " dangling ", dangling), func(t *testing.T) {
				root := t.TempDir()
				real, home := filepath.Join(root, "dotfiles"), filepath.Join(root, "home")
				for _, d := range []string{real, home} {
					if err := os.Mkdir(d, 0o700); err != nil {
						t.Fatal(err)
					}
				}
				if !dangling {
					write(t, filepath.Join(real, "f"), "old", 0o600)
				}
				to := "../dotfiles/f"
				if kind == "absolute" {
					to = filepath.Join(real, "f")
				}
				link := filepath.Join(home, "f")
				symlink(t, to, link)
				if err := ReplaceFile(link, []byte("new"), 0o600); err != nil {
					t.Fatal(err)
				}
				if got, err := os.Readlink(link); err != nil || got != to {
					t.Errorf("the link is %q, %v; want %q", got, err, to)
				}
				wantFile(t, filepath.Join(real, "f"), "new")
				wantOnly(t, home, "f")
				wantOnly(t, real, "f")
			})
		}
	}
}

func TestALinkThatIsSwappedIsNotWrittenThrough(t *testing.T) { // S-32
	dir := t.TempDir()
	mine, other, link := filepath.Join(dir, "mine"), filepath.Join(dir, "other"), filepath.Join(dir, "link")
	write(t, mine, "mine", 0o600)
	write(t, other, "other", 0o600)
	symlink(t, mine, link)
	err := replaceFile(link, []byte("new"), 0o600, placing{func(*os.Root, string) error {
		if err := os.Remove(link); err != nil {
			return err
		}
		return os.Symlink(other, link)
	}, renameOver})
	if err == nil || !strings.Contains(err.Error(), "now points to") {
		t.Errorf("got %v, want a refusal", err)
	}
	wantFile(t, mine, "mine")
	wantFile(t, other, "other")
	wantOnly(t, dir, "link", "mine", "other")
}

func TestLinksInACircleEnd(t *testing.T) {
	dir := t.TempDir()
	symlink(t, "b", filepath.Join(dir, "a"))
	symlink(t, "a", filepath.Join(dir, "b"))
	if err := ReplaceFile(filepath.Join(dir, "a"), nil, 0o600); err == nil {
		t.Error("got no error")
	}
}

func TestAFileThatAnotherProgramChangedIsLeft(t *testing.T) { // S-30, C-48
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for name, c := range map[string]struct {
		now, old string
		none     bool // no file was read
	}{
		"longer":      {now: "old+", old: "old"},
		"shorter":     {now: "ol", old: "old"},
		"another":     {now: "new", old: "old"},
		"it appeared": {now: "", none: true},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, c.now, 0o600)
			old := []byte(c.old)
			if c.none {
				old = nil
			}
			for what, err := range map[string]error{
				"swap": SwapFile(path, old, []byte("mine"), 0o600), "remove": RemoveFile(path, old), "overwrite": OverwriteFile(path, old, []byte("mine")),
			} {
				if !errors.Is(err, ErrChanged) {
					t.Errorf("%s: got %v, want %v", what, err, ErrChanged)
				}
			}
			wantFile(t, path, c.now)
			wantOnly(t, dir, "f")
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := SwapFile(path, []byte("old"), []byte("mine"), 0o600); !errors.Is(err, ErrChanged) {
		t.Errorf("it is gone: got %v, want %v", err, ErrChanged)
	}
	wantOnly(t, dir)
}

func TestAFileThatIsAsItWasReadIsSwapped(t *testing.T) { // C-48
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := SwapFile(path, nil, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SwapFile(path, []byte("one"), []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "two")
	if err := RemoveFile(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, dir)
}

func TestAFileWrittenInPlaceKeepsItsOtherNames(t *testing.T) { // C-50
	dir := t.TempDir()
	path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	write(t, path, "a long old text", 0o640)
	if err := os.Link(path, other); err != nil {
		t.Skipf("no hard links here: %v", err)
	}
	if err := OverwriteFile(path, []byte("a long old text"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new")
	wantFile(t, other, "new")
	wantMode(t, path, 0o640)
	wantOnly(t, dir, "f", "other")
}

func TestAFolderExchangedForAnotherIsNotWrittenTo(t *testing.T) { // S-32
	root := t.TempDir()
	dir := filepath.Join(root, "d")
	path := filepath.Join(dir, "f")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, "old", 0o600)
	err := replaceFile(path, []byte("new"), 0o600, placing{func(*os.Root, string) error {
		if err := os.Rename(dir, dir+"2"); err != nil {
			t.Skipf("an open folder cannot be renamed here: %v", err)
		}
		return os.Mkdir(dir, 0o700)
	}, renameOver})
	if err == nil || !strings.Contains(err.Error(), "exchanged") {
		t.Errorf("got %v, want a refusal", err)
	}
	wantOnly(t, dir)
	wantFile(t, filepath.Join(dir+"2", "f"), "old")
	wantOnly(t, dir+"2", "f")
}

func TestAFileWithoutWritePermissionIsRefused(t *testing.T) { // S-31
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o400)
	if err := ReplaceFile(path, []byte("new"), 0o600); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want %v", err, fs.ErrPermission)
	}
	wantFile(t, path, "old")
	wantOnly(t, filepath.Dir(path), "f")
}

func TestAFolderInThePlaceOfTheFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceFile(path, []byte("new"), 0o600); err == nil {
		t.Error("got no error")
	}
	wantOnly(t, dir, "f")
	wantOnly(t, path)
}

func TestLeftOverTemporaryFilesAreRemoved(t *testing.T) { // S-29
	dir := t.TempDir()
	own := tempName("f")
	old := tempName("f")
	dead := strings.Replace(own, fmt.Sprintf("-%d-", os.Getpid()), "-999999999-", 1)
	for _, n := range []string{own, old, dead, ".drawbridge-mine.tmp", ".drawbridge-f-1-2.keep", "f"} {
		write(t, filepath.Join(dir, n), "x", 0o600)
	}
	past := time.Now().Add(-2 * tempAge)
	if err := os.Chtimes(filepath.Join(dir, old), past, past); err != nil {
		t.Fatal(err)
	}
	if err := CleanTemps(dir); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, dir, own, ".drawbridge-f-1-2.keep", ".drawbridge-mine.tmp", "f")
	if err := CleanTemps(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a missing folder: %v", err)
	}
}

// macOS makes no file with half a character in its name.
func TestTheNameOfATemporaryFileIsNotCutWithinACharacter(t *testing.T) {
	for shift := range 3 {
		if name := tempName(strings.Repeat("a", shift) + strings.Repeat("설", 30)); !utf8.ValidString(name) {
			t.Errorf("got %q", name)
		}
	}
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Skipf("this account cannot make links: %v", err)
	}
}
