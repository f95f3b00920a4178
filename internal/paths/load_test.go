package paths

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	notes  = 3  // said about each call
	abroad = 16 // calls under way
)

// told is what becomes of the log message in the midst of a call.
type told string

const (
	inOrder told = "in order" // it comes on the call's way, where it was said
	anyway  told = "anyway"   // it comes once, on the stream of the session
	unsaid  told = "unsaid"   // nobody can tell whose it is, so the server does not say it
)

// logs tells what becomes of log messages, which name no call: the stream that they
// come on does, or there is but one way to the client.
func (p path) logs() told {
	switch {
	case p.silent():
		return unsaid
	case !p.fromModern() && (p.face != httpFace || p.far == asSSE):
		return inOrder
	case !p.fromModern():
		return anyway
	case p.far == asSSE || p.era == modern && p.face == stdioFace:
		return inOrder
	default:
		return unsaid
	}
}

// number is how many there are to be: what the variable says, or fewer in a short
// run.
func number(t *testing.T, variable string, usual int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number", variable, s)
	}
	return n
}

// P10: of many calls at once, about each of which the server says three things, no
// word is lost, none comes twice, none is overtaken by another or by the answer,
// and each reaches its own call. DRAWBRIDGE_CALLS is how many calls a path has.
func TestNothingSaidAboutACallIsLost(t *testing.T) {
	calls := number(t, "DRAWBRIDGE_CALLS", 150)
	each(t, func(t *testing.T, p path) {
		l := open(t, p)
		began := time.Now()
		a := &account{line: l, open: map[int]int{}, logged: map[int]bool{}}
		l.server.does(a.serve)
		a.run(calls)
		took := time.Since(began)
		t.Logf("%d calls, %d notifications in %v, %.0f calls/s", calls, a.heardNotes, took.Round(time.Millisecond), float64(calls)/took.Seconds())
	})
}

// account is what the client keeps of its calls.
type account struct {
	*line
	open       map[int]int  // calls without an answer, and how many words came about each
	logged     map[int]bool // calls whose log message came anyway
	heardNotes int
	seen       sync.Map // call → chan struct{}, closed when the client has heard all about it
}

// silent tells whether the server has no way to say anything about a call: its
// answer is JSON and, since 2026-07-28, there is no other stream.
func (p path) silent() bool { return p.far == asJSON && p.era == modern }

// aside tells whether what is said about a call takes another connection than the
// answer, so that the server alone can see to the order.
func (p path) aside() bool { return p.far == asJSON && p.era == legacy }

// token is the progress token of a call as the client writes it.
func token(call int) string {
	switch call % 3 {
	case 0:
		return strconv.Itoa(call)
	case 1:
		return fmt.Sprintf(`"t\u0041-%d"`, call)
	default:
		return fmt.Sprintf("9007199254%07d", call)
	}
}

func (a *account) run(calls int) {
	a.t.Helper()
	for call := range calls {
		for len(a.open) >= abroad {
			a.take()
		}
		a.open[call] = 0
		a.seen.Store(call, make(chan struct{}))
		a.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"tell","arguments":{"call":%d},"_meta":{%s}}}`,
			call, call, a.meta(`"progressToken":`+token(call)+a.wish())))
	}
	for len(a.open) > 0 || a.logs() == anyway && len(a.logged) < calls {
		a.take()
	}
	if want := calls * notes; a.heardNotes != want && !a.silent() {
		a.t.Errorf("%d notifications came, want %d", a.heardNotes, want)
	}
}

// wish asks for log messages where they have to be asked for.
func (a *account) wish() string {
	if a.fromModern() && a.logs() == inOrder {
		return `,"io.modelcontextprotocol/logLevel":"debug"`
	}
	return ""
}

// logWord is the word about a call that is a log message.
const logWord = 2

// serve is the server: three words, then the answer.
func (a *account) serve(m message, say say) {
	var params struct {
		Arguments struct{ Call int }
		Meta      struct{ ProgressToken json.RawMessage } `json:"_meta"`
	}
	if err := json.Unmarshal(m.Params, &params); err != nil || params.Meta.ProgressToken == nil {
		a.t.Errorf("the server got %s, %v", m.body, err)
		return
	}
	call := params.Arguments.Call
	seen, _ := a.seen.Load(call)
	for n := range notes {
		if a.silent() {
			break
		}
		if n+1 == logWord && a.logs() != unsaid {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"%d"}}`, call))
			continue
		}
		say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"message":"%d"}}`,
			params.Meta.ProgressToken, n+1, call))
	}
	if a.aside() {
		select {
		case <-seen.(chan struct{}):
		case <-time.After(tooLong):
			a.t.Errorf("the client was not told about call %d in time", call)
		}
	}
	say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[],"call":%d}}`, m.ID, call))
}

