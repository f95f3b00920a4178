package clientconf

import "drawbridge/internal/splice"

// PlanRepair plans to make all entries of ours in the file start program, which
// is where Drawbridge is now (C-26, D-69).
func (e *Editor) PlanRepair(t Target, program string) (*Preview, error) {
	return preview(t, func(o *opened) (*change, error) {
		held, err := e.Held(o.target)
		if err != nil {
			return nil, err
		}
		var wishes []Wish
		for _, h := range held {
			if w, ok := h.moved(program); ok {
				wishes = append(wishes, w)
			}
		}
		return e.planWishes(o, wishes)
	})
}

// moved is the wish that an entry of ours starts program; not ok when it is not
// ours, starts it already, or starts nothing.
func (h Held) moved(program string) (Wish, bool) {
	is, _, _ := command(h.Entry)
	if !h.Ours || is == "" || is == program {
		return Wish{}, false
	}
	ch := starting(h.Entry, program)
	value, _ := h.Value.(splice.Object)
	w := Wish{Shape: Shape{Name: h.Name, Entry: ch.Entry}}
	if ours, ok := Own(h.Entry); ok {
		w.Server = ours.Server
	}
	if h.Record == nil {
		return w, true
	}
	w.Server, w.env = h.Record.Server, h.Record.EnvField
	for _, name := range h.Record.Fields { // all that we wrote is ours still
		if has(value, name) && !has(w.Entry, name) {
			w.Entry = append(w.Entry, splice.Member{Name: name, Value: h.Record.ours(name, field(value, name))})
		}
	}
	return w, true
}
