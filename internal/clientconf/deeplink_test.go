package clientconf

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"drawbridge/internal/fault"
)

func TestLinksCarryTheEntry(t *testing.T) {
	const stdio = `{"command":"/opt/Draw bridge/é/drawbridge","args":["mcp","connect","notes"]}`
	const typed = `{"name":"drawbridge-notes","type":"stdio","command":"/opt/Draw bridge/é/drawbridge","args":["mcp","connect","notes"]}`
	for id, c := range map[string]struct {
		start string
		read  func(t *testing.T, u *url.URL) string
		want  string
	}{
		"cursor":          {"cursor://anysphere.cursor-deeplink/mcp/install?name=drawbridge-notes&config=", inBase64, stdio},
		"lm-studio":       {"lmstudio://add_mcp?name=drawbridge-notes&config=", inBase64, stdio},
		"kiro":            {"https://kiro.dev/launch/mcp/add?name=drawbridge-notes&config=%7B", inQuery, stdio},
		"vscode":          {"vscode:mcp/install?%7B%22name%22", whole, typed},
		"vscode-insiders": {"vscode-insiders:mcp/install?%7B%22name%22", whole, typed},
	} {
		t.Run(id, func(t *testing.T) {
			link, err := Link(client(t, id), Entry(Target{Client: id}, "drawbridge-notes", notes))
			if err != nil || !strings.HasPrefix(link, c.start) || strings.ContainsAny(link, " +\"{") {
				t.Fatalf("got %s, %v, want %s…", link, err, c.start)
			}
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.read(t, u); got != c.want {
				t.Errorf("the link carries %s, want %s", got, c.want)
			}
		})
	}
}

func inQuery(_ *testing.T, u *url.URL) string { return u.Query().Get("config") }

func inBase64(t *testing.T, u *url.URL) string {
	text, err := base64.StdEncoding.DecodeString(u.Query().Get("config"))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// whole is the query as decodeURIComponent reads it.
func whole(t *testing.T, u *url.URL) string {
	text, err := url.PathUnescape(u.RawQuery)
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestGooseTakesOnlyAddressesByLink(t *testing.T) {
	target := Target{Client: "goose"}
	if _, err := Link(client(t, "goose"), Entry(target, "drawbridge-notes", notes)); !fault.IsCode(err, fault.EntryUnsupported) {
		t.Errorf("got %v, want %s", err, fault.EntryUnsupported)
	}
	s, err := EntryHTTP(target, "drawbridge-notes", "http://127.0.0.1:8000/mcp?a=1&b=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "goose://extension?type=streamable_http&url=http%3A%2F%2F127.0.0.1%3A8000%2Fmcp%3Fa%3D1%26b%3D2&id=drawbridge-notes&name=drawbridge-notes&description=MCP%20server%20drawbridge-notes"
	if got, err := Link(client(t, "goose"), s); got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestLinksThatCannotBeAreRefused(t *testing.T) {
	long := notes
	long.Program = "/" + strings.Repeat("x", 8000)
	for id, l := range map[string]Launch{"cursor": long, "vscode": long, "claude-desktop": notes, "zed": notes} {
		link, err := Link(client(t, id), Entry(Target{Client: id}, "drawbridge-notes", l))
		if link != "" || !fault.IsCode(err, fault.EntryUnsupported) || !strings.Contains(err.Error(), "--client-config="+id) {
			t.Errorf("%s: got %q, %v", id, link, err)
		}
	}
}
