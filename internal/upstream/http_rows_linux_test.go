package upstream

import (
	"net"
	"syscall"
	"testing"
)

const tcpUserTimeout = 18 // of linux/tcp.h

// S-52: every connection has the limit on silence. That the limit works is the
// test of package platform.
func TestConnectionsHaveALimitOnSilence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := newSockets().dial(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*socket).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got, idle int
	var errGet error
	if err := raw.Control(func(fd uintptr) {
		got, errGet = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		idle, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
	}); err != nil || errGet != nil {
		t.Fatal(err, errGet)
	}
	if want := int(silenceLimit.Milliseconds()); got != want {
		t.Errorf("the limit is %d ms, want %d", got, want)
	}
	if idle != 15 {
		t.Errorf("keep-alive begins after %d s, want 15", idle)
	}
}
