package platform

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A child gets the variables named here and those configured for it, never our
// whole environment: what a client or a shell keeps there may be a secret
// (S-48). The rule for the list: without it a program does not
// find its files, its user, its language, its display or its way to the
// network. Addresses of the user's own session (display, bus) are on it, since
// every process of the user can find them anyway; an ssh agent's is not. A proxy
// address may hold a password, but npx and uvx download nothing without it.

// childNames are passed on every system, in this spelling and, except on
// Windows, where case does not count, in lower case for the proxies.
var childNames = []string{
	"PATH", "TZ", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TMP", "TEMP",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NIX_SSL_CERT_FILE",
	"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
	"NVM_DIR", "ASDF_DIR", "PYENV_ROOT", "VOLTA_HOME", "HOMEBREW_PREFIX", "COLIMA_HOME",
}

// childPrefixes begin the names of further variables.
var childPrefixes = []string{"LC_", "XDG_"}

// ChildEnviron makes the environment of a child in dir: the allow-list, the
// PATH that found the command, and the configured variables, which win.
func ChildEnviron(configured map[string]string, found Found, dir string) ([]string, error) {
	vars := map[string]string{}
	for _, v := range os.Environ() {
		// A name may begin with "=" on Windows; those stay behind.
		if name, value, ok := strings.Cut(v, "="); ok && childMayHave(name) {
			vars[name] = value
		}
	}
	addAccount(vars)
	if found.path != "" {
		set(vars, "PATH", found.path)
	}
	if dir != "" {
		vars["PWD"] = dir
	}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		value := configured[name]
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("the environment variable %q has a name or value that cannot be passed on", name)
		}
		if !sameName(name, markName) {
			set(vars, name, value)
		}
	}
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env, nil
}

// set replaces a variable in whatever spelling it has.
func set(vars map[string]string, name, value string) {
	for old := range vars {
		if sameName(old, name) {
			delete(vars, old)
		}
	}
	vars[name] = value
}

// lookup finds a variable in whatever spelling it has.
func lookup(vars map[string]string, name string) (string, bool) {
	for n, v := range vars {
		if sameName(n, name) {
			return v, true
		}
	}
	return "", false
}

func childMayHave(name string) bool {
	same := func(n string) bool { return sameName(n, name) }
	return slices.ContainsFunc(childNames, same) || slices.ContainsFunc(systemNames, same) ||
		slices.ContainsFunc(childPrefixes, func(p string) bool { return len(name) >= len(p) && sameName(name[:len(p)], p) })
}

// folders takes a PATH apart. What is not absolute depends on where one stands
// and is left out.
func folders(path string) []string {
	var list []string
	for _, d := range filepath.SplitList(path) {
		if filepath.IsAbs(d) {
			list = append(list, filepath.Clean(d))
		}
	}
	return list
}

// merge joins lists of folders; the first of equal ones stays.
func merge(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, d := range list {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

func joinPath(dirs []string) string { return strings.Join(dirs, string(filepath.ListSeparator)) }
