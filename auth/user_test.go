package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

// request runs f in a request with the cookie.
func (a *app) request(cookie string, f func(ctx context.Context)) {
	a.users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) })).
		ServeHTTP(httptest.NewRecorder(), handshake(context.Background(), cookie, ""))
}

func TestHTTPLoadsTheUserOnceAndOnlyIfAsked(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	a.loads.Store(0)
	a.visit(cookie, "/plain")
	if n := a.loads.Load(); n != 0 {
		t.Errorf("%d loads for a route that does not ask", n)
	}
	a.request(cookie, func(ctx context.Context) {
		for range 3 {
			if auth.MustUser[*user](ctx).ID != "ann" {
				t.Error("not ann")
			}
		}
		if auth.From(ctx).UserID() != "ann" || time.Since(auth.From(ctx).Since()) > time.Minute {
			t.Errorf("identity %q since %v", auth.From(ctx).UserID(), auth.From(ctx).Since())
		}
	})
	if n := a.loads.Load(); n != 1 {
		t.Errorf("%d loads in one request", n)
	}
}

// a role that was taken away.
func TestSocketSeesAFreshUser(t *testing.T) {
	for _, refresh := range []time.Duration{0, time.Minute, -1} {
		t.Run(fmt.Sprint(refresh), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Refresh: refresh})
				cookie, _ := a.visit("", "/login?id=ann")
				admin, plain := "admin", "plain"
				a.role.Store(&admin)
				c := a.connect(cookie)
				defer synctest.Wait()
				defer c.close()
				role := func() string { return auth.MustUser[*user](c.ctx).Role }
				if role() != "admin" {
					t.Fatal("not admin")
				}
				a.role.Store(&plain)
				age := map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute, -1: 0}[refresh]
				if age > 0 {
					time.Sleep(age - 1)
					if role() != "admin" {
						t.Error("loaded again too soon")
					}
					time.Sleep(time.Nanosecond)
				}
				if role() != "plain" {
					t.Error("the user is stale")
				}
			})
		})
	}
}

func TestTroubleOfTheLoader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		cookie, _ := a.visit("", "/login?id=ann")
		c := a.connect(cookie)
		defer synctest.Wait()
		defer c.close()

		a.failWith(errDatabase)
		for range 3 {
			if u, ok := auth.User[*user](c.ctx); ok {
				t.Errorf("User = %v", u)
			}
		}
		_, err := auth.UserErr[*user](c.ctx)
		if !errors.Is(err, errDatabase) || errors.Is(err, auth.ErrUnauthenticated) || errors.Is(auth.Require(c.ctx), auth.ErrUnauthenticated) {
			t.Errorf("UserErr = %v", err)
		}
		if n := strings.Count(logs.String(), "\n"); n != 1 || !strings.Contains(logs.String(), "database is down") {
			t.Errorf("%d log lines: %s", n, &logs)
		}
		a.failWith(nil)
		time.Sleep(time.Second)
		if _, ok := auth.User[*user](c.ctx); !ok {
			t.Error("the database is back, the user is not")
		}

		a.failWith(fmt.Errorf("no row: %w", auth.ErrNoUser))
		time.Sleep(5 * time.Second)
		_, err = auth.UserErr[*user](c.ctx)
		if !errors.Is(err, auth.ErrNoUser) || !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("UserErr = %v", err)
		}
		if n := strings.Count(logs.String(), "\n"); n != 1 {
			t.Errorf("an account that is gone was logged: %s", &logs)
		}
	})
}

func TestCallersOwnEndIsNotCached(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	c := a.connect(cookie)
	ended, cancel := context.WithCancel(c.ctx)
	cancel()
	a.failWith(ended.Err())
	if _, ok := auth.User[*user](ended); ok {
		t.Error("the loader's error was lost")
	}
	a.failWith(nil)
	if _, ok := auth.User[*user](c.ctx); !ok {
		t.Error("one caller's cancelled load was given to another")
	}
}

func TestLogoutWhileTheUserIsLoading(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	var users *auth.Users[*user]
	users = auth.New(a.sess, func(_ context.Context, id string) (*user, error) {
		users.Revoke(id)
		return &user{ID: id}, nil
	})
	w := httptest.NewRecorder()
	users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := users.Login(r.Context(), "ann"); err != nil {
			t.Error(err)
		}
		if u, err := auth.UserErr[*user](r.Context()); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("UserErr = %v, %v", u, err)
		}
	})).ServeHTTP(w, handshake(t.Context(), "", ""))
}

func TestNilUserIsNobody(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	users := auth.New(a.sess, func(context.Context, string) (*user, error) { return nil, nil })
	cookie, _ := a.visit("", "/login?id=ann")
	users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if u, err := auth.UserErr[*user](r.Context()); u != nil || !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("UserErr = %v, %v", u, err)
		}
	})).ServeHTTP(httptest.NewRecorder(), handshake(t.Context(), cookie, ""))
}

type account interface{ Name() string }

func (u *user) Name() string { return u.ID }

func TestUsersOfAnInterfaceType(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	users := auth.New(a.sess, func(_ context.Context, id string) (account, error) { return &user{ID: id}, nil })
	cookie, _ := a.visit("", "/login?id=ann")
	users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if u, ok := auth.User[account](r.Context()); !ok || u.Name() != "ann" {
			t.Errorf("User = %v, %v", u, ok)
		}
	})).ServeHTTP(httptest.NewRecorder(), handshake(t.Context(), cookie, ""))
}

