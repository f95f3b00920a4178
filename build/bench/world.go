package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"drawbridge/build/bench/client"
)

//go:embed mcp-proxy-stdio.mjs
var mcpProxyStdio []byte

// world is what a run stands on: the built programs, the peers, an upstream and
// a home that no other program uses.
type world struct {
	tmp   string
	env   []string
	vars  map[string]string // placeholder -> value
	chose choice
}

// build makes the world for the rows that will run.
func build(ctx context.Context, chose choice) (*world, error) {
	tmp, err := os.MkdirTemp("", "drawbridge-bench")
	if err != nil {
		return nil, err
	}
	w := &world{tmp: tmp, chose: chose, vars: map[string]string{"{tmp}": tmp, "{bin}": filepath.Join(tmp, "bin")}}
	if err := w.fill(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) fill(ctx context.Context) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	bin := w.vars["{bin}"]
	if w.vars["{before}"], err = filepath.Abs(w.chose.before); err != nil {
		return err
	}
	w.vars["{stdio}"] = filepath.Join(bin, "echostdio")
	if err := compile(ctx, root, bin, w.chose.wants(own)); err != nil {
		return err
	}
	if w.chose.wants(npm) {
		p, err := installPeers(ctx, filepath.Join(root, ".cache"))
		if err != nil {
			return err
		}
		w.vars["{node}"], w.vars["{npm}"] = p.node, p.modules
		if err := os.WriteFile(filepath.Join(w.tmp, "mcp-proxy-stdio.mjs"), mcpProxyStdio, 0o600); err != nil {
			return err
		}
	}
	return w.makeHome()
}

// makeHome keeps everything the programs write inside the run's folder.
func (w *world) makeHome() error {
	home := filepath.Join(w.tmp, "home")
	for _, dir := range []string{home, filepath.Join(w.tmp, "run")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	w.env = append(os.Environ(),
		"HOME="+home, "USERPROFILE="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_STATE_HOME="+filepath.Join(home, "state"),
		"XDG_RUNTIME_DIR="+filepath.Join(w.tmp, "run"), "DRAWBRIDGE_HOME="+filepath.Join(home, "drawbridge"),
		"MCP_REMOTE_CONFIG_DIR="+filepath.Join(home, "mcp-remote"), "BROWSER=true", "DISPLAY=", "NODE_OPTIONS=")
	return nil
}

func (w *world) close() {
	_ = os.RemoveAll(w.tmp) // what an ending program still writes stays in the system's temporary folder
}

// expand fills the placeholders of a command line.
func (w *world) expand(words []string) []string {
	for key, value := range w.vars {
		words = replaceAll(words, key, value)
	}
	return words
}

func (w *world) expandOne(s string) string { return w.expand([]string{s})[0] }

func replaceAll(words []string, key, value string) []string {
	if words == nil {
		return nil
	}
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = strings.ReplaceAll(word, key, value)
	}
	return out
}

// start runs a command line with its placeholders filled; it ends with ctx.
func (w *world) start(ctx context.Context, words []string) (*client.Stdio, error) {
	return client.StartStdio(ctx, client.Command{Args: w.expand(words), Env: w.env})
}

// upstreamProcess is a running upstream.
type upstreamProcess struct {
	cmd  *exec.Cmd
	addr string
}

// startUpstream runs the bundled server; port 0 of addr is a free one.
func (w *world) startUpstream(ctx context.Context, addr string) (*upstreamProcess, error) {
	c := exec.CommandContext(ctx, w.expandOne("{bin}/upstream"), "-addr", addr)
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	u := &upstreamProcess{cmd: c}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		u.stop()
		return nil, fmt.Errorf("start the upstream: %w", err)
	}
	u.addr = strings.TrimSpace(line)
	return u, nil
}

func (u *upstreamProcess) url() string { return "http://" + u.addr }

func (u *upstreamProcess) stop() {
	_ = u.cmd.Process.Kill() // it may have ended with the run
	_ = u.cmd.Wait()         // killed
}

// startServer runs another upstream and waits until it answers HTTP at all.
func (w *world) startServer(ctx context.Context, words []string) (*client.Stdio, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	c, err := client.StartStdio(ctx, client.Command{
		Args: w.expand(replaceAll(words, "{port}", port)), Env: append(w.env, "PORT="+port)})
	if err != nil {
		return nil, "", err
	}
	base := "http://127.0.0.1:" + port
	limit := time.Now().Add(15 * time.Second)
	for {
		h := client.NewHTTP(base + "/mcp")
		_, err := h.Init(2*time.Second, "2025-06-18")
		h.Close()
		var status *client.HTTPError
		if err == nil || errors.As(err, &status) {
			return c, base, nil
		}
		if time.Now().After(limit) {
			c.Kill()
			return nil, "", fmt.Errorf("%s does not answer: %w: %s", words, err, ending(c.Stderr(), 300))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// freePort finds one that nobody listens on now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

// ending is the last n bytes of s.
func ending(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
