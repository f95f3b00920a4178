package downstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drawbridge/internal/jsonrpc"
	"drawbridge/internal/platform"
)

// Another user gets nothing, with the key and without, staying or leaving.
func TestAnotherUserIsRefused(t *testing.T) { // S-14 S-15
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv")
	}
	var served atomic.Int32
	f := start(t, &HTTP{Key: testKey, Serve: func(ctx context.Context, c jsonrpc.Conn, i Client) {
		served.Add(1)
		echo(ctx, c, i)
	}})
	cmd := exec.Command(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups",
		readableCopy(t), "-test.run=^TestAsAnotherUser$", "-test.v")
	cmd.Env = append(os.Environ(), "PROXY="+f.addr)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "refused as it should be") {
		t.Errorf("the other user's program: %v\n%s", err, out)
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d conversations were opened for another user", n)
	}
	resp, body := f.raw(request("/"+testKey+"/mcp", f.addr)) // the test looks at something
	if resp.StatusCode != 200 {
		t.Errorf("our own user: got %d %s", resp.StatusCode, body)
	}
}

// TestAsAnotherUser is the other user's program.
func TestAsAnotherUser(t *testing.T) {
	addr := os.Getenv("PROXY")
	if addr == "" {
		t.Skip("only run by TestAnotherUserIsRefused")
	}
	for _, path := range []string{"/" + testKey + "/mcp", "/mcp", "/" + testKey + "/sse"} {
		resp, err := http.Post("http://"+addr+path, "application/json", strings.NewReader(initialize("2025-06-18")))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 403 || !strings.Contains(string(b), "DB_ORIGIN_REFUSED") {
			t.Fatalf("%s: got %d %s", path, resp.StatusCode, b)
		}
	}
	for range 1000 { // and leave before anybody can look
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(c, request("/"+testKey+"/mcp", addr)); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).SetLinger(1); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	fmt.Println("refused as it should be")
}

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
	dir, err := os.MkdirTemp("", "peer")
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

// An answer about the peer holds for its connection, good or bad.
func TestPeerThatWasRefusedStaysRefused(t *testing.T) {
	near, far := net.Pipe() // no addresses, so nobody's
	defer near.Close()
	defer far.Close()
	c := &wireConn{Conn: near}
	for range 2 {
		if err := c.sameUser(); !errors.Is(err, platform.ErrPeerForeign) {
			t.Errorf("got %v, want ErrPeerForeign", err)
		}
	}
}

func TestSlowBodyIsBounded(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	var deadline atomic.Int64
	c := &wireConn{Conn: deadlineSpy{near, &deadline}}
	go io.WriteString(far, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
	b := make([]byte, 100)
	if _, err := io.ReadAtLeast(c, b, 40); err != nil {
		t.Fatal(err)
	}
	if deadline.Load() != 0 {
		t.Error("a deadline before the body is waited for")
	}
	go io.WriteString(far, "def")
	if _, err := c.Read(b); err != nil {
		t.Fatal(err)
	}
	if d := time.Until(time.Unix(0, deadline.Load())); d <= 0 || d > bodyLimit {
		t.Errorf("the deadline is in %v, want within %v", d, bodyLimit)
	}
	go io.WriteString(far, "ghij")
	if _, err := c.Read(b); err != nil {
		t.Fatal(err)
	}
	if deadline.Load() != 0 {
		t.Error("the deadline outlives the body")
	}
}

type deadlineSpy struct {
	net.Conn
	at *atomic.Int64
}

func (s deadlineSpy) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		s.at.Store(0)
	} else {
		s.at.Store(t.UnixNano())
	}
	return s.Conn.SetReadDeadline(t)
}
