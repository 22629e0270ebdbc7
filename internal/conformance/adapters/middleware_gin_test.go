package adapters_test

import (
	"io"
	"net/http"

	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
)

func init() {
	ginApp := func(mw ...gin.HandlerFunc) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			e := gin.New()
			e.Use(mw...)
			ginsio.Mount(e, "/socket.io/", srv)
			return e
		}
	}
	cells = append(cells, []cell{
		{"gin/Recovery+Logger", ginApp(gin.RecoveryWithWriter(io.Discard), gin.LoggerWithWriter(io.Discard)), "", false},
		{"gin/gzip", ginApp(gzip.Gzip(gzip.DefaultCompression)), "", false},
		// net/http's stands in for gin-contrib/timeout, which is no dependency of this module.
		{"gin/in TimeoutHandler", func(srv *core.Server) http.Handler { return timeoutHandler(ginApp()(srv)) }, "*http.timeoutWriter", true},
		{"gin/in bare recorder", func(srv *core.Server) http.Handler { return bareRecorder(ginApp()(srv)) }, "*adapters_test.recorder", false},
	}...)
}
