package clientconf

import (
	"fmt"
	"strings"

	"drawbridge/internal/splice"
)

// Foreign is what a client does for an entry of its file, in no client's
// notation: it starts Program, or speaks to URL.
type Foreign struct {
	Name      string
	Line      int
	Program   string
	Args      []Setting // their names say their place
	Env       []Setting
	Dir       string // in which the program is started, "" for the client's
	URL       Setting
	Headers   []Setting
	Transport string // http or sse, "" when the entry does not say
	Disabled  bool
	// Missing are what the entry has and this does not say: sentences without a
	// full stop.
	Missing []string
}

// Setting is one value of an entry. No fmt verb and no encoder prints one that
// looks like a secret.
type Setting struct {
	Name   string
	Secret bool // it looks like one, by its name or its shape
	// Expansion is what the client replaces in the value, like ${env:KEY}, as
	// written; "" for nothing. Such a value means nothing elsewhere.
	Expansion string
	value     string
}

// Reveal is the value.
func (s Setting) Reveal() string { return s.value }

// String is the value, or dots in the place of a secret.
func (s Setting) String() string {
	if s.Secret {
		return "••••"
	}
	return s.value
}

// Format keeps the value out of verbs that look into fields.
func (s Setting) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) } //nolint:errcheck // as fmt does itself

// MarshalText keeps the value out of encoders.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Secrets name the values that look like secrets, like "env API_KEY".
func (f Foreign) Secrets() []string {
	return f.where(func(s Setting) bool { return s.Secret })
}

// Expansions name the values in which the client replaces something.
func (f Foreign) Expansions() []string {
	return f.where(func(s Setting) bool { return s.Expansion != "" })
}

func (f Foreign) where(fits func(Setting) bool) []string {
	var names []string
	add := func(kind string, list ...Setting) {
		for _, s := range list {
			if fits(s) {
				names = append(names, strings.TrimSpace(kind+" "+s.Name))
			}
		}
	}
	add("argument", f.Args...)
	add("env", f.Env...)
	add("URL", f.URL)
	add("header", f.Headers...)
	return names
}

// Read tells what an entry of the target's file does. Entries are often written
// in the notation of another client, so all notations are understood in all
// files. ok is false for an entry that neither starts nor reaches anything.
func Read(t Target, entry splice.Entry) (Foreign, bool) {
	o, _ := entry.Value.(splice.Object)
	r := reader{object: o, client: clientOrOther(t), form: formOf(t)}
	f := Foreign{Name: entry.Name, Line: entry.Line}
	program, args, _ := command(entry)
	f.Program = program
	for i, a := range args {
		f.Args = append(f.Args, r.argument(args, i, a))
	}
	f.Env = r.settings(looksSecret, "env", "envs", "environment")
	if legacy, ok := field(o, "command").(splice.Object); ok { // of old versions of Zed
		r := r
		r.object = legacy
		f.Env = append(f.Env, r.settings(looksSecret, "env")...)
	}
	f.Dir = r.text("cwd", "working_directory")
	url, name := r.first("url", "uri", "serverUrl", "httpUrl")
	f.URL = r.setting("", url, secretURL(url))
	f.Headers = r.headers()
	f.Transport = r.transport(name)
	f.Disabled = r.off("disabled", true) || r.off("enabled", false)
	f.Missing = r.missing()
	return f, f.Program != "" || url != ""
}

// clientOrOther is the target's client, or one of the usual habits.
func clientOrOther(t Target) Client {
	if c, err := Find(t.Client); err == nil {
		return c
	}
	return Client{Expansion: ExpandsUnknowns}
}

// reader reads one entry.
type reader struct {
	object splice.Object
	client Client
	form   Form
}

// off tells whether the field switches the entry off, for this client.
func (r reader) off(name string, value bool) bool {
	return (r.form.Disabled == "" || r.form.Disabled == name) && field(r.object, name) == value
}

// first is the text of the first of the fields that is there, and which it is.
func (r reader) first(names ...string) (text, name string) {
	for _, n := range names {
		if s, ok := field(r.object, n).(string); ok && s != "" {
			return s, n
		}
	}
	return "", ""
}

func (r reader) text(names ...string) string {
	text, _ := r.first(names...)
	return text
}

func (r reader) setting(name, value string, secret bool) Setting {
	expansion := r.client.Expansion.in(value)
	return Setting{Name: name, value: value, Expansion: expansion, Secret: secret && expansion != value}
}

// settings are the members of the objects of these names.
func (r reader) settings(secret func(name, value string) bool, names ...string) []Setting {
	var list []Setting
	for _, n := range names {
		members, _ := field(r.object, n).(splice.Object)
		for _, m := range members {
			if value, ok := plain(m.Value); ok {
				list = append(list, r.setting(m.Name, value, secret(m.Name, value)))
			}
		}
	}
	return list
}

// plain is the text of a value that is no list and no object.
func plain(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case splice.Number:
		return string(v), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// argument is one argument; what follows --token or stands behind --token= is a
// secret by that name.
func (r reader) argument(args []string, i int, value string) Setting {
	flag, rest, joined := strings.Cut(value, "=")
	if !joined || !strings.HasPrefix(flag, "-") {
		flag, rest = "", value
		if i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") {
			flag = args[i-1]
		}
	}
	secret := looksSecret(strings.TrimLeft(flag, "-"), rest) || assigns(value)
	if header, after, ok := strings.Cut(rest, ":"); ok && !strings.HasPrefix(after, "//") {
		secret = secret || secretHeader(strings.TrimSpace(header), strings.TrimSpace(after))
	}
	return r.setting(fmt.Sprint(i+1), value, secret && !strings.HasPrefix(rest, "-"))
}

func (r reader) headers() []Setting {
	list := r.settings(secretHeader, "headers", "http_headers")
	for _, n := range []string{"requestOptions", "requestInit"} {
		inner := r
		inner.object, _ = field(r.object, n).(splice.Object)
		list = append(list, inner.settings(secretHeader, "headers")...)
	}
	return list
}

// transport is what the entry says about how to speak to its URL, which stands
// in the field of this name.
func (r reader) transport(urlField string) string {
	if urlField == "" {
		return ""
	}
	kind := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(r.text("type", "transport")))
	switch {
	case kind == "sse":
		return "sse"
	case kind == "http" || kind == "streamablehttp":
		return "http"
	case urlField == "httpUrl":
		return "http"
	case has(splice.Object(r.form.HTTP), "httpUrl") && urlField == "url", r.client.Has(UntypedIsSSE) && kind == "":
		return "sse"
	}
	return ""
}

// missing names what of the entry is not read.
func (r reader) missing() []string {
	var list []string
	for _, m := range r.object {
		switch m.Name {
		case "envFile":
			list = append(list, fmt.Sprintf("the variables of the file %v are not taken over", m.Value))
		case "env_keys":
			list = append(list, "the values of "+strings.Join(strs(m.Value), ", ")+" are in the client's keychain")
		case "bearer_token_env_var":
			list = append(list, fmt.Sprintf("the header Authorization is made of the variable %v", m.Value))
		case "env_http_headers":
			headers, _ := m.Value.(splice.Object)
			for _, h := range headers {
				list = append(list, fmt.Sprintf("the header %s is taken from the variable %v", h.Name, h.Value))
			}
		case "auth", "oauth":
			list = append(list, "the settings for signing in ("+m.Name+") are not taken over")
		}
	}
	return list
}
