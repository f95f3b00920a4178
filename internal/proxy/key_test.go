package proxy

import (
	"encoding/base64"
	"testing"

	"drawbridge/internal/catalog"
)

// S-20: a key is 256 random bits, each endpoint has its own, and after a new
// one was made the old one opens nothing.
func TestKeysAreLongUniqueAndReplaceable(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		k := newKey()
		if b, err := base64.RawURLEncoding.DecodeString(k); err != nil || len(b) != 32 || len(k) != 43 {
			t.Fatalf("key %q: %d bytes, %v", k, len(b), err)
		}
		if seen[k] {
			t.Fatalf("key %q came twice", k)
		}
		seen[k] = true
	}
	dir := t.TempDir()
	old, err := OpenPlaces(dir).Keyed(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := OpenPlaces(dir).Keyed(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := OpenPlaces(dir).Rekey(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if old.Key == other.Key || old.Key == fresh.Key {
		t.Errorf("keys %q, %q, %q, want three", old.Key, other.Key, fresh.Key)
	}
	servers := make(chan []catalog.Server, 1)
	servers <- []catalog.Server{demoServer(t, "a")}
	s, _ := background(t, dir, servers)
	u := s.url(t, "a")
	base := u[:len(u)-len("/"+fresh.Key+"/mcp")]
	if u != base+"/"+fresh.Key+"/mcp" {
		t.Fatalf("address %s, want it with the new key", u)
	}
	if status, body := initialize(t, u); status != 200 {
		t.Errorf("with the new key: %d %s", status, body)
	}
	if status, body := initialize(t, base+"/"+old.Key+"/mcp"); status != 404 {
		t.Errorf("with the old key: %d %s", status, body)
	}
}
