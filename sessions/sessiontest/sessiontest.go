// Package sessiontest checks that a session store does what package sessions needs of it.
//
// Everybody who has a gorilla/sessions store of his own runs it in a test:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, sessiontest.ServerSide, func(t *testing.T) gorilla.Store { return mystore.New(t.TempDir()) })
//	}
//
// The stores of gorilla, boj/redistore and gin-contrib/sessions pass it.
package sessiontest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

// Kind says where a store keeps sessions, and so which modes of package sessions it can serve.
type Kind int

const (
	// CookieOnly stores keep everything in the cookie: Fork works, and Shared must be refused.
	CookieOnly Kind = iota
	// ServerSide stores have only an id in the cookie: Fork and Shared work.
	ServerSide
)

// Run tests the stores that open returns. It is called once for each subtest, so stores may, but need not, share
// what they keep. Values in the tests are strings, so any serialiser will do. Run it with -race.
func Run(t *testing.T, kind Kind, open func(t *testing.T) gorilla.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		mode sessions.Mode
		test func(*testing.T, *app)
	}{
		{"Fork/RoundTrip", sessions.Fork, testRoundTrip},
		{"Fork/BadCookies", sessions.Fork, testBadCookies},
		{"Fork/PrivateValues", sessions.Fork, testPrivateValues},
		{"Fork/Renew", sessions.Fork, testRenew},
		{"Fork/Concurrent", sessions.Fork, testConcurrent},
		{"Fork/Copies", sessions.Fork, testForkCopies},
		{"Shared/RoundTrip", sessions.Shared, testRoundTrip},
		{"Shared/BadCookies", sessions.Shared, testBadCookies},
		{"Shared/PrivateValues", sessions.Shared, testPrivateValues},
		{"Shared/Renew", sessions.Shared, testRenew},
		{"Shared/Concurrent", sessions.Shared, testConcurrent},
		{"Shared/BothWays", sessions.Shared, testBothWays},
		{"Shared/MergeByKey", sessions.Shared, testMergeByKey},
		{"Shared/Writers", sessions.Shared, testWriters},
		{"Shared/Gone", sessions.Shared, testGone},
		{"Shared/Erase", sessions.Shared, testErase},
	} {
		if kind == CookieOnly && c.mode == sessions.Shared {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m, err := sessions.New(open(t), "app", options(c.mode))
			if err != nil {
				t.Fatal(err)
			}
			c.test(t, &app{t: t, m: m})
		})
	}
	if kind == CookieOnly {
		t.Run("Shared/Refused", func(t *testing.T) {
			if _, err := sessions.New(open(t), "app", options(sessions.Shared)); err == nil {
				t.Error("Shared is accepted: changes made with an old cookie are seen with it, so this is a ServerSide store")
			}
		})
	}
}

// patience is how long a store may take here. It is long: machines are busy, and writers wait for each other.
const patience = 30 * time.Second

func options(mode sessions.Mode) sessions.Options {
	return sessions.Options{Mode: mode, Logger: slog.New(slog.DiscardHandler), StoreTimeout: patience}
}

// app is an application with one browser.
type app struct {
	t      *testing.T
	m      *sessions.Manager
	cookie string // the value the browser has; empty for none
}

// http runs f in a route and keeps the cookie that it sets.
func (a *app) http(f func(ctx context.Context, s *sessions.Session)) {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	a.carry(r)
	w := httptest.NewRecorder()
	a.m.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f(r.Context(), sessions.From(r.Context()))
	})).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		a.t.Errorf("the route answered %d: %s", w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == a.m.Name() {
			a.cookie = c.Value
		}
	}
}

func (a *app) carry(r *http.Request) {
	if a.cookie != "" {
		r.AddCookie(&http.Cookie{Name: a.m.Name(), Value: a.cookie})
	}
}

// stored is what the store has for the browser, as a new request sees it.
func (a *app) stored(cookie string) *sessions.Session {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	(&app{m: a.m, cookie: cookie}).carry(r)
	s := a.m.Open(r)
	if err := s.Err(); err != nil {
		a.t.Fatalf("the store failed: %v", err)
	}
	return s
}

func (a *app) set(key, value string) {
	a.t.Helper()
	a.http(func(_ context.Context, s *sessions.Session) { a.write(s, key, value) })
}

func (a *app) write(s *sessions.Session, key, value string) {
	a.t.Helper()
	if err := s.Set(key, value); err != nil {
		a.t.Errorf("Set(%q): %v", key, err)
	}
}

func (a *app) expect(s *sessions.Session, key string, want any) {
	a.t.Helper()
	if got := s.Get(key); got != want {
		a.t.Errorf("%s = %v, want %v", key, got, want)
	}
}

func (a *app) expectStored(key string, want any) {
	a.t.Helper()
	a.expect(a.stored(a.cookie), key, want)
}

// connect is a socket's handshake.
func (a *app) connect() context.Context {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil)
	a.carry(r)
	ctx, err := a.m.BindSession(r)
	if err != nil {
		a.t.Fatalf("the handshake is refused: %v", err)
	}
	return ctx
}

// event runs f as the handler of one event and returns what core would put in the ack.
func (a *app) event(connection context.Context, f func(s *sessions.Session)) error {
	ctx := &eventContext{Context: connection}
	f(sessions.From(ctx))
	return a.m.SaveSession(ctx)
}

type eventContext struct {
	context.Context
	session atomic.Value
}

func (c *eventContext) Value(key any) any {
	if key == sessions.EventKey {
		return &c.session
	}
	return c.Context.Value(key)
}
