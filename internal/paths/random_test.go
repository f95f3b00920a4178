package paths

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// P1: random messages keep their bytes on every path, outside the splices that
// are documented. What follows in this file is the list of those splices: as a
// message is expected at the other end.
//
// DRAWBRIDGE_RANDOM is how many requests a path has, DRAWBRIDGE_SEED repeats a
// failure.
func TestOddMessagesKeepTheirBytes(t *testing.T) {
	rounds := number(t, "DRAWBRIDGE_RANDOM", 30)
	seed := uint64(number(t, "DRAWBRIDGE_SEED", 1+rand.IntN(1<<31)))
	each(t, func(t *testing.T, p path) {
		defer func() {
			if t.Failed() {
				t.Logf("to see this again: DRAWBRIDGE_SEED=%d DRAWBRIDGE_RANDOM=%d", seed, rounds)
			}
		}()
		l := open(t, p)
		x := &oddLine{line: l, came: l.play(), odd: odd{Rand: rand.New(rand.NewPCG(seed, 1))}}
		for i := range rounds {
			x.breaks = false
			if err := x.round(); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	})
}

// oddLine is a line that odd messages go over.
type oddLine struct {
	*line
	odd
	came <-chan incoming
}

// request is an odd one, in its parts.
type request struct {
	method         string
	envelope       object
	params, meta   object
	isPlain        bool // its params are no object, or there are none
	hasMeta        bool
	asksLog, token bool
}

// round is one request with all that belongs to it, and a notification.
func (x *oddLine) round() error {
	if x.oneIn(4) {
		if err := x.note(); err != nil {
			return err
		}
	}
	x.breaks = x.face != stdioFace
	r := x.request()
	sent := r.envelope.String()
	if err := x.client.send(sent); err != nil {
		return fmt.Errorf("send %.600s: %w", sent, err)
	}
	in, err := arrives(x.came)
	if err != nil {
		return fmt.Errorf("%w, sent was %.600s", err, sent)
	}
	err = same("the request at the server", in.body, x.atServer(r, in), x.far == program)
	if err == nil {
		err = x.asides(r, in)
	}
	if err == nil && x.asksBack() && x.oneIn(3) {
		err = x.ask(in)
	}
	if err == nil && x.translated() && asksForInput(r.method) && x.oneIn(3) {
		r, in, err = x.input(r, in)
	}
	if err != nil {
		in.done()
		return err
	}
	x.breaks = x.far == asJSON
	answer := x.answer(r, string(in.ID))
	in.answer(answer.String())
	h, err := x.hear()
	if err != nil {
		return fmt.Errorf("%w, the answer was %.600s", err, answer)
	}
	return same("the answer at the client", h.body, x.answerAtClient(r, answer), h.line)
}

func (x *oddLine) hear() (heard, error) {
	bodies, err := x.hearAll(1)
	if err != nil {
		return heard{}, err
	}
	return bodies[0], nil
}

func (x *oddLine) hearAll(n int) (list []heard, err error) {
	for range n {
		h := x.next()
		if h.err != nil {
			return nil, h.err
		}
		list = append(list, h)
	}
	return list, nil
}

var breaks = strings.NewReplacer("\r", " ", "\n", " ")

// same compares. On a line of its own a message has spaces for line breaks.
func same(what, got, want string, line bool) error {
	if line {
		want = breaks.Replace(want)
	}
	if got == want {
		return nil
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(i-200, 0)
	return errors.New(what + fmt.Sprintf(" differs at byte %d: got\n…%.600s, want\n…%.600s", i, got[from:], want[from:]))
}

// request makes one. Its params have what the method and the era want.
func (x *oddLine) request() request {
	r := request{method: pick(x.Rand, "tools/call", "resources/read", "prompts/get", "tools/x", "vendor/x", "a", "$/é")}
	if r.method == "$/é" && x.onTheWeb() {
		r.method = "$/e" // it stands in a header
	}
	members := x.extras()
	switch r.method {
	case "tools/call":
		members = append(members, x.member("name", `"tell"`), x.member("arguments", x.any(4)))
	case "resources/read":
		members = append(members, x.member("uri", `"a:\/\/b"`))
	case "prompts/get":
		members = append(members, x.member("name", `"p"`))
	}
	envelope := append(x.extras(), x.member("jsonrpc", `"2.0"`), x.member("id", x.id()), x.member("method", `"`+strings.ReplaceAll(r.method, "/", pick(x.Rand, "/", `\/`, `\u002f`))+`"`))
	metas := x.extras()
	if x.oneIn(2) {
		r.token = true
		metas = append(metas, x.member("progressToken", x.id()))
	}
	if x.fromModern() {
		metas = append(metas, x.words()...)
		if x.oneIn(2) {
			r.asksLog = true
			metas = append(metas, x.member("io.modelcontextprotocol/logLevel", `"debug"`))
		}
	}
	r.meta = x.object(metas...)
	r.hasMeta = len(metas) > 0 || x.oneIn(2)
	switch {
	case !x.fromModern() && !x.translated() && r.method == "a" && x.oneIn(2):
		r.isPlain, r.token = true, false
		envelope = append(envelope, x.member("params", "["+x.any(3)+","+x.any(3)+"]"))
	case !x.fromModern() && r.method == "a" && x.oneIn(2):
		r.isPlain, r.token = true, false
	default:
		if r.hasMeta {
			members = append(members, x.member("_meta", r.meta.String()))
		}
		r.params = x.object(members...)
		envelope = append(envelope, x.member("params", r.params.String()))
	}
	r.envelope = x.object(envelope...)
	return r
}

// onTheWeb tells whether a message of 2026-07-28 goes over HTTP somewhere.
func (p path) onTheWeb() bool {
	return p.face == httpFace && p.fromModern() || p.era == modern && p.far != program
}

// words are the members by which a client of 2026-07-28 says who it is.
func (x *oddLine) words() []member {
	return []member{
		x.member("io.modelcontextprotocol/protocolVersion", `"2026-07-28"`),
		x.member("io.modelcontextprotocol/clientCapabilities", offers),
		x.member("io.modelcontextprotocol/clientInfo", `{"name":"path","version":"1","x-extra":1.0}`),
	}
}

var ownID = regexp.MustCompile(`^"c[0-9]+"$`)

// atServer is a request as the server has to get it:
//   - a client of 2026-07-28 at a local address has an id of ours, which is its
//     progress token too;
//   - for a server of the initialize era, what it does not know is taken out of
//     _meta, and _meta out of params when nothing is left;
//   - for one of 2026-07-28, what it wants to know is added to _meta, which is
//     added to params, and these to the request, where they are missing.
func (x *oddLine) atServer(r request, in incoming) string {
	envelope, params, meta := r.envelope, r.params, r.meta
	if x.sharesIDs() {
		if id := string(in.ID); ownID.MatchString(id) {
			envelope = envelope.with("id", id)
			if r.token {
				meta = meta.with("progressToken", id)
			}
		}
	}
	switch {
	case r.isPlain && !x.translated():
		return envelope.String()
	case x.fromModern() && x.era == legacy:
		for _, w := range append(x.words(), member{name: "io.modelcontextprotocol/logLevel"}) {
			meta = meta.without(w.name)
		}
		if len(meta.members) == 0 {
			return envelope.with("params", params.without("_meta").String()).String()
		}
	case x.translated():
		if !r.hasMeta || r.isPlain {
			meta = object{}
		}
		for _, w := range x.words() {
			meta = meta.with(w.name, w.value)
		}
	case !r.hasMeta:
		return envelope.String()
	}
	return envelope.with("params", params.with("_meta", meta.String()).String()).String()
}

// asides has the server say this and that about a call, and compares what the
// client hears of it.
func (x *oddLine) asides(r request, in incoming) error {
	var wanted []string
	for range x.IntN(4) {
		said, want := x.aside(r, in)
		if said == "" || x.silent() {
			continue
		}
		in.say(said)
		wanted = append(wanted, want)
	}
	list, err := x.hearAll(len(wanted))
	if err != nil {
		return err
	}
	for i, h := range list {
		if err := same("what the server says, at the client,", h.body, wanted[i], h.line); err != nil {
			return err
		}
	}
	return nil
}

// aside is a notification that belongs to a call, and how the client gets it: with
// the progress token that it gave.
func (x *oddLine) aside(r request, in incoming) (said, want string) {
	x.breaks = false
	params := x.extras()
	method := ""
	switch x.IntN(3) {
	case 0:
		if !r.token {
			return "", ""
		}
		method = "notifications/progress"
		params = append(params, x.member("progress", x.scalar()), x.member("progressToken", r.meta.value("progressToken")))
	case 1:
		if x.fromModern() && !r.asksLog {
			return "", ""
		}
		method = "notifications/message"
		params = append(params, x.member("level", `"error"`), x.member("data", x.any(4)))
	default:
		method = "notifications/x-vendor"
	}
	p := x.object(params...)
	envelope := x.object(append(x.extras(), x.member("jsonrpc", `"2.0"`), x.member("method", `"`+method+`"`), x.member("params", p.String()))...)
	want = envelope.String()
	if method == "notifications/progress" && x.sharesIDs() {
		envelope = envelope.with("params", p.with("progressToken", string(in.ID)).String())
	}
	return envelope.String(), want
}

// asksBack tells whether the server may make a request during a call, and the
// client gets it as it is.
func (p path) asksBack() bool { return p.era == legacy && !p.fromModern() }

// ask has the server make a request and the client answer it. Neither changes.
func (x *oddLine) ask(in incoming) error {
	x.breaks = false
	method := pick(x.Rand, "vendor/ask", "sampling/createMessage", "elicitation/create")
	question := x.object(append(x.extras(), x.member("jsonrpc", `"2.0"`), x.member("id", x.id()), x.member("method", `"`+method+`"`), x.member("params", x.object(x.extras()...).String()))...)
	in.say(question.String())
	h, err := x.hear()
	if err != nil {
		return err
	}
	if err := same("the server's request at the client", h.body, question.String(), h.line); err != nil {
		return err
	}
	x.breaks = x.face != stdioFace
	answer := x.answer(request{}, question.value("id"))
	if err := x.client.send(answer.String()); err != nil {
		return err
	}
	back, err := arrives(x.came)
	if err != nil {
		return fmt.Errorf("%w, the client answered %.600s", err, answer)
	}
	return same("the client's answer at the server", back.body, answer.String(), x.far == program)
}

// answer is a result or an error, in its parts.
type answer struct {
	envelope, result, meta object
	isObject               bool // it is a result, and that is an object
}

func (a answer) String() string { return a.envelope.String() }

func (x *oddLine) answer(r request, id string) answer {
	envelope := append(x.extras(), x.member("jsonrpc", `"2.0"`), x.member("id", id))
	switch {
	case x.oneIn(4):
		failed := append(x.extras(), x.member("code", pick(x.Rand, "-31999", "-32000", "1", big, "-32603")), x.member("message", x.text()), x.member("data", x.any(3)))
		return answer{envelope: x.object(append(envelope, x.member("error", x.object(failed...).String()))...)}
	case r.method != "tools/call" && x.oneIn(5):
		return answer{envelope: x.object(append(envelope, x.member("result", pick(x.Rand, "null", "1.0", "[ ]", `"\ud800"`, "true")))...)}
	}
	a := answer{isObject: true, meta: x.object(x.extras()...)}
	members := x.extras()
	if x.era == modern {
		members = append(members, x.member("resultType", `"complete"`))
	}
	if x.oneIn(2) {
		members = append(members, x.member("_meta", a.meta.String()))
	}
	a.result = x.object(members...)
	a.envelope = x.object(append(envelope, x.member("result", a.result.String()))...)
	return a
}

// answerAtClient is an answer as the client has to get it:
//   - its id is the client's own again;
//   - for a client of 2026-07-28, what a result of the initialize era does not say
//     of itself is added to it, and the server's name to its _meta.
func (x *oddLine) answerAtClient(r request, a answer) string {
	envelope := a.envelope.with("id", r.envelope.value("id"))
	if !a.isObject || !x.fromModern() || x.era == modern {
		return envelope.String()
	}
	result := a.result
	if result.value("_meta") != "" {
		result = result.with("_meta", a.meta.missing("io.modelcontextprotocol/serverInfo", serverInfo).String())
	}
	result = result.missing("resultType", `"complete"`).missing("_meta", `{"io.modelcontextprotocol/serverInfo":`+serverInfo+`}`)
	if r.method == "resources/read" {
		result = result.missing("ttlMs", "0").missing("cacheScope", `"private"`)
	}
	return envelope.with("result", result.String()).String()
}

// note is a notification of the client that nobody knows. A server of 2026-07-28
// is told whose it is when the client does not say.
func (x *oddLine) note() error {
	x.breaks = x.face != stdioFace
	params := x.object(x.extras()...)
	envelope := x.object(append(x.extras(), x.member("jsonrpc", `"2.0"`), x.member("method", `"notifications/x-vendor"`), x.member("params", params.String()))...)
	if err := x.client.send(envelope.String()); err != nil {
		return fmt.Errorf("send %.600s: %w", envelope, err)
	}
	in, err := arrives(x.came)
	if err != nil {
		return fmt.Errorf("%w, sent was %.600s", err, envelope)
	}
	if x.translated() && x.era == modern {
		meta := object{}
		for _, w := range x.words() {
			meta = meta.with(w.name, w.value)
		}
		envelope = envelope.with("params", params.with("_meta", meta.String()).String())
	}
	return same("the notification at the server", in.body, envelope.String(), x.far == program)
}
