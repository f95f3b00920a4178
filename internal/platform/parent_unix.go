//go:build unix

package platform

import (
	"context"
	"os"
	"time"
)

// parentPoll is how often the parent is looked at where nobody tells. A look is
// one system call.
const parentPoll = 500 * time.Millisecond

// pollParent tells whether the parent went before ctx ended.
func pollParent(ctx context.Context, parent int) bool {
	t := time.NewTicker(parentPoll)
	defer t.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
	}
	return ctx.Err() == nil
}
