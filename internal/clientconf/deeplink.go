package clientconf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// maxLink is how long a link may be: the limit of Cursor, and what the systems
// pass on to a program.
const maxLink = 8000

// Link is the address that makes a client offer the entry to its user. The
// client then makes the edit itself; a link cannot take one back.
// DB_ENTRY_UNSUPPORTED when the client has no such links, takes no entry of this
// kind by them, or the link is too long.
func Link(c Client, s Shape) (string, error) {
	link, why := c.link(s)
	if len(link) > maxLink {
		why = "the link would be too long for the client"
	}
	if why != "" {
		return "", fault.New(fault.EntryUnsupported, c.Name).With("%s", why).Step("change its file with `--client-config=" + c.ID + "`")
	}
	return link, nil
}

func (c Client) link(s Shape) (link, why string) {
	entry := JSON(s.Entry)
	switch c.Deeplink {
	case LinkCursor:
		return "cursor://anysphere.cursor-deeplink/mcp/install?name=" + component(s.Name) + "&config=" + base64Component(entry), ""
	case LinkLMStudio:
		return "lmstudio://add_mcp?name=" + component(s.Name) + "&config=" + base64Component(entry), ""
	case LinkKiro:
		return "https://kiro.dev/launch/mcp/add?name=" + component(s.Name) + "&config=" + component(entry), ""
	case LinkVSCode:
		return "vscode:mcp/install?" + component(named(s)), ""
	case LinkInsiders:
		return "vscode-insiders:mcp/install?" + component(named(s)), ""
	case LinkGoose:
		address, _ := field(s.Entry, "uri").(string)
		if address == "" {
			return "", "links of Goose start only the programs on its own list"
		}
		return "goose://extension?type=streamable_http&url=" + component(address) + "&id=" + component(s.Name) + "&name=" + component(s.Name) + "&description=" + component("MCP server "+s.Name), ""
	case "":
		return "", "this client adds no entries by links"
	default:
		panic("clientconf: unknown kind of link " + string(c.Deeplink))
	}
}

// named is the entry with its name in it, as VS Code wants it.
func named(s Shape) string {
	return JSON(append(splice.Object{{Name: "name", Value: s.Name}}, s.Entry...))
}

// component writes a text as one part of an address. Unlike in a form, a plus
// is not a space.
func component(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func base64Component(text string) string {
	return component(base64.StdEncoding.EncodeToString([]byte(text)))
}

// JSON is a value on one line, its members in their order and &, < and > as
// they are.
func JSON(value any) string {
	var b strings.Builder
	writeJSON(&b, value)
	return b.String()
}

func writeJSON(b *strings.Builder, value any) {
	switch v := value.(type) {
	case splice.Object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, m.Name)
			b.WriteByte(':')
			writeJSON(b, m.Value)
		}
		b.WriteByte('}')
	case splice.List:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, e)
		}
		b.WriteByte(']')
	case splice.Number:
		b.WriteString(string(v))
	default:
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic("clientconf: " + err.Error()) // texts, truths and nil always encode
		}
		b.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	}
}
