package splice

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

var bom = []byte("\xef\xbb\xbf")

// text gives what follows the byte order mark, if it is text at all.
func text(doc []byte) ([]byte, error) {
	if len(doc) > MaxBytes {
		return nil, &Error{Reason: TooLarge, Detail: fmt.Sprintf("it has %d bytes, more than the %d that are read", len(doc), MaxBytes)}
	}
	if name := wideEncoding(doc); name != "" {
		return nil, &Error{InvalidEncoding, 1, 1, fmt.Sprintf("it is written in %s, not in UTF-8", name)}
	}
	t := bytes.TrimPrefix(doc, bom)
	if at := InvalidUTF8(t); at >= 0 {
		return nil, refuse(t, at, InvalidEncoding, fmt.Sprintf("the byte 0x%02X at offset %d is not UTF-8%s", t[at], len(doc)-len(t)+at, latin1(t[at])))
	}
	if at := bytes.IndexByte(t, 0); at >= 0 {
		return nil, refuse(t, at, InvalidSyntax, "a NUL byte"+padding(t[at:]))
	}
	return t, nil
}

// wideEncoding tells of a document in units of two or four bytes.
func wideEncoding(doc []byte) string {
	for _, e := range []struct{ mark, name string }{ // the longer marks first
		{"\xff\xfe\x00\x00", "UTF-32"},
		{"\x00\x00\xfe\xff", "UTF-32"},
		{"\xff\xfe", "UTF-16"},
		{"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(doc, []byte(e.mark)) {
			return e.name
		}
	}
	// Without a mark: every other byte of the first characters is zero.
	if len(doc) < 4 || (doc[0] == 0) == (doc[1] == 0) || (doc[0] == 0) != (doc[2] == 0) || (doc[1] == 0) != (doc[3] == 0) {
		return ""
	}
	return "UTF-16"
}

// InvalidUTF8 is the place of the first byte that belongs to no character, -1
// for none.
func InvalidUTF8(t []byte) int {
	if utf8.Valid(t) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(t[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}

// latin1 says which letter the byte is in the code page most such files come
// from.
func latin1(b byte) string {
	if b < 0xa0 {
		return ""
	}
	return fmt.Sprintf(" (it would be %c in Windows-1252; save the file as UTF-8)", rune(b))
}

func padding(rest []byte) string {
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return fmt.Sprintf(", as are the %d bytes from here to the end: the file was damaged", len(rest))
	}
	return ""
}

// refuse is a refusal at this byte of the text.
func refuse(text []byte, at int, reason Reason, detail string) *Error {
	line, column := lineColumn(text, at)
	return &Error{reason, line, column, detail}
}

// lineColumn is the line of this byte of the text and its column in characters,
// both from 1.
func lineColumn(text []byte, at int) (line, column int) {
	begin := bytes.LastIndexByte(text[:at], '\n') + 1
	return 1 + bytes.Count(text[:at], []byte("\n")), 1 + utf8.RuneCount(text[begin:at])
}

// placeAt is the byte of the text at a line and a column in bytes, both from 1:
// its end, if there are fewer.
func placeAt(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return len(text)
		}
		at += n + 1
	}
	return min(at+max(column-1, 0), len(text))
}
