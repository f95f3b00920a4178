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
		soon := time.NewTicker(gatherFor / 3)
		defer soon.Stop()
		var got jsonrpc.Message
		for i := 0; i < 10 && got.Kind() == ""; i++ {
			send(t, far, ask(fmt.Sprint(i), "sure?", ""))
			select {
			case got = <-w.got:
			case <-soon.C:
			}
		}
		if text(got.Result(), "resultType") != "input_required" {
			t.Errorf("while the server went on asking, the client got %s", got.Bytes())
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
		w.tracked("1", "")
		greet(t, far, `{"tools":{}}`)
		recv(t, far)
		send(t, far, ask(`"q"`, "sure?", ""))
		state := member(recv(t, w).Result(), "requestState")
		const over = 5
		for i := range pendingMost + over {
			send(t, far, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":%d}}`, i))
		}
		synctest.Wait()
		w.tracked("2", `"inputResponses":{"q":{"action":"accept"}},"requestState":`+string(state)+`,`)
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

// nested is n objects around a number.
func nested(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

// What is just within the limits stands deeper, or among more, in what is made
// of it. None of that ends the program.
func TestWhatIsAtTheLimitsIsCarriedOver(t *testing.T) {
	const deep = jsonrpc.MaxDepth - 2
	long := func(frame int) string { return strings.Repeat("x", jsonrpc.MaxBytes-frame) }
	t.Run("deep question", func(t *testing.T) {
		w, far := asking(t)
		send(t, far, ask("8", "sure?", `,"x":`+nested(deep)))
		if m := recv(t, w); text(m.Result(), "resultType") != "input_required" || !strings.Contains(string(m.Bytes()), nested(deep)) {
			t.Errorf("the client got %.200s", m.Bytes())
		}
	})
	t.Run("long question", func(t *testing.T) {
		w, far := asking(t)
		send(t, far, ask("8", long(len(ask("8", "", ""))), ""))
		if m := recv(t, w); len(question(m)) == 0 {
			t.Errorf("the client got %.200s", m.Bytes())
		}
	})
	t.Run("long id", func(t *testing.T) {
		_, far := asking(t)
		send(t, far, `{"jsonrpc":"2.0","id":"`+long(len(`{"jsonrpc":"2.0","id":"","method":"x"}`))+`","method":"x"}`)
		if m := recv(t, far); m.Error() == nil {
			t.Errorf("the server got %.200s", m.Bytes())
		}
	})
	t.Run("deep name of the server", func(t *testing.T) {
		w, far := newWorld(t)
		w.request("1", "server/discover", "", "{}")
		send(t, far, `{"jsonrpc":"2.0","id":`+string(recv(t, far).ID())+`,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":`+nested(deep)+`}}`)
		if m := recv(t, w); m.Result() == nil {
			t.Errorf("the client got %.200s", m.Bytes())
		}
	})
	t.Run("deep capabilities of the client", func(t *testing.T) {
		p := newPlace(t, true)
		p.o.Protocol = Modern
		client, far := p.open()
		send(t, client, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":`+nested(deep)+`}}`)
		wantMethod(t, far, "server/discover")
	})
}

func TestLongIDsOfQuestionsCount(t *testing.T) {
	_, far := asking(t)
	long := strings.Repeat("x", questionBytes/2)
	for i := range 2 {
		id := fmt.Sprintf(`"%d%s"`, i, long)
		send(t, far, ask(id, "sure?", ""))
		if i == 0 {
			continue
		}
		if m := recv(t, far); string(m.ID()) != id || m.Error() == nil {
			t.Errorf("the server got %.200s", m.Bytes())
		}
	}
}

func TestTasksOfNobodyAreNotKept(t *testing.T) {
	w, far := newWorld(t)
	w.request("1", "server/discover", "", declared)
	greet(t, far, `{"tasks":{"requests":{"tools":{"call":{}}}}}`)
	recv(t, w)
	send(t, far, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"x","status":"working"}}`)
	send(t, far, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	recv(t, far)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.downs {
		if len(l.tasks) != 0 {
			t.Errorf("%d tasks are kept", len(l.tasks))
		}
	}
}

func TestListOfLongTasksIsNoLongerThanAMessage(t *testing.T) {
	client, _, s := carried(t, Options{}, `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
	for _, id := range []string{"4", "5"} {
		send(t, client, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"a","task":{}}}`)
		recv(t, s)
		send(t, s, `{"jsonrpc":"2.0","id":`+id+`,"result":{"resultType":"task","taskId":"t`+id+`","status":"working","x":"`+strings.Repeat("x", tasksBytes*2/3)+`"}}`)
		recv(t, client)
	}
	send(t, client, `{"jsonrpc":"2.0","id":6,"method":"tasks/list"}`)
	m := recv(t, client)
	n := 0
	for one := range jsonrpc.Elements(member(m.Result(), "tasks")) {
		if n++; text(one, "taskId") != "t5" {
			t.Errorf("task %s is listed", text(one, "taskId"))
		}
	}
	if n != 1 {
		t.Errorf("%d tasks are listed, want the latest", n)
	}
}

func TestSubscriptionsOfLongNamesAreBounded(t *testing.T) {
	client, _, s := carried(t, Options{}, `{"resources":{"subscribe":true}}`)
	send(t, client, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	for _, id := range []string{"4", "5"} {
		send(t, client, `{"jsonrpc":"2.0","id":`+id+`,"method":"resources/subscribe","params":{"uri":"`+id+strings.Repeat("x", followedBytes*2/3)+`"}}`)
		if id == "4" {
			acknowledge(t, s, recv(t, s))
			recv(t, client)
		}
	}
	if failed := client.failure(); failed.ID != "5" || !fault.IsCode(failed.Err, fault.TooManyRequests) {
		t.Errorf("the client got %v", failed)
	}
}

func TestInputsOfACallAreNoLongerThanAMessage(t *testing.T) {
	client, _, s := carried(t, Options{}, tasking28)
	startTask(t, client, s)
	send(t, client, `{"jsonrpc":"2.0","id":5,"method":"tasks/result","params":{"taskId":"t1"}}`)
	ask := `{"method":"sampling/createMessage","params":{}}`
	reply(t, s, recv(t, s), `{"resultType":"complete","taskId":"t1","status":"input_required","inputRequests":{"a":`+ask+`,"b":`+ask+`,"c":`+ask+`}}`)
	first, second, third := recv(t, client), recv(t, client), recv(t, client)
	for _, m := range []jsonrpc.Message{first, second} {
		send(t, client, `{"jsonrpc":"2.0","id":`+string(m.ID())+`,"result":{"x":"`+strings.Repeat("x", jsonrpc.MaxBytes*2/3)+`"}}`)
	}
	if failed := client.failure(); failed.ID != "5" || !fault.IsCode(failed.Err, fault.ProtocolError) {
		t.Errorf("the client got %v", failed)
	}
	if m := recv(t, client); m.Method() != "notifications/cancelled" || string(member(m.Params(), "requestId")) != string(third.ID()) {
		t.Errorf("the client got %s", m.Bytes())
	}
}
