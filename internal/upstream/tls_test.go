package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/catalog"
	"drawbridge/internal/fault"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t testing.TB) *authority {
	a := &authority{}
	var raw []byte
	raw, a.key = a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, _ = x509.ParseCertificate(raw)
	a.file = writePEM(t, "CERTIFICATE", raw)
	return a
}

func (a *authority) sign(t testing.TB, c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw, key
}

func (a *authority) pair(t testing.TB, c *x509.Certificate) tls.Certificate {
	raw, key := a.sign(t, c)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func writePEM(t testing.TB, kind string, raw []byte) string {
	file := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var here = []net.IP{net.IPv4(127, 0, 0, 1)}

// S-59: every bad certificate is refused with its reason; a configured
// authority and client certificate work.
func TestCertificates(t *testing.T) {
	ca := newAuthority(t)
	good := ca.pair(t, &x509.Certificate{IPAddresses: here})
	past := time.Now().Add(-time.Hour)
	raw, key := ca.sign(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	clientCert, clientKey := writePEM(t, "CERTIFICATE", raw), writePEM(t, "PRIVATE KEY", keyDER)
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	trust := &catalog.TLS{CA: ca.file}
	for name, row := range map[string]struct {
		server *tls.Config
		client *catalog.TLS
		part   string // of the refusal; "" works
	}{
		"known authority":       {&tls.Config{Certificates: []tls.Certificate{good}}, trust, ""},
		"unknown authority":     {&tls.Config{Certificates: []tls.Certificate{good}}, nil, "self-signed or from an authority"},
		"self-signed":           {&tls.Config{Certificates: []tls.Certificate{(&authority{}).pair(t, &x509.Certificate{IPAddresses: here})}}, trust, "self-signed"},
		"expired":               {&tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{IPAddresses: here, NotBefore: past.Add(-time.Hour), NotAfter: past})}}, trust, "expired on"},
		"S-61 not valid yet":    {&tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{IPAddresses: here, NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})}}, trust, "the clock here says"},
		"wrong host":            {&tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{DNSNames: []string{"elsewhere.test"}})}}, trust, "another host"},
		"TLS 1.1":               {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, trust, "TLS"},
		"client certificate":    {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}, &catalog.TLS{CA: ca.file, Cert: clientCert, Key: clientKey}, ""},
		"no client certificate": {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}, trust, "client certificate"},
	} {
		t.Run("S-59 "+name, func(t *testing.T) {
			f := &fake{version: "2025-11-25", sessions: map[string]bool{}, arrived: make(chan seen, 100)}
			s := httptest.NewUnstartedServer(f)
			s.TLS = row.server
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
			for _, kind := range []catalog.Transport{catalog.HTTP, catalog.Auto} {
				p := dial(t, catalog.Server{Transport: kind, URL: s.URL, TLS: row.client}, options())
				if row.part == "" {
					p.greet()
					p.ok(2, "echo", "")
					continue
				}
				p.request(1, "initialize", helloParams)
				err := p.failure(1)
				e := wantCode(t, err, fault.TLSUntrusted)
				contains(t, e.Error(), row.part)
				if !errors.Is(err, ErrNotSent) {
					t.Errorf("%v does not tell that nothing was sent", err)
				}
			}
		})
	}
}

func TestPlainHTTPBehindAnHTTPSAddress(t *testing.T) {
	f := newFake(t)
	p := dialTo(t, strings.Replace(f.URL, "http:", "https:", 1))
	p.request(1, "initialize", helloParams)
	contains(t, wantCode(t, p.failure(1), fault.TLSUntrusted).Error(), "http://")
}

// HTTP/2 carries 64 calls at once over one connection.
func TestHTTP2(t *testing.T) {
	ca := newAuthority(t)
	protos := make(chan string, 10_000)
	f := &fake{version: "2025-11-25", sessions: map[string]bool{}, arrived: make(chan seen, 10_000)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protos <- r.Proto + " " + r.RemoteAddr
		f.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{IPAddresses: here})}}
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	p := dial(t, catalog.Server{Transport: catalog.HTTP, URL: s.URL, TLS: &catalog.TLS{CA: ca.file}}, options())
	p.greet()
	for i := range 64 {
		p.request(10+i, "echo", `{"x":"`+strings.Repeat("y", 10_000)+`"}`)
	}
	for range 64 {
		p.message()
	}
	p.request(100, "hang", "")
	p.Close()
	close(protos)
	seen := map[string]int{}
	for s := range protos {
		seen[s]++
		if !strings.HasPrefix(s, "HTTP/2.0 ") {
			t.Errorf("spoke %s", s)
		}
	}
	if len(seen) != 1 {
		t.Errorf("connections: %v", seen)
	}
}

// S-60: the environment's proxy is used for a name, never for this machine.
// The environment is read once in a process, so the test is one of its own.
func TestEnvironmentProxy(t *testing.T) {
	if os.Getenv("UPSTREAM_TEST_PROXIED") != "" {
		proxied(t)
		return
	}
	var mu sync.Mutex
	var asked []string
	f := &fake{version: "2025-11-25", sessions: map[string]bool{}, arrived: make(chan seen, 100)}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		switch {
		case r.Method == http.MethodConnect, r.Host == "locked.test":
			w.WriteHeader(http.StatusProxyAuthRequired)
		default:
			f.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	direct := newFake(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestEnvironmentProxy$", "-test.v")
	cmd.Env = append(os.Environ(), "UPSTREAM_TEST_PROXIED="+direct.URL, "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL,
		"NO_PROXY=direct.invalid", "http_proxy=", "https_proxy=", "no_proxy=", "REQUEST_METHOD=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mu.Lock()
	got := strings.Join(asked, "\n")
	mu.Unlock()
	contains(t, got, "POST mcp.test")
	contains(t, got, "CONNECT secure.test:443")
	if strings.Contains(got, "127.0.0.1") || strings.Contains(got, "localhost") || strings.Contains(got, "direct.invalid") {
		t.Errorf("the proxy was asked for what it should not: %s", got)
	}
}

func proxied(t *testing.T) {
	p := dialTo(t, "http://mcp.test/mcp")
	p.greet()
	p.ok(2, "echo", "")
	p = dialTo(t, os.Getenv("UPSTREAM_TEST_PROXIED"))
	p.greet()
	for url, code := range map[string]fault.Code{
		"https://secure.test/mcp":   fault.NetworkUnavailable,
		"http://locked.test/mcp":    fault.NetworkUnavailable,
		"http://direct.invalid/mcp": fault.NetworkUnavailable,
	} {
		p = dialTo(t, url)
		p.request(1, "initialize", helloParams)
		e := wantCode(t, p.failure(1), code)
		if !strings.HasPrefix(url, "http://direct") {
			contains(t, e.Error(), "proxy")
		}
	}
}

// S-59: there is no way to switch the check of certificates off.
func TestNoUncheckedTLS(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "Insecure"+"SkipVerify") {
			t.Errorf("%s can skip the check", name)
		}
	}
}
