package downstream

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// S-12: what a page can make Chromium send to us, byte for byte as Chromium 156
// sends it, reaches no conversation; not on an endpoint without a key either.
// The page is at http://evil.test; the rebound one has that name point to this
// computer. A run in the browser itself is left to build/e2e.
func TestNoPageReachesAConversation(t *testing.T) {
	for name, key := range map[string]string{"without a key": "", "with a key": testKey} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int32
			f := start(t, &HTTP{Key: key, Serve: func(ctx context.Context, c jsonrpc.Conn, i Client) {
				served.Add(1)
				echo(ctx, c, i)
			}})
			for _, prefix := range []string{"", "/" + testKey} { // the page may even know the key
				for _, attack := range pageRequests(prefix) {
					resp, body := f.raw(strings.ReplaceAll(attack.text, ":P", ":"+f.port))
					if resp.StatusCode < 400 {
						t.Errorf("%s: got %d %s", attack.name, resp.StatusCode, body)
					}
					wellRefused(t, resp, body)
				}
			}
			if n := served.Load(); n != 0 {
				t.Errorf("%d conversations were opened by a page", n)
			}
		})
	}
}

// pageRequests are the seven attacks of S-12.
func pageRequests(prefix string) []gateCase {
	body := initialize("2025-06-18")
	const evil = "Origin: http://evil.test:18151"
	page := func(name, method, path, host, site, mode, kind string, headers ...string) gateCase {
		lines := append([]string{method + " " + prefix + path + " HTTP/1.1", "Host: " + host, "Connection: keep-alive"}, headers...)
		if site != "" {
			lines = append(lines, "Sec-Fetch-Site: "+site, "Sec-Fetch-Mode: "+mode, "Sec-Fetch-Dest: empty")
		}
		text := ""
		if kind != "" {
			lines = append(lines, "Content-Type: "+kind, fmt.Sprintf("Content-Length: %d", len(body)))
			text = body
		}
		return gateCase{name: name, text: strings.Join(lines, "\r\n") + "\r\nAccept: */*\r\nUser-Agent: Mozilla/5.0\r\n\r\n" + text}
	}
	plain := "text/plain;charset=UTF-8"
	return []gateCase{
		page("POST no-cors", "POST", "/mcp", "127.0.0.1:P", "cross-site", "no-cors", plain, evil),
		page("POST of JSON, which begins with a preflight", "OPTIONS", "/mcp", "127.0.0.1:P", "cross-site", "cors", "", evil,
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"),
		page("GET no-cors", "GET", "/sse", "127.0.0.1:P", "cross-site", "no-cors", ""),
		page("POST to 0.0.0.0", "POST", "/mcp", "0.0.0.0:P", "", "", plain, evil),
		page("POST to localhost", "POST", "/mcp", "localhost:P", "cross-site", "no-cors", plain, evil),
		page("form", "POST", "/mcp", "127.0.0.1:P", "cross-site", "navigate", "text/plain", evil),
		page("rebound page", "POST", "/mcp", "evil.test:P", "", "", "application/json", "Origin: http://evil.test:P"),
	}
}
