package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
)

// tlsConfig trusts the system's authorities and the configured ones. There is
// no way to switch the check of a certificate off.
func tlsConfig(s catalog.Server) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS == nil {
		return conf, nil
	}
	if s.TLS.CA != "" {
		pool, err := authorities(s.TLS.CA)
		if err != nil {
			return nil, badPEM(s, "authority", err)
		}
		conf.RootCAs = pool
	}
	if s.TLS.Cert != "" || s.TLS.Key != "" {
		pair, err := tls.LoadX509KeyPair(s.TLS.Cert, s.TLS.Key)
		if err != nil {
			return nil, badPEM(s, "client certificate", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

func badPEM(s catalog.Server, what string, err error) error {
	return fault.New(fault.CatalogInvalid, s.Name).With("its %s cannot be used", what).
		Because(err).Step("correct the file or its path in the server's entry")
}

func authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // A system without a list of its own.
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// tlsReason says in words what is wrong with an encrypted connection; it is ""
// when err is about something else. The next step is "" for the usual one.
func tlsReason(err error, now time.Time) (reason, next string) {
	var (
		unknown  x509.UnknownAuthorityError
		wrong    x509.HostnameError
		invalid  x509.CertificateInvalidError
		roots    x509.SystemRootsError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		op       *net.OpError
		reported = err.Error()
	)
	switch {
	case errors.As(err, &invalid):
		return invalidReason(invalid, now)
	case errors.As(err, &wrong):
		return "the server's certificate is for another host", "correct the address, or ask the server's operator for a certificate with this name"
	case errors.As(err, &unknown):
		return "the server's certificate is self-signed or from an authority that is not trusted here", ""
	case errors.As(err, &roots):
		return "this system's list of trusted authorities cannot be read", ""
	case errors.As(err, &verify):
		return "the server's certificate is not trusted", ""
	case errors.As(err, &record), reported == "http: server gave HTTP response to HTTPS client":
		return "the address says https, but what answers there does not encrypt", "write the address with http://, if you trust the network"
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"): // A TLS alert, which has no public type.
		return "the server refused the encrypted connection; it may want a client certificate or a version of TLS that is not offered", "set tls.cert and tls.key in the server's entry, or ask its operator"
	case strings.HasPrefix(reported, "tls: "): // The errors of crypto/tls that have no type.
		return "the encrypted connection could not be agreed; TLS 1.2 or newer is needed", "ask the server's operator to renew its TLS"
	default:
		return "", ""
	}
}

func invalidReason(e x509.CertificateInvalidError, now time.Time) (reason, next string) {
	if e.Reason != x509.Expired || e.Cert == nil {
		return "the server's certificate is not valid", ""
	}
	const clock = "check this computer's date and time, then ask the server's operator for a new certificate"
	if now.Before(e.Cert.NotBefore) {
		return "the server's certificate is not valid before " + e.Cert.NotBefore.Format(time.DateOnly) +
			"; the clock here says " + now.Format(time.DateOnly), clock
	}
	return "the server's certificate expired on " + e.Cert.NotAfter.Format(time.DateOnly) +
		"; the clock here says " + now.Format(time.DateOnly), clock
}
