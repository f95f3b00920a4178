package clientconf

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"drawbridge/internal/splice"
)

// hide notes what of an entry a diff does not show, even where the entry is
// ours: the user's variables, headers, and what looks like a secret.
func (d *draft) hide(entry splice.Entry) { d.hideIn("", entry.Value, false) }

func (d *draft) hideIn(name string, value any, secret bool) {
	switch v := value.(type) {
	case splice.Object:
		for _, m := range v {
			holds := secret || variables(m) || strings.Contains(strings.ToLower(m.Name), "header")
			d.hideIn(m.Name, m.Value, holds && !strings.HasPrefix(m.Name, "DRAWBRIDGE_"))
		}
	case splice.List:
		for i, x := range v {
			d.hideIn(name, x, secret)
			if i > 0 && (v[i-1] == "-H" || v[i-1] == "--header") {
				d.hideHeader(x)
			}
		}
	case string:
		if secret || looksSecret(name, v) {
			d.hideText(v, "")
		}
	}
}

// know notes the program and the arguments of an entry of ours: a preview of a
// repair has to show them. What hide notes is not shown all the same.
func (d *draft) know(entry splice.Entry) {
	program, args, _ := command(entry)
	for _, word := range append(args, program) {
		d.c.known[word] = true
	}
}

// variables tells whether a member is an entry's environment.
func variables(m splice.Member) bool {
	_, ok := m.Value.(splice.Object)
	return ok && slices.Contains([]string{"env", "envs", "environment"}, m.Name)
}

// hideHeader shows of "Name: value" the name.
func (d *draft) hideHeader(x any) {
	if text, ok := x.(string); ok {
		name, _, _ := strings.Cut(text, ":")
		d.hideText(text, name+": ")
	}
}

func (d *draft) hideText(text, shown string) {
	if text == "" {
		return
	}
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if enc.Encode(text) == nil { // a string always encodes
		d.c.secrets[strings.TrimSpace(quoted.String())] = `"` + shown + mask + `"`
	}
	if len(text) >= 6 { // a shorter one stands in other words, too
		d.c.secrets[text] = shown + mask
	}
}
