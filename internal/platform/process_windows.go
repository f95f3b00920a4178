package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

func ownProcesses() ([]Process, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // only read
	ours, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("read own token: %w", err)
	}
	var list []Process
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		theirs, err := processUser(entry.ProcessID)
		if err != nil || int(entry.ProcessID) == os.Getpid() || !ours.User.Sid.Equals(theirs.User.Sid) {
			continue
		}
		if p, err := processOf(int(entry.ProcessID)); err == nil {
			p.Parent = int(entry.ParentProcessID)
			list = append(list, p)
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return withTrueParents(list), nil
}

// withTrueParents forgets parents whose number was given to a younger process.
func withTrueParents(list []Process) []Process {
	began := map[int]int64{}
	for _, p := range list {
		began[p.PID], _ = strconv.ParseInt(p.start, 10, 64) // as processOf wrote it
	}
	for i, p := range list {
		if began[p.Parent] > began[p.PID] {
			list[i].Parent = 0
		}
	}
	return list
}

// processOf describes a process that may be opened.
func processOf(pid int) (Process, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return Process{}, err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // only read
	name := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(name))
	if err := windows.QueryFullProcessImageName(h, 0, &name[0], &n); err != nil {
		return Process{}, err
	}
	start, err := startOf(h)
	return Process{PID: pid, Program: windows.UTF16ToString(name[:n]), start: start}, err
}

func startOf(h windows.Handle) (string, error) {
	var began, unused windows.Filetime
	err := windows.GetProcessTimes(h, &began, &unused, &unused, &unused)
	return strconv.FormatInt(began.Nanoseconds(), 10), err
}

// Lives tells whether the process still runs.
func (p Process) Lives() bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.PID))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h) //nolint:errcheck // only read
	start, err := startOf(h)
	if err != nil || start != p.start {
		return false
	}
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// askPatience is how long a program of the system may take.
const askPatience = 5 * time.Second

// askToQuit closes the program's windows, as the system's own program does it.
// A program that stays in the notification area may go on after that.
func (p Process) askToQuit(ctx context.Context) error {
	// As long as the process is open, its number is not given to another.
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.PID))
	if err != nil {
		return ErrProcessGone
	}
	defer windows.CloseHandle(h) //nolint:errcheck // only held
	if !p.Lives() {
		return ErrProcessGone
	}
	folder, err := windows.GetSystemDirectory()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(folder, "taskkill.exe"), "/PID", strconv.Itoa(p.PID))
	c.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
	c.WaitDelay = time.Second
	said, err := c.CombinedOutput()
	if err == nil || !p.Lives() {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrProcessNotAsked, bytes.TrimSpace(said[:min(len(said), 1024)]))
}

// launch is the program, or the name under which the shell knows an app of the
// store, which is not started by its path.
type launch struct{ program, app string }

func (p Process) launch() (launch, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.PID))
	if err != nil {
		return launch{}, ErrProcessGone
	}
	defer windows.CloseHandle(h) //nolint:errcheck // only read
	if app := appOf(h); app != "" {
		return launch{app: app}, nil
	}
	if st, err := os.Stat(p.Program); err != nil || !st.Mode().IsRegular() {
		return launch{}, fmt.Errorf("there is no program at %s any more", p.Program)
	}
	return launch{program: p.Program}, nil
}

// appOf is the process's application user model id, "" for a program that is no
// app of the store.
func appOf(h windows.Handle) string {
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetApplicationUserModelId")
	if call.Find() != nil {
		return ""
	}
	name := make([]uint16, 512) // the longest has 130 characters
	n := uint32(len(name))
	code, _, _ := call.Call(uintptr(h), uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(&name[0])))
	if code != 0 {
		return ""
	}
	return windows.UTF16ToString(name)
}

func (l launch) start(context.Context) error {
	program, args := l.program, []string{l.program}
	if l.app != "" {
		folder, err := windows.GetSystemWindowsDirectory()
		if err != nil {
			return err
		}
		program = filepath.Join(folder, "explorer.exe")
		args = []string{program, `shell:AppsFolder\` + l.app}
	}
	p, err := os.StartProcess(program, args, &os.ProcAttr{
		Dir: filepath.Dir(program), Sys: &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP},
	})
	if err != nil {
		return err
	}
	return p.Release()
}
