package platform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests need a network of their own, which they have by starting this
// test program again in a new network namespace. All of it ends with the
// programs.

// inNamespace makes the test of this name run as a program in a network of its
// own.
func inNamespace(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the program ip")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), "IN_NAMESPACE="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return cmd
}

// runInNamespace runs it; what it cannot do here is a skip.
func runInNamespace(t *testing.T, name string) {
	t.Helper()
	out, err := inNamespace(t, name).CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skipf("no network namespace can be made here: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	case !strings.Contains(string(out), "--- PASS: "+name):
		t.Errorf("it did not run:\n%s", out)
	}
}

// onlyWithin skips a test that is a program of another.
func onlyWithin(t *testing.T, name string) {
	if os.Getenv("IN_NAMESPACE") != name {
		t.Skip("only run by another test")
	}
}

// ip runs the program ip; a kernel that lacks what it asks for is a skip.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Skipf("ip %s: %v %s", args, err, out)
	}
}

// S-52: what was sent to a peer that is gone without a word ends the connection
// at the limit, and not a quarter of an hour later.
func TestSilenceIsLimited(t *testing.T) { runInNamespace(t, "TestBlackHole") }

// TestBlackHole takes the network away under two connections.
func TestBlackHole(t *testing.T) {
	onlyWithin(t, "TestBlackHole")
	ip(t, "link set lo up")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	open := func(limit time.Duration) net.Conn {
		d := net.Dialer{}
		if limit > 0 {
			d.Control = func(_, _ string, c syscall.RawConn) error { return LimitSilence(c, limit) }
		}
		c, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); far.Close() })
		return c
	}
	limited, patient := open(300*time.Millisecond), open(0)
	ip(t, "link set lo down")
	for _, c := range []net.Conn{limited, patient} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	_ = limited.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := limited.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the limited connection: %v, want its end", err)
	}
	_ = patient.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := patient.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the other connection: %v, want it open; the test looks at nothing", err)
	}
}

// S-16: a program behind a bridge, as a container is, is refused although it
// has our user id.
func TestSameUserRefusesAnotherNetwork(t *testing.T) { runInNamespace(t, "TestAcrossNetworks") }

// TestAcrossNetworks is one end of a cable to another network.
func TestAcrossNetworks(t *testing.T) {
	onlyWithin(t, "TestAcrossNetworks")
	far := inNamespace(t, "TestDialAcross")
	orders, err := far.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	far.Stdout = &said
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		orders.Close()
		if err := far.Wait(); err != nil {
			t.Errorf("the other end: %v\n%s", err, said.String())
		}
	}()
	ip(t, "link add near type veth peer name far")
	ip(t, "link set far netns "+strconv.Itoa(far.Process.Pid))
	ip(t, "addr add 10.99.0.1/24 dev near")
	ip(t, "link set near up")
	ln, err := net.Listen("tcp", "10.99.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := fmt.Fprintln(orders, ln.Addr()); err != nil {
		t.Fatal(err)
	}
	_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	near, err := ln.Accept()
	if err != nil {
		t.Fatalf("nobody came: %v", err)
	}
	defer near.Close()
	local, remote := addresses(near)
	if err := SameUser(local, remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("got %v, want ErrPeerForeign", err)
	}
	// Nor is it found by asking the kernel, should the first check be lost.
	if err := sameUser(local, remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("the kernel's answer: got %v, want ErrPeerForeign", err)
	}
}

// TestDialAcross is the other end.
func TestDialAcross(t *testing.T) {
	onlyWithin(t, "TestDialAcross")
	in := bufio.NewReader(os.Stdin)
	addr, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	ip(t, "addr add 10.99.0.2/24 dev far")
	ip(t, "link set far up")
	c, err := net.DialTimeout("tcp", strings.TrimSpace(addr), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.Copy(io.Discard, in) // until the first end is done
}
