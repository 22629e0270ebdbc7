package engineio_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// everyRequest runs f for the five requests a page can make.
func everyRequest(t *testing.T, r *rig, f func(t *testing.T, send func(header ...string) answer)) {
	t.Helper()
	handshakes := map[string][]string{"polling handshake": {"GET", polling}, "WebSocket handshake": {"GET", webSocket, "upgrade"}}
	for name, q := range handshakes {
		t.Run(name, func(t *testing.T) {
			f(t, func(header ...string) answer {
				if len(q) == 3 {
					header = withUpgrade(header...)
				}
				return r.request(t, q[0], q[1], header...)
			})
		})
	}
	for name, q := range map[string][]string{"poll": {"GET", polling}, "post": {"POST", polling}, "upgrade": {"GET", webSocket, "upgrade"}} {
		t.Run(name, func(t *testing.T) {
			f(t, func(header ...string) answer {
				sid, s := r.openAs(t)
				_ = s.send("waiting") // so that a poll does not park
				if len(q) == 3 {
					header = withUpgrade(header...)
				}
				a := r.request(t, q[0], q[1]+"&sid="+sid, header...)
				if a.status == 403 {
					s.wantOpen(t)
				}
				return a
			})
		})
	}
}

// openAs opens a session as a program without an Origin.
func (r *rig) openAs(t testing.TB) (string, *session) {
	t.Helper()
	a := r.request(t, "GET", polling)
	sid := parseOpen(t, a.body).SID
	return sid, r.session(sid)
}

func wantPass(t testing.TB, a answer, what string) {
	t.Helper()
	if a.status == 400 && strings.Contains(a.body, `"code":3`) { // an empty POST has been let in
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if a.status != 200 && a.status != 101 {
		t.Errorf("%s: %d %s, must pass", what, a.status, a.body)
	}
}

func wantNoCORS(t testing.TB, a answer) {
	t.Helper()
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("a refused page gets %s: %s", name, a.header.Get(name))
		}
	}
}

func TestForeignOrigins(t *testing.T) {
	t.Run("A-01 H-19 V-16", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		everyRequest(t, r, func(t *testing.T, send func(...string) answer) {
			for _, evil := range []string{"https://evil.test", "http://app.test.evil", "http://app.test:81", "https://app.test", "http://good`.evil", "http://good$.evil", "http://evil/app.test", "null", ""} {
				n := r.accepted()
				a := send("Origin: "+evil, "Cookie: session=valid")
				a.wantForbidden(t)
				wantNoCORS(t, a)
				if a.header.Get("Set-Cookie") != "" {
					t.Error("a cookie was set")
				}
				if made := r.accepted() - n; made > 1 { // the one of openAs
					t.Errorf("%q: a session was made", evil)
				}
			}
			wantPass(t, send("Origin: http://app.test"), "its own origin")
			wantPass(t, send("Origin: HTTP://APP.TEST:80"), "its own origin in capitals")
		})
	})
	t.Run("A-02", func(t *testing.T) {
		r := serve(t, engineio.Config{Origins: []string{"https://app.test"}})
		everyRequest(t, r, func(t *testing.T, send func(...string) answer) {
			for _, evil := range []string{
				"http://app.test", "https://app.test:444", "https://app.test.evil.com", "https://evilapp.test", "https://app.test@evil.com",
				"https://evil.com/https://app.test", "https://sub.app.test", "https://app.test.", "https://app.test/", "https://app`.test",
				"https://xn--pp-lja.test", "https://\u0430pp.test", "https://app.te\u017ft", "file://", "chrome-extension://x", "https://app.test" + strings.Repeat("x", 10<<10),
			} {
				a := send("Origin: " + evil)
				a.wantForbidden(t)
				wantNoCORS(t, a)
				if a.header.Get("Vary") != "Origin" {
					t.Errorf("Vary: %q", a.header.Get("Vary"))
				}
			}
			for _, good := range []string{"https://app.test", "HTTPS://APP.TEST", "https://app.test:443"} {
				a := send("Origin: " + good)
				wantPass(t, a, good)
				if a.status == 200 && (a.header.Get("Access-Control-Allow-Origin") != good || a.header.Get("Access-Control-Allow-Credentials") != "true" || a.header.Get("Vary") != "Origin") {
					t.Errorf("%v", a.header)
				}
			}
		})
	})
	t.Run("A-03", func(t *testing.T) {
		r := serve(t, engineio.Config{Origins: []string{"https://good.test"}})
		everyRequest(t, r, func(t *testing.T, send func(...string) answer) {
			good, evil := "Origin: https://good.test", "Origin: https://evil.test"
			for _, headers := range [][]string{{"Origin: null"}, {"Origin: "}, {good, evil}, {evil, good}, {good, good}, {good + ", https://evil.test"}} {
				send(headers...).wantForbidden(t)
			}
		})
	})
	t.Run("A-04", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		everyRequest(t, r, func(t *testing.T, send func(...string) answer) {
			wantPass(t, send(), "(a) a program")
			send("Sec-Fetch-Site: cross-site").wantForbidden(t)
			send("Sec-Fetch-Site: same-site").wantForbidden(t)
			wantPass(t, send("Sec-Fetch-Site: same-origin"), "(c) same-origin")
			wantPass(t, send("Sec-Fetch-Site: none"), "(c) none")
			send("Referer: https://evil.test/", "Cookie: session=valid").wantForbidden(t)
			wantPass(t, send("Referer: https://evil.test/"), "(d) without cookies")
			wantPass(t, send("Cookie: session=valid"), "(e) an old browser")
			wantPass(t, send("Cookie: session=valid", "Referer: http://app.test/page"), "(e) from its own page")
		})
	})
}

