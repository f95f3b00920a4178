package catalog

import (
	"context"
	"slices"
	"time"

	"drawbridge/internal/platform"
)

// An editor may empty the file before it writes it, so what cannot be read is
// read again so often, and so long after, before it is told.
const (
	againTries = 3
	againWait  = 500 * time.Millisecond
)

// Watch calls told with the servers at once, and again each time they, or the
// error, have become others: with what Load gives. The calls come one after
// another. It returns when ctx ends.
func (f *File) Watch(ctx context.Context, told func([]Server, error)) error {
	begun := false
	var last []Server
	var lastErr error
	return platform.Watch(ctx, f.path, func() {
		list, err := f.Load()
		for range againTries {
			if err == nil || ctx.Err() != nil {
				break
			}
			wait(ctx, againWait)
			list, err = f.Load()
		}
		if ctx.Err() != nil || begun && sameError(err, lastErr) && slices.EqualFunc(list, last, same) {
			return
		}
		begun, last, lastErr = true, list, err
		told(slices.Clone(list), err)
	})
}

func same(a, b Server) bool { return a.Name == b.Name && equal(a, b) }

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
