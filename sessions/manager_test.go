package sessions_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"net/http"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	store := gorilla.NewCookieStore(testKey)
	for _, c := range []struct {
		store gorilla.Store
		name  string
		opts  sessions.Options
		want  string
	}{
		{nil, "app", sessions.Options{}, "no store"},
		{store, "", sessions.Options{}, "empty cookie name"},
		{store, "a b", sessions.Options{}, "cannot name a cookie"},
		{store, "app", sessions.Options{Mode: sessions.Shared}, "in the cookie"},
		{store, "app", sessions.Options{Mode: 7}, "Options.Mode"},
		{store, "app", sessions.Options{Secure: 7}, "Options.Secure"},
		{store, "app", sessions.Options{StoreTimeout: -1}, "Options.StoreTimeout"},
		{store, "app", sessions.Options{SameSite: http.SameSiteNoneMode, Secure: sessions.SecureNever}, "SameSite None"},
	} {
		m, err := sessions.New(c.store, c.name, c.opts)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "sessions: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%v, %q, %+v) = %v, %v; want an error with %q", c.store, c.name, c.opts, m, err, c.want)
		}
	}
	if _, err := sessions.New(store, "app", sessions.Options{}); err != nil {
		t.Errorf("the zero Options are refused: %v", err)
	}
}

func TestSocketSeesWhatHTTPWroteAndKeepsItsOwn(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		b := serve(t, m.Middleware(http.HandlerFunc(counter)))
		b.get("/")

		first, err := m.BindSession(with(b.cookie()))
		if err != nil {
			t.Fatal(err)
		}
		second, err := m.BindSession(with(b.cookie()))
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := sessions.Get[int](first, "n"); n != 1 || !ok {
			t.Fatalf("the socket sees n = %d, %v; HTTP wrote 1", n, ok)
		}
		if err := sessions.From(first).Set("n", 100); err != nil {
			t.Fatal(err)
		}
		if err := m.SaveSession(first); err != nil {
			t.Fatal(err)
		}
		if n, _ := sessions.Get[int](first, "n"); n != 100 {
			t.Errorf("the connection lost its own write: %d", n)
		}
		if n, _ := sessions.Get[int](second, "n"); n != 1 {
			t.Errorf("another connection sees the write: %d", n)
		}
		if _, body, _ := b.get("/"); body != "2" {
			t.Errorf("HTTP counts %s after a socket's write, want 2", body)
		}
		if n, _ := sessions.Get[int](first, "n"); n != 100 {
			t.Errorf("the connection sees a later HTTP write: %d", n)
		}
		if err := sessions.From(first).Save(t.Context()); !errors.Is(err, sessions.ErrInSocket) {
			t.Errorf("Save in a socket = %v", err)
		}
		if _, err := m.Renew(first, nil); !errors.Is(err, sessions.ErrInSocket) {
			t.Errorf("Renew in a socket = %v", err)
		}
	})
}

