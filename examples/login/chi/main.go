// Command chi is a login with sockets in a chi application. Start it at the top of the repository:
//
//	go run ./examples/login/chi
//
// app.Main lists the environment variables. The same application in gin, echo and net/http is beside it.
package main

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/examples/login/app"
)

func main() { app.Main(routes) }

// routes is the application. Middleware comes first: what it does, it does for the sockets' handshakes too.
func routes(a *app.App) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, middleware.RequestID, middleware.ClientIPFromXFF("127.0.0.1/32", "::1/128"), a.Users.Middleware)

	r.Get("/", app.Page)
	r.Get("/me", func(w http.ResponseWriter, r *http.Request) {
		me, err := app.WhoAmI(r.Context())
		if err != nil {
			app.Fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(me) // an error means that the browser left
	})
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Login(r.Context(), r.FormValue("name"), r.FormValue("password"), r.FormValue("nickname")); err != nil {
			app.Fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	// Logout also disconnects the sockets of this login, in every tab.
	r.Post("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Users.Logout(r.Context()); err != nil {
			app.Fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	r.Post("/announce", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Announce(r.Context(), r.FormValue("text")); err != nil {
			app.Fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})

	chisio.Mount(r, "/socket.io/", a.Sockets)
	core.OnCall(a.Sockets, "request id", func(c *core.Context, _ core.None) (string, error) {
		return middleware.GetReqID(c), nil // of the request that opened the connection
	})
	return app.Guard(r)
}
