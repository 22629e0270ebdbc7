package ginsio

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
)

// Mount serves srv on path, with and without the last slash, and the browser client's files
// below it. router is a *gin.Engine or a *gin.RouterGroup: the group's middleware runs on every
// request of the endpoint and may refuse it. The last part of path must be srv's Config.Path,
// by default "/socket.io/".
//
// Mount panics, as gin does, if the routes are taken.
func Mount(router gin.IRouter, path string, srv *core.Server) {
	base := srv.MountPath(path)
	h := Handler(srv)
	router.Any(base, h)
	router.Any(base+"/*file", h)
}

// Handler returns srv as a gin handler, for applications that register the routes themselves.
// It must get GET, POST and, with Origins set, OPTIONS.
func Handler(srv *core.Server) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := c.Request
		if isHandshake(r) {
			r = r.WithContext(handshake(c))
		}
		srv.ServeHTTP(c.Writer, r)
	}
}

// isHandshake spares the later requests of a connection the copying: only the handshake's
// values are kept. It must agree with engineio on what a handshake is, or the socket would miss
// gin's values; other parameters may end in "sid".
func isHandshake(r *http.Request) bool {
	return !strings.Contains(r.URL.RawQuery, "sid=") || r.URL.Query().Get("sid") == ""
}
