package clientconf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// recordVersion is the version of the journals and of the ledger. It stands
// first in each.
const recordVersion = 1

// maxRecord is the limit of such a file: a journal may hold ten removed files of
// the largest size.
const maxRecord = 512 << 20

// loadRecord reads a file of ours; into stays as it is when there is none. It
// gives the bytes, for saveRecord.
func loadRecord(path string, into any) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, badRecord(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, badRecord(path, err)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, badRecord(path, err)
	}
	if head.Version > recordVersion {
		return nil, fault.New(fault.StateNewer, path)
	}
	if head.Version < 1 {
		return nil, badRecord(path, errors.New("it has no version"))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, badRecord(path, err)
	}
	return text, nil
}

// saveRecord writes a file of ours that held old.
func saveRecord(path string, old []byte, from any) ([]byte, error) {
	text, err := json.MarshalIndent(from, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", path, err)
	}
	text = append(text, '\n')
	if bytes.Equal(text, old) {
		return old, nil
	}
	return text, platform.SwapFile(path, old, text, 0o600)
}

func badRecord(path string, err error) error {
	return fault.New(fault.ClientConfigWrite, path).With("this record of Drawbridge's cannot be read").
		Step("move it out of the way; what was written to clients' files stays").Because(err)
}

// The places of the records. A file's key is made of its real path.
func (e *Editor) journalPath(real string) string {
	return filepath.Join(e.state, "journal", fileKey(real)+".json")
}
func (e *Editor) lockPath(real string) string {
	return filepath.Join(e.state, "locks", fileKey(real)+".lock")
}
func (e *Editor) ledgerPath() string { return filepath.Join(e.state, "ledger.json") }

// fileKey names a file among the records, so that people know it, too. It cuts
// no character in two: macOS makes no file of such a name.
func fileKey(real string) string {
	base := filepath.Base(real)
	return strings.ToValidUTF8(base[:min(len(base), 40)], "") + "-" + hashOf([]byte(real))[:16]
}

// locked runs do while no other process, and no other call of this one, does
// the same for the file at real. A lock file is never beside a client's file.
func (e *Editor) locked(ctx context.Context, real string, do func() error) error {
	return e.holding(ctx, e.lockPath(real), real, do)
}

func (e *Editor) holding(ctx context.Context, lock, about string, do func() error) error {
	unlock, err := platform.Lock(ctx, lock)
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.ClientConfigWrite, about).With("another process of Drawbridge is changing it").Step("repeat in a moment").Because(err)
	}
	if err != nil {
		return unrecorded(about, fmt.Errorf("lock %s: %w", lock, err))
	}
	defer unlock()
	return do()
}

// unrecorded is about a file that was not touched as we could not write down
// what we were about to do.
func unrecorded(path string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.New(fault.ClientConfigWrite, path).With("the file was not changed, as Drawbridge could not write its own records").
		Step("make room or make Drawbridge's folder writable, then repeat").Because(err)
}

// now is the time for records, which people may read.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
