package era

import (
	"crypto/rand"
	"sync"

	"drawbridge/internal/mcp"
)

// Values of Options.Protocol besides versions.
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
	stateless answer // it serves requests of 2026-07-28
	greets    answer // it answers initialize
	pinned    string // the version to open with, "" for the usual
	key       []byte // for what clients hand back to us
}

// settle takes the user's word.
func (k *Memory) settle(protocol string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch protocol {
	case "", Auto:
	case Modern, mcp.V2026_07_28:
		k.stateless, k.greets = yes, no
	case Legacy:
		k.stateless, k.greets = no, yes
	default:
		k.stateless, k.greets, k.pinned = no, yes, protocol
	}
}

func (k *Memory) know() (stateless, greets answer, pinned string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stateless, k.greets, k.pinned
}

func (k *Memory) noteStateless(a answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stateless = a
}

func (k *Memory) noteGreets(a answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.greets = a
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
