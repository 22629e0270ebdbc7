package adapters_test

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
)

type echoRouter struct {
	*echo.Echo
	g *echo.Group
}

func newEcho(trust bool) router {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	if trust {
		e.IPExtractor = echo.ExtractIPFromXFFHeader(echo.TrustLoopback(true))
	}
	return &echoRouter{e, nil}
}

func (e *echoRouter) middleware(mw echo.MiddlewareFunc) {
	if e.g != nil {
		e.g.Use(mw)
		return
	}
	e.Use(mw)
}

func (e *echoRouter) router() echosio.Router {
	if e.g != nil {
		return e.g
	}
	return e.Echo
}

func (e *echoRouter) use(mw func(http.Handler) http.Handler) { e.middleware(echosio.Middleware(mw)) }

func (e *echoRouter) set(key string, value func(*http.Request) string) {
	e.middleware(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set(key, value(c.Request()))
			return next(c)
		}
	})
}

func (e *echoRouter) refuse(when func(*http.Request) bool) {
	e.middleware(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if when(c.Request()) {
				return echo.NewHTTPError(http.StatusUnauthorized, "refused")
			}
			return next(c)
		}
	})
}

func (e *echoRouter) group(prefix string) router {
	if e.g != nil {
		return &echoRouter{e.Echo, e.g.Group(colons(prefix))}
	}
	return &echoRouter{e.Echo, e.Group(colons(prefix))}
}

func (e *echoRouter) sub(prefix string) router {
	inner := echo.New()
	e.router().Any(prefix+"/*", echo.WrapHandler(inner))
	return &echoRouter{inner, inner.Group(prefix)}
}

func (e *echoRouter) mount(path string, srv *core.Server, keys ...string) {
	echosio.Mount(e.router(), colons(path), srv, keys...)
}

func (e *echoRouter) post(path string, h func(context.Context, http.ResponseWriter, *http.Request)) {
	e.router().Any(path, func(c echo.Context) error {
		h(c.Request().Context(), c.Response(), c.Request())
		return nil
	})
}

func (*echoRouter) get(ctx context.Context, key string) string {
	v, _ := echosio.Get[string](ctx, key)
	return v
}

func (*echoRouter) param(ctx context.Context, name string) string { return echosio.Param(ctx, name) }
