package jsonrpc

import "fmt"

// MaxBatch is how many messages one batch may hold.
const MaxBatch = 1000

// Split gives the messages of a batch as they were written; each is to be
// parsed by itself. An element that is a batch again is refused there, and must
// not be split once more. The error is a *RefusedError.
func Split(raw []byte) ([][]byte, error) {
	s := scanner{b: raw}
	refused := func(code int, why string, at int) ([][]byte, error) {
		return nil, &RefusedError{Code: code, Reason: why, Offset: at}
	}
	if len(raw) > MaxBytes {
		return nil, &RefusedError{Code: CodeInvalidRequest, Reason: "longer than the limit", Offset: MaxBytes, Size: true}
	}
	i := s.space(0)
	if end := s.value(i, 0); end < 0 {
		return refused(CodeParseError, s.why, s.at)
	} else if rest := s.space(end); rest < len(raw) {
		return refused(CodeParseError, "something after the batch", rest)
	}
	if raw[i] != '[' {
		return refused(CodeInvalidRequest, "not a batch", i)
	}
	var parts [][]byte
	for e := range Elements(raw[i:]) {
		if len(parts) == MaxBatch {
			return refused(CodeInvalidRequest, fmt.Sprintf("more than %d messages in a batch", MaxBatch), i)
		}
		parts = append(parts, e)
	}
	if len(parts) == 0 {
		return refused(CodeInvalidRequest, "an empty batch", i)
	}
	return parts, nil
}
