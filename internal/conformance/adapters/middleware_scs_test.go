package adapters_test

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/siokit/siokit/core"
)

func init() {
	for _, f := range frameworks {
		cells = append(cells, cell{f.name + "/scs LoadAndSave", behind(f.new, scsSession), "", false})
	}
}

// behind is an application on a framework with a net/http middleware in front of everything.
func behind(newRouter func(trust bool) router, middleware func() func(http.Handler) http.Handler) func(srv *core.Server) http.Handler {
	return func(srv *core.Server) http.Handler {
		r := newRouter(false)
		r.use(middleware())
		r.mount("/socket.io/", srv)
		return r
	}
}

// scsSession changes the session in every request, so that LoadAndSave has something to write, also to a request that
// has become a WebSocket.
func scsSession() func(http.Handler) http.Handler {
	manager := &scs.SessionManager{ // scs.New starts a goroutine, and cannot end it without a race
		Lifetime: time.Hour,
		Store:    memstore.NewWithCleanupInterval(0),
		Codec:    scs.GobCodec{},
		Cookie:   scs.SessionCookie{Name: "session", Path: "/", HttpOnly: true},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		},
	}
	return func(next http.Handler) http.Handler {
		return manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			manager.Put(r.Context(), "requests", manager.GetInt(r.Context(), "requests")+1)
			next.ServeHTTP(w, r)
		}))
	}
}
