package adapters_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
	"github.com/siokit/siokit/ginsio"
)

// deadline is that of the timeout middleware, and parked how long a poll waits behind it.
const (
	deadline = 600 * time.Millisecond
	parked   = 1500
)

// TestMiddleware puts the server behind what applications commonly have. Each cell works on all transports, or
// WebSockets are refused with an error in the log that names the writer that is to blame.
func TestMiddleware(t *testing.T) {
	ginApp := func(mw ...gin.HandlerFunc) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			e := gin.New()
			e.Use(mw...)
			ginsio.Mount(e, "/socket.io/", srv)
			return e
		}
	}
	echoApp := func(mw ...echo.MiddlewareFunc) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			e := echo.New()
			e.Logger.SetOutput(io.Discard)
			e.Use(mw...)
			echosio.Mount(e, "/socket.io/", srv)
			return e
		}
	}
	chiApp := func(mw ...func(http.Handler) http.Handler) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler {
			r := chi.NewRouter()
			r.Use(mw...)
			chisio.Mount(r, "/socket.io/", srv)
			return r
		}
	}
	plain := func(mw func(http.Handler) http.Handler) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler { return mw(srv) }
	}
	echoTimeout := echomw.TimeoutWithConfig(echomw.TimeoutConfig{Timeout: deadline}) //nolint:staticcheck // deprecated, and in use
	status := echomw.RequestLoggerWithConfig(echomw.RequestLoggerConfig{LogStatus: true, LogValuesFunc: func(echo.Context, echomw.RequestLoggerValues) error { return nil }})
	chiLog := chimw.RequestLogger(&chimw.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0), NoColor: true})

	for _, cell := range []struct {
		name    string
		app     func(srv *core.Server) http.Handler
		culprit string // the type that WebSockets are refused for; "": they work
	}{
		{"gin/Recovery+Logger", ginApp(gin.RecoveryWithWriter(io.Discard), gin.LoggerWithWriter(io.Discard)), ""},
		{"gin/gzip", ginApp(ginGzip), ""},
		{"gin/in TimeoutHandler", func(srv *core.Server) http.Handler { return timeoutHandler(ginApp()(srv)) }, "*http.timeoutWriter"},
		{"gin/in bare recorder", func(srv *core.Server) http.Handler { return bareRecorder(ginApp()(srv)) }, "*adapters_test.recorder"},
		{"echo/Recover+RequestLogger", echoApp(echomw.Recover(), status), ""},
		{"echo/Gzip", echoApp(echomw.Gzip()), ""},
		{"echo/Gzip MinLength", echoApp(echomw.GzipWithConfig(echomw.GzipConfig{MinLength: 200})), ""},
		{"echo/BodyDump", echoApp(echomw.BodyDump(func(echo.Context, []byte, []byte) {})), ""},
		{"echo/Timeout", echoApp(echoTimeout), "*http.timeoutWriter"},
		{"echo/Timeout+BodyDump", echoApp(echoTimeout, echomw.BodyDump(func(echo.Context, []byte, []byte) {})), "*http.timeoutWriter"},
		{"echo/ContextTimeout", echoApp(echomw.ContextTimeout(deadline)), ""},
		{"echo/all", echoApp(echomw.Recover(), status, echomw.Gzip(), echomw.BodyDump(func(echo.Context, []byte, []byte) {})), ""},
		{"echo/in bare recorder", func(srv *core.Server) http.Handler { return bareRecorder(echoApp()(srv)) }, "*adapters_test.recorder"},
		{"chi/Recoverer+Logger", chiApp(chimw.Recoverer, chiLog), ""},
		{"chi/Compress", chiApp(chimw.Compress(5)), ""},
		{"chi/Timeout", chiApp(chimw.Timeout(deadline)), ""},
		{"chi/Throttle", chiApp(chimw.ThrottleBacklog(2, 10, time.Second)), ""},
		{"chi/all", chiApp(chiLog, chimw.Recoverer, chimw.Compress(5), chimw.Timeout(deadline), chimw.Throttle(10)), ""},
		{"nethttp/TimeoutHandler", plain(timeoutHandler), "*http.timeoutWriter"},
		{"nethttp/gzip", plain(blindGzip), ""},
		{"nethttp/bare recorder", plain(bareRecorder), "*adapters_test.recorder"},
		{"nethttp/lying recorder", plain(lyingRecorder), "*adapters_test.liar"},
	} {
		t.Run(cell.name, func(t *testing.T) {
			t.Parallel()
			for _, transport := range transports {
				t.Run(transport, func(t *testing.T) {
					t.Parallel()
					app := &late{}
					s := serve(t, app)
					srv, logged := newServer(t, core.Config{})
					app.Handler = cell.app(srv)
					p, err := s.tryDial(transport, "/socket.io/", nil)
					if transport != "polling" && cell.culprit != "" {
						wantCulprit(t, err, logged, cell.culprit)
						if transport == "websocket" {
							return
						}
						err = nil // the session goes on polling
					}
					if err != nil {
						t.Fatal(err)
					}
					p.wantCall("small", "echo", "small")
					big := strings.Repeat("big ", 3000) // is worth compressing
					p.wantCall(big, "echo", big)
					if _, err := p.call("later", parked); err != nil {
						t.Fatal(err)
					}
					p.want(`2["now"]`)
				})
			}
		})
	}
}

// late is a handler that is made after its listener.
type late struct{ http.Handler }

func wantCulprit(t *testing.T, err error, logged *lines, culprit string) {
	t.Helper()
	var refused *refusal
	if !errors.As(err, &refused) || refused.status != http.StatusBadRequest {
		t.Fatalf("got %v, want 400", err)
	}
	for _, want := range []string{"cannot take over the connection", culprit + ": the last one"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, logged)
		}
	}
}

func timeoutHandler(next http.Handler) http.Handler {
	return http.TimeoutHandler(next, deadline, "too slow")
}

// recorder is the status recorder of a thousand tutorials: no Unwrap, no Hijack, no Flush.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

func bareRecorder(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&recorder{ResponseWriter: w}, r)
	})
}

// liar has the method, and panics in it as those do that assert what they wrap.
type liar struct{ http.ResponseWriter }

func (w *liar) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

func lyingRecorder(next http.Handler) http.Handler {
	return bareRecorder(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&liar{w}, r)
	}))
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

// blindGzip compresses at the first write, without a look at what the handler has done, as echo's Gzip does.
func blindGzip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Accept-Encoding")
		zw := &gzipWriter{ResponseWriter: w}
		defer func() {
			if zw.z != nil {
				_ = zw.z.Close()
			}
		}()
		next.ServeHTTP(zw, r)
	})
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) WriteHeader(code int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(code)
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	if w.z == nil {
		w.z = gzip.NewWriter(w.ResponseWriter)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Del("Content-Length")
	}
	return w.z.Write(p)
}
