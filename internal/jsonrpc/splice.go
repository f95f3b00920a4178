package jsonrpc

import (
	"iter"
	"slices"
)

// Member finds the first-level member of an object that passed Parse, by its
// unescaped name; of several it is the first. It allocates nothing.
func Member(object []byte, name string) (value []byte, ok bool) {
	for n, v := range Members(object) {
		if reads(inner(n), name) {
			return v, true
		}
	}
	return nil, false
}

// Ambiguous reports whether more than one first-level member could be read as
// name: twice the same, or in another case. Who filters an object by a member
// that Parse does not look at asks this first.
func Ambiguous(object []byte, name string) bool {
	var want, f folded
	want.read(inner(Quote(name)))
	count := 0
	for n := range Members(object) {
		f = folded{}
		f.read(inner(n))
		if f.hash() == want.hash() {
			count++
			if count > 1 || !reads(inner(n), name) {
				return true
			}
		}
	}
	return false
}

// Members gives the first-level members of an object that passed Parse, names
// as written with their quotes. It ends early where the bytes are no object.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		c := cursor{scanner: scanner{b: object}}
		for c.open('{'); c.next(); {
			if !yield(clip(object, c.begin, c.nameTo), clip(object, c.from, c.to)) {
				return
			}
		}
	}
}

// Elements gives the elements of an array that passed Parse, as written.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := cursor{scanner: scanner{b: array}}
		for c.open('['); c.next(); {
			if !yield(clip(array, c.from, c.to)) {
				return
			}
		}
	}
}

func clip(b []byte, from, to int) []byte { return b[from:to:to] }

// cursor walks over the items of one object or array.
type cursor struct {
	scanner
	object bool
	i      int // where the next item is looked for; -1 after the last
	begin  int // where the item begins, with its name
	nameTo int // where its name ends
	from   int // its value
	to     int
}

func (c *cursor) open(bracket byte) {
	c.object = bracket == '{'
	if c.i = c.space(0); c.i >= len(c.b) || c.b[c.i] != bracket {
		c.i = -1
		return
	}
	if c.i = c.space(c.i + 1); c.i < len(c.b) && c.b[c.i] == bracket+2 {
		c.i = -1
	}
}

func (c *cursor) next() bool {
	if c.i < 0 {
		return false
	}
	c.begin, c.from = c.i, c.i
	if c.object {
		if c.from = c.name(c.i); c.from < 0 {
			return false
		}
		c.nameTo = c.nameEnd
	}
	if c.to = c.value(c.from, 0); c.to < 0 {
		return false
	}
	if c.i = c.space(c.to); c.i < len(c.b) && c.b[c.i] == ',' {
		c.i = c.space(c.i + 1)
	} else {
		c.i = -1
	}
	return true
}

// SetMember gives the object with that member's value replaced, or with the
// member added after the last one. Every other byte stays. An empty object
// stands for {}; what is no object comes back as it is.
func SetMember(object []byte, name string, value []byte) []byte {
	if len(object) == 0 {
		object = []byte("{}")
	}
	c := cursor{scanner: scanner{b: object}}
	end := -1
	for c.open('{'); c.next(); end = c.to {
		if reads(inner(object[c.begin:c.nameTo]), name) {
			return slices.Concat(object[:c.from], value, object[c.to:])
		}
	}
	member := slices.Concat(Quote(name), []byte(":"), value)
	if end >= 0 {
		return slices.Concat(object[:end], []byte(","), member, object[end:])
	}
	open := c.space(0)
	if open >= len(object) || object[open] != '{' {
		return object
	}
	return slices.Concat(object[:open+1], member, object[open+1:])
}

// DeleteMember gives the object without any first-level member of that name.
// Every other byte stays; it undoes a SetMember that added one.
func DeleteMember(object []byte, name string) []byte {
	c := cursor{scanner: scanner{b: object}}
	return c.cut('{', func(int) bool {
		return !reads(inner(object[c.begin:c.nameTo]), name)
	})
}

// DeleteElements gives the array with only the elements that keep wants. Every
// other byte stays; when all are kept it is the array itself.
func DeleteElements(array []byte, keep func(i int, elem []byte) bool) []byte {
	c := cursor{scanner: scanner{b: array}}
	return c.cut('[', func(i int) bool {
		return keep(i, clip(array, c.from, c.to))
	})
}

// cut leaves items out. Each that goes takes along the separator before it, or
// when nothing is left before it, the one behind.
func (c *cursor) cut(bracket byte, keep func(i int) bool) []byte {
	var out []byte
	begun := false // out is in use
	first := true  // nothing was kept yet
	last := 0      // up to where is decided
	i := 0
	for c.open(bracket); c.next(); i++ {
		if i == 0 {
			last = c.begin
		}
		switch kept := keep(i); {
		case !kept && !begun:
			begun = true
			out = append(make([]byte, 0, len(c.b)), c.b[:last]...)
		case kept && begun && first:
			out = append(out, c.b[c.begin:c.to]...)
			first = false
		case kept && begun:
			out = append(out, c.b[last:c.to]...)
		case kept:
			first = false
		}
		last = c.to
	}
	if !begun {
		return c.b
	}
	return append(out, c.b[last:]...)
}