func TestCORS(t *testing.T) { // A-06, H-09
	preflight := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"}
	t.Run("list", func(t *testing.T) {
		r := serve(t, engineio.Config{Origins: []string{"https://app.test"}})
		a := r.request(t, "OPTIONS", polling, append(preflight, "Origin: https://app.test")...)
		h := a.header
		if a.status != 204 || h.Get("Access-Control-Allow-Origin") != "https://app.test" || h.Get("Access-Control-Allow-Credentials") != "true" ||
			h.Get("Access-Control-Allow-Headers") != "content-type" || h.Get("Access-Control-Allow-Methods") != "GET, POST" || h.Get("Vary") != "Origin" {
			t.Errorf("%d %v", a.status, h)
		}
		a = r.request(t, "OPTIONS", polling, append(preflight, "Origin: https://evil.test")...)
		a.wantForbidden(t)
		wantNoCORS(t, a)
	})
	t.Run("any", func(t *testing.T) {
		// "*" with credentials cannot be configured: "*" never sends Allow-Credentials, nor reflects.
		r := serve(t, engineio.Config{Origins: []string{"*"}})
		a := r.request(t, "GET", polling, "Origin: https://anybody.test")
		if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
	t.Run("a refusal can be read by the page", func(t *testing.T) {
		r := serve(t, engineio.Config{Origins: []string{"https://app.test"}})
		a := r.request(t, "GET", polling+"&sid=nope", "Origin: https://app.test")
		a.wantUnknownSession(t)
		if a.header.Get("Access-Control-Allow-Origin") != "https://app.test" {
			t.Errorf("%v", a.header)
		}
	})
	t.Run("middleware before us", func(t *testing.T) { // a doubled header is refused by browsers
		var r *rig
		r = serve(t, engineio.Config{Origins: []string{"https://app.test"}}, httpServer(func(s *http.Server) {
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				w.Header().Set("Vary", "Origin")
				r.srv.ServeHTTP(w, req)
			})
		}))
		a := r.request(t, "GET", polling, "Origin: https://app.test")
		if got := a.header["Access-Control-Allow-Origin"]; fmt.Sprint(got, a.header["Vary"]) != "[https://app.test] [Origin]" {
			t.Errorf("%v", a.header)
		}
	})
}

