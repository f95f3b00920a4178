package platform

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ends gives both ends of a connection, the accepted one first.
func ends(t *testing.T, network, at string) (near net.Conn, far net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, at)
	if err != nil {
		t.Skipf("no %s on this machine: %v", at, err)
	}
	defer ln.Close()
	far, err = net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func addresses(c net.Conn) (local, remote netip.AddrPort) {
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

func TestSameUserKnowsItsOwnProgram(t *testing.T) { // S-14
	for _, at := range []struct{ network, addr string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		t.Run(at.addr, func(t *testing.T) {
			near, _ := ends(t, at.network, at.addr)
			local, remote := addresses(near)
			if err := SameUser(local, remote); err != nil {
				t.Errorf("sock_diag: %v", err)
			}
			if s, err := procSocket(remote, local); err != nil || int(s.uid) != os.Geteuid() || s.inode == 0 || !s.connected() {
				t.Errorf("table: %+v %v", s, err)
			}
		})
	}
}

func TestSameUserFindsAnIPv6SocketWithAnIPv4Connection(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	defer syscall.Close(fd)
	to := &syscall.SockaddrInet6{Port: ln.Addr().(*net.TCPAddr).Port, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}
	if err := syscall.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	local, remote := addresses(near)
	if err := SameUser(local, remote); err != nil {
		t.Errorf("sock_diag: %v", err)
	}
	if _, err := procSocket(remote, local); err != nil {
		t.Errorf("table: %v", err)
	}
}

func TestSameUserRefusesAnOrphan(t *testing.T) { // S-15
	near, far := ends(t, "tcp4", "127.0.0.1:0")
	far.Close()
	local, remote := addresses(near)
	if err := SameUser(local, remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("got %v, want ErrPeerForeign", err)
	}
	near.Close() // now there is no socket, or one in TIME_WAIT
	if err := SameUser(local, remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("got %v, want ErrPeerForeign", err)
	}
}

func TestSameUserRefusesOtherHosts(t *testing.T) { // S-16
	here := netip.MustParseAddrPort("127.0.0.1:80")
	for _, there := range []string{"192.168.1.5:80", "[fe80::1]:80", "172.17.0.2:80"} {
		if err := SameUser(here, netip.MustParseAddrPort(there)); !errors.Is(err, ErrPeerForeign) {
			t.Errorf("%s: got %v, want ErrPeerForeign", there, err)
		}
	}
}

// A listener of ours on the port that a foreign client had is not the client.
func TestSameUserIsNotFooledByAListener(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	remote := ln.Addr().(*net.TCPAddr).AddrPort()
	if err := SameUser(netip.MustParseAddrPort("127.0.0.1:9"), remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("got %v, want ErrPeerForeign", err)
	}
}

func TestSameUserRefusesAnotherUser(t *testing.T) { // S-14
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := exec.Command(readableCopy(t), "-test.run=^TestDialAsAnotherUser$")
	cmd.Env = append(os.Environ(), "PEER_DIAL="+ln.Addr().String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	stay, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start as another user: %v", err)
	}
	defer func() { stay.Close(); _ = cmd.Wait() }()
	_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	near, err := ln.Accept()
	if err != nil {
		t.Fatalf("the other user's program did not connect: %v", err)
	}
	defer near.Close()
	local, remote := addresses(near)
	if err := SameUser(local, remote); !errors.Is(err, ErrPeerForeign) {
		t.Errorf("got %v, want ErrPeerForeign", err)
	}
}

// readableCopy is this test program where every user can start it.
func readableCopy(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "peeruid")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "program")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDialAsAnotherUser is the other user's program.
func TestDialAsAnotherUser(t *testing.T) {
	if os.Getenv("PEER_DIAL") == "" {
		t.Skip("only run by TestSameUserRefusesAnotherUser")
	}
	dialAndStay(t)
}

func dialAndStay(t *testing.T) {
	c, err := net.Dial("tcp4", os.Getenv("PEER_DIAL"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent is done
}

func TestSameUserIsQuickAmongThousandsOfSockets(t *testing.T) { // S-22
	near, _ := ends(t, "tcp4", "127.0.0.1:0")
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	n := 0
	for ; n < 4000; n++ {
		c, err := net.Dial("tcp4", ln.Addr().String())
		if err != nil {
			break // the limit of open files
		}
		defer c.Close()
	}
	local, remote := addresses(near)
	var took []time.Duration
	for range 1000 {
		begin := time.Now()
		if err := SameUser(local, remote); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("%d sockets: p50 %v, p99 %v", 2*n, took[500], took[990])
	if p99 := took[990]; p99 > 5*time.Millisecond {
		t.Errorf("p99 %v with %d sockets, want at most 5 ms", p99, 2*n)
	}
}

func TestProcAddressIsWrittenAsTheKernelDoes(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("no /proc/net/tcp")
	}
	near, _ := ends(t, "tcp4", "127.0.0.1:0")
	local, _ := addresses(near)
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil || !strings.Contains(string(b), procAddress(local, false)) {
		t.Errorf("%s is not in the table (%v)", procAddress(local, false), err)
	}
}
