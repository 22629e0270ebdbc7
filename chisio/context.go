package chisio

import (
	"context"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// snapshot returns the request's context with a copy of what chi will reuse. The copy is never
// written to.
func snapshot(r *http.Request) context.Context {
	ctx := r.Context()
	if route := chi.RouteContext(ctx); route != nil {
		ctx = context.WithValue(ctx, chi.RouteCtxKey, route.Clone())
	}
	return ctx
}

// Param returns a parameter of the route that the connection was opened on, as chi.URLParam did,
// and "" if there is none. ctx is a socket handler's Context.
func Param(ctx context.Context, name string) string { return chi.URLParamFromCtx(ctx, name) }

// remoteIP is the client's address by the rules of the middleware that the application uses.
func remoteIP(r *http.Request) string {
	if ip := middleware.GetClientIP(r.Context()); ip != "" {
		return ip
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr // middleware.RealIP leaves no port
}
