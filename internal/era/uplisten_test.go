package era

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/jsonrpc"
)

const changing = `{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true}}`

// acknowledge answers a listen that the server got.
func acknowledge(t *testing.T, s jsonrpc.Conn, listen jsonrpc.Message) {
	t.Helper()
	if listen.Method() != methodListen {
		t.Fatalf("the server got %s", listen.Bytes())
	}
	send(t, s, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":`+
		string(member(listen.Params(), "notifications"))+`,"_meta":{"io.modelcontextprotocol/subscriptionId":`+string(listen.ID())+`}}}`)
}

// heard is a change that the server tells of on a listen.
func heard(listen jsonrpc.Message, method, params string) string {
	return `{"jsonrpc":"2.0","method":"` + method + `","params":{` + params + `"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(listen.ID()) + `}}}`
}

const ready = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

// 3.1, P9: a listen is opened when the client is ready, for what the server
// offers, and no client sees its subscriptionId.
func TestListenIsOpenedWhenTheClientIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`)
		if m := recv(t, s); m.ID() != "1" {
			t.Errorf("before the client is ready the server got %s", m.Bytes())
		}
		send(t, c, ready)
		listen := recv(t, s)
		if got := string(member(listen.Params(), "notifications")); got != `{"toolsListChanged":true,"resourcesListChanged":true}` {
			t.Errorf("listened for %s", got)
		}
		acknowledge(t, s, listen)
		send(t, s, heard(listen, "notifications/tools/list_changed", `"x":1.0,`))
		want(t, recv(t, c), `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"x":1.0}}`)
		c.Close()
	})
}

func TestNothingToHearMeansNoListen(t *testing.T) {
	c, _, s := carried(t, Options{}, `{"tools":{}}`)
	send(t, c, ready)
	send(t, c, `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`)
	if m := recv(t, s); m.ID() != "1" {
		t.Errorf("the server got %s", m.Bytes())
	}
}

// 3.1: the new listen is opened before the old one is closed, and the request is
// answered when the server has acknowledged it.
func TestSubscriptionReopensTheListenNewBeforeOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, ready)
		old := recv(t, s)
		acknowledge(t, s, old)
		send(t, c, `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"a:\u0062"}}`)
		next := recv(t, s)
		if got := string(member(next.Params(), "notifications", "resourceSubscriptions")); got != `["a:b"]` {
			t.Errorf("subscribed to %s", got)
		}
		send(t, s, heard(next, "notifications/tools/list_changed", ``)) // the old one says it too
		send(t, s, heard(old, "notifications/tools/list_changed", ``))
		if m := recv(t, c); m.Method() != "notifications/tools/list_changed" {
			t.Errorf("the client got %s", m.Bytes())
		}
		acknowledge(t, s, next)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":"s","result":{}}`)
		want(t, recv(t, s), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+string(old.ID())+`}}`)
		send(t, s, heard(old, "notifications/tools/list_changed", ``)) // too late
		send(t, s, heard(next, "notifications/resources/updated", `"uri":"a:b",`))
		want(t, recv(t, c), `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`)

		send(t, c, `{"jsonrpc":"2.0","id":"s2","method":"resources/subscribe","params":{"uri":"a:b"}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":"s2","result":{}}`)
		send(t, c, `{"jsonrpc":"2.0","id":"u","method":"resources/unsubscribe","params":{"uri":"a:b"}}`)
		want(t, recv(t, c), `{"jsonrpc":"2.0","id":"u","result":{}}`)
		if m := recv(t, s); m.Method() != methodListen || member(m.Params(), "notifications", "resourceSubscriptions") != nil {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
	})
}

// Changes of several subscriptions at once need one more listen, not one each.
func TestSubscriptionsWhileAListenIsBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, ready)
		first := recv(t, s)
		for _, uri := range []string{"a", "b", "c"} {
			send(t, c, `{"jsonrpc":"2.0","id":"`+uri+`","method":"resources/subscribe","params":{"uri":"x:`+uri+`"}}`)
		}
		acknowledge(t, s, first)
		second := recv(t, s)
		if got := string(member(second.Params(), "notifications", "resourceSubscriptions")); got != `["x:a","x:b","x:c"]` {
			t.Errorf("subscribed to %s", got)
		}
		acknowledge(t, s, second)
		for range 3 {
			if m := recv(t, c); string(m.Result()) != `{}` {
				t.Errorf("the client got %s", m.Bytes())
			}
		}
		c.Close()
	})
}

