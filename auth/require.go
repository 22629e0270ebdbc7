package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Require is a guard: nil if somebody is logged in, whose account still exists, and otherwise an error that wraps
// [ErrUnauthenticated], which clients see as "please log in" with {"code":401}. Other errors say that it could not
// be found out, and clients do not see their text. It loads the user as [User] does.
//
//	srv.Of("/admin").Use(auth.Require)
func Require(ctx context.Context) error {
	_, err := From(ctx).load(ctx, false)
	return err
}

// RequireFunc returns a guard like [Require] that lets only those users pass for whom allowed returns true. In sockets
// it loads the user at every call, whatever [Options.Refresh] says, so a role that was taken away a moment ago does not
// count any more. Others get an error that wraps [ErrForbidden]: clients see the message, or "you may not do this" if
// it is empty, with {"code":403}. U must be the type that the loader returns. allowed must be safe for concurrent use.
//
//	admin := auth.RequireFunc(func(u *User) bool { return u.Admin }, "for administrators only")
//	srv.Of("/admin").Use(admin)                             // a namespace
//	core.On(srv.Group(admin), "delete room", deleteRoom)    // events
func RequireFunc[U any](allowed func(user U) bool, message string) func(ctx context.Context) error {
	if allowed == nil {
		panic("auth: RequireFunc got no function: pass func(u *User) bool, or use auth.Require")
	}
	if message == "" {
		message = "you may not do this"
	}
	refused := errors.Join(ErrForbidden, &refusal{"auth: refused: " + message, message, code(http.StatusForbidden)})
	return func(ctx context.Context) error {
		user, err := userErr[U](ctx, true)
		if err != nil {
			return err
		}
		if !allowed(user) {
			return refused
		}
		return nil
	}
}

// RequireHTTP is Middleware that lets only logged-in users pass. Others get a 401, as JSON if the request accepts
// that, or a 503 if the session store or the loader failed.
func (u *Users[U]) RequireHTTP(next http.Handler) http.Handler {
	return u.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := Require(r.Context())
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		refuseHTTP(w, r, err)
	}))
}

// refuseHTTP answers a request whose caller is not known.
func refuseHTTP(w http.ResponseWriter, r *http.Request, err error) {
	status, message := http.StatusServiceUnavailable, "try again later"
	if errors.Is(err, ErrUnauthenticated) {
		status, message = http.StatusUnauthorized, "please log in"
	}
	w.Header().Set("Cache-Control", "no-store")
	if !strings.Contains(r.Header.Get("Accept"), "json") {
		http.Error(w, message, status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": status, "message": message})
}
