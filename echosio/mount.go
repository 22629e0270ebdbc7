package echosio

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/core"
)

// A Router is what a server can be mounted on: an *echo.Echo or an *echo.Group.
type Router interface {
	Any(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) []*echo.Route
}

// Mount serves srv on path, with and without the last slash, and the browser client's files
// below it. The middleware of a group runs on every request of the endpoint and may refuse it.
// The last part of path must be srv's Config.Path, by default "/socket.io/". keys name the
// values of c.Set that socket handlers read with [Get].
func Mount(router Router, path string, srv *core.Server, keys ...string) {
	base := srv.MountPath(path)
	h := Handler(srv, keys...)
	router.Any(base, h)
	router.Any(base+"/*", h)
}

// Handler returns srv as an Echo handler, for applications that register the routes themselves.
// It must get GET, POST and, with Origins set, OPTIONS. keys are as for [Mount]. The handler
// always returns nil: refusals are answered in the protocol's own form.
func Handler(srv *core.Server, keys ...string) echo.HandlerFunc {
	keys = slices.Clone(keys)
	return func(c echo.Context) error {
		r := c.Request()
		if isHandshake(r) {
			r = r.WithContext(handshake(c, keys))
		}
		srv.ServeHTTP(response{c.Response()}, r)
		return nil
	}
}

// isHandshake spares the later requests of a connection the copying: only the handshake's
// values are kept. It must agree with engineio on what a handshake is, or the socket would miss
// the values; other parameters may end in "sid".
func isHandshake(r *http.Request) bool {
	return !strings.Contains(r.URL.RawQuery, "sid=") || r.URL.Query().Get("sid") == ""
}

// response is Echo's, except that it does not panic where something below cannot flush, such as
// http.TimeoutHandler and the middleware of that name.
type response struct{ *echo.Response }

// FlushError is what http.ResponseController looks for first.
func (w response) FlushError() (err error) {
	defer func() {
		if recover() != nil { // of middleware.BodyDump, which panics like echo.Response
			err = http.ErrNotSupported
		}
	}()
	return http.NewResponseController(w.Writer).Flush()
}
