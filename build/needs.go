package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// need is a program of the system that a verb cannot do without.
type need struct {
	program string   // found on PATH
	why     string   // the reason, for people
	only    string   // the one system that needs it; "" is all
	apt     []string // Debian's packages
	brew    string   // the command on macOS
	winget  string   // the command on Windows
	other   string   // what to look for elsewhere
}

var (
	needGCC = need{
		program: "gcc", only: "linux",
		why: "the race detector links C code",
		apt: []string{"gcc", "libc6-dev"}, other: "gcc and the C library's headers",
	}
	needWindowsGCC = need{
		program: "gcc", only: "windows",
		why:    "the race detector links C code",
		winget: "winget install -e --id BrechtSanders.WinLibs.POSIX.UCRT",
	}
	needStrace = need{
		program: "strace", only: "linux",
		why: "the tests of writing files disturb it at each system call",
		apt: []string{"strace"}, other: "strace",
	}
	needVim = need{
		program: "vim", only: "linux",
		why: "what it does when it saves a file is one of the things a watch has to see",
		apt: []string{"vim"}, other: "vim",
	}
	needNPM = need{
		program: "npm",
		why:     "the end-to-end tests and the benchmark use real MCP servers and clients from npm",
		apt:     []string{"npm"}, brew: "brew install node", winget: "winget install -e --id OpenJS.NodeJS.LTS", other: "npm",
	}
)

// missing are the needs this machine lacks.
func missing(needs []need) []need {
	var lack []need
	for _, n := range needs {
		if n.only != "" && n.only != runtime.GOOS {
			continue
		}
		if _, err := exec.LookPath(n.program); err != nil {
			lack = append(lack, n)
		}
	}
	return lack
}

// require installs what is missing, or says how to and fails.
func (b *builder) require(ctx context.Context, needs ...need) error {
	lack := missing(needs)
	if len(lack) == 0 {
		return nil
	}
	b.say("Missing on this machine:")
	for _, n := range lack {
		b.say("  %-6s %s", n.program, n.why)
	}
	install := installers(lack)
	if !usesApt() {
		return fmt.Errorf("install what is missing, then run this again:\n  %s", strings.Join(install, "\n  "))
	}
	prefix, err := b.rootPrefix(install)
	if err != nil {
		return err
	}
	if err := b.apt(ctx, prefix, lack); err != nil {
		return err
	}
	if still := missing(lack); len(still) > 0 {
		return fmt.Errorf("%s is still not on PATH after installing it", still[0].program)
	}
	return nil
}

// usesApt tells whether this is Debian, Ubuntu or one of their kin.
func usesApt() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && runtime.GOOS == "linux"
}

// installers are the commands a person would type.
func installers(lack []need) []string {
	var lines, packages []string
	for _, n := range lack {
		switch {
		case usesApt():
			packages = append(packages, n.apt...)
		case runtime.GOOS == "darwin":
			lines = append(lines, n.brew)
		case runtime.GOOS == "windows":
			lines = append(lines, n.winget)
		default:
			lines = append(lines, "with your system's package manager: "+n.other)
		}
	}
	if len(packages) > 0 {
		lines = append(lines, "sudo apt-get update", "sudo apt-get install -y "+strings.Join(packages, " "))
	}
	return lines
}

// rootPrefix is what goes before apt-get: nothing for root, sudo for who says
// yes to it on a terminal.
func (b *builder) rootPrefix(install []string) ([]string, error) {
	if os.Geteuid() == 0 {
		return nil, nil
	}
	refused := errors.New("install what is missing, then run this again:\n  " + strings.Join(install, "\n  "))
	if os.Getenv("CI") == "true" || !onTerminal(os.Stdin) {
		return nil, refused // nobody to ask
	}
	if _, err := exec.LookPath("sudo"); err != nil {
		return nil, refused
	}
	fmt.Fprintf(b.out, "Install with sudo apt-get now? [y/N] ")
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return []string{"sudo"}, nil
	default:
		return nil, refused
	}
}

// apt installs Debian packages.
func (b *builder) apt(ctx context.Context, prefix []string, lack []need) error {
	install := []string{"apt-get", "install", "-y", "--no-install-recommends"}
	for _, n := range lack {
		install = append(install, n.apt...)
	}
	for _, line := range [][]string{{"apt-get", "update"}, install} {
		line = append(append([]string(nil), prefix...), line...)
		b.say("$ %s", strings.Join(line, " "))
		c := b.command(ctx, []string{"DEBIAN_FRONTEND=noninteractive"}, line[0], line[1:]...)
		c.Stdin = os.Stdin // for sudo's question
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(line, " "), err)
		}
	}
	return nil
}

// onTerminal tells whether f is a terminal. The null device is a character
// device too, and no terminal.
func onTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
