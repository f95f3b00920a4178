package clientconf

import (
	"bytes"

	"drawbridge/internal/splice"
)

// piece is a part of a document that is being edited.
type piece struct {
	from int // where it is in the document as it was; -1 for what was inserted
	text []byte
}

// pieces are a document after some edits, which says where its parts come from:
// so that several plans, one after the other, become one list of edits.
type pieces []piece

func piecesOf(text []byte) pieces { return pieces{{0, text}} }

func (p pieces) text() []byte {
	var out []byte
	for _, x := range p {
		out = append(out, x.text...)
	}
	return out
}

// edited applies the edits of one plan.
func (p pieces) edited(edits []splice.Edit) pieces {
	var out pieces
	at, rest := 0, p // how much of the document is in out, and what is not
	take := func(n int) (taken pieces) {
		for n > 0 && len(rest) > 0 {
			x := rest[0]
			if len(x.text) <= n {
				taken, rest, n = append(taken, x), rest[1:], n-len(x.text)
				continue
			}
			later := piece{x.from, x.text[n:]}
			if x.from >= 0 {
				later.from += n
			}
			taken = append(taken, piece{x.from, x.text[:n]})
			rest = append(pieces{later}, rest[1:]...)
			n = 0
		}
		return taken
	}
	for _, e := range edits {
		out = append(out, take(e.At-at)...)
		take(e.Delete)
		at = e.At + e.Delete
		if len(e.Insert) > 0 {
			out = append(out, piece{-1, e.Insert})
		}
	}
	return append(out, rest...)
}

// hunk is one place where two texts differ.
type hunk struct {
	was, is     int // where it is in the old text and in the new one
	gone, fresh []byte
}

// since gives what was done to before, in order, none twice.
func (p pieces) since(before []byte) []hunk {
	var list []hunk
	var fresh []byte
	was, is := 0, 0
	end := func(until int) {
		if h := trim(hunk{was, is, before[was:until], fresh}); len(h.gone)+len(h.fresh) > 0 {
			list = append(list, h)
		}
		is += len(fresh)
		fresh = nil
	}
	for _, x := range p {
		if x.from < 0 {
			fresh = append(fresh, x.text...)
			continue
		}
		if x.from > was || len(fresh) > 0 {
			end(x.from)
		}
		was = x.from + len(x.text)
		is += len(x.text)
	}
	end(len(before))
	return list
}

// trim takes away what is the same at both ends.
func trim(h hunk) hunk {
	n := 0
	for n < len(h.gone) && n < len(h.fresh) && h.gone[n] == h.fresh[n] {
		n++
	}
	h.was, h.is, h.gone, h.fresh = h.was+n, h.is+n, h.gone[n:], h.fresh[n:]
	for len(h.gone) > 0 && len(h.fresh) > 0 && h.gone[len(h.gone)-1] == h.fresh[len(h.fresh)-1] {
		h.gone, h.fresh = h.gone[:len(h.gone)-1], h.fresh[:len(h.fresh)-1]
	}
	return h
}

// edits are the hunks as edits of the old text.
func edits(hunks []hunk) []splice.Edit {
	var list []splice.Edit
	for _, h := range hunks {
		list = append(list, splice.Edit{At: h.was, Delete: len(h.gone), Insert: bytes.Clone(h.fresh)})
	}
	return list
}

// inverse are the hunks as edits that take them back from the new text.
func inverse(hunks []hunk) []splice.Edit {
	var list []splice.Edit
	for _, h := range hunks {
		list = append(list, splice.Edit{At: h.is, Delete: len(h.fresh), Insert: bytes.Clone(h.gone)})
	}
	return list
}
