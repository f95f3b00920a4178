package era

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"drawbridge/internal/jsonrpc"
)

// compact is a value without insignificant white space.
func compact(v []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil { // nil, or nothing that passed Parse
		return string(v)
	}
	return b.String()
}

// digest tells requests apart by what a client must repeat when it comes back:
// the method and all of params but what belongs to one round.
func digest(m jsonrpc.Message) string {
	var parts []string
	for name, value := range jsonrpc.Members(m.Params()) {
		switch n, _ := jsonrpc.String(name); n {
		case "_meta", "inputResponses", "requestState":
		default:
			parts = append(parts, string(jsonrpc.Quote(n))+":"+compact(value))
		}
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(m.Method() + "\n" + strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// sealLocked makes the state that the client hands back: which call, which
// round, until when; nobody can make another.
func (c *conn) sealLocked(k *downCall, until time.Time) string {
	if k.handle == "" {
		k.handle = rand.Text()
		c.seals[k.handle] = k
	}
	open := k.handle + "." + strconv.Itoa(k.round) + "." + strconv.FormatInt(until.Unix(), 10)
	return open + "." + c.mac(open, k.digest)
}

func (c *conn) mac(open, digest string) string {
	h := hmac.New(sha256.New, c.Memory.secret())
	h.Write([]byte(open + "\n" + digest)) // it never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// openSealLocked finds the call that a state names; nil when the state was not
// made here, is of another client, request or round, or has expired.
func (c *conn) openSealLocked(m jsonrpc.Message, state []byte) *downCall {
	s, _ := jsonrpc.String(state)
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return nil
	}
	open := strings.Join(parts[:3], ".")
	if !hmac.Equal([]byte(parts[3]), []byte(c.mac(open, digest(m)))) {
		return nil
	}
	until, err := strconv.ParseInt(parts[2], 10, 64)
	k := c.seals[parts[0]]
	if err != nil || k == nil || time.Now().Unix() > until || strconv.Itoa(k.round) != parts[1] || k.near != "" ||
		speakerOf(m).key != k.lane.key {
		return nil
	}
	return k
}

// unsealLocked forgets a call that ended.
func (c *conn) unsealLocked(k *downCall) {
	k.stopTimers()
	delete(c.seals, k.handle)
}
