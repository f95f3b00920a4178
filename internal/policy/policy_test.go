package policy

import (
	"strings"
	"testing"
)

func mustCompile(t testing.TB, allow, deny []string, o Options) *Rules {
	t.Helper()
	r, err := Compile(allow, deny, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	local = Options{AllowUnlisted, Globs}
	role  = Options{DenyUnlisted, Expressions}
)

// TestOnlyTheExactBytesOfANameFit holds the spellings of S-69: each reads like
// the denied, or allowed, name to some eye or parser, and is another one.
func TestOnlyTheExactBytesOfANameFit(t *testing.T) {
	const name = "danger"
	denied := mustCompile(t, nil, []string{name}, local)
	allowed := mustCompile(t, []string{name}, nil, local)
	if denied.Allows(name) || !allowed.Allows(name) {
		t.Fatal("the name itself does not fit")
	}
	for what, other := range map[string]string{
		"empty":                 "",
		"leading space":         " danger",
		"trailing space":        "danger ",
		"trailing newline":      "danger\n",
		"tab":                   "danger\t",
		"no-break space":        "danger\u00a0",
		"zero-width joiner":     "dan\u200dger",
		"zero-width space":      "danger\u200b",
		"byte order mark":       "\ufeffdanger",
		"case":                  "Danger",
		"upper case":            "DANGER",
		"full width":            "ｄanger",
		"homoglyph":             "d\u0430nger", // Cyrillic а
		"percent escape":        "%64anger",
		"unread JSON escape":    `\u0064anger`,
		"NUL at the end":        "danger\u0000",
		"NUL and more":          "danger\u0000x",
		"prefix":                "dange",
		"longer":                "dangerous",
		"path":                  "./danger",
		"quoted":                `"danger"`,
		"invalid UTF-8":         "danger\xff",
		"right-to-left mark":    "danger\u200f",
		"soft hyphen":           "dan\u00adger",
		"64 KiB":                strings.Repeat("danger", 65536/6),
		"64 KiB of space after": "danger" + strings.Repeat(" ", 65536),
		"__proto__":             "__proto__",
	} {
		t.Run("S-69 "+what, func(t *testing.T) {
			if allowed.Allows(other) {
				t.Errorf("%.40q is allowed by a rule for %q", other, name)
			}
			if !denied.Allows(other) {
				t.Errorf("%.40q is denied by a rule for %q", other, name)
			}
		})
	}
}

func TestNamesThatMeanSomethingElsewhereAreNames(t *testing.T) { // S-69
	for _, name := range []string{"__proto__", "constructor", "a.b", "a?b", "[a]", "{{internal.mcp_tools}}", "a|b", `a\b`, "(a)", "a+", " ", "\u00e9", "e\u0301", "^a", "a$", "%64anger"} {
		r := mustCompile(t, []string{name}, nil, role)
		if !r.Allows(name) {
			t.Errorf("%q is not allowed by itself", name)
		}
		for _, other := range []string{"axb", "a", "b", "ab", "aa", "", "danger", name + "x", "x" + name} {
			if other != name && r.Allows(other) {
				t.Errorf("%q is allowed by a rule for %q", other, name)
			}
		}
	}
	composed := mustCompile(t, []string{"caf\u00e9"}, nil, local)
	if composed.Allows("cafe\u0301") {
		t.Error("NFD is allowed by a rule for NFC")
	}
	// srv__a + b and srv + a__b are one name after joining: the rule for one
	// server's tool must not be written for the joined name's prefix alone.
	prefixed := mustCompile(t, []string{"srv__a__b"}, nil, local)
	for _, other := range []string{"srv__a", "srv", "a__b", "srv__a__b__c", "srv_a__b"} {
		if prefixed.Allows(other) {
			t.Errorf("%q is allowed by a rule for srv__a__b", other)
		}
	}
}

func TestPatterns(t *testing.T) { // F-060, S-69
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"*", []string{"", "a", "a/b", "\n", "\x00", "é"}, nil},
		{"get_*", []string{"get_", "get_user"}, []string{"get", "xget_user", "Get_user", " get_user", "forget_user"}},
		{"*_get", []string{"_get", "a_get"}, []string{"a_get ", "a_gets", "a_get\n"}},
		{"a*b", []string{"ab", "axb", "abb", "a*b"}, []string{"a", "b", "abc", "cab", "aB"}},
		{"ab*ba", []string{"abba", "ab-ba"}, []string{"aba", "ab", "ba"}},
		{"*a*b*", []string{"ab", "xaxbx", "aab"}, []string{"ba", "a", "b", ""}},
		{"a**b", []string{"ab", "axb"}, []string{"a"}},
		{"*aab*ab", []string{"aabab", "aaabab", "aabaab"}, []string{"aab", "aabaa"}},
		{"a.b", []string{"a.b"}, []string{"axb", "ab"}},
		{"^(get|list)_.*$", []string{"get_", "get_x", "list_x"}, []string{"get", "xget_a", "alist_b", "Get_x", "get_a\n", "x\nget_a"}},
		{"^a|b$", []string{"a", "b"}, []string{"ax", "xb", "ab", "", "a\nb"}},
		{"^(?m)a$", []string{"a"}, []string{"a\nb", "b\na", "a\n"}},
		{"^(?i)a$", []string{"a", "A"}, []string{"aa"}},
		{`^a\$`, []string{"a$"}, []string{"a", `a\$`}},
		{"^$", []string{""}, []string{"a", "\n"}},
		{"^a*$", []string{"", "aaa"}, []string{"ab", "^a"}},
		{"^get", []string{"^get"}, []string{"get", "get_x"}},
		{"get$", []string{"get$"}, []string{"get"}},
		{"^get*", []string{"^get", "^get_x"}, []string{"get_x"}},
	} {
		allow, deny := mustCompile(t, []string{c.pattern}, nil, role), mustCompile(t, nil, []string{c.pattern}, Options{AllowUnlisted, Expressions})
		for _, name := range c.yes {
			if !allow.Allows(name) || deny.Allows(name) {
				t.Errorf("%q does not fit %q", c.pattern, name)
			}
		}
		for _, name := range c.no {
			if allow.Allows(name) || !deny.Allows(name) {
				t.Errorf("%q fits %q", c.pattern, name)
			}
		}
	}
}