// take judges the next thing that the client hears.
func (a *account) take() {
	a.t.Helper()
	h := a.next()
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			ProgressToken json.RawMessage
			Progress      int
			Message, Data string
		}
		Result struct{ Call *int }
	}
	if err := json.Unmarshal([]byte(h.body), &m); err != nil {
		a.t.Fatalf("the client got %s: %v", h.body, err)
	}
	switch m.Method {
	case "notifications/progress":
		a.told(h, atoi(m.Params.Message), string(m.Params.ProgressToken), m.Params.Progress)
		return
	case "notifications/message":
		a.toldLog(h, atoi(m.Params.Data))
		return
	}
	if m.Result.Call == nil || string(m.ID) != strconv.Itoa(*m.Result.Call) {
		a.t.Fatalf("the client got %s", h.body)
	}
	a.answered(h, *m.Result.Call)
}

// atoi reads a call's number, -1 where there is none.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// toldLog enters the log message about a call.
func (a *account) toldLog(h heard, call int) {
	a.t.Helper()
	if a.logs() != anyway {
		a.told(h, call, token(call), logWord)
		return
	}
	if call < 0 || a.logged[call] {
		a.t.Fatalf("the client got %s once more", h.body)
	}
	a.logged[call] = true
	a.heardNotes++
	a.allTold(call)
}

// told enters one word about a call.
func (a *account) told(h heard, call int, of string, n int) {
	a.t.Helper()
	a.heardNotes++
	before, open := a.open[call]
	if a.logs() == anyway && n > logWord {
		before = max(before, logWord) // that one takes another way
	}
	switch {
	case !open:
		a.t.Fatalf("call %d has no word %d to come: %s", call, n, h.body)
	case of != token(call):
		a.t.Fatalf("word %d about call %d came for %s, want %s", n, call, of, token(call))
	case n != before+1:
		a.t.Fatalf("word %d about call %d came, want %d", n, call, before+1)
	case a.face == httpFace && h.stream != strconv.Itoa(call):
		a.t.Fatalf("word %d about call %d came on the stream %q", n, call, h.stream)
	}
	a.open[call] = n
	a.allTold(call)
}

// allTold lets the server know when the client has heard all about a call.
func (a *account) allTold(call int) {
	if a.open[call] < notes || a.logs() == anyway && !a.logged[call] {
		return
	}
	if seen, open := a.seen.LoadAndDelete(call); open {
		close(seen.(chan struct{}))
	}
}

func (a *account) answered(h heard, call int) {
	a.t.Helper()
	words, open := a.open[call]
	switch {
	case !open:
		a.t.Fatalf("call %d was answered twice", call)
	case words != notes && !a.silent():
		a.t.Fatalf("call %d was answered after %d words, want %d", call, words, notes)
	case a.face == httpFace && h.stream != strconv.Itoa(call):
		a.t.Fatalf("the answer to %d came on the stream %q", call, h.stream)
	}
	delete(a.open, call)
}
