package downstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestBatchesOfTheVersionThatHadThem(t *testing.T) { // W-09
	f := start(t, &HTTP{})
	h := f.session("2025-03-26")
	post := func(body string, h head) (int, string) {
		resp := f.do("POST", "/mcp", body, h)
		return resp.StatusCode, f.text(resp)
	}
	status, b := post(`[`+call(1, "")+`, {"jsonrpc":"2.0","method":"notifications/x"},`+call(2, "")+`,{"jsonrpc":"2.0","id":3,"method":"a","Method":"b"}, 7]`, h)
	var answers []struct {
		ID    json.RawMessage
		Error *struct{ Code int }
	}
	if err := json.Unmarshal([]byte(b), &answers); err != nil || status != 200 || len(answers) != 4 {
		t.Fatalf("got %d %s (%v), want an array of 4", status, b, err)
	}
	seen := map[string]bool{}
	for _, a := range answers {
		seen[fmt.Sprint(string(a.ID), a.Error != nil)] = true
	}
	for _, want := range []string{"1false", "2false", "3true", "nulltrue"} {
		if !seen[want] {
			t.Errorf("no answer %s in %s", want, b)
		}
	}
	for _, c := range []struct {
		body   string
		status int
	}{
		{`[]`, 400},
		{`[{"jsonrpc":"2.0","method":"notifications/x"}]`, 202},
		{`[` + call(1, "") + `,` + call(1, "") + `]`, 200},
		{`[` + initialize("2025-03-26") + `]`, 200},
		{`[[` + call(1, "") + `]]`, 200},
		{`[` + call(1, "") + `] x`, 400},
	} {
		if status, b := post(c.body, h); status != c.status || status == 200 && !strings.Contains(b, "-32600") {
			t.Errorf("%s: got %d %s, want %d", c.body, status, b, c.status)
		}
	}
	if status, _ := post(`[`+call(1, "")+`]`, f.session("2025-06-18")); status != 400 {
		t.Errorf("2025-06-18: got %d, want 400", status)
	}
}

func TestBatchBecomesAStreamWhenSomethingComesFirst(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-03-26")
	resp := f.begin(`[`+call(1, `,"_meta":{"progressToken":1}`)+`,`+call(2, "")+`]`, h)
	one, two := c.recv(t), c.recv(t)
	c.send(t, echoed(two))
	c.send(t, progress("1", 5))
	c.send(t, echoed(one))
	e := f.events(<-resp)
	e.want(`"id":2,"result"`)
	e.want(`"progress":5`)
	e.want(`"id":1,"result"`)
	e.wantEnd()
}

// What waits for a stream must not go with a batch that is answered at once.
func TestBatchWithoutRequestsTakesNoWaitingMessages(t *testing.T) {
	st := newStage()
	f := start(t, &HTTP{Serve: st.serve})
	h, c := f.open(st, "2025-03-26")
	c.send(t, logged("waits"))
	if resp := f.do("POST", "/mcp", `[{"jsonrpc":"2.0","method":"notifications/x"}]`, h); resp.StatusCode != 202 {
		t.Fatalf("got %d, want 202", resp.StatusCode)
	}
	f.events(f.do("GET", "/mcp", "", h.with("Accept", "text/event-stream"))).want("waits")
}

func TestBatchOfBadMessagesIsAnsweredThoughTheClientTakesNoJSON(t *testing.T) {
	f := start(t, &HTTP{})
	h := f.session("2025-03-26").with("Accept", "text/event-stream")
	resp := f.do("POST", "/mcp", `[{"jsonrpc":"2.0","id":3,"method":"a","Method":"b"}]`, h)
	if b := f.text(resp); resp.StatusCode != 200 || !strings.Contains(b, "-32600") {
		t.Errorf("got %d %s, want 200 and -32600", resp.StatusCode, b)
	}
}
