package paths

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// incoming is a message that the server has before it.
type incoming struct {
	message
	reply chan string
	once  *sync.Once // closes reply
}

// say lets the server say something. After the last word comes done.
func (in incoming) say(m string) { in.reply <- m }

func (in incoming) done() { in.once.Do(func() { close(in.reply) }) }

// answer lets the server answer, and be done.
func (in incoming) answer(m string) {
	in.say(m)
	in.done()
}

// play lets the test say what the server does, message by message.
func (l *line) play() <-chan incoming {
	came := make(chan incoming, 64)
	l.server.does(func(m message, say say) {
		in := incoming{m, make(chan string, 64), &sync.Once{}}
		if !m.isRequest() {
			in.done() // there is nothing to say to it
		}
		came <- in
		for m := range in.reply {
			say(m)
		}
	})
	return came
}

// arrives is what comes to the server next.
func arrives(came <-chan incoming) (incoming, error) {
	select {
	case in := <-came:
		return in, nil
	case <-time.After(tooLong):
		return incoming{}, fmt.Errorf("nothing came to the server")
	}
}

// hears is all that comes to the client up to so many answers and other messages.
func (l *line) hears(answers, others int) (bodies []string, err error) {
	for answers > 0 || others > 0 {
		select {
		case h := <-l.heard:
			if h.err != nil {
				return bodies, h.err
			}
			bodies = append(bodies, h.body)
			a, o := count(h.body)
			answers, others = answers-a, others-o
		case <-time.After(tooLong):
			return bodies, fmt.Errorf("the client heard %d messages: %.500s", len(bodies), strings.Join(bodies, "\n"))
		}
	}
	return bodies, nil
}

// count tells how many messages a body, which may be a batch, holds.
func count(body string) (answers, others int) {
	var list []head
	if json.Unmarshal([]byte(body), &list) != nil {
		h, err := headOf(body)
		if err != nil {
			return 0, 0
		}
		list = []head{h}
	}
	for _, h := range list {
		if h.Method == "" {
			answers++
		} else {
			others++
		}
	}
	return answers, others
}
