package engineio_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

func TestStickyCookie(t *testing.T) {
	open := func(t *testing.T, c *http.Cookie) (r *rig, sid, cookie string) {
		t.Helper()
		r = serve(t, engineio.Config{Cookie: c})
		a := r.get(t, "")
		if n := len(a.header["Set-Cookie"]); n > 1 {
			t.Fatalf("%d cookies", n)
		}
		return r, parseOpen(t, a.body).SID, a.header.Get("Set-Cookie")
	}
	t.Run("default", func(t *testing.T) {
		if _, _, got := open(t, nil); got != "" {
			t.Errorf("Set-Cookie %q", got)
		}
	})
	t.Run("zero", func(t *testing.T) {
		r, sid, got := open(t, &http.Cookie{})
		if want := "io=" + sid + "; Path=/; HttpOnly; SameSite=Lax"; got != want {
			t.Errorf("Set-Cookie %q, want %q", got, want)
		}
		// Nothing but the handshake has it, and what comes back means nothing to the server.
		for _, a := range []answer{
			r.post(t, sid, "3"),
			r.request(t, "GET", webSocket, upgradeHeaders...),
			r.request(t, "GET", webSocket+"&sid="+sid, upgradeHeaders...),
			r.request(t, "GET", polling, "Origin: http://evil.test", "Cookie: io="+sid),
		} {
			if got := a.header.Get("Set-Cookie"); got != "" {
				t.Errorf("%d with Set-Cookie %q", a.status, got)
			}
		}
		r.request(t, "POST", polling, "Cookie: io="+sid).wantRefused(t, 400, 2, "Bad handshake method")
		if other := parseOpen(t, r.request(t, "GET", polling, "Cookie: io="+sid).body).SID; other == sid {
			t.Error("the cookie opened the session it names")
		}
	})
	t.Run("template", func(t *testing.T) {
		template := &http.Cookie{Name: "node", Path: "/socket.io/", Domain: "app.test", SameSite: http.SameSiteStrictMode, Secure: true}
		_, sid, got := open(t, template)
		if want := "node=" + sid + "; Path=/socket.io/; Domain=app.test; HttpOnly; Secure; SameSite=Strict"; got != want {
			t.Errorf("Set-Cookie %q, want %q", got, want)
		}
		if template.Value != "" {
			t.Error("the template was changed")
		}
	})
	t.Run("TLS", func(t *testing.T) {
		r := serve(t, engineio.Config{Cookie: &http.Cookie{}, CompressFrom: -1})
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "https://app.test/?"+polling, nil)
		req.TLS = &tls.ConnectionState{}
		r.srv.ServeHTTP(rec, req)
		if got := rec.Header().Get("Set-Cookie"); !strings.Contains(got, "; Secure") {
			t.Errorf("Set-Cookie %q", got)
		}
	})
}

// what would give the secret away is refused, with the cure.
func TestUnsafeCookies(t *testing.T) {
	for words, c := range map[string]*http.Cookie{
		"Value empty":         {Value: "x"},
		"MaxAge":              {MaxAge: 3600},
		"Expires":             {Expires: time.Now().Add(time.Hour)},
		"SameSite Secure":     {SameSite: http.SameSiteNoneMode},
		"__Secure-io Secure":  {Name: "__Secure-io"},
		"__Host-io Domain":    {Name: "__Host-io", Secure: true, Path: "/x"},
		"Cookie: Name":        {Name: "a b"},
		"Cookie: Path":        {Path: "/;"},
		"Cookie: partitioned": {Partitioned: true},
	} {
		wantError(t, accepting(engineio.Config{Cookie: c}), words)
	}
	wantError(t, accepting(engineio.Config{Cookie: &http.Cookie{SameSite: http.SameSiteNoneMode, Secure: true}, Origins: []string{"*"}}), "SameSite Origins list")
	for _, c := range []*http.Cookie{{}, {Name: "__Host-io", Secure: true}, {SameSite: http.SameSiteNoneMode, Secure: true}, {Partitioned: true, Secure: true}} {
		if _, err := engineio.NewServer(accepting(engineio.Config{Cookie: c})); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func accepting(cfg engineio.Config) engineio.Config {
	cfg.Accept = func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nil, nil }
	return cfg
}
