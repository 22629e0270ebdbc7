package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func TestWithoutMiddleware(t *testing.T) {
	s := sessions.From(t.Context())
	for what, err := range map[string]error{
		"Set": s.Set("a", 1), "Delete": s.Delete("a"), "Clear": s.Clear(), "Save": s.Save(t.Context()),
		"Commit": s.Commit(), "Err": s.Err(),
	} {
		if !errors.Is(err, sessions.ErrNoMiddleware) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if s.Get("a") != nil || len(s.Values()) != 0 || s.ID() != "" || !s.IsNew() || s.Modified() || s.InSocket() {
		t.Error("reads are not empty")
	}
	var none context.Context // must not crash
	if sessions.From(none) == nil {
		t.Error("From(nil) is nil")
	}
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	if _, err := m.Renew(t.Context(), nil); !errors.Is(err, sessions.ErrNoMiddleware) {
		t.Errorf("Renew = %v", err)
	}
}

func socket(t *testing.T) context.Context {
	t.Helper()
	ctx, err := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{}).BindSession(with(""))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func TestValues(t *testing.T) {
	ctx := socket(t)
	s := sessions.From(ctx)
	type key struct{ n int }
	for _, err := range []error{s.Set("a", "x"), s.Set(7, "y"), s.Set(key{1}, "z")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !s.Modified() || s.Get(key{1}) != "z" || len(s.Values()) != 3 {
		t.Errorf("values %v", s.Values())
	}
	if _, ok := sessions.Get[int](ctx, "a"); ok {
		t.Error("a string was returned as int")
	}
	s.Values()["a"] = "changed"
	if s.Get("a") != "x" {
		t.Error("Values is no copy")
	}
	if err := s.Delete("a"); err != nil || s.Get("a") != nil {
		t.Errorf("Delete = %v, still %v", err, s.Get("a"))
	}
	if err := s.Clear(); err != nil || len(s.Values()) != 0 {
		t.Errorf("Clear = %v, left %v", err, s.Values())
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	s := sessions.From(socket(t))
	for _, key := range []any{nil, []byte("x"), map[string]int{}, struct{ f any }{[]int{}}} {
		if err := s.Set(key, 1); !errors.Is(err, sessions.ErrUnusableKey) {
			t.Errorf("Set(%v) = %v", key, err)
		}
		if s.Get(key) != nil {
			t.Errorf("Get(%v) found something", key)
		}
	}
	for _, err := range []error{s.Set("_siokit.user", "admin"), s.Delete("_siokit.user")} {
		if !errors.Is(err, sessions.ErrReservedKey) {
			t.Errorf("a reserved key gave %v", err)
		}
	}
}

// stringKeys shows only string keys, like a *gin.Context.
type stringKeys struct {
	context.Context
	set map[string]any
}

func (c stringKeys) Value(key any) any {
	name, _ := key.(string)
	return c.set[name]
}

func TestFromFindsTheStringKey(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	_, s := m.Attach(httptest.NewRecorder(), with(""))
	c := stringKeys{t.Context(), map[string]any{sessions.ContextKey: s}}
	if sessions.From(c) != s {
		t.Error("the session under ContextKey was not found")
	}
	var none *sessions.Session
	c.set[sessions.ContextKey] = none
	if sessions.From(c) == nil {
		t.Error("From returned a nil session")
	}
}

// Run under -race: gorilla's map would crash.
func TestConcurrentUse(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		ctx, err := m.BindSession(with(""))
		if err != nil {
			t.Fatal(err)
		}
		hammer := func(ctx context.Context) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					s := sessions.From(ctx)
					for j := range 50 {
						if err := s.Set(fmt.Sprint(i), j); err != nil {
							t.Error(err)
						}
						_, _, _, _ = s.Get("0"), s.Values(), s.ID(), s.Modified()
						_ = s.Delete("gone")
					}
				})
			}
			wg.Wait()
			for i := range 8 {
				if n, _ := sessions.Get[int](ctx, fmt.Sprint(i)); n != 49 {
					t.Errorf("writer %d left %d", i, n)
				}
			}
		}
		b := serve(t, m.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hammer(r.Context()) })))
		var wg sync.WaitGroup
		wg.Go(func() { hammer(ctx) })
		b.get("/")
		wg.Wait()
	})
}
