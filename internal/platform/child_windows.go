package platform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tree is a job object. Its handle is ours alone, so the system ends the job
// when we end, in whatever way.
type tree struct{ job windows.Handle }

// start runs the command inside a new job. The program is created suspended, so
// that it cannot start anything before it is in the job.
func start(c Command, m mark) (*Child, error) {
	line, err := commandLine(c)
	if err != nil {
		return nil, err
	}
	p, err := newPipes()
	if err != nil {
		return nil, err
	}
	job, err := newJob()
	if err != nil {
		p.close()
		return nil, err
	}
	process, err := os.StartProcess(line.program, []string{line.program}, &os.ProcAttr{
		Dir:   c.Dir,
		Env:   append(c.Env[:len(c.Env):len(c.Env)], m.variable()),
		Files: []*os.File{p.childIn, p.childOut, p.childErr},
		Sys: &syscall.SysProcAttr{
			CmdLine:       line.text,
			HideWindow:    true,
			CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NO_WINDOW,
		},
	})
	p.closeChildEnds()
	if err == nil {
		if err = enter(job, process); err != nil {
			_ = process.Kill() // it never ran
		}
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		p.close()
		return nil, err
	}
	child := newChild(process.Pid, p, &tree{job})
	go child.watch(process)
	return child, nil
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("create job object: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, fmt.Errorf("set up job object: %w", err)
	}
	return job, nil
}

// enter puts the suspended process into the job and lets it run.
func enter(job windows.Handle, p *os.Process) error {
	var err error
	handled := p.WithHandle(func(h uintptr) { err = windows.AssignProcessToJobObject(job, windows.Handle(h)) })
	if err = errors.Join(handled, err); err != nil {
		return fmt.Errorf("assign to job object: %w", err)
	}
	return resume(uint32(p.Pid))
}

// resume lets the only thread of a process that was created suspended run.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open thread: %w", err)
		}
		defer windows.CloseHandle(thread)
		if _, err := windows.ResumeThread(thread); err != nil {
			return fmt.Errorf("resume thread: %w", err)
		}
		return nil
	}
	return fmt.Errorf("find the thread of process %d: %w", pid, err)
}

// watch waits for the program, then ends what it left.
func (c *Child) watch(p *os.Process) {
	state, err := p.Wait()
	if err != nil {
		c.status = Status{Lost: err.Error()}
	} else {
		c.status = Status{Code: state.ExitCode()}
	}
	close(c.exited)
	c.tree.kill()
	_ = windows.CloseHandle(c.tree.job) // kills as well
	close(c.gone)
}

// terminate cannot be asked of a process without a window or a console.
func (t *tree) terminate() error { return errors.ErrUnsupported }

// kill ends every process of the job. Once it is empty the call has no news.
func (t *tree) kill() { _ = windows.TerminateJobObject(t.job, 1) }

func (t *tree) force() {}

// Read takes from the child's stdout; io.EOF is its end.
func (c *Child) Read(b []byte) (int, error) { return c.out.Read(b) }

// Interrupt wakes a Read that waits, and all that follow.
func (c *Child) Interrupt() { _ = c.out.Close() }

// InterruptWrite wakes a Write that waits, and all that follow. A message may
// have been cut.
func (c *Child) InterruptWrite() { _ = c.in.Close() }

// line is what CreateProcess is told.
type line struct{ program, text string }

// commandLine quotes the arguments as the program will take them apart. Batch
// files, npx.cmd for one, are read by cmd.exe, which has rules of its own.
func commandLine(c Command) (line, error) {
	switch strings.ToLower(filepath.Ext(c.Path)) {
	case ".cmd", ".bat":
		text, err := batchLine(c.Path, c.Args)
		if err != nil {
			return line{}, err
		}
		folder, err := windows.GetSystemDirectory()
		if err != nil {
			return line{}, err
		}
		return line{filepath.Join(folder, "cmd.exe"), text}, nil
	default:
		return line{c.Path, windows.ComposeCommandLine(append([]string{c.Path}, c.Args...))}, nil
	}
}
