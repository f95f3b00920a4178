package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// initialize posts the handshake to an endpoint.
func initialize(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(contextMinute(t), http.MethodPost, url, strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// F-143, F-144.
func TestProxyKeepsItsPort(t *testing.T) {
	env := home(t, `"everything":{"command":"drawbridge","args":["mcp","demo"]}`)
	var first string
	for range 2 {
		p := start(t, env, "proxy", "mcp", "everything")
		line := p.line()
		addr, ok := strings.CutPrefix(line, "Proxy for everything listening on 127.0.0.1:")
		if !ok {
			t.Fatalf("first line = %q", line)
		}
		if first == "" {
			first = addr
		}
		if addr != first {
			t.Errorf("port %s, want %s again", addr, first)
		}
		status, body := initialize(t, "http://127.0.0.1:"+addr)
		if status != 200 || !strings.Contains(body, "drawbridge-demo") {
			t.Errorf("initialize = %d %s", status, body)
		}
		p.interrupt()
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr: %s", code, p.stderr)
		}
		if rest, _ := io.ReadAll(p.stdout); len(rest) > 0 {
			t.Errorf("more on stdout: %q", rest)
		}
	}
}

// F-143 with -p, F-126 with a command.
func TestProxyServesACommandOnAGivenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	p := start(t, nil, "proxy", "mcp", "-p", fmt.Sprint(port), "--as", "sse", "--", "drawbridge", "mcp", "demo")
	if got, want := p.line(), fmt.Sprintf("Proxy for drawbridge listening on 127.0.0.1:%d", port); got != want {
		t.Errorf("first line = %q, want %q", got, want)
	}
	req, err := http.NewRequestWithContext(contextMinute(t), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/sse", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b [64]byte
	n, err := io.ReadAtLeast(resp.Body, b[:], 15)
	if err != nil || !strings.HasPrefix(string(b[:n]), "event: endpoint") {
		t.Errorf("F-127: the stream begins with %q, %v", b[:n], err)
	}
}

// S-20: the key is on stdout for the user and nowhere else.
func TestLocalTokenIsAskedFor(t *testing.T) {
	env := home(t, `"everything":{"command":"drawbridge","args":["mcp","demo"]}`)
	p := start(t, env, "proxy", "mcp", "everything", "--local-token", "--debug")
	base := "http://" + strings.TrimPrefix(p.line(), "Proxy for everything listening on ")
	url, ok := strings.CutPrefix(p.line(), "Address with its key: ")
	if !ok || len(url) < len(base)+43 {
		t.Fatalf("no address with a key: %q", url)
	}
	if status, body := initialize(t, base+"/mcp"); status != 403 || !strings.Contains(body, "DB_LOCAL_TOKEN") {
		t.Errorf("without the key: %d %s", status, body)
	}
	if status, body := initialize(t, url); status != 200 {
		t.Errorf("with the key: %d %s", status, body)
	}
	key := strings.Split(strings.TrimPrefix(url, base+"/"), "/")[0]
	p.interrupt()
	p.exit()
	if strings.Contains(p.stderr.String(), key) {
		t.Error("the key is in the log")
	}
}

func TestUpServesTheCatalogAndFollowsIt(t *testing.T) {
	env := home(t, `"one":{"command":"drawbridge","args":["mcp","demo"]}`)
	dir := strings.TrimPrefix(env[len(env)-1], "DRAWBRIDGE_HOME=")
	interrupted := filepath.Join(dir, "journal", "x.json") // of a change of a client's file; S-29
	if err := errors.Join(os.MkdirAll(filepath.Dir(interrupted), 0o700), os.WriteFile(interrupted, []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	p := start(t, env, "up")
	url, ok := strings.CutPrefix(p.line(), "one ")
	if !ok {
		t.Fatalf("no address for one: %q", url)
	}
	if status, body := initialize(t, url); status != 200 {
		t.Errorf("initialize = %d %s", status, body)
	}
	written := filepath.Join(dir, "mcp.json")
	for _, args := range [][]string{{"--format", "json"}, {}, {"--client-config", written, "-y"}} {
		c := start(t, env, append([]string{"mcp", "config", "one", "--http"}, args...)...)
		out, err := io.ReadAll(c.stdout)
		if code := c.exit(); err != nil || code != 0 || len(args) < 3 && !strings.Contains(string(out), `"url": "`+url+`"`) {
			t.Errorf("mcp config --http %q ended with %d, %v: %s%s", args, code, err, out, c.stderr)
		}
	}
	if b, err := os.ReadFile(written); err != nil || !strings.Contains(string(b), url) || strings.Contains(string(b), "command") {
		t.Errorf("the client's file holds %s, %v; want %s", b, err, url)
	}
	second := start(t, env, "up")
	if code := second.exit(); code != 1 || !strings.Contains(second.stderr.String(), "another `drawbridge up`") {
		t.Errorf("a second one ended with %d: %s", code, second.stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, "catalog.json"), []byte(`{"servers":{"two":{"command":"drawbridge","args":["mcp","demo"]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	two, ok := strings.CutPrefix(p.line(), "two ")
	if !ok {
		t.Fatalf("no address for two: %q", two)
	}
	if status, body := initialize(t, two); status != 200 {
		t.Errorf("initialize of two = %d %s", status, body)
	}
	p.interrupt()
	began := time.Now()
	if code := p.exit(); code != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("exit code %d after %v, want 0 soon; stderr: %s", code, time.Since(began), p.stderr)
	}
	if !strings.Contains(p.stderr.String(), interrupted) {
		t.Errorf("nothing is said of the change that was interrupted: %s", p.stderr)
	}

	named := start(t, env, "up", "nobody")
	if code := named.exit(); code != 4 {
		t.Errorf("up with an unknown name: exit code %d, want 4", code)
	}
}
