package echosio

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Middleware makes an Echo middleware of one for net/http, such as sessions.Manager.Middleware,
// auth.Users.Middleware and auth.Users.RequireHTTP. If it does not call the next handler, the
// chain ends there.
//
// sessions.From and auth.User then work with c.Request().Context(). It differs from
// echo.WrapMiddleware in that the response is Echo's own again once mw has returned, for the
// error handler and for middleware that looks at the status.
func Middleware(mw func(http.Handler) http.Handler) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			outer := c.Response()
			inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.SetRequest(r)
				if w != http.ResponseWriter(outer) {
					c.SetResponse(echo.NewResponse(w, c.Echo()))
				}
				err = next(c)
			})
			defer c.SetResponse(outer)
			mw(inner).ServeHTTP(outer, c.Request())
			return err
		}
	}
}
