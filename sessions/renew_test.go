package sessions_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

// attached runs f with a session that belongs to a response, and returns the cookie it set.
func attached(m *sessions.Manager, r *http.Request, f func(r *http.Request)) string {
	w := httptest.NewRecorder()
	m.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) })).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "app" {
			return c.Value
		}
	}
	return ""
}

func TestRenewChangesTheIDAndKeepsTheValues(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			m := manager(t, store, sessions.Options{})
			planted := setCookie(t, store, sessions.Options{}, with("")).Value
			before := m.Open(with(planted)).ID()
			var old, within string
			renewed := attached(m, with(planted), func(r *http.Request) {
				var err error
				if old, err = m.Renew(r.Context(), map[string]any{"role": "admin", "gone": nil}); err != nil {
					t.Error(err)
				}
				within = sessions.From(r.Context()).ID()
			})
			s := m.Open(with(renewed))
			if old != before || s.ID() == "" || s.ID() == before || s.ID() != within {
				t.Errorf("old %q (was %q), new %q, within the request %q", old, before, s.ID(), within)
			}
			if s.Get("n") != 1 || s.Get("role") != "admin" {
				t.Errorf("values %v", s.Values())
			}
			s = m.Open(with(planted))
			if s.Get("role") != nil {
				t.Error("the planted cookie gained the role")
			}
			if name == "filesystem" && (!s.IsNew() || s.Get("n") != nil || s.Err() != nil) {
				t.Errorf("the old record is still there: %v, %v", s.Values(), s.Err())
			}
			if name == "filesystem" {
				// What comes next with the planted cookie must not bring the old id back to life.
				again := attached(m, with(planted), func(r *http.Request) { _ = sessions.From(r.Context()).Set("x", 1) })
				if id := m.Open(with(again)).ID(); id == before {
					t.Error("the planted id was adopted")
				}
			}
		})
	}
}

func TestRenewFailures(t *testing.T) {
	t.Run("nothing can be deleted", func(t *testing.T) {
		spy := &spyStore{Store: gorilla.NewFilesystemStore(t.TempDir(), testKey)}
		value := setCookie(t, spy, sessions.Options{}, with("")).Value
		m := manager(t, spy, sessions.Options{})
		spy.saveErr = errOutage
		attached(m, with(value), func(r *http.Request) {
			_, err := m.Renew(r.Context(), map[string]any{"role": "admin"})
			if s := sessions.From(r.Context()); !errors.Is(err, errOutage) || s.Get("role") != nil || s.Get("n") != 1 {
				t.Errorf("Renew = %v, left %v", err, s.Values())
			}
		})
	})
	t.Run("nothing can be saved", func(t *testing.T) {
		m := manager(t, &spyStore{Store: gorilla.NewCookieStore(testKey), saveErr: errOutage}, sessions.Options{})
		attached(m, with(""), func(r *http.Request) {
			_, err := m.Renew(r.Context(), map[string]any{"role": "admin"})
			if s := sessions.From(r.Context()); !errors.Is(err, errOutage) || len(s.Values()) != 0 {
				t.Errorf("Renew = %v, left %v", err, s.Values())
			}
		})
	})
	t.Run("after the response has begun", func(t *testing.T) {
		m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
		h := m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			if _, err := m.Renew(r.Context(), nil); !errors.Is(err, sessions.ErrTooLate) {
				t.Errorf("Renew = %v", err)
			}
		}))
		h.ServeHTTP(httptest.NewRecorder(), with(""))
	})
}

func TestEraseFromASocket(t *testing.T) {
	store := gorilla.NewFilesystemStore(t.TempDir(), testKey)
	m := manager(t, store, sessions.Options{})
	value := setCookie(t, store, sessions.Options{}, with("")).Value
	ctx, err := m.BindSession(with(value))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Erase(ctx); err != nil {
		t.Fatal(err)
	}
	if s := m.Open(with(value)); s.Get("n") != nil || s.Err() != nil {
		t.Errorf("the session is still there: %v, %v", s.Values(), s.Err())
	}
	if sessions.From(ctx).Get("n") != 1 {
		t.Error("the connection lost its copy")
	}
}
