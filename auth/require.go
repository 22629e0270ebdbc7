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
	_, err := From(ctx).load(ctx)
	return err
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
		code, message := http.StatusServiceUnavailable, "try again later"
		if errors.Is(err, ErrUnauthenticated) {
			code, message = http.StatusUnauthorized, "please log in"
		}
		w.Header().Set("Cache-Control", "no-store")
		if !strings.Contains(r.Header.Get("Accept"), "json") {
			http.Error(w, message, code)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message})
	}))
}
