package jsonrpc

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner walks JSON text once, strictly by RFC 8259, and remembers where it
// stopped and why. Its methods return the index after what they read, or -1.
type scanner struct {
	b       []byte
	nameEnd int  // index after the name that name read last
	lines   bool // a line break stands between tokens
	made    bool // here, and not by a peer

	at   int    // where it stopped
	why  string // and why; "" while all is well
	deep bool   // it stopped at the depth limit, not at a fault
}

func (s *scanner) stop(at int, why string) int {
	s.at, s.why = at, why
	return -1
}

// Eight bytes at a time: one value repeated in each of them.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special marks with its high bit the first of eight bytes that is a quote, a
// backslash, a control character or not ASCII; what is marked above it may be
// wrong. Flipping bit 1 moves the quote (0x22) to 0x20 and keeps control
// characters below it, so that one subtraction finds both. A borrow reaches a
// higher byte only from one that was itself found.
func special(b []byte) uint64 {
	w := binary.LittleEndian.Uint64(b)
	return (((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones) | w) & highs
}

// str reads a string whose opening quote lies before i.
func (s *scanner) str(i int) int {
	b := s.b
	for {
		i = skipPlain(b, i)
		if i >= len(b) {
			return s.stop(len(b), "a string without an end")
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i = s.escape(i)
		case c < ' ':
			return s.stop(i, "a control character in a string")
		default:
			i = s.beyondASCII(i)
		}
		if i < 0 {
			return -1
		}
	}
}

// skipPlain gives the index of the next byte that is not plain. Most strings
// are short; one that is not is read in larger steps.
func skipPlain(b []byte, i int) int {
	for n := 0; len(b)-i >= 8; n++ {
		if m := special(b[i:]); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
		for n == 8 && len(b)-i >= 32 {
			q := b[i : i+32 : i+32]
			if special(q)|special(q[8:])|special(q[16:])|special(q[24:]) != 0 {
				break
			}
			i += 32
		}
	}
	for i < len(b) && plain(b[i]) {
		i++
	}
	return i
}

func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// escape reads the escape whose backslash is at i. Halves of a surrogate pair
// pass: what stands alone is seen where a name is compared.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.b) {
		return s.stop(len(s.b), "a string without an end")
	}
	switch s.b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 <= len(s.b) && hex4(s.b[i+2:]) >= 0 {
			return i + 6
		}
	}
	return s.stop(i, "an escape that JSON does not have")
}

// hex4 is the value of four hexadecimal digits, negative when they are not.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// beyondASCII reads the characters from i that are not ASCII, and single ones
// between them that are, as the blanks between words.
func (s *scanner) beyondASCII(i int) int {
	b := s.b
	for i < len(b) {
		if b[i] < utf8.RuneSelf {
			if i+1 < len(b) && b[i+1] >= utf8.RuneSelf && plain(b[i]) {
				i++
				continue
			}
			return i
		}
		// Most of it is three bytes long. E0 has a narrower rule, and after ED
		// surrogates begin.
		if i+3 <= len(b) {
			c, d := b[i], b[i+1]
			if c > 0xE0 && c < 0xF0 && d&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80 && (c != 0xED || d < 0xA0) {
				i += 3
				continue
			}
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return s.stop(i, "invalid UTF-8")
		}
		i += n
	}
	return i
}

// space skips what may stand between tokens.
func (s *scanner) space(i int) int {
	if i < len(s.b) && s.b[i] > ' ' {
		return i
	}
	return s.spaces(i)
}

func (s *scanner) spaces(i int) int {
	for ; i < len(s.b); i++ {
		switch s.b[i] {
		case ' ', '\t':
		case '\n', '\r':
			s.lines = true
		default:
			return i
		}
	}
	return i
}

// name reads a member's name and the colon, and returns where its value begins.
func (s *scanner) name(i int) int {
	if i >= len(s.b) || s.b[i] != '"' {
		return s.unexpected(i)
	}
	if i = s.str(i + 1); i < 0 {
		return -1
	}
	s.nameEnd = i
	if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
		return s.unexpected(i)
	}
	return s.space(i + 1)
}

func (s *scanner) unexpected(i int) int {
	switch {
	case i >= len(s.b):
		return s.stop(len(s.b), "an end too early")
	case s.b[i] >= utf8.RuneSelf && !utf8.FullRune(s.b[i:]):
		return s.stop(i, "invalid UTF-8")
	default:
		return s.stop(i, "a character that does not belong there")
	}
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number(i int) int {
	b := s.b
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

func (s *scanner) digits(i int) int {
	from := i
	for i < len(s.b) && '0' <= s.b[i] && s.b[i] <= '9' {
		i++
	}
	if i == from {
		return s.stop(i, "a number that JSON does not have")
	}
	return i
}

func (s *scanner) literal(i int) int {
	word := "null"
	switch s.b[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	if end := i + len(word); end <= len(s.b) && string(s.b[i:end]) == word {
		return end
	}
	return s.unexpected(i)
}

// value reads the value at i, which lies inside depth arrays and objects. It
// does not call itself: a bit for each level says which of the two it is.
func (s *scanner) value(i, depth int) int {
	b, base := s.b, depth
	var objects [MaxDepth/64 + 1]uint64
	for {
		if i >= len(b) {
			return s.unexpected(i)
		}
		switch c := b[i]; c {
		case '"':
			i = s.str(i + 1)
		case '{', '[':
			if depth++; depth > MaxDepth && (!s.made || depth > MaxDepth+madeDeeper) {
				s.deep = true
				return s.stop(i, "nested too deep")
			}
			if i = s.space(i + 1); i < len(b) && b[i] == c+2 { // '}' and ']' lie two above
				depth, i = depth-1, i+1
				break
			}
			if c == '[' {
				objects[depth/64] &^= 1 << (depth % 64)
				continue
			}
			objects[depth/64] |= 1 << (depth % 64)
			if i = s.name(i); i < 0 {
				return -1
			}
			continue
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			i = s.number(i)
		default:
			i = s.literal(i)
		}
		if i < 0 {
			return -1
		}
		for { // after a value
			if depth == base {
				return i
			}
			object := objects[depth/64]>>(depth%64)&1 != 0
			if i = s.space(i); i >= len(b) {
				return s.unexpected(i)
			}
			if b[i] == ',' {
				i = s.space(i + 1)
				if object {
					if i = s.name(i); i < 0 {
						return -1
					}
				}
				break
			}
			if object && b[i] != '}' || !object && b[i] != ']' {
				return s.unexpected(i)
			}
			depth, i = depth-1, i+1
		}
	}
}
