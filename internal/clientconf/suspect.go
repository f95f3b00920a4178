package clientconf

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// patterns are made when they are first needed: the helper links this package
// and mostly does without.
var patterns = sync.OnceValue(func() (p struct {
	name, shape, password, key     *regexp.Regexp
	braces, dollar, curly, secrets *regexp.Regexp
}) {
	p.name = regexp.MustCompile(`(?i)(token|secret|passw|passphrase|credential|api[-_]?key|apikey|access[-_]?key|private[-_]?key|authorization|cookie|bearer|(^|[-_])(pat|pwd|pass|auth|session|dsn)([-_]|$)|[-_]key$|^key$)`)
	// The beginnings that the makers of keys give them.
	p.shape = regexp.MustCompile(`^(gh[opsur]_|github_pat_|glpat-|sk-|sk_live_|rk_live_|xox[abprs]-|xapp-|AKIA|ASIA|AIza|npm_|hf_|pypi-|dop_v1_|lin_api_|ntn_|secret_|SG\.|eyJ[A-Za-z0-9_-]+\.|Bearer |Basic |-----BEGIN )`)
	p.password = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@`)
	p.key = regexp.MustCompile(`(?i)[?&][^=&]*(token|secret|key|auth|sig|password|code)[^=&]*=[^&]`)
	p.braces = regexp.MustCompile(`\$\{[^}]+\}`)
	p.dollar = regexp.MustCompile(`\$\{[^}]+\}|\$[A-Za-z_][A-Za-z0-9_]*`)
	p.curly = regexp.MustCompile(`\{(env|file):[^}]+\}`)
	p.secrets = regexp.MustCompile(`\$\{\{[^}]+\}\}`)
	return p
})

// in is the first part of a value that the client replaces.
func (e Expansion) in(value string) string {
	switch e {
	case ExpandsNothing:
		return ""
	case ExpandsBraces, ExpandsUnknowns:
		return patterns().braces.FindString(value)
	case ExpandsDollar:
		return patterns().dollar.FindString(value)
	case ExpandsCurly:
		return patterns().curly.FindString(value)
	case ExpandsSecrets:
		return patterns().secrets.FindString(value)
	default:
		panic("clientconf: unknown expansion " + string(e))
	}
}

// looksSecret tells whether a value is one to keep, by its name or its shape.
// Rather one too many: what is no secret is safe as one, too.
func looksSecret(name, value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "0", "1":
		return false
	}
	return patterns().name.MatchString(name) || patterns().shape.MatchString(value) || random(value) || secretURL(value)
}

// secretHeader is looksSecret for headers.
func secretHeader(name, value string) bool {
	known := slices.ContainsFunc([]string{"authorization", "proxy-authorization", "cookie", "x-api-key"}, func(h string) bool { return strings.EqualFold(h, name) })
	return value != "" && known || looksSecret(name, value)
}

// secretURL tells whether an address carries a password or a key.
func secretURL(value string) bool {
	_, rest, ok := strings.Cut(value, "://")
	return ok && (patterns().password.MatchString(value) || patterns().key.MatchString(value) || secretPath(rest))
}

// secretPath tells whether a step of an address's path is the key to it, as in
// addresses that are their own access token.
func secretPath(rest string) bool {
	rest, _, _ = strings.Cut(rest, "?")
	steps := strings.Split(rest, "/")
	return slices.ContainsFunc(steps[1:], func(step string) bool {
		return random(step) || len(step) >= 32 && strings.ContainsAny(step, lowers) && strings.ContainsAny(step, uppers) && !strings.ContainsAny(step, "-_.%")
	})
}

const (
	lowers = "abcdefghijklmnopqrstuvwxyz"
	uppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// assigns tells whether a text sets a variable to what looks like a secret, as
// an argument of a program or somewhere in a command for a shell.
func assigns(text string) bool {
	for word := range strings.FieldsSeq(text) {
		name, value, ok := strings.Cut(strings.Trim(word, `"'`), "=")
		if !ok {
			continue
		}
		if looksSecret(strings.TrimLeft(name, "-"), strings.Trim(value, `"'`)) || assigns(value) {
			return true
		}
	}
	return false
}

// random tells whether a text looks drawn, not written: long, of one piece,
// letters and digits well mixed. Paths and names of packages are not.
func random(value string) bool {
	if len(value) < 24 || strings.HasPrefix(value, "/") || strings.Count(value, "/") > 1 {
		return false
	}
	changes, digits := 0, 0
	for i := range len(value) {
		if c := value[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune("+/=_.~-", rune(c)) {
			return false
		}
		if isDigit(value[i]) {
			digits++
		}
		if i > 0 && isDigit(value[i]) != isDigit(value[i-1]) {
			changes++
		}
	}
	return digits >= 3 && changes >= 4
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
