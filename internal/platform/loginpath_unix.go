//go:build unix

package platform

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Limits of asking the login shell.
const (
	loginWait  = 3 * time.Second
	loginLimit = 256 << 10 // bytes of output; start files may print
)

func captureLoginPath() string { return shellPath(loginShell(), loginWait) }

// loginShell is the user's: from the environment, the password database, or
// what the system gives new users.
func loginShell() string {
	if s := os.Getenv("SHELL"); filepath.IsAbs(s) && executable(s) == nil {
		return s
	}
	if s := accountShell(); filepath.IsAbs(s) && executable(s) == nil {
		return s
	}
	if runtime.GOOS == "darwin" {
		return "/bin/zsh"
	}
	return "/bin/sh"
}

// accountShell reads the shell from /etc/passwd. Accounts kept elsewhere (a
// directory service, macOS) are not in it.
func accountShell() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 4<<20))
	for lines.Scan() {
		if a := strings.Split(lines.Text(), ":"); len(a) == 7 && a[2] == u.Uid {
			return a[6]
		}
	}
	return ""
}

// shellPath has a login shell print its PATH between two marks that nothing
// else prints. A shell that does not understand, or takes too long, gives "".
func shellPath(shell string, limit time.Duration) string {
	id := newID()
	r, w, err := os.Pipe()
	if err != nil {
		return ""
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		_ = w.Close()
		return ""
	}
	defer null.Close()
	env, err := ChildEnviron(map[string]string{"TERM": "dumb", "SHELL": shell}, Found{}, "")
	if err != nil {
		panic("platform: " + err.Error()) // the names are ours
	}
	p, err := os.StartProcess(shell, []string{shell, "-l", "-c", `printf '%s' "` + id + `<$PATH>` + id + `"`}, &os.ProcAttr{
		Dir: "/", Env: env, Files: []*os.File{null, w, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	_ = w.Close()
	if err != nil {
		return ""
	}
	path := readMarked(r, id, time.Now().Add(limit))
	// Nobody waited for the shell yet, so the group's number is still its own.
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	_, _ = p.Wait()
	return path
}

// readMarked reads until the second mark, the end, the limit or the deadline.
func readMarked(r *os.File, id string, deadline time.Time) string {
	if r.SetReadDeadline(deadline) != nil {
		return ""
	}
	var got []byte
	b := make([]byte, 4<<10)
	for len(got) < loginLimit {
		n, err := r.Read(b)
		got = append(got, b[:n]...)
		if _, rest, ok := bytes.Cut(got, []byte(id+"<")); ok {
			if path, _, ok := bytes.Cut(rest, []byte(">"+id)); ok {
				return string(path)
			}
		}
		if err != nil {
			return ""
		}
	}
	return ""
}
