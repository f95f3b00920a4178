package platform

import (
	"os"
	"strconv"
	"strings"
)

// markName is the environment variable every child's tree carries.
const markName = "DRAWBRIDGE_CHILD"

// mark names one child and the process that owns it: the owner's id alone would
// be met again, its start time in its process id namespace is not.
type mark struct {
	id    string
	owner int
	start string // "-" where the system does not tell
	space string
}

func newMark() mark {
	start, space := ownOrigin()
	return mark{id: newID(), owner: os.Getpid(), start: start, space: space}
}

func (m mark) value() string {
	return strings.Join([]string{"1", m.id, strconv.Itoa(m.owner), m.start, m.space}, ",")
}

func (m mark) variable() string { return markName + "=" + m.value() }

func parseMark(value string) (m mark, ok bool) {
	f := strings.Split(value, ",")
	if len(f) != 5 || f[0] != "1" {
		return m, false
	}
	owner, err := strconv.Atoi(f[2])
	if err != nil || owner <= 0 || f[1] == "" || f[3] == "" || f[4] == "" {
		return m, false
	}
	return mark{f[1], owner, f[3], f[4]}, true
}
