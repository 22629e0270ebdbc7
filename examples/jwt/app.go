package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
)

// User is an account.
type User struct {
	ID       string
	Password string // yours are hashed
	Admin    bool
}

// accounts stand for your database.
var accounts = map[string]*User{
	"ann": {ID: "ann", Password: "ann-secret", Admin: true},
	"bob": {ID: "bob", Password: "bob-secret"},
}

func loadUser(_ context.Context, id string) (*User, error) {
	if u, ok := accounts[id]; ok {
		return u, nil
	}
	return nil, auth.ErrNoUser
}

// newApp returns the application's handler, and its sockets to shut down.
func newApp(key []byte, log *slog.Logger) (http.Handler, *core.Server, error) {
	tokens := auth.NewTokens(newVerifier(key), loadUser, auth.Options{Logger: log})
	// There are no cookies to misuse, so the page's origin proves nothing and any may connect.
	srv, err := core.New(core.Config{
		Guards:  []core.Guard{tokens.Connect}, // every namespace, also those of later versions
		Origins: []string{"*"},
		Logger:  log,
	})
	if err != nil {
		return nil, nil, err
	}
	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) {
		return auth.MustUser[*User](c).ID, nil
	})
	core.On(srv, "token", func(c *core.Context, token string) error { return tokens.Refresh(c, token) })

	admins := srv.Group(auth.RequireFunc(func(u *User) bool { return u.Admin }, "for administrators only"))
	core.OnCall(admins, "kick", func(_ *core.Context, id string) (int, error) { return tokens.Revoke(id), nil })

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		u, ok := accounts[r.PostFormValue("user")]
		if !ok || subtle.ConstantTimeCompare([]byte(u.Password), []byte(r.PostFormValue("password"))) != 1 {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		token, err := newToken(key, u.ID)
		if err != nil {
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
	})
	mux.Handle("GET /me", tokens.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, ok := auth.User[*User](r.Context()); ok { // the same call as in a socket
			_, _ = w.Write([]byte(u.ID))
			return
		}
		http.Error(w, "please log in", http.StatusUnauthorized)
	})))
	return mux, srv, nil
}
