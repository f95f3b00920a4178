package platform

import "errors"

// ErrNoSweep says that this system does not let us find orphaned children. They
// are not expected on Windows, where the job object ends with its owner.
var ErrNoSweep = errors.New("orphaned children cannot be found on this system")

// SweepOrphans kills what is left of children whose owner and supervisor were
// both killed, and tells how many processes that were. A process is only
// touched if it carries the mark of a child in its environment, belongs to this
// user, and the owner named in the mark, by id and start time, is gone.
func SweepOrphans() (ended int, err error) { return sweep() }
