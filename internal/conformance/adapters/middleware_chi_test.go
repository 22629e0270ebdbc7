package adapters_test

import (
	"io"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
)

func init() {
	chiApp := func(mw ...func(http.Handler) http.Handler) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			r := chi.NewRouter()
			r.Use(mw...)
			chisio.Mount(r, "/socket.io/", srv)
			return r
		}
	}
	chiLog := chimw.RequestLogger(&chimw.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0), NoColor: true})
	cells = append(cells, []cell{
		{"chi/Recoverer+Logger", chiApp(chimw.Recoverer, chiLog), "", false},
		{"chi/Compress", chiApp(chimw.Compress(5)), "", false},
		{"chi/Timeout", chiApp(chimw.Timeout(deadline)), "", true},
		{"chi/Throttle", chiApp(chimw.Throttle(10)), "", false},
		{"chi/all", chiApp(chiLog, chimw.Recoverer, chimw.Compress(5), chimw.Timeout(deadline), chimw.Throttle(10)), "", true},
	}...)
}
