package clientconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

func TestWhatIsNoFileIsRefusedAndLeft(t *testing.T) { // C-06, 7.10
	make := map[string]func(path string) error{
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to nothing": func(path string) error {
			return os.Symlink("nowhere.json", path)
		},
		"a link to a folder": func(path string) error {
			return errors.Join(os.Mkdir(path+".d", 0o700), os.Symlink(path+".d", path))
		},
		"links in a circle": func(path string) error {
			return errors.Join(os.Symlink(path+".2", path), os.Symlink(path, path+".2"))
		},
	}
	for name, make := range make {
		t.Run(name, func(t *testing.T) {
			d := newRig(t, nil)
			if err := make(d.target.Path); err != nil {
				t.Skip(err)
			}
			untouched := still(t, d.target.Path)
			_, err := d.Plan(d.target, d.put("one"))
			want := NotRegular
			if strings.Contains(name, "nothing") || strings.Contains(name, "circle") {
				want = DanglingSymlink
			}
			d.wantRefused(err, fault.ClientConfigNotAFile, want)
			untouched()
		})
	}
}

func TestAFolderThatLeadsToItselfIsRefused(t *testing.T) { // C-06
	d := newRig(t, nil)
	dir := filepath.Dir(d.target.Path)
	if err := errors.Join(os.Remove(dir), os.Symlink(dir+".2", dir), os.Symlink(dir, dir+".2")); err != nil {
		t.Skip(err)
	}
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigNotAFile, DanglingSymlink)
}

func TestALinkIsFollowedAndStays(t *testing.T) { // C-06, C-07, S-32
	for _, kind := range []string{"relative", "absolute", "chain", "folder"} {
		t.Run(kind, func(t *testing.T) {
			d := newRig(t, nil)
			home := filepath.Dir(filepath.Dir(d.target.Path))
			real := filepath.Join(home, "dotfiles", "mcp.json")
			link, to := d.target.Path, "../dotfiles/mcp.json"
			switch kind {
			case "absolute":
				to = real
			case "chain":
				if err := os.Symlink(to, link+".next"); err != nil {
					t.Skip(err)
				}
				to = "mcp.json.next"
			case "folder":
				link, to = filepath.Join(home, "linked"), "dotfiles"
				d.target.Path = filepath.Join(link, "mcp.json")
			}
			if err := errors.Join(os.Mkdir(filepath.Dir(real), 0o700), os.WriteFile(real, []byte(other), 0o600), os.Symlink(to, link)); err != nil {
				t.Skip(err)
			}
			p := d.plan(d.put("one"))
			if p.File != real || !p.Linked || !strings.Contains(p.Diff, real) {
				t.Errorf("the preview names %s (%v)\n%s", p.File, p.Linked, p.Diff)
			}
			r, err := d.Apply(t.Context(), p, Consent{})
			if err != nil || r.File != real {
				t.Fatal(r, err)
			}
			if got, err := os.Readlink(link); err != nil || got != to {
				t.Errorf("the link is %q, %v; want %q", got, err, to)
			}
			if got := d.names(); got != "theirs drawbridge-one" {
				t.Errorf("the file holds %s", got)
			}
			if entries, err := os.ReadDir(filepath.Dir(real)); err != nil || len(entries) != 1 {
				t.Errorf("beside the file: %v, %v", entries, err)
			}
			u, err := d.PlanUndo(d.target)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Apply(t.Context(), u, Consent{}); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(real); err != nil || string(b) != other {
				t.Errorf("the file holds %s, %v", b, err)
			}
		})
	}
}

func TestALinkThatLeadsElsewhereByNowIsNotFollowed(t *testing.T) { // S-32
	d := newRig(t, nil)
	dir := filepath.Dir(d.target.Path)
	mine, theirs := filepath.Join(dir, "mine"), filepath.Join(dir, "theirs")
	if err := errors.Join(os.WriteFile(mine, []byte(other), 0o600), os.WriteFile(theirs, []byte(other), 0o600), os.Symlink(mine, d.target.Path)); err != nil {
		t.Skip(err)
	}
	p := d.plan(d.put("one"))
	if err := errors.Join(os.Remove(d.target.Path), os.Symlink(theirs, d.target.Path)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{mine, theirs} {
		untouched := still(t, path)
		defer untouched()
	}
	_, err := d.Apply(t.Context(), p, Consent{Again: true})
	d.wantRefused(err, fault.ClientConfigChanged, ChangedTooOften)
}

func TestAFileThatMayNotBeWrittenIsRefusedBeforeAnythingIsShown(t *testing.T) { // C-08, S-31
	d := newRig(t, ptr(other))
	if err := os.Chmod(d.target.Path, 0o440); err != nil {
		t.Fatal(err)
	}
	untouched := still(t, d.target.Path)
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
	untouched()

	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(d.target.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(d.target.Path), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(d.target.Path), 0o700) })
	untouched = still(t, d.target.Path)
	_, err = d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
	untouched()
}

