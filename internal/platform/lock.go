package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockLimit is how long Lock waits for another process.
const lockLimit = 5 * time.Second

// Lock takes the lock file at path for this process, making it and its folder
// if need be, and returns what gives it back. It waits at most 5 s for another
// holder. A holder that dies gives the lock back.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	if _, err := l.TryLockContext(wait, 10*time.Millisecond); err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("held by another process for more than %v: %w", lockLimit, err)
		}
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil // the descriptor's close frees it in any case
}