func TestOriginPolicy(t *testing.T) {
	for _, row := range []struct {
		name    string
		list    []string
		proxies []string
		origin  string
		header  [2]string
		ok      bool
	}{
		{"wildcard one label", []string{"https://*.app.test"}, nil, "https://a.app.test", [2]string{}, true},
		{"wildcard two labels", []string{"https://*.app.test"}, nil, "https://a.b.app.test", [2]string{}, true},
		{"wildcard none", []string{"https://*.app.test"}, nil, "https://app.test", [2]string{}, false},
		{"wildcard scheme", []string{"https://*.app.test"}, nil, "http://a.app.test", [2]string{}, false},
		{"wildcard suffix", []string{"https://*.app.test"}, nil, "https://a.app.test.evil.com", [2]string{}, false},
		{"wildcard prefix", []string{"https://*.app.test"}, nil, "https://evilapp.test", [2]string{}, false},
		{"wildcard port", []string{"https://*.app.test"}, nil, "https://a.app.test:8443", [2]string{}, false},
		{"wildcard own port", []string{"https://*.app.test:8443"}, nil, "https://a.app.test:8443", [2]string{}, true},
		{"wildcard nothing before the dot", []string{"https://*.app.test"}, nil, "https://.app.test", [2]string{}, false},
		{"IPv6", []string{"http://[::1]:8080"}, nil, "http://[::1]:8080", [2]string{}, true},
		{"IPv6 unbalanced", []string{"http://[::1]"}, nil, "http://[[::1]", [2]string{}, false},
		{"proxy A-08 trusted", nil, []string{"10.0.0.0/8"}, "https://public.test", [2]string{"https", "public.test"}, true},
		{"proxy A-08 untrusted", nil, []string{"192.168.0.1"}, "https://public.test", [2]string{"https", "public.test"}, false},
		{"proxy A-08 none", nil, nil, "https://public.test", [2]string{"https", "public.test"}, false},
		{"proxy scheme only", nil, []string{"10.1.2.3"}, "https://app.test", [2]string{"https", ""}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			req, _ := http.NewRequest("GET", "http://app.test/", nil)
			req.RemoteAddr = "10.1.2.3:5555"
			req.Header["Origin"] = []string{row.origin}
			if row.header[0] != "" {
				req.Header.Set("X-Forwarded-Proto", row.header[0])
			}
			if row.header[1] != "" {
				req.Header.Set("X-Forwarded-Host", row.header[1])
			}
			ok, err := engineio.OriginAllowed(row.list, row.proxies, req)
			if err != nil || ok != row.ok {
				t.Errorf("allowed %t (%v), want %t", ok, err, row.ok)
			}
		})
	}
}

var originForm = regexp.MustCompile(`^(?i:(https?)://)([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]+))?$`)

// slowOrigin takes an origin apart in the plainest way: nil when it is none.
func slowOrigin(s string) []string {
	if len(s) > 512 {
		return nil
	}
	m := originForm.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(m[2], ".") {
		return nil
	}
	scheme, host, port := strings.ToLower(m[1]), strings.ToLower(m[2]), m[3]
	if strings.HasPrefix(host, "[") {
		if _, err := http.NewRequest("GET", "http://"+host+"/", nil); err != nil || !slowIPv6(host[1:len(host)-1]) {
			return nil
		}
	}
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		port = ""
	}
	return []string{scheme, host, port}
}

func FuzzOriginMatcher(f *testing.F) {
	for _, origin := range []string{
		"https://app.test", "HTTPS://APP.TEST", "https://app.test:443", "https://app.test.", "https://a.app.test", "null", "", "https://[::1]",
		"https://[[::1]]", "https://app.te\u017ft", "https://app.test@evil", "http://app.test:80:80", "https://[::1%25a]", "https://*.app.test", "https://app.test:0443",
	} {
		f.Add("https://app.test", origin, "app.test")
		f.Add("https://*.app.test", origin, "x.test:80")
		f.Add("", origin, "app.test")
	}
	f.Fuzz(func(t *testing.T, entry, origin, host string) {
		var list []string
		if entry != "" {
			list = []string{entry}
		}
		req := &http.Request{Method: "GET", Host: host, Header: http.Header{"Origin": {origin}}}
		got, err := engineio.OriginAllowed(list, nil, req)
		if entry == "*" {
			if !got || err != nil {
				t.Fatal("* must allow all")
			}
			return
		}
		wild := false
		if i := strings.Index(entry, "://*."); i >= 0 {
			if plain := entry[:i+3] + entry[i+5:]; slowOrigin(plain) != nil {
				entry, wild = plain, true
			}
		}
		if entry == "" {
			entry = "http://" + host
		} else if (slowOrigin(entry) == nil) != (err != nil) {
			t.Fatalf("entry %q: error %v", entry, err)
		}
		e, o := slowOrigin(entry), slowOrigin(origin)
		want := e != nil && o != nil && e[0] == o[0] && e[2] == o[2]
		switch {
		case !want:
		case wild:
			want = strings.HasSuffix(o[1], "."+e[1]) && len(o[1]) > len(e[1])+1
		default:
			want = bytes.Equal([]byte(e[1]), []byte(o[1]))
		}
		if got != want {
			t.Fatalf("entry %q (wildcard %t), origin %q, host %q: allowed %t, want %t", entry, wild, origin, host, got, want)
		}
	})
}

func slowIPv6(s string) bool {
	ip := net.ParseIP(s)
	return ip != nil && strings.Contains(s, ":")
}
