package splice

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
)

var randomDocs = flag.Uint64("splice.random", 3000, "how many random documents of each format to try")

// eachSeed tries the seeds on all processors until one fails.
func eachSeed(t *testing.T, try func(seed uint64) error) {
	t.Helper()
	// Small documents leave so little alive that the collector would run all the time.
	old := debug.SetGCPercent(2000)
	t.Cleanup(func() { debug.SetGCPercent(old) })
	var next atomic.Uint64
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed <= *randomDocs && !failed.Load(); seed = next.Add(1) {
				if err := attempt(try, seed); err != nil {
					failed.Store(true)
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	workers.Wait()
}

// attempt makes an error of a panic, so that the seed is known.
func attempt(try func(seed uint64) error, seed uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			buf := make([]byte, 4096)
			err = fmt.Errorf("panic: %v\n%s", p, buf[:runtime.Stack(buf, false)])
		}
	}()
	return try(seed)
}
