package echosio

import (
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"
)

// Middleware makes an Echo middleware of one for net/http, such as sessions.Manager.Middleware,
// auth.Users.Middleware and auth.Users.RequireHTTP. If it does not call the next handler, the
// chain ends there. If it returns before the next handler does, as http.TimeoutHandler may, the
// answer is sent and the handler waited for: Echo would give its context to another request.
//
// sessions.From and auth.User then work with c.Request().Context(). It differs from
// echo.WrapMiddleware in that the response is Echo's own again once mw has returned, for the
// error handler and for middleware that looks at the status.
func Middleware(mw func(http.Handler) http.Handler) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			var running sync.Mutex // mw may run next on a goroutine of its own and not wait, as http.TimeoutHandler does
			outer, over := c.Response(), false
			inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				running.Lock()
				defer running.Unlock()
				if over {
					return // c is another request's
				}
				c.SetRequest(r)
				if w != http.ResponseWriter(outer) {
					c.SetResponse(echo.NewResponse(w, c.Echo()))
				}
				err = next(c)
			})
			func() {
				defer func() {
					if !running.TryLock() {
						if outer.Committed {
							_ = http.NewResponseController(outer.Writer).Flush() // the client need not wait
						}
						running.Lock()
					}
					defer running.Unlock()
					over = true
					c.SetResponse(outer)
				}()
				mw(inner).ServeHTTP(outer, c.Request())
			}()
			return err
		}
	}
}
