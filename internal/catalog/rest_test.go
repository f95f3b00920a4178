package catalog

import (
	"strings"

	"github.com/tailscale/hujson"
)

// rest is all of the file that means something to somebody, but for the entry
// of that name: members and their text, and every comment, in order.
func (d *document) rest(name string) []string {
	var out []string
	comments := func(extra hujson.Extra) {
		for i := 0; i < len(extra); {
			n := commentLen(extra[i:])
			if n > 0 {
				out = append(out, strings.TrimRight(string(extra[i:i+n]), "\r"))
			}
			i += max(n, 1)
		}
	}
	object := func(o *hujson.Object, one func(m *hujson.ObjectMember)) {
		for i := range o.Members {
			m := &o.Members[i]
			comments(m.Name.BeforeExtra)
			one(m)
			comments(m.Value.AfterExtra)
		}
		comments(o.AfterExtra)
	}
	whole := func(m *hujson.ObjectMember) {
		out = append(out, string(d.text[m.Name.StartOffset:m.Value.EndOffset]))
	}
	comments(d.root.BeforeExtra)
	object(d.root.Value.(*hujson.Object), func(m *hujson.ObjectMember) {
		if nameOf(m) != "servers" {
			whole(m)
			return
		}
		comments(m.Name.AfterExtra)
		comments(m.Value.BeforeExtra)
		object(m.Value.Value.(*hujson.Object), func(m *hujson.ObjectMember) {
			if nameOf(m) != name {
				whole(m)
			}
		})
	})
	comments(d.root.AfterExtra)
	return out
}
