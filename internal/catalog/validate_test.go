package catalog

import (
	"net/url"
	"strings"
	"testing"

	"drawbridge/internal/fault"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "A.b_c-9", "9", "_", strings.Repeat("x", 63)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", ".a", ".", "..", "a b", "a/b", `a\b`, "é", "a\n", "a\x00", "a:b", strings.Repeat("x", 64)} {
		if err := CheckName(name); !fault.IsCode(err, fault.NameInvalid) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestUsableServersPass(t *testing.T) {
	for _, s := range samples() {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	for _, u := range []string{"http://h", "HTTPS://H/x?y#z", "http://[::1]:8000/mcp", "http://127.0.0.1:65535", "http://bücher.example/"} {
		if err := (Server{Name: "a", Transport: Auto, URL: u}).Validate(); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestUnusableServersAreRefused(t *testing.T) {
	web := func(change func(*Server)) Server {
		s := Server{Name: "a", Transport: HTTP, URL: "http://h/"}
		change(&s)
		return s
	}
	command := func(change func(*Server)) Server {
		s := Server{Name: "a", Transport: Stdio, Command: "x"}
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		s    Server
		code fault.Code
	}{
		"no name":                      {web(func(s *Server) { s.Name = "" }), fault.NameInvalid},
		"no transport":                 {web(func(s *Server) { s.Transport = "" }), fault.AppInvalid},
		"unknown transport":            {web(func(s *Server) { s.Transport = "HTTP" }), fault.AppInvalid},
		"no URL":                       {web(func(s *Server) { s.URL = "" }), fault.URLInvalid},
		"F-114 ftp":                    {web(func(s *Server) { s.URL = "ftp://h/" }), fault.URLInvalid},
		"no scheme":                    {web(func(s *Server) { s.URL = "h:8000/mcp" }), fault.URLInvalid},
		"no host":                      {web(func(s *Server) { s.URL = "http:///mcp" }), fault.URLInvalid},
		"only a port":                  {web(func(s *Server) { s.URL = "http://:80/" }), fault.URLInvalid},
		"port 0":                       {web(func(s *Server) { s.URL = "http://h:0/" }), fault.URLInvalid},
		"port 65536":                   {web(func(s *Server) { s.URL = "http://h:65536/" }), fault.URLInvalid},
		"leading space":                {web(func(s *Server) { s.URL = " http://h/" }), fault.URLInvalid},
		"line break":                   {web(func(s *Server) { s.URL = "http://h/\n" }), fault.URLInvalid},
		"user":                         {web(func(s *Server) { s.URL = "http://canary@h/" }), fault.URLInvalid},
		"password":                     {web(func(s *Server) { s.URL = "http://u:canary@h/" }), fault.URLInvalid},
		"broken URL with a password":   {web(func(s *Server) { s.URL = "http://u:canary@h:x/%zz" }), fault.URLInvalid},
		"F-114 URL with stdio":         {web(func(s *Server) { s.Transport = Stdio }), fault.AppInvalid},
		"command with http":            {web(func(s *Server) { s.Command = "x" }), fault.AppInvalid},
		"arguments with http":          {web(func(s *Server) { s.Args = []string{"x"} }), fault.AppInvalid},
		"variables with http":          {web(func(s *Server) { s.Env = map[string]string{"A": "canary"} }), fault.AppInvalid},
		"header name":                  {web(func(s *Server) { s.Headers = map[string]string{"a b": "canary"} }), fault.HeaderInvalid},
		"empty header name":            {web(func(s *Server) { s.Headers = map[string]string{"": "canary"} }), fault.HeaderInvalid},
		"S-04 header with LF":          {web(func(s *Server) { s.Headers = map[string]string{"A": "canary\nB: c"} }), fault.HeaderInvalid},
		"header with CR":               {web(func(s *Server) { s.Headers = map[string]string{"A": "canary\r"} }), fault.HeaderInvalid},
		"header with NUL":              {web(func(s *Server) { s.Headers = map[string]string{"A": "canary\x00"} }), fault.HeaderInvalid},
		"header twice":                 {web(func(s *Server) { s.Headers = map[string]string{"A": "canary", "a": "canary"} }), fault.HeaderInvalid},
		"header of the transport":      {web(func(s *Server) { s.Headers = map[string]string{"content-length": "1"} }), fault.HeaderInvalid},
		"relative certificate":         {web(func(s *Server) { s.TLS = &TLS{CA: "ca.pem"} }), fault.AppInvalid},
		"certificate without key":      {web(func(s *Server) { s.TLS = &TLS{Cert: "/c"} }), fault.AppInvalid},
		"no command":                   {command(func(s *Server) { s.Command = "" }), fault.AppInvalid},
		"headers with stdio":           {command(func(s *Server) { s.Headers = map[string]string{"A": "canary"} }), fault.AppInvalid},
		"certificate with stdio":       {command(func(s *Server) { s.TLS = &TLS{} }), fault.AppInvalid},
		"passed header with stdio":     {command(func(s *Server) { s.PassAuth = true }), fault.AppInvalid},
		"relative folder":              {command(func(s *Server) { s.Dir = "x" }), fault.AppInvalid},
		"NUL in the command":           {command(func(s *Server) { s.Args = []string{"canary\x00"} }), fault.AppInvalid},
		"variable name":                {command(func(s *Server) { s.Env = map[string]string{"A=B": "canary"} }), fault.AppInvalid},
		"NUL in a variable":            {command(func(s *Server) { s.Env = map[string]string{"A": "canary\x00"} }), fault.AppInvalid},
		"not UTF-8":                    {command(func(s *Server) { s.Env = map[string]string{"A": "canary\xff"} }), fault.AppInvalid},
		"label name":                   {web(func(s *Server) { s.Labels = map[string]string{"a=b": "c"} }), fault.AppInvalid},
		"label name with space":        {web(func(s *Server) { s.Labels = map[string]string{"a b": "c"} }), fault.AppInvalid},
		"F-007 reserved label":         {web(func(s *Server) { s.Labels = map[string]string{"drawbridge.internal/x": "c"} }), fault.AppInvalid},
		"label value":                  {web(func(s *Server) { s.Labels = map[string]string{"a": "b\x1b[2J"} }), fault.AppInvalid},
		"description":                  {web(func(s *Server) { s.Description = "a\nb" }), fault.AppInvalid},
		"pattern":                      {web(func(s *Server) { s.Tools = &Tools{Deny: []string{""}} }), fault.AppInvalid},
		"F-060 expression as a rule":   {web(func(s *Server) { s.Tools = &Tools{Deny: []string{"^a$"}} }), fault.AppInvalid},
		"protocol":                     {web(func(s *Server) { s.Protocol = "new" }), fault.AppInvalid},
		"protocol that is no day":      {web(func(s *Server) { s.Protocol = "2025-13-01" }), fault.AppInvalid},
		"negative timeout":             {web(func(s *Server) { s.Timeout = -1 }), fault.AppInvalid},
		"control character in a label": {web(func(s *Server) { s.Labels = map[string]string{"a": "\u009b"} }), fault.AppInvalid},
	} {
		err := c.s.Validate()
		if !fault.IsCode(err, c.code) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v repeats what may be secret", name, err)
		}
	}
}

func TestHeaderLines(t *testing.T) { // F-110
	for line, want := range map[string][2]string{
		"A: b": {"A", "b"}, "A:b": {"A", "b"}, " A : b: c ": {"A", "b: c"}, "A:": {"A", ""},
	} {
		if k, v, err := ParseHeader(line); err != nil || k != want[0] || v != want[1] {
			t.Errorf("%q: got %q, %q, %v", line, k, v, err)
		}
	}
	for _, line := range []string{"", "canary", ": canary", "a b: canary", "A: canary\nB: c"} {
		if _, _, err := ParseHeader(line); !fault.IsCode(err, fault.HeaderInvalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v", line, err)
		}
	}
}

func TestURIs(t *testing.T) { // F-010
	for _, c := range []struct {
		uri, address string
		transport    Transport
	}{
		{"", "", Stdio},
		{"mcp+stdio://", "", Stdio},
		{"MCP+STDIO://", "", Stdio},
		{"mcp+http://h:3000/mcp?x=1", "http://h:3000/mcp?x=1", HTTP},
		{"mcp+https://h", "https://h", HTTP},
		{"mcp+sse+http://h/sse", "http://h/sse", SSE},
		{"mcp+sse+https://h/sse", "https://h/sse", SSE},
		{"MCP+SSE+HTTPS://H/Sse", "https://H/Sse", SSE},
	} {
		transport, address, err := ParseURI(c.uri)
		if err != nil || transport != c.transport || address != c.address {
			t.Errorf("%q: got %s, %q, %v", c.uri, transport, address, err)
			continue
		}
		want := c.uri
		if i := strings.Index(want, "://"); i > 0 {
			want = strings.ToLower(want[:i]) + want[i:]
		} else {
			want = "mcp+stdio://"
		}
		if got := (Server{Transport: transport, URL: address}).URI(); got != want {
			t.Errorf("%q: written again as %q", c.uri, got)
		}
	}
	if got := (Server{Transport: Auto, URL: "http://h"}).URI(); got != "mcp+http://h" {
		t.Errorf("auto is written as %q", got)
	}
	for _, uri := range []string{
		"http://h", "https://h", "ftp://h", "h", "mcp", "mcp+http", "mcp+ftp://h", "mcp+sse://h", "mcp+stdio+http://h", "://h",
		"mcp+http://", "mcp+https:///mcp", "mcp+http://:80/", "mcp+sse+http://", "mcp+stdio://x", " mcp+http://h", "mcp+http://h:x",
	} {
		if _, _, err := ParseURI(uri); !fault.IsCode(err, fault.AppInvalid) {
			t.Errorf("%q: got %v", uri, err)
		}
	}
	_, _, err := ParseURI("ftp://h")
	for _, scheme := range []string{"mcp+stdio://", "mcp+http://", "mcp+https://", "mcp+sse+http://", "mcp+sse+https://"} {
		if !strings.Contains(err.Error(), scheme) {
			t.Errorf("%v does not name %s", err, scheme)
		}
	}
}

func TestRoutes(t *testing.T) { // F-011
	for _, c := range []struct{ target, asked, want string }{
		{"https://localhost:3000/mcp", "", "https://localhost:3000/mcp"},
		{"https://localhost:3000/mcp", "/", "https://localhost:3000/mcp"},
		{"https://localhost:3000/mcp", "/mcp", "https://localhost:3000/mcp"},
		{"https://localhost:3000/mcp", "/.well-known/oauth-authorization-server", "https://localhost:3000/.well-known/oauth-authorization-server"},
		{"https://localhost:3000/mcp", "/other?x=1", "https://localhost:3000/other?x=1"},
		{"https://localhost:3000", "/", "https://localhost:3000/"},
		{"https://localhost:3000/mcp", "http://evil.test/a%2fb", "https://localhost:3000/a%2fb"},
	} {
		target, asked := mustURL(t, c.target), mustURL(t, c.asked)
		if got := Route(target, asked).String(); got != c.want {
			t.Errorf("%s asked for %q: got %s, want %s", c.target, c.asked, got, c.want)
		}
		if target.String() != c.target {
			t.Errorf("the target became %s", target)
		}
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTypeLabels(t *testing.T) { // F-090
	for transport, want := range map[Transport]string{Stdio: "stdio", SSE: "SSE", HTTP: "Streamable HTTP", Auto: "Streamable HTTP"} {
		if got := (Server{Transport: transport}).TypeLabel(); got != want {
			t.Errorf("%s: got %q, want %q", transport, got, want)
		}
	}
}
