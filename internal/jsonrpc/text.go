package jsonrpc

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads the characters of a JSON string, quotes taken off, that passed a
// scan.
type text struct {
	b    []byte
	lone bool // half of a surrogate pair stood alone
}

// next takes the next character off; ok is false at the end.
func (t *text) next() (r rune, ok bool) {
	if len(t.b) == 0 {
		return 0, false
	}
	c := t.b[0]
	if c >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(t.b)
		t.b = t.b[n:]
		return r, true
	}
	if c != '\\' || len(t.b) < 2 {
		t.b = t.b[1:]
		return rune(c), true
	}
	return t.escaped(), true
}

func (t *text) escaped() rune {
	c := t.b[1]
	if c != 'u' || len(t.b) < 6 {
		t.b = t.b[2:]
		if k := strings.IndexByte("bfnrt", c); k >= 0 {
			return rune("\b\f\n\r\t"[k])
		}
		return rune(c)
	}
	r := hex4(t.b[2:])
	t.b = t.b[6:]
	if !utf16.IsSurrogate(r) {
		return r
	}
	if len(t.b) >= 6 && t.b[0] == '\\' && t.b[1] == 'u' {
		if whole := utf16.DecodeRune(r, hex4(t.b[2:])); whole != utf8.RuneError {
			t.b = t.b[6:]
			return whole
		}
	}
	t.lone = true
	return utf8.RuneError
}

// reads reports whether the JSON string content b reads as s.
func reads(b []byte, s string) bool {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b) == s
	}
	t := text{b: b}
	for _, want := range s {
		if r, ok := t.next(); !ok || r != want {
			return false
		}
	}
	return len(t.b) == 0 && !t.lone
}

// hasLone reports whether half of a surrogate pair stands alone in b: some
// parsers keep it, others replace it.
func hasLone(b []byte) bool {
	if bytes.IndexByte(b, '\\') < 0 {
		return false
	}
	t := text{b: b}
	for _, ok := t.next(); ok; _, ok = t.next() {
	}
	return t.lone
}

// readsPrefix reports whether what b reads as begins with prefix.
func readsPrefix(b []byte, prefix string) bool {
	t := text{b: b}
	for _, want := range prefix {
		if r, ok := t.next(); !ok || r != want {
			return false
		}
	}
	return true
}

// fold is one character for all that differ in case only, by Unicode's simple
// folding as encoding/json does it: ſ is s, the Kelvin sign is k.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

// foldsToPrefix reports whether b begins with prefix, which is in lower case,
// when case is put aside.
func foldsToPrefix(b []byte, prefix string) bool {
	t := text{b: b}
	for _, want := range prefix {
		if r, ok := t.next(); !ok || fold(r) != want {
			return false
		}
	}
	return true
}

// foldsTo reports whether b is name, which is in lower case, when case and any
// U+0000 at its end are put aside.
func foldsTo(b []byte, name string) bool {
	if len(b) < len(name) {
		return false
	}
	var f folded
	f.read(b)
	return string(f.short()) == name
}

// folded is a name with its case and any U+0000 at its end put aside.
type folded struct {
	buf  [64]byte
	n    int
	long bool   // buf holds only the last part of it
	sum  uint64 // of the parts before buf
	nuls int    // seen and held back: they may be the end
}

var seed = maphash.MakeSeed()

// read takes a name; lone says that half of a surrogate pair stands alone in it.
func (f *folded) read(name []byte) (lone bool) {
	if len(name) <= len(f.buf)-utf8.UTFMax && f.readPlain(name) {
		return false
	}
	f.n = 0
	t := text{b: name}
	for r, ok := t.next(); ok; r, ok = t.next() {
		if r == 0 {
			f.nuls++
			continue
		}
		for ; f.nuls > 0; f.nuls-- {
			f.add(0)
		}
		f.add(fold(r))
	}
	return t.lone
}

// readPlain takes the short ASCII name without an escape that nearly all are.
func (f *folded) readPlain(name []byte) bool {
	for i, c := range name {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		f.buf[i] = c
	}
	f.n = len(name)
	return true
}

func (f *folded) add(r rune) {
	if f.n+utf8.UTFMax > len(f.buf) {
		f.sum, f.n, f.long = f.hash(), 0, true
	}
	f.n += utf8.EncodeRune(f.buf[f.n:], r)
}

// hash is the same for names that fold to the same, and by its random seed no
// sender can make it so for others. A name of up to seven bytes is its own hash.
func (f *folded) hash() uint64 {
	if f.n < 8 && !f.long {
		w := binary.LittleEndian.Uint64(f.buf[:])
		return w&(1<<(8*f.n)-1) | uint64(f.n)<<56
	}
	h := maphash.Bytes(seed, f.buf[:f.n])
	if f.long {
		h ^= f.sum*0x9E3779B97F4A7C15 + 1
	}
	return h
}

// short is the folded name when it is short enough to be one we know.
func (f *folded) short() []byte {
	if f.long {
		return nil
	}
	return f.buf[:f.n]
}

// names remembers the names of one object; the first ones without allocating.
type names struct {
	n     int
	first [32]uint64
	more  []uint64
}

// add reports whether the name was there already.
func (s *names) add(h uint64) (again bool) {
	for _, x := range s.first[:min(s.n, len(s.first))] {
		if x == h {
			return true
		}
	}
	for _, x := range s.more {
		if x == h {
			return true
		}
	}
	if s.n < len(s.first) {
		s.first[s.n] = h
	} else {
		s.more = append(s.more, h)
	}
	s.n++
	return false
}