func TestSubscriptionThatTheServerDoesNotTakeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"a:b"}}`)
		listen := recv(t, s)
		send(t, s, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":`+string(listen.ID())+`}}}`)
		if m := recv(t, c); m.ID() != `"s"` || codeOf(m.Error()) != "-32602" {
			t.Errorf("the client got %s", m.Bytes())
		}
		c.Close()
	})
}

// A listen that ends is opened again, later each time; then the client is told
// of what it may have missed.
func TestLostListenIsOpenedAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w, s := carried(t, Options{}, changing)
		send(t, c, ready)
		acknowledge(t, s, recv(t, s))
		send(t, c, `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"a:b"}}`)
		listen := recv(t, s)
		acknowledge(t, s, listen)
		recv(t, c) // the answer
		recv(t, s) // the old one's end
		lost := func(id jsonrpc.ID) error {
			return &jsonrpc.CallError{ID: id, Err: fault.New(fault.ConnectionLost, "srv")}
		}
		begin := time.Now()
		w.errs <- lost(listen.ID())
		listen = recv(t, s)
		first := time.Since(begin)
		if first < listenFirst || first > 2*listenFirst {
			t.Errorf("opened again after %v", first)
		}
		for n := 1; n < 4; n++ {
			begin = time.Now()
			w.errs <- lost(listen.ID())
			listen = recv(t, s)
			if d := time.Since(begin); d < listenFirst<<n || d > listenFirst<<(n+1) {
				t.Errorf("try %d came after %v", n, d)
			}
		}
		acknowledge(t, s, listen)
		told := map[string]bool{recv(t, c).Method(): true, recv(t, c).Method(): true, recv(t, c).Method(): true}
		if len(told) != 3 || !told["notifications/tools/list_changed"] || !told["notifications/resources/list_changed"] || !told["notifications/resources/updated"] {
			t.Errorf("the client is told of %v", told)
		}
		begin = time.Now()
		w.errs <- lost(listen.ID())
		recv(t, s)
		if d := time.Since(begin); d > 2*listenFirst {
			t.Errorf("after a listen that held the next came after %v", d)
		}
		c.Close()
	})
}

// 2.7: a server may end a listen by a result or by a cancellation.
func TestListenThatTheServerEndsIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, ready)
		for _, end := range []string{
			`{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete"}}`,
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":ID}}`,
		} {
			listen := recv(t, s)
			acknowledge(t, s, listen)
			send(t, s, strings.Replace(end, "ID", string(listen.ID()), 1))
		}
		if m := recv(t, s); m.Method() != methodListen {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
	})
}

// A server that refuses the listen is not asked again, and the client is served.
func TestRefusedListenIsNotOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{}, changing)
		send(t, c, ready)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(recv(t, s).ID())+`,"error":{"code":-32601,"message":"no"}}`)
		<-time.After(time.Hour)
		send(t, c, `{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"a:b"}}`)
		if m := recv(t, c); codeOf(m.Error()) != "-32602" {
			t.Errorf("the client got %s", m.Bytes())
		}
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`)
		if m := recv(t, s); m.ID() != "1" {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
	})
}

// P9: the watchdog. A program that answers all the same is not listened to; one
// that is stuck (mark3labs/mcp-go#976) is given up, and the next is not listened
// to.
func TestSilenceOnAListenIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s := carried(t, Options{Child: true}, changing)
		send(t, c, ready)
		listen := recv(t, s)
		want(t, recv(t, s), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+string(listen.ID())+`}}`)
		alive := recv(t, s)
		send(t, s, `{"jsonrpc":"2.0","id":`+string(alive.ID())+`,"error":{"code":-32601,"message":"no"}}`)
		<-time.After(time.Hour)
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`)
		if m := recv(t, s); m.ID() != "1" {
			t.Errorf("the server got %s", m.Bytes())
		}
		c.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		c, _, s := carried(t, Options{Child: true, Memory: memory}, changing)
		send(t, c, ready)
		recv(t, s)
		begin := time.Now()
		if err := <-c.end; !fault.IsCode(err, fault.ConnectionLost) {
			t.Errorf("the conversation ends with %v", err)
		}
		if d := time.Since(begin); d > ackLimit+wakeLimit {
			t.Errorf("noticed after %v", d)
		}
		c.Close()
		c, _, s = carried(t, Options{Child: true, Memory: memory}, changing)
		send(t, c, ready)
		send(t, c, `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`)
		if m := recv(t, s); m.ID() != "1" {
			t.Errorf("the next process got %s", m.Bytes())
		}
		c.Close()
	})
}
