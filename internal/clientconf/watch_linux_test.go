package clientconf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"drawbridge/internal/fault"
)

// nobody is a user without rights.
const nobody = 65534

// asNobody runs the test again as a user to whom modes apply, when it is run by
// root. It tells whether it did.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	f := installFake(t, "test")
	dir, err := os.MkdirTemp("", "drawbridge-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "test")
	for _, err := range []error{
		os.Rename(f.program, program), os.Chmod(program, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o777), os.Chmod(filepath.Join(dir, "tmp"), 0o777), os.Chmod(dir, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	c.Dir = dir
	c.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"), "HOME="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	said, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("the user cannot be changed here")
	}
	if t.Logf("as another user: %s", said); err != nil {
		t.Error(err)
	}
	return true
}

func TestTheWatcherSaysWhatItMayNotRead(t *testing.T) {
	if asNobody(t) {
		return
	}
	d := newDesk(t)
	d.write(d.cursor, oursIn)
	d.owns(d.cursor, "a")
	d.want(StateAdded, d.watch)
	s := d.want(StateDenied, func() { d.do(os.Chmod(d.cursor, 0)) })
	if !fault.IsCode(s.Problem, fault.ClientConfigDenied) {
		t.Errorf("got %v", s.Problem)
	}
	d.want(StateAdded, func() { d.do(os.Chmod(d.cursor, 0o600)) })
	d.want(StateDenied, func() { d.do(os.Chmod(filepath.Dir(d.cursor), 0)) })
	d.want(StateChanged, func() {
		d.do(os.Chmod(filepath.Dir(d.cursor), 0o700))
		d.write(d.cursor, oursMoved)
	})
	owned, err := d.editor.Ledger()
	if err != nil || len(owned) != 1 || !owned[0].Removed.IsZero() {
		t.Errorf("ledger: %+v, %v; what cannot be read was not removed", owned, err)
	}
}