func TestAFileInTheNixStoreIsSaidToBeManaged(t *testing.T) { // C-08
	d := newRig(t, ptr(other))
	o, err := openTarget(d.target)
	if err != nil {
		t.Fatal(err)
	}
	o.real = "/nix/store/abc-mcp.json"
	err = o.mayChange()
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
	if !strings.Contains(err.Error(), "Nix") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfTheSystemHaveTheirCodes(t *testing.T) { // C-08, C-50, 7.10, S-30
	for _, c := range []struct {
		err   error
		path  string
		write bool
		code  fault.Code
		why   splice.Reason
		words string
	}{
		{syscall.EPERM, "/f", false, fault.ClientConfigDenied, Denied, "system settings"},
		{syscall.EACCES, "/f", false, fault.ClientConfigDenied, Denied, "system settings"},
		{syscall.EPERM, "/f", true, fault.ClientConfigDenied, Denied, "system settings"},
		{syscall.EACCES, "/f", true, fault.ClientConfigReadonly, ReadOnly, "make it writable"},
		{syscall.EROFS, "/f", true, fault.ClientConfigReadonly, ReadOnly, "make it writable"},
		{syscall.EROFS, "/nix/store/abc/mcp.json", true, fault.ClientConfigReadonly, ReadOnly, "Nix"},
		{syscall.EBUSY, "/f", true, fault.ClientConfigShared, SharedFile, "in place"},
		{syscall.EXDEV, "/f", true, fault.ClientConfigShared, SharedFile, "in place"},
		{syscall.ENOSPC, "/f", true, fault.ClientConfigWrite, "", "make room"},
		{syscall.EIO, "/f", false, fault.ClientConfigWrite, "", "look at the disk"},
	} {
		if runtime.GOOS == "windows" && (errors.Is(c.err, syscall.EROFS) || errors.Is(c.err, syscall.EBUSY) || errors.Is(c.err, syscall.EXDEV)) {
			continue // invented numbers there
		}
		got := unreadable(c.path, &fs.PathError{Op: "open", Path: c.path, Err: c.err})
		if c.write {
			got = unwritable(c.path, &fs.PathError{Op: "rename", Path: c.path, Err: c.err})
		}
		if !fault.IsCode(got, c.code) || Reason(got) != c.why || !strings.Contains(got.Error(), c.words) || !strings.Contains(got.Error(), c.path) || !errors.Is(got, c.err) {
			t.Errorf("%v, writing %v: got %v (%s), want %s (%s) with %q", c.err, c.write, got, Reason(got), c.code, c.why, c.words)
		}
	}
}

func TestADocumentThatCannotBeChangedIsLeft(t *testing.T) { // C-11 to C-22, 7.10
	for _, c := range []struct {
		name, text string
		code       fault.Code
		why        splice.Reason
		at         string
	}{
		{"not JSON", "{\n  \"mcpServers\": {\n    oops\n", fault.ClientConfigInvalid, splice.InvalidSyntax, ":3:5"},
		{"UTF-16", "\xff\xfe{\x00}\x00", fault.ClientConfigInvalid, splice.InvalidEncoding, ""},
		{"twice", `{"mcpServers": {}, "mcpServers": {}}`, fault.ClientConfigInvalid, splice.DuplicateKey, ":1:20"},
		{"a list", `{"mcpServers": []}`, fault.ClientConfigInvalid, splice.WrongType, ":1:16"},
		{"too deep", `{"z": ` + strings.Repeat("[", splice.MaxDepth+1) + strings.Repeat("]", splice.MaxDepth+1) + `}`, fault.ClientConfigTooLarge, splice.TooDeep, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newRig(t, &c.text)
			untouched := still(t, d.target.Path)
			_, err := d.Plan(d.target, d.put("one"))
			d.wantRefused(err, c.code, c.why)
			if !strings.Contains(fmt.Sprint(err), d.target.Path+c.at) {
				t.Errorf("got %v, want it to name %s%s", err, d.target.Path, c.at)
			}
			_, err = d.Plan(d.target, d.remove("one"))
			d.wantRefused(err, c.code, c.why)
			untouched()
			if _, err := os.Stat(d.state); !os.IsNotExist(err) {
				t.Errorf("a refusal wrote something: %v", err)
			}
		})
	}
}

func TestALayoutThatCannotBeChangedSafelyHasACodeOfItsOwn(t *testing.T) { // 7.10
	for _, why := range []splice.Reason{splice.UnsupportedLayout, splice.AnchorInUse} {
		err := refused("/f", &splice.Error{Reason: why, Line: 2, Column: 3, Detail: "the collection is an alias"})
		if !fault.IsCode(err, fault.ClientConfigUnsupported) || Reason(err) != why || !strings.Contains(err.Error(), "/f:2:3") {
			t.Errorf("got %v", err)
		}
	}
}

func TestATooLargeFileIsRefused(t *testing.T) { // C-11
	text := "{}" + strings.Repeat(" ", splice.MaxBytes)
	d := newRig(t, &text)
	untouched := still(t, d.target.Path)
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigTooLarge, splice.TooLarge)
	untouched()
}

func TestAHardLinkedFileIsWrittenInPlaceAfterConsentOnly(t *testing.T) { // C-50
	d := newRig(t, ptr(other))
	name := filepath.Join(filepath.Dir(filepath.Dir(d.target.Path)), "other-name.json")
	if err := os.Link(d.target.Path, name); err != nil || runtime.GOOS == "windows" {
		t.Skipf("no hard links here: %v", err)
	}
	p := d.plan(d.put("one"))
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "2 names") {
		t.Errorf("the warnings are %q", p.Warnings)
	}
	untouched := still(t, d.target.Path)
	_, err := d.Apply(t.Context(), p, Consent{})
	d.wantRefused(err, fault.ClientConfigShared, SharedFile)
	untouched()
	if _, err := d.Apply(t.Context(), p, Consent{InPlace: true}); err != nil {
		t.Fatal(err)
	}
	d.wantTidy()
	a, errA := os.Stat(d.target.Path)
	b, errB := os.Stat(name)
	if errA != nil || errB != nil || !os.SameFile(a, b) || d.names() != "theirs drawbridge-one" {
		t.Errorf("the names are of different files, or it holds %s", d.names())
	}
	u, err := d.PlanUndo(d.target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Apply(t.Context(), u, Consent{InPlace: true}); err != nil {
		t.Fatal(err)
	}
	d.wantText(other)
}
