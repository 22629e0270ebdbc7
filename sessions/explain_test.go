package sessions_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

// asks is a handshake that a browser makes for a page.
func asks(to, page string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, to+"/socket.io/?EIO=4&transport=polling", nil)
	if page != "" {
		r.Header.Set("Origin", page)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestExplainWhyNoCookieCame(t *testing.T) {
	cookies := func(change func(*gorilla.Options)) gorilla.Store {
		store := gorilla.NewCookieStore(testKey)
		change(store.Options)
		return store
	}
	plain := cookies(func(*gorilla.Options) {})
	for name, c := range map[string]struct {
		store gorilla.Store
		opts  sessions.Options
		r     *http.Request
		want  []string
	}{
		"loopback": {plain, sessions.Options{}, asks("http://127.0.0.1:5000", "http://localhost:5000"),
			[]string{"no Cookie header", "localhost:5000", "127.0.0.1:5000", "two sites"}},
		"IPv6 loopback": {plain, sessions.Options{}, asks("http://[::1]:5000", "http://localhost:5000"), []string{"two sites"}},
		"loopback, ports": {plain, sessions.Options{}, asks("http://localhost:5000", "http://localhost:3000"),
			[]string{"Nothing looks wrong"}}, // cookies ignore ports
		"subdomain": {plain, sessions.Options{}, asks("https://api.shop.example", "https://www.shop.example"),
			[]string{"www.shop.example", "api.shop.example", "Domain", "withCredentials", "Origins"}},
		"cross-site": {plain, sessions.Options{}, asks("https://shop.example", "https://blog.other"),
			[]string{"https://blog.other", "SameSite", "withCredentials"}},
		"cross-site by Sec-Fetch": {plain, sessions.Options{}, asks("https://shop.example", "", "Sec-Fetch-Site", "cross-site"),
			[]string{"another site", "SameSite"}},
		"cross-site by Referer": {plain, sessions.Options{}, asks("https://shop.example", "", "Referer", "https://blog.other/x?y"),
			[]string{"https://blog.other", "SameSite"}},
		"proxy": {plain, sessions.Options{}, asks("http://backend:8080", "https://shop.example", "X-Forwarded-Host", "shop.example"),
			[]string{"Nothing looks wrong"}},
		"silent proxy": {plain, sessions.Options{}, asks("http://backend:8080", "https://shop.example", "Sec-Fetch-Site", "same-origin"),
			[]string{"Nothing looks wrong"}},
		"secure on http": {plain, sessions.Options{Secure: sessions.SecureAlways}, asks("http://192.168.0.7", "http://192.168.0.7"),
			[]string{"Secure", "plain http", "SecureAuto"}},
		"secure on localhost": {plain, sessions.Options{Secure: sessions.SecureAlways}, asks("http://localhost", "http://localhost"),
			[]string{"Nothing looks wrong"}},
		"store's Secure on http": {plain, sessions.Options{}, asks("http://192.168.0.7", "http://192.168.0.7"),
			[]string{"Nothing looks wrong", "NewCookieStore"}},
		"path": {cookies(func(o *gorilla.Options) { o.Path = "/app" }), sessions.Options{}, asks("https://shop.example", "https://shop.example"),
			[]string{"Path /app", "/socket.io/"}},
		"domain": {cookies(func(o *gorilla.Options) { o.Domain = "other.example" }), sessions.Options{}, asks("https://shop.example", "https://shop.example"),
			[]string{"Domain other.example", "shop.example"}},
		"no browser": {plain, sessions.Options{}, asks("https://shop.example", ""), []string{"not seem to be a browser", "extraHeaders"}},
		"never set":  {plain, sessions.Options{}, asks("https://shop.example", "https://shop.example"), []string{"no session was ever set"}},
		"other cookies": {plain, sessions.Options{}, asks("https://shop.example", "https://shop.example", "Cookie", "lang=secret-de; ab=secret-7"),
			[]string{`no cookie "app"`, `"lang", "ab"`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := manager(t, c.store, c.opts).Explain(c.r)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in: %s", want, got)
				}
			}
			if strings.Contains(got, "secret") {
				t.Errorf("a cookie's value is in: %s", got)
			}
		})
	}
}

