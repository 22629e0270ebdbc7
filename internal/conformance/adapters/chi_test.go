package adapters_test

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
)

type chiRouter struct{ chi.Router }

func newChi(trust bool) router {
	r := chi.NewRouter()
	if trust {
		r.Use(middleware.ClientIPFromXFF("127.0.0.1/32", "::1/128"))
	}
	return &chiRouter{r}
}

func (c *chiRouter) use(mw func(http.Handler) http.Handler) { c.Use(mw) }

func (c *chiRouter) set(key string, value func(*http.Request) string) {
	c.Use(setting(key, value))
}

func (c *chiRouter) refuse(when func(*http.Request) bool) { c.Use(refusing(when)) }

func (c *chiRouter) group(prefix string) router {
	return &chiRouter{c.Route(prefix, func(chi.Router) {})}
}

func (c *chiRouter) sub(prefix string) router {
	inner := chi.NewRouter()
	c.Mount(prefix, inner)
	return &chiRouter{inner}
}

func (c *chiRouter) mount(path string, srv *core.Server, _ ...string) {
	chisio.Mount(c.Router, path, srv)
}

func (c *chiRouter) post(path string, h func(context.Context, http.ResponseWriter, *http.Request)) {
	c.Post(path, func(w http.ResponseWriter, r *http.Request) { h(r.Context(), w, r) })
}

func (*chiRouter) get(ctx context.Context, key string) string {
	v, _ := ctx.Value(ctxKey(key)).(string)
	return v
}

func (*chiRouter) param(ctx context.Context, name string) string { return chisio.Param(ctx, name) }

// setting is how net/http middleware stores a value.
func setting(key string, value func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ctxKey(key), value(r))))
		})
	}
}

func refusing(when func(*http.Request) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if when(r) {
				http.Error(w, "refused", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
