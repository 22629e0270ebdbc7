// Command nethttp is a login with sockets in an application without a framework. Start it at the top of the
// repository:
//
//	go run ./examples/login/nethttp
//
// app.Main lists the environment variables. The same application in gin, echo and chi is beside it.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/examples/login/app"
)

func main() { app.Main(routes) }

// routes is the application. The middleware around the routes is around the sockets' handshakes too.
func routes(a *app.App) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", app.Page)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		me, err := app.WhoAmI(r.Context())
		if err != nil {
			app.Fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(me) // an error means that the browser left
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Login(r.Context(), r.FormValue("name"), r.FormValue("password"), r.FormValue("nickname")); err != nil {
			app.Fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	// Logout also disconnects the sockets of this login, in every tab.
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Users.Logout(r.Context()); err != nil {
			app.Fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /announce", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Announce(r.Context(), r.FormValue("text")); err != nil {
			app.Fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})

	mux.Handle("/socket.io/", a.Sockets)
	core.OnCall(a.Sockets, "request id", func(c *core.Context, _ core.None) (string, error) {
		id, _ := c.Value(requestIDKey{}).(string) // of the request that opened the connection
		return id, nil
	})
	return app.Guard(requestID(a.Users.Middleware(mux)))
}

type requestIDKey struct{}

// requestID names the request, if a proxy has not yet.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}
