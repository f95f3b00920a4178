package catalog

import (
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"drawbridge/internal/fault"
	"drawbridge/internal/policy"
)

// ReservedLabels begin with this; only a gateway sets them.
const ReservedLabels = "drawbridge.internal/"

// CheckName refuses what cannot be a server's name (DB_NAME_INVALID).
func CheckName(name string) error {
	ok := name != "" && len(name) <= MaxName && name[0] != '-' && name[0] != '.'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	if !ok {
		return fault.New(fault.NameInvalid, fault.Excerpt(name)).With("this name cannot be used").
			Step("use 1 to 63 letters, digits, `.`, `_` and `-`, not beginning with `.` or `-`")
	}
	return nil
}

// Validate refuses an entry that cannot be used. The error is a *fault.Error
// and repeats no value that may be secret.
func (s Server) Validate() error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	checks := []func() error{s.checkUTF8, s.checkLabels, s.checkTools, s.checkProtocol}
	switch s.Transport {
	case Stdio:
		checks = append(checks, s.checkCommand)
	case HTTP, SSE, Auto:
		checks = append(checks, s.checkRemote, s.checkURL, s.checkHeaders, s.checkTLS)
	default:
		return s.bad("the transport %q is not known", s.Transport).Step("use auto, http, sse or stdio")
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	if s.Timeout < 0 {
		return s.bad("the timeout %v is negative", time.Duration(s.Timeout)).Step("use a length of time such as 30s")
	}
	return nil
}

func (s Server) bad(format string, args ...any) *fault.Error {
	return fault.New(fault.AppInvalid, s.Name).With(format, args...).Step("correct it, then repeat")
}

func (s Server) checkCommand() error {
	switch {
	case s.URL != "":
		return s.bad("it has an address, and the transport stdio").Step("leave the transport out, or give a command")
	case s.Command == "":
		return s.bad("the command is missing").Step("give the command after `--`")
	case len(s.Headers) > 0 || s.PassAuth || s.TLS != nil:
		return s.bad("headers and certificates are for servers with an address, not for a command").Step("use environment variables")
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return s.bad("the working directory must be an absolute path")
	}
	for k := range s.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return s.bad("the environment variable %q has a name that cannot be used", k)
		}
	}
	for _, v := range append([]string{s.Command, s.Dir}, s.Args...) {
		if strings.Contains(v, "\x00") {
			return s.bad("the command holds a NUL character")
		}
	}
	for k, v := range s.Env {
		if strings.Contains(v, "\x00") {
			return s.bad("the environment variable %s holds a NUL character", k)
		}
	}
	return nil
}

func (s Server) checkRemote() error {
	if s.Command != "" || len(s.Args) > 0 || len(s.Env) > 0 || s.Dir != "" {
		return s.bad("a command does not go with the transport %s", s.Transport).Step("give either an address or a command")
	}
	return nil
}

func (s Server) checkURL() error {
	wrong := fault.New(fault.URLInvalid, s.Name).With("this is not a web address").Step("write it like `http://127.0.0.1:8000/sse`")
	u, err := url.Parse(s.URL) // its error may repeat a password, so it is not handed on
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return wrong
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return wrong.With("the port of this address is not one of 1 to 65535")
		}
	}
	if u.User != nil {
		return wrong.With("a user name or password cannot be part of the address").
			Step("take it out and give it with `-H \"Authorization: Basic …\"`")
	}
	return nil
}

// ours are the headers that the transport itself sets.
var ours = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Mcp-Session-Id", "Mcp-Protocol-Version", "Last-Event-Id",
}

func (s Server) checkHeaders() error {
	seen := map[string]bool{}
	for k, v := range s.Headers {
		if err := checkHeader(k, v); err != nil {
			return err
		}
		low := strings.ToLower(k)
		if seen[low] {
			return fault.New(fault.HeaderInvalid, k).With("this header is there twice").Step("leave one out")
		}
		seen[low] = true
		if slices.ContainsFunc(ours, func(o string) bool { return strings.EqualFold(o, k) }) {
			return fault.New(fault.HeaderInvalid, k).With("the transport itself sets this header").Step("leave it out")
		}
	}
	return nil
}

func checkHeader(name, value string) error {
	if !isToken(name) {
		return fault.New(fault.HeaderInvalid, fault.Excerpt(name)).With("this is not the name of a header").
			Step("write it like `-H \"Name: value\"`")
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return fault.New(fault.HeaderInvalid, name).With("the value of this header holds a line break or another control character").
				Step("take it out")
		}
	}
	return nil
}

// isToken is RFC 9110's token.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// ParseHeader reads "Name: value" (DB_HEADER_INVALID).
func ParseHeader(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		// The line is not repeated: a value alone may be a secret.
		return "", "", fault.New(fault.HeaderInvalid, "")
	}
	name, value = strings.TrimSpace(name), strings.Trim(value, " \t")
	return name, value, checkHeader(name, value)
}

func (s Server) checkTLS() error {
	if s.TLS == nil {
		return nil
	}
	for _, path := range []string{s.TLS.CA, s.TLS.Cert, s.TLS.Key} {
		if path != "" && !filepath.IsAbs(path) {
			return s.bad("the certificate file %q must be an absolute path", path)
		}
	}
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		return s.bad("a client certificate and its key go together").Step("give both, or neither")
	}
	return nil
}

func (s Server) checkLabels() error {
	for k, v := range s.Labels {
		switch {
		case k == "" || strings.ContainsAny(k, "=,") || hasSpaceOrControl(k):
			return s.bad("%q cannot be the name of a label", k).Step("use letters, digits, `.`, `_`, `-` and `/`")
		case strings.HasPrefix(k, ReservedLabels):
			return s.bad("only a gateway sets labels that begin with %s", ReservedLabels)
		case strings.ContainsFunc(v, isControl):
			return s.bad("the label %s holds a control character", k)
		}
	}
	if strings.ContainsFunc(s.Description, isControl) {
		return s.bad("the description must be one line without control characters")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }

func hasSpaceOrControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || isControl(r) })
}

func (s Server) checkTools() error {
	if s.Tools == nil {
		return nil
	}
	o := policy.Options{Unlisted: policy.AllowUnlisted, Syntax: policy.Globs}
	if _, err := policy.Compile(s.Tools.Allow, s.Tools.Deny, o); err != nil {
		return s.bad("tools: %v", err)
	}
	return nil
}

func (s Server) checkProtocol() error {
	switch s.Protocol {
	case "", "auto", "legacy", "modern":
		return nil
	}
	if _, err := time.Parse(time.DateOnly, s.Protocol); err != nil {
		return s.bad("the protocol %q is not known", s.Protocol).Step("use auto, legacy, modern, or a version such as 2025-11-25")
	}
	return nil
}

// checkUTF8 refuses what JSON cannot hold.
func (s Server) checkUTF8() error {
	all := append([]string{s.Description, s.URL, s.Command, s.Dir, s.Protocol}, s.Args...)
	for _, m := range []map[string]string{s.Labels, s.Headers, s.Env} {
		for k, v := range m {
			all = append(all, k, v)
		}
	}
	if s.TLS != nil {
		all = append(all, s.TLS.CA, s.TLS.Cert, s.TLS.Key)
	}
	if s.Tools != nil {
		all = append(append(all, s.Tools.Allow...), s.Tools.Deny...)
	}
	for _, v := range all {
		if !utf8.ValidString(v) {
			return s.bad("it holds bytes that are not UTF-8")
		}
	}
	return nil
}
