package adapters_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"

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
		{"gin/gzip", ginApp(ginGzip), "", false},
		{"gin/in TimeoutHandler", func(srv *core.Server) http.Handler { return timeoutHandler(ginApp()(srv)) }, "*http.timeoutWriter", true},
		{"gin/in bare recorder", func(srv *core.Server) http.Handler { return bareRecorder(ginApp()(srv)) }, "*adapters_test.recorder", false},
	}...)
}

// ginGzip compresses as gin-contrib/gzip does: whatever is written, unless the request asks for an upgrade.
func ginGzip(c *gin.Context) {
	if !strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") || strings.Contains(c.GetHeader("Connection"), "Upgrade") {
		return
	}
	z := gzip.NewWriter(c.Writer)
	c.Header("Content-Encoding", "gzip")
	c.Writer = &ginGzipWriter{c.Writer, z}
	defer func() { _ = z.Close() }()
	c.Next()
}

type ginGzipWriter struct {
	gin.ResponseWriter
	z *gzip.Writer
}

func (w *ginGzipWriter) Write(p []byte) (int, error) {
	w.Header().Del("Content-Length")
	return w.z.Write(p)
}

func (w *ginGzipWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *ginGzipWriter) Flush() {
	_ = w.z.Flush()
	w.ResponseWriter.Flush()
}
