package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// table is a listing for people: a header, a line of dashes, one line a row.
// Columns are one space apart and as wide as their widest cell; the last is not
// padded (F-089).
type table struct {
	header []string
	rows   [][]string
}

// write prints the table. The last column is cut so that lines have at most
// this many columns; 0 cuts nothing.
func (t table) write(w io.Writer, columns int) error {
	last := len(t.header) - 1
	widths := make([]int, len(t.header))
	all := append([][]string{t.header}, t.rows...)
	for _, row := range all {
		for i := range row {
			row[i] = printable(row[i])
			widths[i] = max(widths[i], columnsOf(row[i]))
		}
	}
	if columns > 0 {
		room := columns
		for _, n := range widths[:last] {
			room -= n + 1
		}
		widths[last] = min(widths[last], max(room, 1))
	}
	dashes := make([]string, len(widths))
	for i, n := range widths {
		dashes[i] = strings.Repeat("-", n)
	}
	var b strings.Builder
	for n, row := range append([][]string{t.header, dashes}, t.rows...) {
		for i, cell := range row[:last] {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-columnsOf(cell)+1))
		}
		if n == 1 || columns == 0 {
			b.WriteString(row[last])
		} else {
			b.WriteString(cut(row[last], widths[last]))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cut shortens s to n columns, the last of which is then an ellipsis.
func cut(s string, n int) string {
	if columnsOf(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeColumns(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// printable makes s fit into a cell: what would move the cursor or is not text
// becomes a space.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}

func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for the characters terminals draw twice as wide: Hangul,
// kana, ideographs, full-width forms and pictographs.
func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// terminalColumns is the width of the terminal w writes to; 0 when it is none.
func terminalColumns(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	n, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0 // a terminal that does not tell gets whole lines
	}
	return n
}
