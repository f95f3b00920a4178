package paths

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// row is a row of the fidelity table.
type row struct {
	name string
	try  func(l *line, came <-chan incoming) error // nil says that it came out as wanted
}

// vendorNotification is the row that a server with no way to say anything but its
// answers cannot fill.
const vendorNotification = "vendor notification"

const big = "9007199254740993" // 2^53 + 1

// rows are those of the table of T7, in its order.
func rows() []row {
	return []row{
		{"integers above 2^53", func(l *line, came <-chan incoming) error {
			return errors.Join(
				l.exchange(came, exchange{members: `"n":` + big, result: `"n":` + big, aside: `"n":` + big}),
				l.lists(`"const":`+big))
		}},
		{"id above 2^53", func(l *line, came <-chan incoming) error { return l.exchange(came, exchange{id: big}) }},
		{"unknown member of the envelope", func(l *line, came <-chan incoming) error {
			return l.exchange(came, exchange{envelope: `"x-extra":{"n":1.0}`})
		}},
		{"unknown method", func(l *line, came <-chan incoming) error {
			return l.exchange(came, exchange{method: "x/custom", members: `"n":` + big})
		}},
		{"vendor error code", func(l *line, came <-chan incoming) error {
			return l.exchange(came, exchange{failure: `"code":-31999,"message":"vendor","data":{"n":` + big + `},"x-extra":1.0`})
		}},
		{"vendor fields of tools, capabilities, server", func(l *line, _ <-chan incoming) error {
			return errors.Join(
				l.lists(`"x-vendor":{"f":1.0}`, `"oneOf":[{"required":["n"]},{}]`, `"x-list":1.0`),
				l.asks(strings.Replace(l.hello(), `"hello"`, `"again"`, 1), `"x-vendor":{"n":`+big+`}`, `"x-extra":1.0`))
		}},
		{vendorNotification, func(l *line, came <-chan incoming) error {
			return l.exchange(came, exchange{aside: `"n":` + big + `,"f":1.0`, envelope: `"x-extra":1.0`})
		}},
		{"batch", batch},
		{"float 1.0", func(l *line, came <-chan incoming) error {
			return l.exchange(came, exchange{members: `"f":1.0,"e":1e2,"s":"\u003c\/"`, result: `"f":1.0,"e":1e2,"s":"\u003c\/"`, aside: `"f":1.0`})
		}},
	}
}

// T7, P1: every row of the fidelity table comes out as wanted on every path.
func TestEveryRowOfTheFidelityTableIsAsWanted(t *testing.T) {
	var table strings.Builder
	each(t, func(t *testing.T, p path) {
		fmt.Fprintf(&table, "%-42s", p)
		defer table.WriteByte('\n')
		for _, r := range rows() {
			if r.name == vendorNotification && p.silent() {
				table.WriteString("    -")
				continue
			}
			l := open(t, p)
			verdict := "want"
			if err := r.try(l, l.play()); err != nil {
				verdict = "NO"
				t.Errorf("%s: %v", r.name, err)
			}
			fmt.Fprintf(&table, " %s", verdict)
		}
	})
	t.Logf("rows from left to right: %s; - is a server that has answers only\n%s", rowNames(), table.String())
}

func rowNames() string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

// exchange is a call and what is particular about it. Members given here must
// come through, letter by letter.
type exchange struct {
	id, method string
	members    string // of the arguments
	envelope   string // members of the request, the notification and the answer
	result     string // members
	failure    string // members of an error, in a result's place
	aside      string // members of a vendor notification before the answer
}

