package jsonrpc

import (
	"strings"
	"testing"
)

func TestMadeMessagesHaveRoomAroundWhatAPeerSaid(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if m := NewResult("1", []byte(`{"a":{"b":`+deep+`}}`)); m.Result() == nil {
		t.Error("a deep result is none")
	}
	long := `"` + strings.Repeat("x", MaxBytes) + `"`
	if m := NewNotification("n", []byte(`{"a":`+long+`}`)); m.Params() == nil {
		t.Error("long params are none")
	}
}
