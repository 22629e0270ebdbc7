package sessions_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func setCookie(t *testing.T, store gorilla.Store, opts sessions.Options, r *http.Request) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	manager(t, store, opts).Middleware(http.HandlerFunc(counter)).ServeHTTP(w, r)
	got := w.Result().Cookies()
	if len(got) != 1 {
		t.Fatalf("%d cookies, status %d", len(got), w.Code)
	}
	return got[0]
}

func TestCookieAttributes(t *testing.T) {
	plain := func() *http.Request { return httptest.NewRequest(http.MethodGet, "http://app.test/", nil) }
	tls := func() *http.Request { return httptest.NewRequest(http.MethodGet, "https://app.test/", nil) }
	proxied := func() *http.Request {
		r := plain()
		r.Header.Set("X-Forwarded-Proto", "https, http")
		return r
	}
	strict := gorilla.NewCookieStore(testKey)
	strict.Options.SameSite = http.SameSiteStrictMode
	strict.Options.Path = "/shop"
	strict.Options.MaxAge = 60
	partitioned := gorilla.NewCookieStore(testKey)
	partitioned.Options.Partitioned = true
	bare := gorilla.NewCookieStore(testKey)
	bare.Options = &gorilla.Options{}
	for name, c := range map[string]struct {
		store    gorilla.Store
		opts     sessions.Options
		r        *http.Request
		secure   bool
		sameSite http.SameSite
		path     string
		maxAge   int
	}{
		"default, http":    {gorilla.NewCookieStore(testKey), sessions.Options{}, plain(), false, http.SameSiteLaxMode, "/", 86400 * 30},
		"default, https":   {gorilla.NewCookieStore(testKey), sessions.Options{}, tls(), true, http.SameSiteLaxMode, "/", 86400 * 30},
		"default, proxy":   {gorilla.NewCookieStore(testKey), sessions.Options{}, proxied(), true, http.SameSiteLaxMode, "/", 86400 * 30},
		"file, https":      {gorilla.NewFilesystemStore(t.TempDir(), testKey), sessions.Options{}, tls(), true, http.SameSiteLaxMode, "/", 86400 * 30},
		"store's own":      {strict, sessions.Options{}, tls(), true, http.SameSiteStrictMode, "/shop", 60},
		"partitioned":      {partitioned, sessions.Options{}, plain(), true, http.SameSiteLaxMode, "/", 86400 * 30},
		"empty options":    {bare, sessions.Options{}, plain(), false, http.SameSiteLaxMode, "/", 0},
		"always":           {gorilla.NewCookieStore(testKey), sessions.Options{Secure: sessions.SecureAlways}, plain(), true, http.SameSiteLaxMode, "/", 86400 * 30},
		"never":            {gorilla.NewCookieStore(testKey), sessions.Options{Secure: sessions.SecureNever}, tls(), false, http.SameSiteLaxMode, "/", 86400 * 30},
		"None asked for":   {strict, sessions.Options{SameSite: http.SameSiteNoneMode}, plain(), true, http.SameSiteNoneMode, "/shop", 60},
		"Strict asked for": {gorilla.NewCookieStore(testKey), sessions.Options{SameSite: http.SameSiteStrictMode}, plain(), false, http.SameSiteStrictMode, "/", 86400 * 30},
	} {
		t.Run(name, func(t *testing.T) {
			got := setCookie(t, c.store, c.opts, c.r)
			if !got.HttpOnly || got.Secure != c.secure || got.SameSite != c.sameSite || got.Path != c.path || got.MaxAge != c.maxAge {
				t.Errorf("got %s", got)
			}
		})
	}
}