func TestBindSessionIsAChildOfTheRequest(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	bound, err := m.BindSession(with("").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if bound.Value(key{}) != "kept" {
		t.Error("values of the request are gone")
	}
	cancel()
	<-bound.Done()
}

func TestStoreOutageIsAnError(t *testing.T) {
	m := manager(t, &spyStore{loadErr: errOutage}, sessions.Options{})
	if ctx, err := m.BindSession(with("x")); !errors.Is(err, errOutage) {
		t.Errorf("BindSession = %v, %v; want the outage", ctx, err)
	}
	s := m.Open(with("x"))
	if !errors.Is(s.Err(), errOutage) || s.Get("n") != nil || len(s.Values()) != 0 || s.ID() != "" {
		t.Errorf("Err = %v, Get = %v", s.Err(), s.Get("n"))
	}
}

// slowStore waits for its context, as a store over the network does.
type slowStore struct{ gorilla.Store }

func (slowStore) New(r *http.Request, _ string) (*gorilla.Session, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSlowStoreTimesOut(t *testing.T) {
	m := manager(t, slowStore{}, sessions.Options{StoreTimeout: time.Millisecond})
	if _, err := m.BindSession(with("")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("BindSession = %v", err)
	}
}

// The handshake's request may carry gorilla's registry, which returns what it loaded first.
func TestStaleRegistryIsNotUsed(t *testing.T) {
	store := gorilla.NewFilesystemStore(t.TempDir(), testKey)
	m := manager(t, store, sessions.Options{})
	b := serve(t, m.Middleware(http.HandlerFunc(counter)))
	b.get("/")
	r := with(b.cookie())
	if _, err := store.Get(r, "app"); err != nil { // caches n = 1 in r
		t.Fatal(err)
	}
	b.get("/")
	ctx, err := m.BindSession(r)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := sessions.Get[int](ctx, "n"); n != 2 {
		t.Errorf("n = %d, want the stored 2", n)
	}
}

func TestCheckEmptiesASession(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		b := serve(t, m.Middleware(http.HandlerFunc(counter)))
		b.get("/")
		before := m.Open(with(b.cookie())).ID()
		m.Check(func(_ context.Context, _ string, get func(string) any) (bool, error) { return get("n") != 1, nil })
		s := m.Open(with(b.cookie()))
		if len(s.Values()) != 0 || !s.IsNew() || s.Err() != nil || s.ID() != "" {
			t.Errorf("a refused session shows %v, new %v, err %v", s.Values(), s.IsNew(), s.Err())
		}
		if _, body, _ := b.get("/"); body != "1" {
			t.Errorf("the count went on: %s", body)
		}
		if before == "" {
			t.Error("the session had no id")
		}
	})
}

// A check that cannot find out is like a store that cannot be asked.
func TestCheckFails(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		b := serve(t, m.Middleware(http.HandlerFunc(counter)))
		b.get("/")
		down := errors.New("the database is down")
		m.Check(func(ctx context.Context, id string, _ func(string) any) (bool, error) {
			if _, bounded := ctx.Deadline(); !bounded || id == "" {
				t.Errorf("asked about %q, with a deadline: %t", id, bounded)
			}
			return true, down
		})
		if s := m.Open(with(b.cookie())); !errors.Is(s.Err(), down) || s.Get("n") != nil {
			t.Errorf("the session is %v, %v", s.Values(), s.Err())
		}
		if _, err := m.BindSession(with(b.cookie())); !errors.Is(err, down) {
			t.Errorf("a handshake: %v", err)
		}
		if _, err := m.NameSession(with(b.cookie())); !errors.Is(err, down) {
			t.Errorf("its name: %v", err)
		}
		if text := m.Explain(with(b.cookie())); !strings.Contains(text, "could not be found out") {
			t.Errorf("Explain says %q", text)
		}
		if m.Open(with("")).Err() != nil {
			t.Error("a visitor without a session is checked")
		}
	})
}

// sharingStore hands out its own session, as a simple store in memory may.
type sharingStore struct{ gs *gorilla.Session }

func (s sharingStore) Get(*http.Request, string) (*gorilla.Session, error)             { return s.gs, nil }
func (s sharingStore) New(*http.Request, string) (*gorilla.Session, error)             { return s.gs, nil }
func (s sharingStore) Save(*http.Request, http.ResponseWriter, *gorilla.Session) error { return nil }

func TestConnectionsShareNoMap(t *testing.T) {
	store := sharingStore{&gorilla.Session{ID: "x", Values: map[any]any{"n": 1}}}
	m := manager(t, store, sessions.Options{})
	one, err := m.BindSession(with("x"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := m.BindSession(with("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.From(one).Set("n", 2); err != nil {
		t.Fatal(err)
	}
	if sessions.From(two).Get("n") != 1 || store.gs.Values["n"] != 1 {
		t.Error("a write reached another connection's session")
	}
}