func TestDenyBeatsAllow(t *testing.T) { // F-061, S-69
	for _, r := range []*Rules{
		mustCompile(t, []string{"*"}, []string{"delete_*"}, local),
		mustCompile(t, []string{"delete_all", "*"}, []string{"^delete_.*$"}, role),
		mustCompile(t, nil, []string{"delete_all"}, local),
		mustCompile(t, []string{"delete_all"}, []string{"delete_all"}, local),
	} {
		if d := r.Decide("delete_all"); d.Allowed || d.Pattern == "" {
			t.Errorf("got %+v, want a denial that names its pattern", d)
		}
	}
}

func TestAnEmptyOrMissingAllowList(t *testing.T) { // F-059, F-073, S-69
	for _, c := range []struct {
		name  string
		allow []string
		o     Options
		want  bool
	}{
		{"none, local", nil, local, true},
		{"none, role", nil, role, false},
		{"empty, local", []string{}, local, false},
		{"empty, role", []string{}, role, false},
	} {
		if got := mustCompile(t, c.allow, nil, c.o).Allows("a"); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheDecidingPatternIsNamed(t *testing.T) {
	r := mustCompile(t, []string{"a*", "ab*", "name"}, []string{"*z"}, local)
	for name, want := range map[string]Decision{
		"abc":  {true, "a*"},
		"name": {true, "name"},
		"az":   {false, "*z"},
		"b":    {false, ""},
	} {
		if got := r.Decide(name); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestBadPatternsAreRefused(t *testing.T) { // F-060
	for name, c := range map[string]struct {
		list []string
		o    Options
	}{
		"empty":                   {[]string{"a", ""}, role},
		"broken expression":       {[]string{"^(a$"}, role},
		"brackets that close out": {[]string{"^a)|(b$"}, role},
		"too long":                {[]string{strings.Repeat("a", MaxBytes+1)}, role},
		"too many":                {make([]string, MaxPatterns+1), role},
		"expression among globs":  {[]string{"^a$"}, local},
		"huge repetition":         {[]string{"^((a{1000}){1000}){1000}$"}, role},
		"unknown syntax":          {[]string{"a"}, Options{AllowUnlisted, ""}},
	} {
		if _, err := Compile(c.list, nil, c.o); err == nil {
			t.Errorf("%s: allow took it", name)
		}
		if _, err := Compile(nil, c.list, c.o); err == nil {
			t.Errorf("%s: deny took it", name)
		}
	}
	if _, err := Compile(nil, nil, Options{Syntax: Globs}); err == nil {
		t.Error("options that do not say what no list means were taken")
	}
}

// TestAHostileNameCostsLittle asks 200 times for a 64 KiB name with patterns
// that cost a backtracking matcher longer than the universe has left.
func TestAHostileNameCostsLittle(t *testing.T) { // S-69
	stars, expression := strings.Repeat("a*", 400)+"b", `^(a*)*(a|aa)+b$`
	r := mustCompile(t, []string{stars, expression}, nil, role)
	name := strings.Repeat("a", 65536)
	for range 200 {
		if r.Allows(name) {
			t.Fatal("the name is allowed")
		}
	}
}

// slowGlob says what a glob means, by trying everything.
func slowGlob(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] != '*' {
		return s != "" && s[0] == p[0] && slowGlob(p[1:], s[1:])
	}
	for i := range len(s) + 1 {
		if slowGlob(p[1:], s[i:]) {
			return true
		}
	}
	return false
}

func FuzzPolicy(f *testing.F) {
	f.Add("get_*", "delete_*", "get_x")
	f.Add("^(a|b)$", "*a*b*", "ab")
	f.Add("*aab*ab", "a**", "aabaab")
	f.Fuzz(func(t *testing.T, allow, deny, name string) {
		both, err := Compile([]string{allow}, []string{deny}, role)
		if err != nil {
			return
		}
		a, d := mustCompile(t, []string{allow}, nil, role), mustCompile(t, []string{deny}, nil, role)
		if got, want := both.Allows(name), a.Allows(name) && !d.Allows(name); got != want {
			t.Errorf("allow %q deny %q of %q: got %v, want %v", allow, deny, name, got, want)
		}
		if mustCompile(t, nil, []string{deny}, Options{AllowUnlisted, Expressions}).Allows(name) == d.Allows(name) {
			t.Errorf("deny %q of %q differs from allow", deny, name)
		}
		expression := strings.HasPrefix(allow, "^") && strings.HasSuffix(allow, "$")
		if !expression && len(name) < 64 && strings.Count(allow, "*") < 5 && a.Allows(name) != slowGlob(allow, name) {
			t.Errorf("%q against %q: got %v", allow, name, a.Allows(name))
		}
	})
}