func TestExplainWhatIsWrongWithTheCookie(t *testing.T) {
	stores := stores(t)
	login := func(t *testing.T, m *sessions.Manager) *browser {
		return serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := m.Renew(r.Context(), map[string]any{"_siokit.user": "7"}); err != nil {
				t.Error(err)
			}
		})))
	}
	expect := func(t *testing.T, m *sessions.Manager, r *http.Request, want string) {
		t.Helper()
		if got := m.Explain(r); !strings.Contains(got, want) {
			t.Errorf("no %q in: %s", want, got)
		}
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			m := manager(t, store, sessions.Options{})
			visitor := serve(t, m.Middleware(http.HandlerFunc(counter)))
			visitor.get("/")
			expect(t, m, with(visitor.cookie()), "holds no login")
			b := login(t, m)
			b.get("/")
			good := b.cookie()
			expect(t, m, with(good), "holds a login")

			two := with(good)
			two.Header.Set("Cookie", "app="+good+"; app="+visitor.cookie())
			expect(t, m, two, `2 different cookies named "app"`)
			expect(t, m, with("not base64!"), "cannot be decoded")

			otherKey := gorilla.NewCookieStore(securecookie.GenerateRandomKey(32))
			stranger := serve(t, manager(t, otherKey, sessions.Options{}).Middleware(http.HandlerFunc(counter)))
			stranger.get("/")
			expect(t, m, with(stranger.cookie()), "signature")

			elsewhere, err := sessions.New(store, "session", sessions.Options{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, elsewhere, with(good), `pass "app" to sessions.New`)

			m.Check(func(_ context.Context, _ string, get func(string) any) (bool, error) {
				return get("_siokit.user") == nil, nil
			})
			expect(t, m, with(good), "login in it has ended")
		})
	}
	t.Run("gone", func(t *testing.T) {
		m := manager(t, stores["filesystem"], sessions.Options{})
		b := login(t, m)
		b.get("/")
		old := b.cookie()
		b.get("/")
		expect(t, m, with(old), "no longer has its session")
	})
	t.Run("outage", func(t *testing.T) {
		expect(t, manager(t, &spyStore{loadErr: errOutage}, sessions.Options{}), with("x"), "connection refused")
	})
	t.Run("no request", func(t *testing.T) {
		expect(t, manager(t, stores["cookie"], sessions.Options{}), nil, "no request")
	})
}

func TestExplainExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older := gorilla.NewCookieStore(testKey)
		w := httptest.NewRecorder()
		manager(t, older, sessions.Options{}).Middleware(http.HandlerFunc(counter)).ServeHTTP(w, with(""))
		r := with("")
		r.AddCookie(w.Result().Cookies()[0])

		rotated := gorilla.NewCookieStore(securecookie.GenerateRandomKey(32), nil, testKey, nil)
		rotated.MaxAge(60)
		m := manager(t, rotated, sessions.Options{})
		if got := m.Explain(r); !strings.Contains(got, "leads to a valid session") {
			t.Errorf("fresh: %s", got)
		}
		time.Sleep(time.Hour)
		if got := m.Explain(r); !strings.Contains(got, "too old") {
			t.Errorf("after an hour: %s", got)
		}
	})
}

// What strangers send must not fill the log or break its lines.
func TestExplainBoundsWhatItRepeats(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	r := asks("https://shop.example", "https://"+strings.Repeat("x", 5000)+".other")
	for i := range 500 {
		r.AddCookie(&http.Cookie{Name: strings.Repeat("n", 200) + string(rune('a'+i%26)) + string(rune('a'+i/26)), Value: "v"})
	}
	if got := m.Explain(r); len(got) > 2500 || strings.ContainsAny(got, "\r\n") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestHandshakesWithoutASessionAreLoggedOncePerCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{
			Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		for range 5 {
			for _, r := range []*http.Request{
				asks("http://127.0.0.1:5000", "http://localhost:5000"),
				asks("https://shop.example", "https://shop.example"),
			} {
				if _, err := m.BindSession(r); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		log := out.String()
		if strings.Count(log, "level=WARN") != 1 || strings.Count(log, "two sites") != 1 {
			t.Errorf("the mistake is not warned of once: %s", log)
		}
		if strings.Count(log, "level=DEBUG") != 1 || strings.Count(log, "no session was ever set") != 1 {
			t.Errorf("the visitor is not noted once: %s", log)
		}
	})
}
