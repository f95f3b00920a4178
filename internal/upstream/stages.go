package upstream

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
	"drawbridge/internal/platform"
)

// Proxy is the proxy of the environment that a dial to this address goes
// through; nil is none.
func Proxy(to *url.URL) (*url.URL, error) { return environmentProxy(&http.Request{URL: to}) }

// TLSConfig is what a dial to s trusts and shows.
func TLSConfig(s catalog.Server) (*tls.Config, error) { return tlsConfig(s) }

// TLSFault is the error for a TLS handshake that failed; nil when err is about
// something else.
func TLSFault(server string, err error) *fault.Error {
	reason, next := tlsReason(err, time.Now())
	if reason == "" {
		return nil
	}
	e := fault.New(fault.TLSUntrusted, server).With("%s", reason)
	e.Next, e.Err = next, err
	return e
}

// FindCommand is the file a dial to s would start.
func FindCommand(s catalog.Server) (string, error) {
	f, err := platform.FindCommand(s.Command, s.Env, s.Dir)
	if err != nil {
		return "", startFault(s, err)
	}
	return f.File, nil
}
