package catalog

import (
	"regexp"
	"strings"

	"github.com/tailscale/hujson"
)

// comment finds the comments in what stands between values.
var comment = regexp.MustCompile(`//[^\n]*|(?s:/\*.*?\*/)`)

// rest is all of the file that means something to somebody, but for the entry
// of that name: members and their text, and every comment, in order.
func (d *document) rest(name string) []string {
	var out []string
	comments := func(extra hujson.Extra) {
		for _, c := range comment.FindAllString(string(extra), -1) {
			out = append(out, strings.TrimRight(c, "\r"))
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
