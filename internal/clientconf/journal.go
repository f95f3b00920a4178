package clientconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"drawbridge/internal/splice"
)

// journal is what we did to one file and can take back.
type journal struct {
	Version int       `json:"version"`
	Real    string    `json:"real"`
	Wrote   string    `json:"wrote"`             // hash of the file as we last left it
	Pending *change   `json:"pending,omitempty"` // begun; the file tells whether it was made
	Changes []*change `json:"changes"`           // made and not taken back, the oldest first

	raw []byte
}

// change is one change of one file, made or to be made.
type change struct {
	Client  string        `json:"client,omitempty"`
	Path    string        `json:"path"` // as it was asked for
	Real    string        `json:"real"`
	Place   splice.Place  `json:"place"`
	Time    time.Time     `json:"time"`
	Before  string        `json:"before"` // hashes; "" for no file
	After   string        `json:"after"`
	Edits   []splice.Edit `json:"edits"`
	Inverse []splice.Edit `json:"inverse"`
	Entries []touched     `json:"entries"`
	Folders []string      `json:"folders,omitempty"` // made for the file, from the top
	Backup  string        `json:"backup,omitempty"`  // of the file before
	Undoes  bool          `json:"undoes,omitempty"`  // it takes back the last of the journal
	InPlace bool          `json:"in_place,omitempty"`
	Foreign bool          `json:"foreign,omitempty"` // it changes an entry that was somebody else's

	before, after []byte // nil for no file
	hunks         []hunk
	warnings      []string
	secrets       map[string]string // see comparison
	known         map[string]bool
}

// touched is what a change does to one entry.
type touched struct {
	Name   string `json:"name"`
	Server string `json:"server,omitempty"`
	Effect Effect `json:"effect"`
	Was    *Owned `json:"was,omitempty"` // its record before, nil for none
	Is     *Owned `json:"is,omitempty"`  // and after
}

// nothing tells that the change leaves the file as it is.
func (c *change) nothing() bool { return c.Before == c.After }

func (e *Editor) loadJournal(real string) (*journal, error) {
	j := &journal{Version: recordVersion, Real: real}
	var err error
	j.raw, err = loadRecord(e.journalPath(real), j)
	return j, err
}

func (e *Editor) saveJournal(j *journal) error {
	raw, err := saveRecord(e.journalPath(j.Real), j.raw, j)
	if err != nil {
		return unrecorded(j.Real, err)
	}
	j.raw = raw
	return nil
}

// commit takes up the pending change as made.
func (j *journal) commit() {
	c := j.Pending
	j.Pending = nil
	if !c.nothing() {
		j.Wrote = c.After
	}
	switch {
	case c.Undoes:
		j.Changes = j.Changes[:max(0, len(j.Changes)-1)]
	default:
		j.Changes = append(j.Changes, c)
		if n := len(j.Changes) - keptBackups; n > 0 {
			j.Changes = j.Changes[n:]
		}
	}
}

// last is the change to take back next, nil for none.
func (j *journal) last() *change {
	if len(j.Changes) == 0 {
		return nil
	}
	return j.Changes[len(j.Changes)-1]
}

// errInconsistent stands for a plan that does not keep what it promises; nothing
// is written then.
var errInconsistent = errors.New("the planned edits do not lead there and back")

// textAfter gives the text after the edits, nil where hash says that there is no
// file then.
func textAfter(text []byte, edits []splice.Edit, hash string) ([]byte, error) {
	out := piecesOf(text).edited(edits).text()
	if hash == "" && len(out) == 0 {
		return nil, nil
	}
	if out == nil {
		out = []byte{}
	}
	if hashOf(out) != hash {
		return nil, errInconsistent
	}
	return out, nil
}

// made gives the file's text before and after a change of the journal, which
// needs its backup.
func (c *change) made() (before, after []byte, err error) {
	if c.Before != "" {
		if before, err = os.ReadFile(filepath.Clean(c.Backup)); err != nil {
			return nil, nil, err
		}
		if hashOf(before) != c.Before {
			return nil, nil, fmt.Errorf("the backup %s is not as it was written", c.Backup)
		}
	}
	after, err = textAfter(before, c.Edits, c.After)
	return before, after, err
}
