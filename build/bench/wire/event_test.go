package wire

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEventReaderReadsLongAndSplitEvents(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	in := ": comment\n\nid: 1\nretry: 5\ndata: \n\nevent: message\r\nid: 2\r\ndata: a\r\ndata: b\r\n\r\ndata:" + big + "\n\ndata: cut"
	r := NewEventReader(strings.NewReader(in))
	for _, want := range []Event{{"1", "", []byte("")}, {"2", "message", []byte("a\nb")}, {"", "", []byte(big)}} {
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ev.ID != want.ID || ev.Name != want.Name || string(ev.Data) != string(want.Data) {
			t.Errorf("got %q %q %d bytes, want %q %q %d bytes", ev.ID, ev.Name, len(ev.Data), want.ID, want.Name, len(want.Data))
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last whole event: %v, want EOF", err)
	}
}

func TestWrittenEventsReadBack(t *testing.T) {
	rec := httptest.NewRecorder()
	want := Event{ID: "7", Name: "message", Data: []byte(`{"id":1}`)}
	if err := WriteEvent(rec, want); err != nil {
		t.Fatal(err)
	}
	got, err := NewEventReader(rec.Body).Next()
	if err != nil || got.ID != want.ID || got.Name != want.Name || string(got.Data) != string(want.Data) {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
}
