package chisio

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/siokit/siokit/core"
)

// Mount serves srv on path, with and without the last slash, and the browser client's files
// below it. router is a *chi.Mux, or what chi hands to the functions of Route and Group: its
// middleware runs on every request of the endpoint and may refuse it. The last part of path must
// be srv's Config.Path, by default "/socket.io/".
func Mount(router chi.Router, path string, srv *core.Server) {
	base := srv.MountPath(path)
	h := Handler(srv)
	router.Handle(base, h)
	router.Handle(base+"/*", h)
}

// Handler returns srv for applications that register the routes themselves. It must get GET,
// POST and, with Origins set, OPTIONS.
func Handler(srv *core.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHandshake(r) {
			r = r.WithContext(handshake(r))
		}
		srv.ServeHTTP(w, r)
	})
}

// isHandshake spares the later requests of a connection the copying: only the handshake's
// values are kept. It must agree with engineio on what a handshake is, or the socket would miss
// the values; other parameters may end in "sid".
func isHandshake(r *http.Request) bool {
	return !strings.Contains(r.URL.RawQuery, "sid=") || r.URL.Query().Get("sid") == ""
}
