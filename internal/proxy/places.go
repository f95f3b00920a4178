package proxy

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// Places is the file that remembers each endpoint's port and key, so that the
// addresses written into clients stay true across restarts. It is 0600: a key
// opens its endpoint.
type Places struct{ path string }

// Place is where one endpoint was and is to be again.
type Place struct {
	Port int    `json:"port"`
	Key  string `json:"key,omitempty"`
}

// URL is the address there, for clients that speak streamable HTTP.
func (p Place) URL() string { return p.base("127.0.0.1") + "/mcp" }

func (p Place) base(host string) string {
	b := "http://" + net.JoinHostPort(host, strconv.Itoa(p.Port))
	if p.Key != "" {
		b += "/" + p.Key
	}
	return b
}

// placesVersion is the version the file begins with.
const placesVersion = 1

// placesMost bounds the file: 4 MiB is tens of thousands of endpoints.
const placesMost = 4 << 20

type placesFile struct {
	Version   int              `json:"version"`
	Endpoints map[string]Place `json:"endpoints"`
}

// OpenPlaces names the file endpoints.json in the state folder dir. Nothing is
// read or made before it is needed.
func OpenPlaces(dir string) *Places { return &Places{path: filepath.Join(dir, "endpoints.json")} }

// Of is the place of the named endpoint; the zero Place if it had none.
func (p *Places) Of(name string) (Place, error) {
	f, err := p.read()
	return f.Endpoints[name], err
}

// Keyed is the place of the named endpoint with a key, made and saved if there
// was none yet.
func (p *Places) Keyed(ctx context.Context, name string) (Place, error) {
	var out Place
	err := p.change(ctx, func(f *placesFile) bool {
		out = f.Endpoints[name]
		if out.Key != "" {
			return false
		}
		out.Key = newKey()
		f.Endpoints[name] = out
		return true
	})
	return out, err
}

// Rekey gives the named endpoint a new key and no port, for when another
// program took its port and may have been sent the old key.
func (p *Places) Rekey(ctx context.Context, name string) (Place, error) {
	out := Place{Key: newKey()}
	err := p.change(ctx, func(f *placesFile) bool { f.Endpoints[name] = out; return true })
	return out, err
}

// Keep saves the port of the named endpoint.
func (p *Places) Keep(ctx context.Context, name string, port int) error {
	return p.change(ctx, func(f *placesFile) bool {
		old := f.Endpoints[name]
		if old.Port == port {
			return false
		}
		old.Port = port
		f.Endpoints[name] = old
		return true
	})
}

// Forget removes the named endpoint.
func (p *Places) Forget(ctx context.Context, name string) error {
	return p.change(ctx, func(f *placesFile) bool {
		_, had := f.Endpoints[name]
		delete(f.Endpoints, name)
		return had
	})
}

func (p *Places) change(ctx context.Context, edit func(*placesFile) bool) error {
	unlock, err := platform.Lock(ctx, p.path+".lock")
	if err != nil {
		return fmt.Errorf("lock %s: %w", p.path, err)
	}
	defer unlock()
	f, err := p.read()
	if err != nil {
		return err
	}
	if !edit(&f) {
		return nil
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", p.path, err)
	}
	return platform.ReplaceFile(p.path, append(b, '\n'), 0o600)
}

func (p *Places) read() (placesFile, error) {
	f := placesFile{Version: placesVersion, Endpoints: map[string]Place{}}
	st, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil && st.Size() > placesMost {
		return f, fmt.Errorf("read %s: larger than %d bytes", p.path, placesMost)
	}
	b, err := os.ReadFile(p.path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("read %s: %w", p.path, err)
	}
	if f.Version > placesVersion {
		return f, fault.New(fault.StateNewer, p.path)
	}
	if f.Endpoints == nil {
		f.Endpoints = map[string]Place{}
	}
	return f, nil
}

// newKey makes a capability: 256 random bits, 43 characters.
func newKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
