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

// know notes the program, the arguments, the address and Drawbridge's variables
// of an entry, if it is ours: a preview has to show them. What hide notes is not
// shown all the same.
func (d *draft) know(entry splice.Entry, record *Owned) {
	if !isOur(entry, record) {
		return
	}
	program, args, _ := command(entry)
	d.knowAll(program)
	d.knowArguments(args)
	o, _ := entry.Value.(splice.Object)
	for _, m := range o {
		if url, ok := m.Value.(string); ok && strings.Contains(url, "://") {
			d.knowAll(url)
		}
		if variables(m) {
			d.knowWritten(splice.Object{m})
		}
	}
}

// knowWritten notes all that Drawbridge writes. The user's variables may be among
// it.
func (d *draft) knowWritten(value any) {
	switch v := value.(type) {
	case splice.Object:
		for _, m := range v {
			if vars, ok := m.Value.(splice.Object); ok && variables(m) {
				m.Value = slices.DeleteFunc(slices.Clone(vars), func(m splice.Member) bool { return !strings.HasPrefix(m.Name, "DRAWBRIDGE_") })
			}
			d.knowWritten(m.Value)
		}
	case splice.List:
		d.knowArguments(strs(v))
	default:
		if text, ok := plain(value); ok {
			d.knowAll(text)
		}
	}
}

// knowArguments notes those that hold no secret. Of a header hide notes the
// value alone.
func (d *draft) knowArguments(args []string) {
	r := reader{client: Client{Expansion: ExpandsNothing}}
	for i, a := range args {
		if header := i > 0 && isHeaderFlag(args[i-1]); header || !r.argument(args, i, a).Secret {
			d.knowAll(a)
		}
	}
}

func isHeaderFlag(arg string) bool { return arg == "-H" || arg == "--header" }

// knowAll notes words as they are and as they stand between quotes.
func (d *draft) knowAll(words ...string) {
	for _, word := range words {
		d.c.known[word] = true
		quoted := JSON(word)
		d.c.known[quoted[1:len(quoted)-1]] = true
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

// guarded are the values of variables and headers in the texts that have the
// name of a member whose values are shown.
func guarded(p splice.Place, texts ...[]byte) map[string]bool {
	words := map[string]bool{}
	for _, text := range texts {
		list, err := splice.Entries(bytes.Clone(text), p)
		if err != nil {
			continue // the other text has the same, or the plan would have been refused
		}
		for _, entry := range list {
			guardedIn(words, entry.Value, false)
		}
	}
	return words
}

func guardedIn(words map[string]bool, value any, secret bool) {
	o, _ := value.(splice.Object)
	for _, m := range o {
		if text, ok := plain(m.Value); ok && secret && shownMembers[m.Name] {
			words[text] = true
		}
		guardedIn(words, m.Value, secret || variables(m) || strings.Contains(strings.ToLower(m.Name), "header"))
	}
}
