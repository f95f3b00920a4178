package splice

import (
	"bytes"
	"fmt"
)

// Apply gives the document after the edits, which are in order and do not
// overlap; others are an error. It leaves doc as it is.
func Apply(doc []byte, edits []Edit) ([]byte, error) {
	size, at := len(doc), 0
	for i, e := range edits {
		if e.At < at || e.Delete < 0 || e.Delete > len(doc)-e.At {
			return nil, fmt.Errorf("splice: edit %d (at %d, %d bytes) does not fit a document of %d bytes after what stands before it", i, e.At, e.Delete, len(doc))
		}
		at = e.At + e.Delete
		size += len(e.Insert) - e.Delete
	}
	out := make([]byte, 0, size)
	at = 0
	for _, e := range edits {
		out = append(append(out, doc[at:e.At]...), e.Insert...)
		at = e.At + e.Delete
	}
	return append(out, doc[at:]...), nil
}

// invert gives the edits that take the document after edits back to doc.
func invert(doc []byte, edits []Edit) []Edit {
	back := make([]Edit, 0, len(edits))
	moved := 0
	for _, e := range edits {
		back = append(back, Edit{
			At:     e.At + moved,
			Delete: len(e.Insert),
			Insert: bytes.Clone(doc[e.At : e.At+e.Delete]),
		})
		moved += len(e.Insert) - e.Delete
	}
	return back
}

// piece is a part of a document under edit: n bytes at at of the document as it
// was, or, if n is 0, what was put in.
type piece struct {
	at, n int
	put   []byte
}

// compose gives the edits that do what first and then then do, which counts in
// the document after first. Size is the length of the document before.
func compose(size int, first, then []Edit) []Edit {
	in := pieces(size, first)
	var out []piece
	at := 0 // in the document after first
	for _, e := range then {
		var kept []piece
		kept, in = split(in, e.At-at)
		out = append(append(out, kept...), piece{put: e.Insert})
		_, in = split(in, e.Delete)
		at = e.At + e.Delete
	}
	return toEdits(size, append(out, in...))
}

func pieces(size int, edits []Edit) []piece {
	var list []piece
	at := 0
	for _, e := range edits {
		list = append(list, piece{at: at, n: e.At - at}, piece{put: e.Insert})
		at = e.At + e.Delete
	}
	return append(list, piece{at: at, n: size - at})
}

// split cuts the first n bytes off.
func split(list []piece, n int) (head, tail []piece) {
	for i, p := range list {
		length := p.n + len(p.put)
		if n >= length {
			n -= length
			continue
		}
		head = append(head, list[:i]...)
		if p.n > 0 {
			head = append(head, piece{at: p.at, n: n})
			tail = append(tail, piece{at: p.at + n, n: p.n - n})
		} else {
			head = append(head, piece{put: p.put[:n]})
			tail = append(tail, piece{put: p.put[n:]})
		}
		return head, append(tail, list[i+1:]...)
	}
	return list, nil
}

func toEdits(size int, list []piece) []Edit {
	var edits []Edit
	open := Edit{}
	flush := func(next int) {
		open.Delete = next - open.At
		if open.Delete > 0 || len(open.Insert) > 0 {
			edits = append(edits, open)
		}
	}
	for _, p := range list {
		if p.n == 0 {
			open.Insert = append(open.Insert[:len(open.Insert):len(open.Insert)], p.put...)
			continue
		}
		flush(p.at)
		open = Edit{At: p.at + p.n}
	}
	flush(size)
	return edits
}
