package downstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"drawbridge/internal/mcp"
)

const testKey = "k3y-abcdefghijklmnopqrstuvwxyz0123456789ABCDE"

// request is a raw POST of an initialize; P stands for the port.
func request(target, host string, headers ...string) string {
	body := initialize("2025-06-18")
	lines := append([]string{"POST " + target + " HTTP/1.1"}, headers...)
	if host != "-" {
		lines = append(lines, "Host: "+host)
	}
	has := func(name string) bool {
		return strings.Contains(strings.ToLower(strings.Join(headers, "\n")), strings.ToLower(name)+":")
	}
	if !has("Content-Type") {
		lines = append(lines, "Content-Type: application/json")
	}
	if !has("Content-Length") && !has("Transfer-Encoding") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	lines = append(lines, "Accept: application/json, text/event-stream", "", body)
	return strings.Join(lines, "\r\n")
}

type gateCase struct {
	name string
	text string
	want int
}

// gateCases are the 80 cases of S-07 to S-11 for the listener at host, as
// raw requests; P stands for the port.
func gateCases(host string) []gateCase {
	var out []gateCase
	add := func(name string, want int, text string) { out = append(out, gateCase{name, text, want}) }
	path := "/" + testKey + "/mcp"

	good := []string{"127.0.0.1:P", "localhost:P", "LOCALHOST:P"}
	if strings.HasPrefix(host, "[") {
		good = append(good, "[::1]:P")
	}
	for _, h := range good {
		add("S-07 "+h, 200, request(path, h))
	}
	for _, h := range []string{"127.0.0.1", "localhost", "127.0.0.1:Q", "localhost:80", "127.0.0.2:P", "127.1:P", "2130706433:P",
		"0x7f000001:P", "0.0.0.0:P", "[::]:P", "[::ffff:127.0.0.1]:P", "evil.test", "evil.test:P", "localhost.evil.test:P",
		"evil.localhost:P", "127.0.0.1.nip.io:P", "localhost.:P", "192.168.1.5:P", "169.254.169.254", "host.docker.internal:P", ""} {
		add("S-07 "+h, 403, request(path, h))
	}
	add("S-07 missing", 400, request(path, "-"))
	add("S-07 user@localhost", 400, request(path, "user@localhost"))
	add("S-07 localhost, evil.test", 400, request(path, "localhost, evil.test"))
	add("S-07 two Hosts", 400, request(path, host, "Host: "+host))

	add("S-08 absent", 200, request(path, host))
	add("S-08 allowed", 200, request(path, host, "Origin: https://inspector.test"))
	add("S-08 own", 200, request(path, host, "Origin: http://"+host))
	for _, o := range []string{"http://evil.test", "https://evil.test", "null", "http://localhost", "http://localhost:3000",
		"http://localhost.evil.test", "file://", "vscode-webview://x", "chrome-extension://x", "http://evil.test@localhost", ""} {
		add("S-08 "+o, 403, request(path, host, "Origin: "+o))
	}
	add("S-08 localhost with 127.0.0.1", 403, request(path, "127.0.0.1:P", "Origin: http://localhost:P"))
	add("S-08 127.0.0.1 with localhost", 403, request(path, "localhost:P", "Origin: http://127.0.0.1:P"))
	add("S-08 two", 400, request(path, host, "Origin: http://"+host, "Origin: http://"+host))

	for _, s := range []string{"cross-site", "same-site", "same-origin", "none"} {
		add("S-09 "+s, 403, request(path, host, "Sec-Fetch-Site: "+s))
	}
	add("S-09 GET without Origin", 403, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nAccept: text/event-stream\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n")
	add("S-09 absent", 200, request(path, host, "Sec-Fetch-Mode: cors")) // undici sends the mode alone

	for _, c := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8"} {
		add("S-10 "+c, 200, request(path, host, "Content-Type: "+c))
	}
	for _, c := range []string{"text/plain", "text/plain;application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		add("S-10 "+c, 415, request(path, host, "Content-Type: "+c))
	}
	add("S-10 missing", 415, strings.Replace(request(path, host), "Content-Type: application/json\r\n", "", 1))

	bare := func(method, target string, headers ...string) string {
		return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
	}
	add("S-11.1 preflight", 403, bare("OPTIONS", path, "Origin: http://"+host, "Access-Control-Request-Method: POST"))
	add("S-11.1 OPTIONS *", 403, bare("OPTIONS", "*"))
	for i, m := range []string{"PUT", "PATCH", "TRACE"} {
		add(fmt.Sprintf("S-11.%d %s", i+2, m), 405, bare(m, path))
	}
	add("S-11.5 CONNECT", 405, bare("CONNECT", host))
	add("S-11.5 lower case", 405, bare("post", path))
	add("S-11.6 absolute", 403, request("http://evil.test"+path, host))
	add("S-11.6 absolute, own", 403, request("http://"+host+path, host))
	add("S-11.7 forwarded host", 403, request(path, "evil.test", "X-Forwarded-Host: localhost"))
	add("S-11.8 Forwarded", 200, request(path, host, "Forwarded: for=192.0.2.60;host=evil.test"))
	add("S-11.9 h2c upgrade", 400, request(path, host, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"))
	add("S-11.9 h2c prior knowledge", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	add("S-11.10 WebSocket", 400, bare("GET", path, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
	add("S-11.11 HTTP/1.0 without Host", 400, "GET "+path+" HTTP/1.0\r\n\r\n")
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(initialize("2025-06-18")), initialize("2025-06-18"))
	chunked := func(extra, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nAccept: application/json\r\n" + extra + "Transfer-Encoding: chunked\r\n\r\n" + body
	}
	add("S-11.12 both lengths", 400, chunked("Content-Length: 4\r\n", chunk))
	add("S-11.12 chunked alone", 200, chunked("", chunk))
	add("S-11.13 two lengths", 400, request(path, host, "Content-Length: 3", "Content-Length: 4"))
	add("S-11.14 bare LF in a chunk", 400, chunked("", strings.Replace(chunk, "\r\n", "\n", 1)))
	add("S-11.14 bare LF in a header", 400, strings.Replace(request(path, host), "Accept", "X-A: 1\nAccept", 1))
	add("S-11.15 large header", 431, request(path, host, "X-Large: "+strings.Repeat("x", 17<<10)))
	add("S-11.16 unknown path", 404, request("/"+testKey+"/nothing", host))
	add("S-11.16 unknown path, no key", 404, request("/nothing", host))
	wrong := strings.Replace(testKey, "a", "b", 1)
	add("S-11.17 wrong in the path", 404, request("/"+wrong+"/mcp", host))
	add("S-11.17 wrong header", 404, request("/mcp", host, "Authorization: Bearer "+wrong))
	add("S-11.17 wrong own header", 404, request("/mcp", host, "X-Drawbridge-Key: "+wrong))
	for _, p := range []string{"/mcp", "/", "/sse", "/message?sessionId=x"} {
		add("S-11.18 missing at "+p, 403, request(p, host))
	}
	for i, p := range []string{"/x/../" + testKey + "/mcp", "/" + testKey + "/%6dcp", "/%2e/" + testKey + "/mcp", "//" + testKey + "/mcp", "/" + testKey + "//mcp", "/./" + testKey + "/mcp", "/" + testKey} {
		add(fmt.Sprintf("S-11.%d %s", min(19+i, 21), p), 404, request(p, host))
	}
	add("key in Authorization", 200, request("/mcp", host, "Authorization: Bearer "+testKey))
	add("key in a header of ours", 200, request("/", host, "X-Drawbridge-Key: "+testKey))
	add("key in the path, other Authorization", 200, request("/"+testKey+"/", host, "Authorization: Bearer theirs"))
	return out
}

func TestGateAnswersEveryCaseAsTabled(t *testing.T) { // S-06 S-07 S-08 S-09 S-10 S-11 S-17 S-23
	for _, at := range []string{"127.0.0.1", "[::1]"} {
		t.Run(at, func(t *testing.T) {
			f := startOn(t, &HTTP{Key: testKey, Origins: []string{"https://inspector.test", "*", "null"}}, at+":0")
			var port int
			fmt.Sscan(f.port, &port)
			for _, c := range gateCases(at + ":P") {
				t.Run(c.name, func(t *testing.T) {
					text := strings.ReplaceAll(c.text, ":P", ":"+f.port)
					text = strings.ReplaceAll(text, ":Q", fmt.Sprint(":", port+1))
					resp, body := f.raw(text)
					if resp.StatusCode != c.want {
						t.Fatalf("got %d %s, want %d", resp.StatusCode, body, c.want)
					}
					wellRefused(t, resp, body)
				})
			}
		})
	}
}

// wellRefused checks what holds for every answer.
func wellRefused(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	for k := range resp.Header {
		if strings.HasPrefix(k, "Access-Control-") {
			t.Errorf("header %s is sent", k)
		}
	}
	if resp.Header.Get("Location") != "" {
		t.Error("a redirect")
	}
	if resp.StatusCode != 403 && resp.StatusCode != 404 {
		return
	}
	if !strings.HasPrefix(body, `{"jsonrpc":"2.0","error":{"code":`) || strings.Contains(body, `"id"`) || !strings.Contains(body, `"code":"DB_`) {
		t.Errorf("body %s, want a JSON-RPC error without id", body)
	}
	if got := resp.Header.Get(mcp.HeaderErrorOrigin); got != "gateway" { // F-024
		t.Errorf("error origin %q", got)
	}
}

func TestForegroundProxyAsksForNoKeyButKeepsTheGate(t *testing.T) { // F-144 F-146
	f := start(t, &HTTP{})
	for _, c := range []struct {
		text string
		want int
		code string
	}{
		{request("/", "127.0.0.1:P"), 200, ""},
		{request("/mcp", "localhost:P"), 200, ""},
		{request("/mcp", "evil.test:P"), 403, "DB_ORIGIN_REFUSED"},
		{request("/mcp", "127.0.0.1:P", "Origin: http://evil.test"), 403, "DB_ORIGIN_REFUSED"},
		{request("/x/mcp", "127.0.0.1:P"), 404, "DB_LOCAL_TOKEN"},
		{request("//mcp", "127.0.0.1:P"), 404, "DB_LOCAL_TOKEN"},
	} {
		resp, body := f.raw(strings.ReplaceAll(c.text, ":P", ":"+f.port))
		if resp.StatusCode != c.want || !strings.Contains(body, c.code) {
			t.Errorf("%s: got %d %s, want %d %s", first(c.text, 60), resp.StatusCode, body, c.want, c.code)
		}
	}
}

func TestTheKeyIsNotHandedOn(t *testing.T) { // S-20
	for _, c := range []struct{ path, auth, want string }{
		{"/" + testKey + "/mcp", "Bearer theirs", "Bearer theirs"},
		{"/mcp", "Bearer " + testKey, ""},
	} {
		st := newStage()
		f := start(t, &HTTP{Key: testKey, Serve: st.serve})
		go f.try(t.Context(), "POST", c.path, initialize("2025-06-18"), head{"Authorization": c.auth})
		if got := st.next(t).info.Authorization; got != c.want {
			t.Errorf("Authorization: got %q, want %q", got, c.want)
		}
	}
}

func TestRefusedConnectionServesNoSecondRequest(t *testing.T) { // S-11.12
	f := start(t, &HTTP{})
	body := initialize("2025-06-18")
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	hidden := strings.ReplaceAll(request("/mcp", "evil.test"), "\r\nAccept", "\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nAccept")
	resp, _ := f.raw("POST /mcp HTTP/1.1\r\nHost: " + f.addr + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + hidden)
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("got %d, close %v, want 200 and the connection closed", resp.StatusCode, resp.Close)
	}
}

// anyone is a peer whose user is told by the test.
type anyone struct{ err error }

func (a anyone) sameUser() error { return a.err }

// S-13: whatever the headers, nothing passes without a good Host, an absent or
// allowed Origin, and the key.
func TestNothingPassesTheGateWithoutHostOriginAndKey(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	g := &gate{name: "srv", hosts: []string{"127.0.0.1:8000", "localhost:8000"}, origins: []string{"https://ok.test"}, key: testKey}
	passed := 0
	for range 10_000 {
		if gateLetsOnlyGoodPass(t, g, rnd.IntN) {
			passed++
		}
	}
	if passed < 100 {
		t.Errorf("only %d of the mutations were good ones; the test looks at nothing", passed)
	}
}

func FuzzGate(f *testing.F) {
	g := &gate{name: "srv", hosts: []string{"127.0.0.1:8000", "localhost:8000"}, origins: []string{"https://ok.test"}, key: testKey}
	f.Add("/"+testKey+"/mcp", "127.0.0.1:8000", "https://ok.test", "none", "Bearer x")
	f.Add("/mcp", "localhost:8000", "", "", "Bearer "+testKey)
	f.Fuzz(func(t *testing.T, target, host, origin, site, auth string) {
		r := &http.Request{Method: "POST", RequestURI: target, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {auth}}}
		if origin != "" {
			r.Header["Origin"] = []string{origin}
		}
		if site != "" {
			r.Header["Sec-Fetch-Site"] = []string{site}
		}
		if _, no := g.check(r, anyone{}); no == nil {
			mustBeGood(t, r)
		}
	})
}

func gateLetsOnlyGoodPass(t *testing.T, g *gate, pick func(int) int) bool {
	t.Helper()
	one := func(from ...string) string { return from[pick(len(from))] }
	r := httptest.NewRequest("POST", "http://x/", nil)
	r.Method = one("POST", "POST", "POST", "GET", "DELETE", "PUT", "OPTIONS", "post")
	r.RequestURI = one("/"+testKey+"/mcp", "/"+testKey+"/mcp", "/mcp", "/", "/"+testKey+"/sse", "/x/mcp", "//"+testKey+"/mcp", "/"+testKey+"/mcp?a=b", "http://127.0.0.1:8000/mcp", "/"+testKey, "*")
	r.Host = one("127.0.0.1:8000", "localhost:8000", "localhost:8000", "LOCALHOST:8000", "evil.test", "localhost:8001", "", "127.0.0.1:8000.evil.test")
	r.Header = http.Header{}
	for range pick(8) {
		name := one("Origin", "Sec-Fetch-Site", "Content-Type", "Authorization", "X-Drawbridge-Key", "Upgrade", "X-Forwarded-Host", "Forwarded", "Content-Type", "Authorization")
		value := one("https://ok.test", "http://"+r.Host, "null", "", "cross-site", "application/json", "application/json", "text/plain", "Bearer "+testKey, testKey, "bearer "+testKey, "Bearer x", "Basic x", "h2c", "localhost")
		r.Header[name] = append(r.Header[name], value)
	}
	_, no := g.check(r, anyone{})
	if no == nil {
		mustBeGood(t, r)
		if _, foreign := g.check(r, anyone{errors.New("foreign")}); foreign == nil || foreign.status != 403 { // S-14
			t.Fatalf("another user passed: %v", foreign)
		}
	}
	return no == nil
}

// mustBeGood is the rule of S-13 in other words than the gate's.
func mustBeGood(t *testing.T, r *http.Request) {
	t.Helper()
	host := strings.ToLower(r.Host)
	if host != "127.0.0.1:8000" && host != "localhost:8000" {
		t.Fatalf("Host %q passed", r.Host)
	}
	o := r.Header["Origin"]
	if len(o) > 1 || len(o) == 1 && o[0] != "https://ok.test" && strings.ToLower(o[0]) != "http://"+host {
		t.Fatalf("Origin %q passed", o)
	}
	if len(o) == 0 && len(r.Header["Sec-Fetch-Site"]) > 0 {
		t.Fatalf("a page passed: %v", r.Header)
	}
	inPath := strings.HasPrefix(r.RequestURI, "/"+testKey+"/")
	inHeader := strings.Contains(strings.Join(r.Header["Authorization"], " "), testKey) || strings.Contains(strings.Join(r.Header["X-Drawbridge-Key"], " "), testKey)
	if !inPath && !inHeader {
		t.Fatalf("%s with %v passed without the key", r.RequestURI, r.Header)
	}
}
