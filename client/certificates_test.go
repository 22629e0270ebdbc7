package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

// authority signs certificates for tests.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{roots: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
		der, err = x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	}
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(a.cert)
	return a
}

// serve starts a siokit server with a certificate that change has made wrong.
func (a *authority) serve(t *testing.T, change func(template *x509.Certificate)) (url string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server of a test"},
		NotBefore: time.Now().Add(-12 * time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(template)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(srv)
	ts.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ts.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	ts.StartTLS()
	t.Cleanup(func() {
		_ = srv.Shutdown(t.Context())
		ts.Close()
	})
	return ts.URL
}

// V-28: a certificate that has expired, is not valid yet, is for another host or not for servers is refused on
// every transport. The error is the one of crypto/x509 inside an *engineio.DialError, and says the cure.
func TestWrongCertificatesAreTypedErrors(t *testing.T) {
	a := newAuthority(t)
	invalid := func(reason x509.InvalidReason) func(error) bool {
		return func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == reason
		}
	}
	for name, test := range map[string]struct {
		change func(template *x509.Certificate)
		is     func(error) bool
		cure   string
	}{
		"expired":       {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }, invalid(x509.Expired), "renew the server's certificate"},
		"not valid yet": {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, invalid(x509.Expired), "this machine's clock"},
		"other host": {
			func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.test"} },
			func(err error) bool { var e x509.HostnameError; return errors.As(err, &e) && e.Host == "127.0.0.1" },
			"connect by the name that it names",
		},
		"not for servers": {
			func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} },
			invalid(x509.IncompatibleUsage), "needs another certificate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := a.serve(t, test.change)
			everyTransport(t, func(t *testing.T, opts client.Options) {
				for what, with := range map[string]client.Options{
					"TLS":  {TLS: &tls.Config{RootCAs: a.roots}},
					"HTTP": {HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}}}},
				} {
					opts.TLS, opts.HTTP = with.TLS, with.HTTP
					err := newClient(t, url, opts).Connect(within(t))
					var dial *engineio.DialError
					if !errors.As(err, &dial) || !test.is(dial) {
						t.Fatalf("%s: %T: %v", what, err, err)
					}
					if !strings.Contains(dial.Cure, test.cure) || !strings.Contains(err.Error(), dial.Cure) {
						t.Errorf("%s: %v, want %q", what, err, test.cure)
					}
				}
			})
		})
	}
	url := a.serve(t, func(*x509.Certificate) {}) // otherwise it would be something else that is refused
	everyTransport(t, func(t *testing.T, opts client.Options) {
		opts.TLS = &tls.Config{RootCAs: a.roots}
		connect(t, newClient(t, url, opts))
	})
}
