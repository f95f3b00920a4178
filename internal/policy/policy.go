// Package policy decides which tools may be used, by their names alone.
//
// It promises that names are compared byte for byte, without folding, trimming
// or normalising; that a pattern speaks of the whole name; that deny beats
// allow; and that a decision takes time linear in the name's length, whatever
// the patterns. Where the lists come from, and whose they are, is left to
// callers.
package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Limits of one list.
const (
	MaxPatterns = 10_000 // in one list
	MaxBytes    = 1024   // of one pattern
)

// Unlisted says what the absence of an allow list means. An empty list is
// there, and allows nothing.
type Unlisted string

// With no allow list, a local server's tools are all allowed, since nobody
// administers it; a role's are all denied.
const (
	AllowUnlisted Unlisted = "allow"
	DenyUnlisted  Unlisted = "deny"
)

// Syntax says how patterns are read. In each, a pattern without a star is the
// name itself, and a star stands for any run of bytes; nothing else is special.
type Syntax string

// With Expressions, a pattern that begins with ^ and ends with $ is a regular
// expression (RE2); with Globs it is refused, so that nobody takes it for one.
const (
	Globs       Syntax = "globs"
	Expressions Syntax = "expressions"
)

// Options are how lists are read.
type Options struct {
	Unlisted Unlisted
	Syntax   Syntax
}

// Rules are an allow and a deny list, compiled. They do not change and may be
// asked by several goroutines.
type Rules struct {
	allow, deny list
	unlisted    bool // no allow list, and that allows all
}

// Compile reads the lists; allow is nil when there is none. The error names the
// pattern that cannot be read.
func Compile(allow, deny []string, o Options) (*Rules, error) {
	r := &Rules{}
	switch o.Unlisted {
	case AllowUnlisted:
		r.unlisted = allow == nil
	case DenyUnlisted:
	default:
		return nil, fmt.Errorf("policy: unknown %q", o.Unlisted)
	}
	var err error
	if r.allow, err = compile(allow, o.Syntax); err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	if r.deny, err = compile(deny, o.Syntax); err != nil {
		return nil, fmt.Errorf("deny: %w", err)
	}
	return r, nil
}

// Allows reports whether the tool of this name may be used.
func (r *Rules) Allows(name string) bool { return r.Decide(name).Allowed }

// Decision is an answer and what decided it.
type Decision struct {
	Allowed bool
	Pattern string // as it was written; "" when no pattern fits the name
}

// Decide is Allows with the pattern that decided, the first of its list.
func (r *Rules) Decide(name string) Decision {
	if p, ok := r.deny.fits(name); ok {
		return Decision{false, p}
	}
	if r.unlisted {
		return Decision{true, ""}
	}
	p, ok := r.allow.fits(name)
	return Decision{ok, p}
}

// list is one list, compiled: names by themselves, so that a long list costs
// no more than a short one, and the patterns in their order.
type list struct {
	names    map[string]bool
	patterns []pattern
}

type pattern struct {
	text string
	fits func(name string) bool
}

func compile(texts []string, s Syntax) (list, error) {
	l := list{names: map[string]bool{}}
	if len(texts) > MaxPatterns {
		return l, fmt.Errorf("%d patterns, more than %d", len(texts), MaxPatterns)
	}
	for _, t := range texts {
		fits, err := read(t, s)
		if err != nil {
			return l, fmt.Errorf("pattern %.80q: %w", t, err)
		}
		if fits == nil {
			l.names[t] = true
			continue
		}
		l.patterns = append(l.patterns, pattern{t, fits})
	}
	return l, nil
}

// read compiles one pattern; nil is a name.
func read(t string, s Syntax) (func(string) bool, error) {
	switch {
	case t == "":
		return nil, errors.New("it is empty")
	case len(t) > MaxBytes:
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(t), MaxBytes)
	}
	expression := strings.HasPrefix(t, "^") && strings.HasSuffix(t, "$")
	switch s {
	case Expressions:
		if expression {
			return readExpression(t)
		}
	case Globs:
		if expression {
			return nil, errors.New("regular expressions cannot be used here: write a name, or * for any part of it")
		}
	default:
		return nil, fmt.Errorf("policy: unknown syntax %q", s)
	}
	if strings.Contains(t, "*") {
		return newGlob(t).fits, nil
	}
	return nil, nil
}

// readExpression compiles an expression that must fit the whole name. It is
// compiled as written first: what is put around it must not close a bracket of
// its own. The anchors around it are needed, as in ^a|b$ each binds one half.
func readExpression(t string) (func(string) bool, error) {
	if _, err := regexp.Compile(t); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + t + `)\z`)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

func (l list) fits(name string) (string, bool) {
	if l.names[name] {
		return name, true
	}
	for _, p := range l.patterns {
		if p.fits(name) {
			return p.text, true
		}
	}
	return "", false
}

// glob is a pattern with stars, cut at them.
type glob struct {
	first, last string
	between     []string // never empty strings
}

func newGlob(t string) glob {
	parts := strings.Split(t, "*")
	g := glob{first: parts[0], last: parts[len(parts)-1]}
	for _, p := range parts[1 : len(parts)-1] {
		if p != "" {
			g.between = append(g.between, p)
		}
	}
	return g
}

// fits takes each part at its first place after the one before. That is enough,
// for a later place would only leave less to the parts after it; so no place is
// tried twice.
func (g glob) fits(name string) bool {
	if len(name) < len(g.first)+len(g.last) || !strings.HasPrefix(name, g.first) || !strings.HasSuffix(name, g.last) {
		return false
	}
	name = name[len(g.first) : len(name)-len(g.last)]
	for _, part := range g.between {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}
