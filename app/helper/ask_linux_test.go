package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal opens a pseudo-terminal: what a person has, and the program's side.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number uint32
	var unlock int32
	var failed syscall.Errno
	err = raw.Control(func(fd uintptr) {
		if _, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlock))); failed == 0 {
			_, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
		}
	})
	if err != nil || failed != 0 {
		t.Fatal(err, failed)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// C-41: on a terminal a change is asked for, and Enter alone is no.
func TestAPersonIsAskedBeforeAFileIsWritten(t *testing.T) {
	for _, row := range []struct {
		answer  string
		flags   []string
		written bool
		exit    int
	}{
		{"y\n", nil, true, 0},
		{"\n", nil, false, 0},
		{"n\n", nil, false, 0},
		{"\x03", nil, false, 1}, // Ctrl-C
		{"", []string{"-y"}, true, 0},
	} {
		t.Run(fmt.Sprintf("%q %v", row.answer, row.flags), func(t *testing.T) {
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "catalog.json"), []byte(`{"servers":{"x":{"command":"npx"}}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(home, "mcp.json")
			person, program := terminal(t)
			cmd := exec.Command("drawbridge", append([]string{"mcp", "config", "x", "--client-config", file}, row.flags...)...)
			cmd.Env = append(os.Environ(), "DRAWBRIDGE_HOME="+home, "HOME="+home)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that Ctrl-C reaches it
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() }) // one that waits on; most have ended
			program.Close()
			shown := await(t, person, row.answer)
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != row.exit {
				t.Fatalf("%v, want exit code %d: %s", err, row.exit, shown)
			}
			if _, err := os.Stat(file); (err == nil) != row.written {
				t.Errorf("written: %v, want %v; shown was\n%s", err == nil, row.written, shown)
			}
			if asked := strings.Contains(shown, "Write this? [y/N]"); asked != (row.answer != "") {
				t.Errorf("asked: %v; shown was\n%s", asked, shown)
			}
		})
	}
}

// await reads what the program shows until it ends, and answers its question.
func await(t *testing.T, person *os.File, answer string) string {
	t.Helper()
	shown := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		b := make([]byte, 4096)
		answered := answer == ""
		for {
			n, err := person.Read(b)
			all.Write(b[:n])
			if !answered && bytes.Contains(all.Bytes(), []byte("[y/N]")) {
				answered = true
				if _, err := person.WriteString(answer); err != nil {
					break
				}
			}
			if err != nil { // the program's side was closed
				break
			}
		}
		shown <- all.String()
	}()
	select {
	case s := <-shown:
		return s
	case <-time.After(time.Minute):
		t.Fatal("the program did not end within 20 s")
		return ""
	}
}
