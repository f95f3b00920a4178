package catalog

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"drawbridge/internal/fault"
)

// Query is an expression about a server. In the order in which they bind,
// loosest first:
//
//	or    = and { "||" and }
//	and   = not { "&&" not }
//	not   = "!" not | "(" or ")" | "search" "(" [ string { "," string } ] ")" | same
//	same  = text ( "==" | "!=" ) text
//	text  = string | "name" | "resource.sub_kind" | "labels" "[" string "]"
//
// A string stands in double quotes, with the escapes of JSON. A label that is
// not there is the empty text. search holds if each word occurs in name,
// description or labels. The sub-kind of every server is "mcp".
type Query struct{ holds func(Server) bool }

// Holds reports whether the expression is true of the server.
func (q *Query) Holds(s Server) bool { return q.holds(s) }

// Limits of a query.
const (
	maxQuery = 4096 // bytes
	maxNest  = 100  // brackets and negations in each other
)

// ParseQuery reads an expression. The error (DB_QUERY_INVALID) names the place,
// the first character being 1.
func ParseQuery(text string) (*Query, error) {
	p := &queryParser{text: text}
	if len(text) > maxQuery {
		return nil, p.wrong(0, "it is longer than %d bytes", maxQuery)
	}
	if !utf8.ValidString(text) {
		return nil, p.wrong(0, "it is not UTF-8")
	}
	p.next()
	holds, err := p.or()
	if err == nil && p.tok.kind != tokenEnd {
		err = p.expected("&& or || or the end")
	}
	if err != nil {
		return nil, err
	}
	return &Query{holds}, nil
}

type tokenKind string

const (
	tokenEnd    tokenKind = "the end"
	tokenString tokenKind = "a string"
	tokenWord   tokenKind = "a word"
	tokenSign   tokenKind = "a sign"
	tokenBad    tokenKind = "a string that does not end or has an unknown escape"
)

// token is one piece of the text; of a string, text is what it says.
type token struct {
	kind tokenKind
	text string
	at   int
}

type queryParser struct {
	text string
	i    int
	tok  token
	nest int
}

// next moves to the next token.
func (p *queryParser) next() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
	at, rest := p.i, p.text[p.i:]
	p.tok = token{tokenSign, "", at}
	switch {
	case rest == "":
		p.tok.kind = tokenEnd
		return
	case rest[0] == '"':
		p.quoted(rest)
		return
	}
	n := 0
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	if n > 0 {
		p.tok.kind = tokenWord
	} else if _, n = utf8.DecodeRuneInString(rest); strings.HasPrefix(rest, "==") || strings.HasPrefix(rest, "!=") ||
		strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "||") {
		n = 2
	}
	p.tok.text = rest[:n]
	p.i += n
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'
}

// quoted reads the string that rest begins with.
func (p *queryParser) quoted(rest string) {
	p.tok.kind = tokenBad
	for n := 1; n < len(rest); n++ {
		switch rest[n] {
		case '\\':
			n++
		case '"':
			p.i += n + 1
			var s string
			if json.Unmarshal([]byte(rest[:n+1]), &s) == nil {
				p.tok.kind, p.tok.text = tokenString, s
			}
			return
		}
	}
	p.i = len(p.text)
}

func (p *queryParser) wrong(at int, format string, args ...any) error {
	where := "character " + strconv.Itoa(1+utf8.RuneCountInString(p.text[:at])) + ": "
	return fault.New(fault.QueryInvalid, "query").With(where+format, args...)
}

func (p *queryParser) expected(what string) error {
	got := string(p.tok.kind)
	if p.tok.kind == tokenWord || p.tok.kind == tokenSign {
		got = strconv.Quote(fault.Excerpt(p.tok.text))
	}
	return p.wrong(p.tok.at, "%s is expected here, not %s", what, got)
}

// take moves past the sign if it is the token.
func (p *queryParser) take(sign string) bool {
	if p.tok.kind != tokenSign || p.tok.text != sign {
		return false
	}
	p.next()
	return true
}

func (p *queryParser) need(sign string) error {
	if !p.take(sign) {
		return p.expected(sign)
	}
	return nil
}

func (p *queryParser) or() (func(Server) bool, error) {
	a, err := p.and()
	for err == nil && p.take("||") {
		var b func(Server) bool
		left := a
		b, err = p.and()
		a = func(s Server) bool { return left(s) || b(s) }
	}
	return a, err
}

func (p *queryParser) and() (func(Server) bool, error) {
	a, err := p.not()
	for err == nil && p.take("&&") {
		var b func(Server) bool
		left := a
		b, err = p.not()
		a = func(s Server) bool { return left(s) && b(s) }
	}
	return a, err
}

func (p *queryParser) not() (func(Server) bool, error) {
	if p.nest++; p.nest > maxNest {
		return nil, p.wrong(p.tok.at, "more than %d brackets and negations in each other", maxNest)
	}
	defer func() { p.nest-- }()
	switch {
	case p.take("!"):
		a, err := p.not()
		return func(s Server) bool { return !a(s) }, err
	case p.take("("):
		a, err := p.or()
		if err == nil {
			err = p.need(")")
		}
		return a, err
	case p.tok.kind == tokenWord && p.tok.text == "search":
		return p.search()
	default:
		return p.same()
	}
}

func (p *queryParser) search() (func(Server) bool, error) {
	p.next()
	if err := p.need("("); err != nil {
		return nil, err
	}
	var words []string
	for !p.take(")") {
		if len(words) > 0 {
			if err := p.need(","); err != nil {
				return nil, err
			}
		}
		if p.tok.kind != tokenString {
			return nil, p.expected("a string")
		}
		words = append(words, p.tok.text)
		p.next()
	}
	return func(s Server) bool { return s.mentions(words) }, nil
}

func (p *queryParser) same() (func(Server) bool, error) {
	a, err := p.operand()
	if err != nil {
		return nil, err
	}
	equal := p.take("==")
	if !equal && !p.take("!=") {
		return nil, p.expected("== or !=")
	}
	b, err := p.operand()
	return func(s Server) bool { return (a(s) == b(s)) == equal }, err
}

// operand is one text.
func (p *queryParser) operand() (func(Server) string, error) {
	t := p.tok
	switch {
	case t.kind == tokenString:
		p.next()
		return func(Server) string { return t.text }, nil
	case t.kind == tokenWord && t.text == "name":
		p.next()
		return func(s Server) string { return s.Name }, nil
	case t.kind == tokenWord && t.text == "resource.sub_kind":
		p.next()
		return func(Server) string { return "mcp" }, nil
	case t.kind == tokenWord && t.text == "labels":
		p.next()
		return p.label()
	default:
		return nil, p.expected(`name, labels["…"], resource.sub_kind, search(…) or a string`)
	}
}

func (p *queryParser) label() (func(Server) string, error) {
	if err := p.need("["); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenString {
		return nil, p.expected("a string")
	}
	key := p.tok.text
	p.next()
	return func(s Server) string { return s.Labels[key] }, p.need("]")
}
