package sessiontest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/boj/redistore"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

type user struct{ id string }

// loginApp is an application with logins, over a store in Redis, in Shared mode.
type loginApp struct {
	*page
	m     *sessions.Manager
	users *auth.Users[*user]
	store *redistore.RediStore
}

func logins(t *testing.T) *loginApp {
	t.Helper()
	store := redisStore(t)
	a := &loginApp{m: manager(t, store, sessions.Shared), store: store}
	a.users = auth.New(a.m, func(_ context.Context, id string) (*user, error) { return &user{id}, nil },
		auth.Options{Logger: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	fails := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("/visit", func(w http.ResponseWriter, r *http.Request) {
		fails(w, sessions.From(r.Context()).Set("visited", "yes"))
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { fails(w, a.users.Login(r.Context(), "7")) })
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { fails(w, a.users.Logout(r.Context())) })
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		if u, ok := auth.User[*user](r.Context()); ok {
			_, _ = w.Write([]byte(u.id))
		}
	})
	a.page = visit(t, a.users.Middleware(mux))
	return a
}

// handshake is what core does: the session, then who it is.
func (a *loginApp) handshake() context.Context {
	a.t.Helper()
	bound := a.connect(a.m)
	r, err := http.NewRequestWithContext(bound, http.MethodGet, a.url+"/socket.io/?EIO=4", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, _, err := a.users.Handshake(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return ctx
}

func (a *loginApp) records() int {
	a.t.Helper()
	conn := a.store.Pool.Get()
	defer conn.Close()
	n, err := conn.Do("DBSIZE")
	if err != nil {
		a.t.Fatal(err)
	}
	return int(n.(int64))
}

// An id that somebody planted before the login is worth nothing after it, to HTTP and to sockets.
func TestSharedLoginRenewsTheSession(t *testing.T) {
	a := logins(t)
	a.get("/visit")
	before := a.handshake()
	running := &eventContext{Context: before}
	if err := sessions.From(running).Set("planted", "x"); err != nil {
		t.Fatal(err)
	}
	a.get("/login")
	<-before.Done()
	if cause := context.Cause(before); !errors.Is(cause, auth.ErrReauthenticate) {
		t.Errorf("the old socket was cut with %v", cause)
	}
	if err := a.m.SaveSession(running); !errors.Is(err, sessions.ErrSessionGone) {
		t.Errorf("its late write = %v", err)
	}
	if u, ok := auth.User[*user](&eventContext{Context: before}); ok {
		t.Errorf("the old socket became %v", u)
	}
	event := &eventContext{Context: a.handshake()}
	if u, ok := auth.User[*user](event); !ok || u.id != "7" {
		t.Errorf("the new socket is %v", u)
	}
	s := sessions.From(event)
	if s.Get("visited") != "yes" || s.Get("planted") != nil {
		t.Errorf("the new session has %v", s.Values())
	}
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	if err := a.m.SaveSession(event); err != nil {
		t.Fatal(err)
	}
	if got := a.get("/me"); got != "7" {
		t.Errorf("a socket's Clear logged the user out: %q", got)
	}
}

func TestSharedLogout(t *testing.T) {
	for name, logout := range map[string]func(a *loginApp, socket context.Context) error{
		"in a socket": func(a *loginApp, socket context.Context) error { return a.users.Logout(socket) },
		"over HTTP":   func(a *loginApp, _ context.Context) error { a.get("/logout"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			a := logins(t)
			a.get("/login")
			bound := a.handshake()
			event := &eventContext{Context: bound}
			if u, ok := auth.User[*user](event); !ok || u.id != "7" {
				t.Fatalf("the socket is %v", u)
			}
			records := a.records()
			if err := logout(a, event); err != nil {
				t.Fatal(err)
			}
			if cause := context.Cause(bound); !errors.Is(cause, auth.ErrLoggedOut) {
				t.Errorf("the socket was cut with %v", cause)
			}
			if err := a.m.SaveSession(event); err != nil {
				t.Errorf("SaveSession after a logout = %v", err)
			}
			if err := sessions.From(event).Set("late", "x"); !errors.Is(err, sessions.ErrSessionGone) {
				t.Errorf("a late write = %v", err)
			}
			if got := a.get("/me"); got != "" {
				t.Errorf("HTTP still sees %q", got)
			}
			// The socket deletes the record, HTTP replaces it: nothing is left behind.
			if got := a.records(); name == "in a socket" && got != records-1 || name == "over HTTP" && got != records {
				t.Errorf("%d records before and %d after", records, got)
			}
		})
	}
}