// syncBuffer collects logs of a server's goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Every cookie that we did not issue is a guest's: no panic, no error, no value.
func TestTamperedCookies(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		var logs syncBuffer
		m := manager(t, store, sessions.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		valid := setCookie(t, store, sessions.Options{}, with("")).Value
		if m.Open(with(valid)).Get("n") != 1 {
			t.Fatal("the untouched cookie is refused")
		}
		raw, err := base64.URLEncoding.DecodeString(valid)
		if err != nil {
			t.Fatal(err)
		}
		bad := map[string]bool{
			valid[:len(valid)/2]: true, valid[1:]: true, valid + "A": true, "": true, "not base64 !": true,
			strings.Repeat("A", 4097): true, strings.Repeat("A", 64<<10): true, valid + valid: true,
		}
		for bit := range len(raw) * 8 {
			flipped := bytes.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			bad[base64.URLEncoding.EncodeToString(flipped)] = true
		}
		for i := range valid { // the text as well: base64 may have more than one spelling
			text := []byte(valid)
			text[i] ^= 1
			bad[string(text)] = true
		}
		foreign, err := securecookie.EncodeMulti("app", map[any]any{"n": 1}, securecookie.CodecsFromPairs([]byte("another key, 32 bytes long......"))...)
		if err != nil {
			t.Fatal(err)
		}
		wrongType, err := securecookie.EncodeMulti("app", 3.14, securecookie.CodecsFromPairs(testKey)...)
		if err != nil {
			t.Fatal(err)
		}
		otherName, err := securecookie.EncodeMulti("other", map[any]any{"n": 1}, securecookie.CodecsFromPairs(testKey)...)
		if err != nil {
			t.Fatal(err)
		}
		bad[foreign], bad[wrongType], bad[otherName] = true, true, true

		for value := range bad {
			if same, err := base64.URLEncoding.DecodeString(value); err == nil && bytes.Equal(same, raw) {
				continue // another spelling of the same bytes is the same cookie
			}
			ctx, err := m.BindSession(with(value))
			if err != nil {
				t.Fatalf("cookie %.80q: %v", value, err)
			}
			s := sessions.From(ctx)
			if len(s.Values()) != 0 || s.ID() != "" || !s.IsNew() {
				t.Fatalf("cookie %.80q gives %v, id %q", value, s.Values(), s.ID())
			}
		}
		if lines := strings.Count(logs.String(), "\n"); lines == 0 || lines > 30 {
			t.Errorf("%d log lines for %d bad cookies", lines, len(bad))
		}
		if strings.Contains(logs.String(), valid[:20]) {
			t.Error("the log holds a cookie")
		}
	})
}

// anybody can send bad cookies, and fill no disk with it.
func TestBadCookiesAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs syncBuffer
		m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		for second := range 3 {
			for range 1000 {
				if s := m.Open(with("bad")); !s.IsNew() {
					t.Fatal("a bad cookie leads to a session")
				}
			}
			if lines := strings.Count(logs.String(), "\n"); lines != second+1 {
				t.Errorf("%d log lines in %d seconds", lines, second+1)
			}
			time.Sleep(time.Second)
		}
	})
}

// a cookie is worth nothing when it is too old, although its signature is good.
func TestOldCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := gorilla.NewCookieStore(testKey)
		m := manager(t, store, sessions.Options{})
		value := setCookie(t, store, sessions.Options{}, with("")).Value
		time.Sleep(30*24*time.Hour - time.Second)
		if m.Open(with(value)).Get("n") != 1 {
			t.Error("a cookie of 30 days is refused")
		}
		time.Sleep(2 * time.Second)
		if s := m.Open(with(value)); len(s.Values()) != 0 || !s.IsNew() || s.Err() != nil {
			t.Errorf("an older one gives %v, %v", s.Values(), s.Err())
		}
	})
}

func TestTwoCookiesOfOneName(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		one, two := setCookie(t, store, sessions.Options{}, with("")).Value, setCookie(t, store, sessions.Options{}, with("")).Value
		for _, header := range []string{one + "; app=bad", "bad; app=" + one, one + "; app=" + two} {
			if s := m.Open(with(header)); s.Get("n") != nil || s.Err() != nil {
				t.Errorf("two cookies give %v, %v", s.Values(), s.Err())
			}
		}
		if s := m.Open(with(one + "; app=" + one)); s.Get("n") != 1 {
			t.Errorf("the same cookie twice gives %v", s.Values())
		}
	})
}

func TestRemovedKey(t *testing.T) {
	old := gorilla.NewCookieStore(testKey)
	value := setCookie(t, old, sessions.Options{}, with("")).Value
	newKey := []byte("another key, 32 bytes long......")
	rotated := manager(t, gorilla.NewCookieStore(newKey, nil, testKey), sessions.Options{})
	if rotated.Open(with(value)).Get("n") != 1 {
		t.Error("a cookie of the older key is refused during rotation")
	}
	removed := manager(t, gorilla.NewCookieStore(newKey), sessions.Options{})
	if s := removed.Open(with(value)); s.Get("n") != nil || s.Err() != nil {
		t.Errorf("a cookie of a removed key gives %v, %v", s.Values(), s.Err())
	}
}
