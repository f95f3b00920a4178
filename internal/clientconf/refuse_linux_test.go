package clientconf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drawbridge/internal/fault"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can do this")
	}
}

// mounted mounts a small file system, or binds a file to another.
func mounted(t *testing.T, source, at, kind string, flags uintptr, data string) {
	t.Helper()
	needRoot(t)
	if err := syscall.Mount(source, at, kind, flags, data); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestAPipeInThePlaceOfTheFileIsNotOpened(t *testing.T) { // C-06
	d := newRig(t, nil)
	if err := syscall.Mkfifo(d.target.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigNotAFile, NotRegular)
}

func TestAFileOfAnotherUserIsRefused(t *testing.T) { // C-08
	needRoot(t)
	d := newRig(t, ptr(other))
	if err := os.Chown(d.target.Path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	untouched := still(t, d.target.Path)
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigReadonly, NotOwner)
	untouched()
}

func TestAnImmutableFileIsDenied(t *testing.T) { // 7.10, S-31: EPERM, as macOS gives for another program's data
	needRoot(t)
	d := newRig(t, ptr(other))
	p := d.plan(d.put("one"))
	if out, err := exec.Command("chattr", "+i", d.target.Path).CombinedOutput(); err != nil {
		t.Skipf("no immutable files here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", d.target.Path).Run() })
	untouched := still(t, d.target.Path)
	_, err := d.Apply(t.Context(), p, Consent{})
	d.wantRefused(err, fault.ClientConfigDenied, Denied)
	untouched()
	d.wantTidy()
}

func TestAFullDiskLeavesTheFile(t *testing.T) { // S-30, S-31
	d := newRig(t, nil)
	dir := filepath.Dir(d.target.Path)
	mounted(t, "none", dir, "tmpfs", 0, "size=64k")
	d.save(other)
	full := filepath.Join(dir, "full")
	if os.WriteFile(full, []byte(strings.Repeat("x", 1<<20)), 0o600) == nil {
		t.Fatal("the disk is not full")
	}
	untouched := still(t, d.target.Path)
	p := d.plan(d.put("one"))
	_, err := d.Apply(t.Context(), p, Consent{})
	if !fault.IsCode(err, fault.ClientConfigWrite) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	untouched()
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	d.wantTidy()
	if d.ledgerNames() != "" || len(d.backups()) != 0 {
		t.Errorf("the ledger holds %s, and there are %v", d.ledgerNames(), d.backups())
	}
	d.make(p) // with room again
	if d.names() != "theirs drawbridge-one" {
		t.Errorf("the file holds %s", d.names())
	}
}

func TestAFullStateFolderLeavesTheFile(t *testing.T) { // S-30, S-31
	d := newRig(t, ptr(other))
	if err := os.Mkdir(d.state, 0o700); err != nil {
		t.Fatal(err)
	}
	mounted(t, "none", d.state, "tmpfs", 0, "size=64k")
	full := filepath.Join(d.state, "full")
	if os.WriteFile(full, []byte(strings.Repeat("x", 1<<20)), 0o600) == nil {
		t.Fatal("the disk is not full")
	}
	untouched := still(t, d.target.Path)
	p := d.plan(d.put("one"))
	_, err := d.Apply(t.Context(), p, Consent{})
	if !fault.IsCode(err, fault.ClientConfigWrite) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	untouched()
}

func TestAReadOnlyFileSystemIsRefused(t *testing.T) { // C-08, S-30, S-31
	d := newRig(t, nil)
	dir := filepath.Dir(d.target.Path)
	mounted(t, "none", dir, "tmpfs", 0, "size=64k")
	d.save(other)
	p := d.plan(d.put("one"))
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	untouched := still(t, d.target.Path)
	_, err := d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
	_, err = d.Apply(t.Context(), p, Consent{}) // it became read-only after the preview
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
	untouched()
	d.target.Path = filepath.Join(dir, "new.json")
	_, err = d.Plan(d.target, d.put("one"))
	d.wantRefused(err, fault.ClientConfigReadonly, ReadOnly)
}

func TestAMountedFileIsWrittenInPlaceAfterConsentOnly(t *testing.T) { // C-50
	d := newRig(t, ptr("{}"))
	real := filepath.Join(filepath.Dir(filepath.Dir(d.target.Path)), "real.json")
	if err := os.WriteFile(real, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	mounted(t, real, d.target.Path, "", syscall.MS_BIND, "")
	p := d.plan(d.put("one"))
	untouched := still(t, d.target.Path)
	_, err := d.Apply(t.Context(), p, Consent{})
	d.wantRefused(err, fault.ClientConfigShared, SharedFile)
	untouched()
	d.wantTidy()
	if _, err := d.Apply(t.Context(), p, Consent{InPlace: true}); err != nil {
		t.Fatal(err)
	}
	d.wantTidy()
	if b, err := os.ReadFile(real); err != nil || string(b) != d.text() || d.names() != "theirs drawbridge-one" {
		t.Errorf("the file holds %s, %v", b, err)
	}
}

func TestPlantedLinksAreNotFollowed(t *testing.T) { // C-47, C-52
	d := newRig(t, ptr(other))
	victim := filepath.Join(filepath.Dir(filepath.Dir(d.target.Path)), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".tmp", ".bak", "~", ".lock", ".new"} {
		if err := os.Symlink(victim, d.target.Path+suffix); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Apply(t.Context(), d.plan(d.put("one")), Consent{}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "mine" {
		t.Errorf("the victim holds %q, %v", b, err)
	}
}
