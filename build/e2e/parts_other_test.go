//go:build e2e && !linux

package e2e

const (
	partVariable = "DRAWBRIDGE_E2E_PART"
	partArgument = "play-part"
)

type clientSide struct{ client, helper int }

// Only the tests that follow processes in /proc play parts.
func play(string, []string)                          { panic("e2e: no parts on this system") }
func (r *rig) startClient(string, string) clientSide { panic("e2e: no parts on this system") }
func (r *rig) awaitFamily(string) []int              { panic("e2e: no parts on this system") }
