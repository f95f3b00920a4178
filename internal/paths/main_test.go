package paths

import (
	"io"
	"net"
	"os"
	"testing"

	"drawbridge/internal/platform"
)

// The test binary is also the supervisor of the programs it starts, and with
// "server" as its first argument the program that is a server on stdio.
func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	if len(os.Args) == 3 && os.Args[1] == "server" {
		os.Exit(beServer(os.Args[2]))
	}
	os.Exit(m.Run())
}

// beServer is a server whose mind is in the test: what comes on stdin goes there,
// and what the test says goes to stdout.
func beServer(address string) int {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 1
	}
	go func() {
		_, _ = io.Copy(c, os.Stdin)
		_ = c.(*net.TCPConn).CloseWrite() // the test sees that stdin has ended
	}()
	if _, err := io.Copy(os.Stdout, c); err != nil {
		return 1
	}
	return 0
}