func panicText(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

func TestPanicsSayTheCure(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	load := func(context.Context, string) (*user, error) { return nil, nil }
	guest := a.connect("")
	for want, f := range map[string]func(){
		"no session manager":      func() { auth.New(nil, load) },
		"no loader":               func() { auth.New[*user](a.sess, nil) },
		"more than one":           func() { auth.New(a.sess, load, auth.Options{}, auth.Options{}) },
		"Options.Lifetime":        func() { auth.New(a.sess, load, auth.Options{Lifetime: -1}) },
		"User[*auth_test.user]":   func() { auth.User[user](guest.ctx) }, // also while nobody is logged in
		"guard the handler":       func() { auth.MustUser[*user](guest.ctx) },
		"(*auth.Users).Handshake": func() { auth.MustUser[*user](t.Context()) },
	} {
		if text := panicText(f); !strings.HasPrefix(text, "auth: ") || !strings.Contains(text, want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}
}

func TestNobody(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	if _, ok := auth.User[*user](t.Context()); ok {
		t.Error("a bare context has a user")
	}
	if _, err := auth.UserErr[*user](t.Context()); !errors.Is(err, auth.ErrNoMiddleware) {
		t.Errorf("UserErr = %v", err)
	}
	if err := auth.Require(t.Context()); !errors.Is(err, auth.ErrNoMiddleware) || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("Require hides a missing middleware: %v", err)
	}
	guest := a.connect("")
	if _, ok := auth.User[*user](guest.ctx); ok {
		t.Error("a guest has a user")
	}
	err := auth.Require(guest.ctx)
	var client interface{ ClientError() (string, any) }
	if !errors.Is(err, auth.ErrUnauthenticated) || !errors.As(err, &client) {
		t.Fatalf("Require = %v", err)
	}
	message, data := client.ClientError()
	if raw, _ := json.Marshal(data); message != "please log in" || string(raw) != `{"code":401}` {
		t.Errorf("clients see %q %s", message, raw)
	}
}

func TestRequire(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	c := a.connect(cookie)
	if err := auth.Require(c.ctx); err != nil {
		t.Errorf("Require = %v", err)
	}
	deleted := a.connect(cookie)
	a.failWith(auth.ErrNoUser)
	var client interface{ ClientError() (string, any) }
	if err := auth.Require(deleted.ctx); !errors.Is(err, auth.ErrUnauthenticated) || !errors.As(err, &client) {
		t.Errorf("Require for a deleted account = %v", err)
	}
}

func TestRequireHTTP(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	h := a.users.RequireHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, auth.MustUser[*user](r.Context()).ID)
	}))
	ask := func(cookie, accept string) *httptest.ResponseRecorder {
		r, w := handshake(t.Context(), cookie, ""), httptest.NewRecorder()
		r.Header.Set("Accept", accept)
		h.ServeHTTP(w, r)
		return w
	}
	cookie, _ := a.visit("", "/login?id=ann")
	if w := ask(cookie, ""); w.Code != 200 || w.Body.String() != "ann" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("", "text/html"); w.Code != 401 || w.Body.String() != "please log in\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("", "application/json"); w.Code != 401 || w.Body.String() != `{"code":401,"message":"please log in"}`+"\n" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	a.failWith(errDatabase)
	if w := ask(cookie, ""); w.Code != 503 || strings.Contains(w.Body.String(), "database") {
		t.Errorf("%d %s", w.Code, w.Body)
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
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	// What ginsio does: both attached by hand, and set under their string keys.
	w := httptest.NewRecorder()
	r, s := a.sess.Attach(w, handshake(t.Context(), cookie, ""))
	r = a.users.Attach(r)
	c := stringKeys{t.Context(), map[string]any{sessions.ContextKey: s, auth.ContextKey: auth.From(r.Context())}}
	if u, ok := auth.User[*user](c); !ok || u.ID != "ann" {
		t.Errorf("User = %v, %v", u, ok)
	}
	if err := a.users.Logout(c); err != nil {
		t.Errorf("Logout = %v", err)
	}
	if err := s.Commit(); err != nil || len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("Commit = %v, headers %v", err, w.Header())
	}
	if _, ok := auth.User[*user](c); ok {
		t.Error("still logged in")
	}
}

// Run under -race.
func TestConcurrentUse(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{Refresh: -1})
		cookie, _ := a.visit("", "/login?id=ann")
		c := a.connect(cookie)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 20 {
					switch i {
					case 0:
						a.connect(cookie).close()
					case 1:
						mine, _ := a.visit("", fmt.Sprintf("/login?id=u%d", i))
						a.visit(mine, "/logout")
					case 2:
						a.users.Revoke("somebody")
						_ = a.users.Connections()
					default:
						if u, ok := auth.User[*user](c.ctx); !ok || u.ID != "ann" {
							t.Errorf("User = %v, %v", u, ok)
						}
						_ = sessions.From(c.ctx).Set("i", i)
						_ = a.poll(cookie)
					}
				}
			})
		}
		wg.Wait()
		c.open(t)
	})
}
