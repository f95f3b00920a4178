package platform

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
)

// watchBytes is how much of a file is compared; past it size and time count.
const watchBytes = 64 << 20

// Watch calls changed once when it has begun, and again whenever the content of
// the file at path has become another: written in place, replaced by rename,
// removed, made (its folder too), or reached through a link that now leads
// elsewhere. The calls come one after another, in the goroutine of Watch, and
// a moment after the change; several changes may be one call. A program that
// truncates and writes can be met halfway. Watch returns when ctx ends.
func Watch(ctx context.Context, path string, changed func()) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	w := &Watcher{events: true, add: addWatch, wake: make(chan struct{}, 1)}
	w.Set(path)
	begun := false
	var seen imprint
	return w.Run(ctx, func(Stir) {
		now := content(path)
		if !begun || now != seen {
			begun, seen = true, now
			changed()
		}
	})
}

// imprint tells two contents of a file apart; it is zero for no file.
type imprint struct {
	there bool
	size  int64
	sum   [sha256.Size]byte // of the first watchBytes
}

func content(path string) imprint {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return imprint{}
	}
	p := imprint{there: true, size: st.Size()}
	f, err := os.Open(path)
	if err != nil {
		return p // there, and not for us to read
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, watchBytes))
	if err != nil {
		return p
	}
	p.size = max(n, st.Size())
	h.Sum(p.sum[:0])
	return p
}
