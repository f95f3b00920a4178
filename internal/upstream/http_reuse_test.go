package upstream

import (
	"net/http"
	"testing"

	"drawbridge/internal/jsonrpc"
)

// A client that uses the id of a call it cancelled again gets the end of the
// new call, not the old one's.
func TestIDOfACancelledCallUsedAgain(t *testing.T) {
	f := newFake(t)
	first, second := make(chan struct{}), make(chan struct{})
	f.hook = func(w http.ResponseWriter, r *http.Request, m jsonrpc.Message) bool {
		switch m.Method() {
		case "first":
			<-first
			hangUp(w)
		case "second":
			<-second
			answer(w, m)
			return true
		}
		return false
	}
	p := dialTo(t, f.URL)
	p.greet()
	p.request(2, "first", "")
	f.await(t, "POST", "first")
	p.notify("notifications/cancelled", `{"requestId":2}`)
	f.await(t, "POST", "notifications/cancelled")
	p.request(2, "second", "")
	f.await(t, "POST", "second")
	close(first)
	p.ok(3, "echo", "") // passes on a connection of its own
	close(second)
	if m := p.message(); m.ID() != "2" || m.Result() == nil {
		t.Errorf("got %s", m.Bytes())
	}
	p.ok(4, "echo", "") // and nothing more was said about 2
}
