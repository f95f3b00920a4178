package paths

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// member is one member of an object, in letters. The key is what stands before
// the value.
type member struct{ name, key, value string }

// object is a JSON object in letters, so that a test can say what it is after a
// splice.
type object struct {
	lead, trail string
	members     []member
	gaps        []string // between the members
}

func (o object) String() string {
	var b strings.Builder
	b.WriteString("{" + o.lead)
	for i, m := range o.members {
		if i > 0 {
			b.WriteString(o.gaps[i-1])
		}
		b.WriteString(m.key + m.value)
	}
	b.WriteString(o.trail + "}")
	return b.String()
}

func (o object) at(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}

// value is a member's value, "" for none.
func (o object) value(name string) string {
	if i := o.at(name); i >= 0 {
		return o.members[i].value
	}
	return ""
}

// with is the object with a member's value replaced, or the member added behind
// the last one.
func (o object) with(name, value string) object {
	o.members = slices.Clone(o.members)
	if i := o.at(name); i >= 0 {
		o.members[i].value = value
		return o
	}
	if len(o.members) > 0 {
		o.gaps = append(slices.Clone(o.gaps), ",")
	} else {
		o.lead, o.trail = "", o.lead+o.trail
	}
	o.members = append(o.members, member{name, `"` + name + `":`, value})
	return o
}

// missing is with, for a member that is not there.
func (o object) missing(name, value string) object {
	if o.at(name) >= 0 {
		return o
	}
	return o.with(name, value)
}

// without is the object without a member. The gap before it goes along, or that
// behind the first.
func (o object) without(name string) object {
	i := o.at(name)
	if i < 0 {
		return o
	}
	o.members = slices.Delete(slices.Clone(o.members), i, i+1)
	if len(o.gaps) > 0 {
		i = max(i-1, 0)
		o.gaps = slices.Delete(slices.Clone(o.gaps), i, i+1)
	}
	return o
}

// odd makes messages that are hard to hand on unchanged.
type odd struct {
	*rand.Rand
	breaks bool // line breaks may stand between tokens
	serial int
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

func (o *odd) oneIn(n int) bool { return o.IntN(n) == 0 }

func (o *odd) space() string {
	if o.breaks && o.oneIn(6) {
		return pick(o.Rand, "\n", "\r\n", "\r", " \n\t")
	}
	return pick(o.Rand, "", "", "", " ", "\t", "  ")
}

// object puts members in any order.
func (o *odd) object(members ...member) object {
	o.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	out := object{lead: o.space(), members: members, trail: o.space()}
	for i := 1; i < len(members); i++ {
		out.gaps = append(out.gaps, o.space()+","+o.space())
	}
	return out
}

// member is one of this name, which may be spelled with escapes where that means
// nothing.
func (o *odd) member(name, value string) member {
	return member{name, `"` + name + `"` + o.space() + ":" + o.space(), value}
}

// extras are a few members that nobody knows.
func (o *odd) extras() []member {
	var list []member
	for range o.IntN(4) {
		o.serial++
		m := o.member(fmt.Sprintf("%s%d", pick(o.Rand, "x-", "vendor/", "ID ", "é", "id"), o.serial), o.any(3))
		if o.oneIn(5) {
			m.key = fmt.Sprintf(`"\u0078\t%d":`, o.serial)
		}
		list = append(list, m)
	}
	return list
}

// any is some value, not nested deeper than that.
func (o *odd) any(depth int) string {
	switch n := o.IntN(100); {
	case n == 0:
		return nested(1+o.IntN(400), o.scalar())
	case n < 25 && depth > 0:
		var list []string
		for range o.IntN(4) {
			list = append(list, o.space()+o.any(depth-1)+o.space())
		}
		return "[" + strings.Join(list, ",") + "]"
	case n < 50 && depth > 0:
		var list []member
		for i := range o.IntN(4) {
			list = append(list, o.member(pick(o.Rand, "", "id", "method", "a\\u0000", "_meta", "Result", "a.b")+fmt.Sprint(i), o.any(depth-1)))
		}
		return o.object(list...).String()
	default:
		return o.scalar()
	}
}

// nested is a value in so many arrays and objects.
func nested(depth int, value string) string {
	var open, end strings.Builder
	for i := range depth {
		open.WriteString([]string{"[", `{"a":`}[i%2])
	}
	for i := depth - 1; i >= 0; i-- {
		end.WriteString([]string{"]", "}"}[i%2])
	}
	return open.String() + value + end.String()
}

func (o *odd) scalar() string {
	switch n := o.IntN(300); {
	case n == 0:
		return `"` + strings.Repeat(pick(o.Rand, "x", "é", `\u0041`), 1<<18) + `"`
	case n < 100:
		return o.text()
	case n < 110:
		return fmt.Sprintf("%d", o.Uint64())
	default:
		return pick(o.Rand, "null", "true", "false", "0", "-0", "1.0", "-1.50", "1e400", "1E+2", "0.10e-7", big, "-"+big,
			"123456789012345678901234567890", "18446744073709551616", "2.2250738585072011e-308")
	}
}

func (o *odd) text() string {
	var b strings.Builder
	for range o.IntN(5) {
		b.WriteString(pick(o.Rand, "a", " ", "é", "日本", "🙂", "\u2028", "\u007f", "<&>", `\"`, `\\`, `\/`, `\u0000`, `\u0041`, `\uD83D\uDE00`, `\ud800`, `\udc00x`,
			`\n`, `\r\n`, "data: ", "Content-Length: 0", `{\"id\":1}`))
	}
	return `"` + b.String() + `"`
}

// id is one that a request may have.
func (o *odd) id() string {
	o.serial++
	switch o.IntN(9) {
	case 0:
		return fmt.Sprintf("-%d", o.serial)
	case 1:
		return fmt.Sprintf("%d.50", o.serial)
	case 2:
		return fmt.Sprintf("90071992547409%d", 10000+o.serial)
	case 3:
		return fmt.Sprintf("%de400", o.serial)
	case 4:
		return fmt.Sprintf(`"\u0041\n\/é%d"`, o.serial)
	case 5:
		return `"` + strings.Repeat("long", 200) + fmt.Sprint(o.serial) + `"`
	case 6:
		return pick(o.Rand, `""`, `"null"`, "-0", "1.0", `" "`, `"\ud800"`)
	case 7:
		return fmt.Sprintf(`"%d"`, o.serial)
	default:
		return fmt.Sprint(o.serial)
	}
}
