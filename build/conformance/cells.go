package main

// suite is a pinned version of the conformance suite, by its name in
// package.json.
type suite string

const (
	released suite = "suite-released" // knows up to 2025-11-25
	next     suite = "suite-next"     // knows 2026-07-28
)

// set is which scenarios of which suite.
type set struct {
	Name  string // as people know it
	Suite suite
	Rev   string // --requirements; "" is --suite all
}

var (
	setReleased = set{"0.1.16 all", released, ""}
	setLegacy   = set{"2025-11-25", next, "2025-11-25"}
	setModern   = set{"2026-07-28", next, "2026-07-28"}
	setFidelity = set{"fidelity", "", ""} // our own probes: the suite has none
)

// target is what the suite runs against.
type target struct {
	Face    face
	Fixture fixture   // the server behind; none on the stdio face
	Driver  driverEra // stdio face: the era the host speaks
}

// face is how Drawbridge is met.
type face string

const (
	faceDirect face = "direct" // without Drawbridge: the rig itself
	faceHTTP   face = "http"   // suite → proxy mcp → fixture
	faceStdio  face = "stdio"  // driver → mcp connect → suite
)

// fixture is a server with the features the suite asks for.
type fixture string

const (
	bothStdio    fixture = "go-sdk over stdio, both eras"
	statefulHTTP fixture = "go-sdk over HTTP with sessions"
	modernHTTP   fixture = "go-sdk over HTTP, stateless"
	legacyOnly   fixture = "own server, legacy only"
	modernOnly   fixture = "own server, modern only"
	echoStdio    fixture = "own echo over stdio"
	echoHTTP     fixture = "own echo over HTTP"
)

// cell is one run and what it should bring.
type cell struct {
	ID    string
	What  string
	Set   set
	To    target
	Want  int    // required scenarios
	Peers string // the best of others in the same cell, as measured
}

const (
	noPeer        = ""
	peersAll      = "supergateway 31, mcp-proxy 26"
	peersLegacy   = "supergateway 29, mcp-proxy 24"
	peersModern   = "supergateway 36, mcp-proxy 26"
	peersDown     = "mcp-proxy 24, supergateway 2"
	peersDriverL  = "supergateway 3, mcp-remote 4"
	peersDriverLM = "mcp-remote 5, supergateway 1"
	peersDriverM  = "mcp-remote 5–6, supergateway 1"
	peersDriverML = "mcp-remote 1"
	peersBytesOut = "mcp-remote 4, supergateway 0"
	peersBytesIn  = "supergateway 4, mcp-proxy 0"
)

// cells are all runs, the ones that prove the rig first.
func cells() []cell {
	return []cell{
		{"direct-released", "suite → go-sdk over HTTP with sessions", setReleased, target{faceDirect, statefulHTTP, ""}, 32, noPeer},
		{"direct-legacy", "suite → go-sdk over HTTP with sessions", setLegacy, target{faceDirect, statefulHTTP, ""}, 30, noPeer},
		{"direct-modern", "suite → go-sdk over HTTP, stateless", setModern, target{faceDirect, modernHTTP, ""}, 37, noPeer},
		{"direct-legacy-only", "suite → own legacy-only server over HTTP", setLegacy, target{faceDirect, legacyOnly, ""}, 30, noPeer},
		{"direct-modern-only", "suite → own modern-only server over HTTP", setModern, target{faceDirect, modernOnly, ""}, 37, noPeer},
		{"direct-client-legacy", "go-sdk client → suite", setLegacy, target{faceDirect, "", legacyEra}, 18, noPeer},
		{"direct-client-modern", "go-sdk client → suite", setModern, target{faceDirect, "", modernEra}, 32, noPeer},

		{"T1-released", "old client → Drawbridge → go-sdk over stdio", setReleased, target{faceHTTP, bothStdio, ""}, 32, peersAll},
		{"T1-legacy", "old client → Drawbridge → go-sdk over stdio", setLegacy, target{faceHTTP, bothStdio, ""}, 30, peersLegacy},
		{"T1-legacy-only", "old client → Drawbridge → legacy-only server", setLegacy, target{faceHTTP, legacyOnly, ""}, 30, peersLegacy},
		{"T2-modern", "new client → Drawbridge → go-sdk over stdio", setModern, target{faceHTTP, bothStdio, ""}, 37, peersModern},
		{"T2-modern-only", "new client → Drawbridge → modern-only server", setModern, target{faceHTTP, modernOnly, ""}, 37, noPeer},
		{"T3-down", "new client → Drawbridge → legacy-only server", setModern, target{faceHTTP, legacyOnly, ""}, 37, peersDown},
		{"T4-up", "old client → Drawbridge → modern-only server", setLegacy, target{faceHTTP, modernOnly, ""}, 30, noPeer},
		{"http-released", "old client → Drawbridge → go-sdk over HTTP", setReleased, target{faceHTTP, statefulHTTP, ""}, 32, noPeer},
		{"http-legacy", "old client → Drawbridge → go-sdk over HTTP", setLegacy, target{faceHTTP, statefulHTTP, ""}, 30, noPeer},
		{"http-modern", "new client → Drawbridge → go-sdk over HTTP", setModern, target{faceHTTP, modernHTTP, ""}, 37, noPeer},

		{"T5-old-to-old", "old host → Drawbridge → suite", setLegacy, target{faceStdio, "", legacyEra}, 4, peersDriverL},
		{"T5-old-to-new", "old host → Drawbridge → suite", setModern, target{faceStdio, "", legacyEra}, 7, peersDriverLM},
		{"T5-new-to-new", "new host → Drawbridge → suite", setModern, target{faceStdio, "", modernEra}, 7, peersDriverM},
		{"T5-new-to-old", "new host → Drawbridge → suite", setLegacy, target{faceStdio, "", modernEra}, 4, peersDriverML},

		{"T7-stdio-http", "probes on stdio → Drawbridge → echo over HTTP", setFidelity, target{faceStdio, echoHTTP, ""}, 9, peersBytesOut},
		{"T7-http-stdio", "probes over HTTP → Drawbridge → echo on stdio", setFidelity, target{faceHTTP, echoStdio, ""}, 9, peersBytesIn},
		{"T7-http-http", "probes over HTTP → Drawbridge → echo over HTTP", setFidelity, target{faceHTTP, echoHTTP, ""}, 9, noPeer},
	}
}

// driverEra is what the stdio driver speaks.
type driverEra string

const (
	legacyEra driverEra = "legacy"
	modernEra driverEra = "modern"
)

// reached are the cells in which every required scenario has passed. A failure
// in one of them fails the run; a cell that gets there is added here.
var reached = []string{
	"direct-released", "direct-legacy", "direct-modern", "direct-legacy-only", "direct-modern-only",
	"direct-client-legacy", "direct-client-modern",
	"T1-released", "T1-legacy", "T1-legacy-only", "T2-modern", "T2-modern-only", "T3-down", "T4-up",
	"http-released", "http-legacy", "http-modern",
	"T5-old-to-old", "T5-old-to-new", "T5-new-to-new", "T5-new-to-old",
	"T7-stdio-http", "T7-http-stdio", "T7-http-http",
}
