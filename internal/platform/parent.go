package platform

import (
	"context"
	"os"
)

// startParent is the process that started us, taken as early as we can: it may
// be killed 200 ms later.
var startParent = os.Getppid()

// WatchParent waits until the process that started this one is gone, and then
// calls gone. It returns after that, or when ctx ends. A client that was killed
// may leave our stdin open, so its end is not to be relied on alone.
func WatchParent(ctx context.Context, gone func()) {
	if watchParent(ctx, startParent) {
		gone()
	}
}
