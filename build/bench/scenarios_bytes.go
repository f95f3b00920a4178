package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"drawbridge/build/bench/client"
	"drawbridge/build/bench/wire"
)

// inputScenarios are what a client may write that it should not, and how much.
func inputScenarios() []scenario {
	return []scenario{
		{"garbage", "a line that is not JSON on stdin", survives("this is not json")},
		{"utf8", "invalid UTF-8 on stdin", survives("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x/\xff\xfe\"}")},
		{"blank", "blank lines and CRLF", afterHandshake(func(l *lab) outcome {
			_ = l.c.Write([]byte(""))      // a broken pipe shows in the call
			_ = l.c.Write([]byte("   \r")) // as above
			m, err := l.raw(5*time.Second, "77", `{"jsonrpc":"2.0","id":77,"method":"ping"}`+"\r")
			return judged(err == nil && m.Error == nil, "%s", ended(err, 5*time.Second))
		})},
		{"batch", "a JSON-RPC batch on stdin, then a call", survives(`[{"jsonrpc":"2.0","id":501,"method":"ping"},{"jsonrpc":"2.0","id":502,"method":"ping"}]`)},
		{"stray", "a stray response on stdin, then a call", survives(`{"jsonrpc":"2.0","id":424242,"result":{}}`)},
		{"8m", "8 MiB argument echoed", afterHandshake(huge(8 << 20))},
		{"16m", "16 MiB argument echoed (past the 10 MiB line limit of the TypeScript SDK)", afterHandshake(huge(16 << 20))},
		{"64m", "64 MiB argument echoed", afterHandshake(huge(64 << 20))},
	}
}

// raw sends a prepared line.
func (l *lab) raw(limit time.Duration, id, line string) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return l.c.CallRaw(ctx, id, []byte(line))
}

func survives(line string) func(context.Context, *lab) outcome {
	return afterHandshake(func(l *lab) outcome {
		_ = l.c.Write([]byte(line)) // a broken pipe shows in the call
		r := l.recover(2)
		return judged(r.atOnce(), "%s", r)
	})
}

func huge(n int) func(l *lab) outcome {
	return func(l *lab) outcome {
		text := strings.Repeat("0123456789abcdef", n/16)
		a := l.try(25*time.Second, "echo", `{"text":"`+text+`"}`)
		peak := l.c.Usage().Peak
		if a.err == nil {
			return judged(a.text == text, "%.1f s, peak %.0f MiB", a.took.Seconds(), peak)
		}
		o := bad("%s", a)
		if !errors.Is(a.err, client.ErrGone) {
			o = bad("%s; %s", a, l.recover(2))
		}
		o.Detail = fmt.Sprintf("%.300s", a.err)
		return o
	}
}

// byteScenarios are messages that must arrive as they were written.
func byteScenarios() []scenario {
	return []scenario{
		{"numbers", "numbers pass unchanged", afterHandshake(numbers)},
		{"unicode", "escapes, emoji, U+2028, lone surrogate", afterHandshake(func(l *lab) outcome {
			in := `"é漢🚀\u2028\u0000\ud83d\ude80\ud800"`
			m, err := l.raw(5*time.Second, "88", `{"jsonrpc":"2.0","id":88,"method":"tools/call","params":{"name":"echo","arguments":{"text":`+in+`}}}`)
			if err != nil || m.Error != nil {
				return bad("%s %.80s", ended(err, 5*time.Second), m.Error)
			}
			var sent string
			if err := json.Unmarshal([]byte(in), &sent); err != nil {
				return bad("%v", err)
			}
			if strings.Contains(string(m.Result), `\ud800`) || wire.Text(m.Result) == sent {
				return good("ok")
			}
			return outcome{Cell: "changed", Detail: string(m.Result)}
		})},
		{"fields", "unknown fields kept in tools/list and in results", afterHandshake(func(l *lab) outcome {
			lost := l.missing("tools/list", "{}", `"title"`, `"readOnlyHint"`, `"x-bench"`, `"bench/keep"`, "9007199254740993")
			lost = append(lost, l.missing("tools/call", client.CallParams("mirror", `{"q":1}`), `"structuredContent"`, `"x-bench"`, `"bench/keep"`)...)
			return nothing("lost", lost)
		})},
		{"custom", "unknown method forwarded", afterHandshake(func(l *lab) outcome {
			return nothing("lost", l.missing("x/custom", `{"k":[1,2]}`, "x/custom", `{"k":[1,2]}`))
		})},
		{"ids", "ids: string, 0, negative, beyond 2^53", afterHandshake(func(l *lab) outcome {
			var lost []string
			for _, id := range []string{`"abc"`, `0`, `-5`, `9007199254740993`} {
				if _, err := l.raw(3*time.Second, id, `{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`); err != nil {
					lost = append(lost, id)
				}
			}
			return nothing("no answer to id", lost)
		})},
	}
}

// nothing is good when the list is empty.
func nothing(what string, list []string) outcome {
	if len(list) == 0 {
		return good("ok")
	}
	return bad("%s: %s", what, strings.Join(list, ", "))
}

// missing makes a call and lists which of the texts its result lacks.
func (l *lab) missing(method, params string, texts ...string) []string {
	m, err := l.c.CallFor(5*time.Second, method, params)
	if err != nil {
		return []string{method + " " + ended(err, 5*time.Second)}
	}
	if m.Error != nil {
		return []string{fmt.Sprintf("%s error %.60s", method, m.Error)}
	}
	var lost []string
	for _, text := range texts {
		if !strings.Contains(string(m.Result), text) {
			lost = append(lost, method+" "+strings.Trim(text, `"`))
		}
	}
	return lost
}

func numbers(l *lab) outcome {
	in := `{"a":9007199254740993,"b":1.0,"c":123456789012345678901234567890,"d":0.1e1,"e":-0.0}`
	a := l.try(5*time.Second, "mirror", in)
	if a.err != nil {
		return bad("%s", a)
	}
	if a.text == in {
		return good("ok")
	}
	var changed []string
	for _, x := range []string{"9007199254740993", `"b":1.0`, "123456789012345678901234567890", "0.1e1", "-0.0"} {
		if !strings.Contains(a.text, x) {
			changed = append(changed, x)
		}
	}
	return outcome{Cell: "changed: " + strings.Join(changed, " "), Detail: a.text}
}
