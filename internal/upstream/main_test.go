package upstream

import (
	"os"
	"testing"

	"drawbridge/internal/platform"
)

// The test binary is also the supervisor of the children it starts, and with
// "stdio-server" as its first argument the server they are.
func TestMain(m *testing.M) {
	if handled, code := platform.ShimMain(os.Args); handled {
		os.Exit(code)
	}
	if len(os.Args) > 2 && os.Args[1] == "stdio-server" {
		os.Exit(serveStdio(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}