// exchange has a call made and answered, and compares.
func (l *line) exchange(came <-chan incoming, x exchange) error {
	if x.id == "" {
		x.id = "7"
	}
	if x.method == "" {
		x.method = "tools/call"
	}
	tail := ""
	if x.envelope != "" {
		tail = "," + x.envelope
	}
	if err := l.client.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{"name":"tell","arguments":{%s},"_meta":{%s}}%s}`,
		x.id, x.method, x.members, l.meta(""), tail)); err != nil {
		return err
	}
	in, err := arrives(came)
	if err != nil {
		return err
	}
	if err := holds("server", in.body, fmt.Sprintf("%q", x.method), `"arguments":{`+x.members+`}`, tail); err != nil {
		in.done()
		return err
	}
	if !l.sharesIDs() && string(in.ID) != x.id {
		in.done()
		return fmt.Errorf("the id %s came as %s", x.id, in.ID)
	}
	others := 0
	if x.aside != "" && !l.silent() {
		others = 1
		in.say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/x-vendor","params":{%s}%s}`, x.aside, tail))
		if l.aside() { // the connections race, and a late word about a call has no place to go
			if _, err := l.hears(0, 1); err != nil {
				in.done()
				return err
			}
			others = 0
		}
	}
	body := fmt.Sprintf(`"result":{"content":[],%s"y":1`, strings.TrimPrefix(x.result+",", ","))
	end := "}"
	if x.failure != "" {
		body, end = `"error":{`+x.failure, "}"
	}
	in.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s%s%s}`, in.ID, body, end, tail))
	bodies, err := l.hears(1, others)
	if err != nil {
		return err
	}
	wanted := []string{`"id":` + x.id + `,` + body, tail}
	if others == 1 {
		wanted = append(wanted, `"method":"notifications/x-vendor","params":{`+x.aside+`}`+tail+`}`)
	}
	return holds("client", strings.Join(bodies, "\n"), wanted...)
}

// sharesIDs tells whether requests get ids of ours on the way: clients of
// 2026-07-28 at one local address share a conversation.
func (p path) sharesIDs() bool { return p.face == httpFace && p.fromModern() }

// holds looks for each text.
func holds(who, body string, texts ...string) error {
	for _, text := range texts {
		if !strings.Contains(body, text) {
			return fmt.Errorf("the %s got no %s in %.600s", who, text, body)
		}
	}
	return nil
}

// asks makes a request that the server answers by itself.
func (l *line) asks(request string, texts ...string) error {
	if err := l.client.send(request); err != nil {
		return err
	}
	bodies, err := l.hears(1, 0)
	if err != nil {
		return err
	}
	return holds("client", strings.Join(bodies, "\n"), texts...)
}

// lists asks for the tools.
func (l *line) lists(texts ...string) error {
	return l.asks(`{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{"_meta":{`+l.meta("")+`}}}`, texts...)
}

// batch wants the parts of a batch answered, each by itself, if the version knows
// batches; else one error.
func batch(l *line, came <-chan incoming) error {
	part := `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"tell","arguments":{"n":` + big + `},"_meta":{` + l.meta("") + `}}}`
	err := l.client.send("[" + fmt.Sprintf(part, 71) + "," + fmt.Sprintf(part, 72) + "]")
	if l.version != "2025-03-26" {
		if refused := (*statusError)(nil); errors.As(err, &refused) {
			return holds("client", refused.body, `"code":-32600`)
		}
		if err != nil {
			return err
		}
		bodies, err := l.hears(1, 0)
		if err != nil {
			return err
		}
		return holds("client", strings.Join(bodies, "\n"), `"code":-32600`)
	}
	if err != nil {
		return err
	}
	for range 2 {
		in, err := arrives(came)
		if err != nil {
			return err
		}
		in.answer(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[],"n":%s}}`, in.ID, big))
	}
	bodies, err := l.hears(2, 0)
	if err != nil {
		return err
	}
	if err := holds("client", strings.Join(bodies, "\n"), `"id":71,"result":{"content":[],"n":`+big, `"id":72,"result":{"content":[],"n":`+big); err != nil {
		return err
	}
	if l.era == legacy && l.far != asJSON {
		return batchBack(l, came)
	}
	return nil
}

// batchBack wants the parts of a server's batch handed on one by one.
func batchBack(l *line, came <-chan incoming) error {
	if err := l.client.send(l.call("73", "")); err != nil {
		return err
	}
	in, err := arrives(came)
	if err != nil {
		return err
	}
	note, answer := `{"jsonrpc":"2.0","method":"notifications/x-vendor","params":{"n":`+big+`}}`, `{"jsonrpc":"2.0","id":73,"result":{"content":[],"f":1.0}}`
	in.answer("[" + note + "," + answer + "]")
	bodies, err := l.hears(1, 1)
	if err != nil {
		return err
	}
	if len(bodies) != 2 || bodies[0] != note || bodies[1] != answer {
		return fmt.Errorf("a batch of the server came as %q", bodies)
	}
	return nil
}
