package era

import (
	"crypto/rand"
	"sync"

	"drawbridge/internal/mcp"
)

// Values of Options.Protocol besides versions. Legacy and Modern are also what
// a Memory is found to hold.
const (
	Auto   = "auto"
	Legacy = "legacy"
	Modern = "modern"
)

// answer is what is known of a server.
type answer string

const (
	unknown answer = ""
	yes     answer = "yes"
	no      answer = "no"
)

// Memory is what was found out about one server. Conversations with the same
// server share it; the zero value knows nothing.
type Memory struct {
	mu        sync.Mutex
	stateless answer          // it serves requests of 2026-07-28
	greets    answer          // it answers initialize
	likely    bool            // long ago it took no initialize: it is asked before one is sent
	doubt     bool            // it answered server/discover too late, or is not what it was
	deaf      bool            // it does not bear being listened to
	asking    bool            // it has asked something without a word of the call
	quiet     map[string]bool // of a server that has not: what ended without
	settled   bool            // by the user
	pinned    string          // the version to open with, "" for the usual
	key       []byte          // for what clients hand back to us
	news      chan struct{}
}

// Recall takes what an earlier process found out, as Found gave it. What this
// process knows already is better. It is acted on with care: a server may have
// changed since.
func (k *Memory) Recall(found string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.settled || k.stateless != unknown || k.greets != unknown {
		return
	}
	switch found {
	case Legacy:
		k.stateless = no
	case Modern:
		k.likely = true
	}
}

// Found tells what is worth knowing in a later process: Legacy of a server that
// serves the initialize era only, Modern of one that serves 2026-07-28 only, ""
// of one that serves both or is in doubt. ok is false while there is nothing to tell.
func (k *Memory) Found() (found string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.foundLocked()
}

func (k *Memory) foundLocked() (found string, ok bool) {
	switch {
	case k.settled:
		return "", false
	case k.stateless == yes && k.greets == no:
		return Modern, true
	case k.stateless == yes, k.doubt:
		return "", true
	case k.stateless == no && k.greets == yes:
		return Legacy, true
	default:
		return "", false
	}
}

// News has a token when Found has something new to tell. It is never closed.
func (k *Memory) News() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newsLocked()
}

func (k *Memory) newsLocked() chan struct{} {
	if k.news == nil {
		k.news = make(chan struct{}, 1)
	}
	return k.news
}

// note changes what is known, unless the user has said what is so.
func (k *Memory) note(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.settled {
		return
	}
	before, had := k.foundLocked()
	change()
	if after, has := k.foundLocked(); after == before && has == had || !has {
		return
	}
	select {
	case k.newsLocked() <- struct{}{}:
	default:
	}
}

// settle takes the user's word.
func (k *Memory) settle(protocol string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch protocol {
	case "", Auto:
		return
	case Modern, mcp.V2026_07_28:
		k.stateless, k.greets = yes, no
	case Legacy:
		k.stateless, k.greets = no, yes
	default:
		k.stateless, k.greets, k.pinned = no, yes, protocol
	}
	k.settled, k.likely = true, false
}

func (k *Memory) know() (stateless, greets answer, pinned string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stateless, k.greets, k.pinned
}

// isSettled tells whether the user has said what the server speaks.
func (k *Memory) isSettled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.settled
}

// isLikelyModern tells whether a server of which nothing is known took no
// initialize long ago.
func (k *Memory) isLikelyModern() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.likely
}

func (k *Memory) noteStateless(a answer) {
	k.note(func() {
		k.stateless = a
		if k.likely && a == yes {
			k.greets = no
		}
		k.likely = false
	})
}

func (k *Memory) noteGreets(a answer) { k.note(func() { k.greets = a }) }

// noteLate takes an answer to server/discover that came when its server was held
// for silent. The conversations under way go on as they began.
func (k *Memory) noteLate() { k.note(func() { k.doubt = true }) }

// forget makes a server unknown that is not what it was.
func (k *Memory) forget() { k.note(func() { k.stateless, k.greets, k.doubt = unknown, unknown, true }) }

// forgetGuess makes a server unknown that was taken for one of the initialize
// era and has answered no initialize yet.
func (k *Memory) forgetGuess() {
	k.note(func() {
		if k.greets != yes {
			k.stateless, k.doubt = unknown, true
		}
	})
}

func (k *Memory) isDeaf() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.deaf
}

func (k *Memory) noteDeaf() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.deaf = true
}

// isAsking tells whether the server has asked a client something and did not say
// in which call.
func (k *Memory) isAsking() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asking
}

func (k *Memory) noteAsking() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asking, k.quiet = true, nil
}

// isQuiet tells whether a tool or prompt was seen to end without asking.
func (k *Memory) isQuiet(subject string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.quiet[subject]
}

func (k *Memory) noteQuiet(subject string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asking || len(k.quiet) >= quietMost {
		return
	}
	if k.quiet == nil {
		k.quiet = map[string]bool{}
	}
	k.quiet[subject] = true
}

// secret is the key of this server's seals.
func (k *Memory) secret() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		k.key = make([]byte, 32)
		_, _ = rand.Read(k.key) // it never fails
	}
	return k.key
}
