package chisio

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/siokit/siokit/core"
)

// handshake is the context of a handshake request: it holds a copy, never written to, of what chi will
// reuse, and tells the server what chi knows about the request.
func handshake(r *http.Request) context.Context {
	ctx := r.Context()
	if route := chi.RouteContext(ctx); route != nil {
		route = route.Clone()
		ctx = core.WithPathValues(context.WithValue(ctx, chi.RouteCtxKey, route), route.URLParam)
	}
	if ip := middleware.GetClientIP(ctx); ip != "" {
		ctx = core.WithRemoteIP(ctx, ip)
	}
	return ctx
}

// Param returns a parameter of the route that the connection was opened on, as chi.URLParam did,
// and "" if there is none. ctx is a socket handler's Context, or derives from it; with the Context itself,
// c.Handshake().PathValue(name) says the same in every framework.
func Param(ctx context.Context, name string) string { return chi.URLParamFromCtx(ctx, name) }
