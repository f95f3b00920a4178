package era

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

// asking has one call under way at a server that may ask its client.
func asking(t *testing.T) (*world, *server) {
	t.Helper()
	w, far := newWorld(t)
	w.call("1", "a", asks)
	greet(t, far, `{"tools":{}}`)
	if m := recv(t, far); m.Method() != "tools/call" {
		t.Fatalf("the server got %s", m.Bytes())
	}
	return w, far
}

func TestServerThatKeepsAskingDoesNotKeepItsClientFromBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := asking(t)
		for i := range 10 {
			send(t, far, ask(fmt.Sprint(i), "sure?", ""))
			time.Sleep(gatherFor / 3)
		}
		synctest.Wait()
		select {
		case m := <-w.got:
			if text(m.Result(), "resultType") != "input_required" {
				t.Errorf("the client got %s", m.Bytes())
			}
		default:
			t.Error("the client was not asked yet")
		}
		w.Close()
		far.Close()
	})
}

// What is over the limit is refused at once, and what was asked before is still
// answered. S-53
func TestQuestionsOverTheLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := asking(t)
		for i := range questionsMost + 3 {
			send(t, far, ask(fmt.Sprint(i), "sure?", ""))
		}
		m := recv(t, w)
		n := 0
		for range jsonrpc.Members(member(m.Result(), "inputRequests")) {
			n++
		}
		if n != questionsMost {
			t.Errorf("the client is asked %d things, want %d", n, questionsMost)
		}
		for i := range 3 {
			if m := recv(t, far); m.ID() != jsonrpc.ID(fmt.Sprint(questionsMost+i)) || m.Error() == nil {
				t.Errorf("the server got %s", m.Bytes())
			}
		}
		w.Close()
		far.Close()
	})
}

func TestLargeQuestionsAreHeldUpToTheLimitOfOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := asking(t)
		big := strings.Repeat("x", questionBytes/2)
		for i := range 3 {
			send(t, far, ask(fmt.Sprint(i), big, ""))
		}
		for _, id := range []jsonrpc.ID{"1", "2"} {
			if m := recv(t, far); m.ID() != id || m.Error() == nil {
				t.Errorf("the server got %.100s", m.Bytes())
			}
		}
		w.Close()
		far.Close()
	})
}

func TestServerThatAsksAndReadsNothingLosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := asking(t)
		for i := 0; ; i++ {
			if i > 2*outMost {
				t.Fatal("the connection is still there")
			}
			m, err := jsonrpc.Parse([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i)))
			if err != nil {
				t.Fatal(err)
			}
			if far.Send(t.Context(), m) != nil {
				break
			}
			synctest.Wait()
		}
		if failed := <-w.bad; failed.ID != "1" {
			t.Errorf("the client got %v", failed)
		}
		w.Close()
		far.Close()
	})
}

// A client that was asked gets the latest of what was said meanwhile, up to a
// limit.
func TestWhatIsSaidWhileTheClientIsAwayIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := newWorld(t)
		round := func(id, more string) {
			send(t, w, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"a",`+more+`"_meta":{"progressToken":"p",`+
				`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":`+asks+`}}}`)
		}
		round("1", "")
		greet(t, far, `{"tools":{}}`)
		recv(t, far)
		send(t, far, ask(`"q"`, "sure?", ""))
		state := member(recv(t, w).Result(), "requestState")
		const over = 5
		for i := range pendingMost + over {
			send(t, far, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":%d}}`, i))
		}
		synctest.Wait()
		round("2", `"inputResponses":{"q":{"action":"accept"}},"requestState":`+string(state)+`,`)
		for i := range pendingMost {
			m := recv(t, w)
			if got := string(member(m.Params(), "progress")); got != fmt.Sprint(over+i) {
				t.Fatalf("notification %d is %s", i, m.Bytes())
			}
		}
		if m := recv(t, far); m.ID() != `"q"` || m.Result() == nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		w.Close()
		far.Close()
	})
}

func TestServerThatWantsTooManyInputsAtOnceIsRefused(t *testing.T) {
	for _, n := range []int{questionsMost, questionsMost + 1} {
		c, s := ends(t)
		carryOver(t, c, s)
		send(t, c, `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a"}}`)
		recv(t, s)
		var wanted []string
		for i := range n {
			wanted = append(wanted, fmt.Sprintf(`"k%d":{"method":"sampling/createMessage","params":{}}`, i))
		}
		send(t, s, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"input_required","inputRequests":{`+strings.Join(wanted, ",")+`}}}`)
		m, err := c.Recv(t.Context())
		if n <= questionsMost {
			if err != nil || m.Method() != "sampling/createMessage" {
				t.Errorf("%d inputs: the client got %s, %v", n, m.Bytes(), err)
			}
			continue
		}
		var failed *jsonrpc.CallError
		if !errors.As(err, &failed) || failed.ID != "4" || !fault.IsCode(failed.Err, fault.ProtocolError) {
			t.Errorf("%d inputs: the client got %s, %v", n, m.Bytes(), err)
		}
	}
}
