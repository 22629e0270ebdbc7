package adapters_test

import (
	"bufio"
	"compress/gzip"
	"net"
	"net/http"
	"strings"

	"github.com/siokit/siokit/core"
)

func init() {
	plain := func(mw func(http.Handler) http.Handler) func(srv *core.Server) http.Handler {
		return func(srv *core.Server) http.Handler { return mw(srv) }
	}
	cells = append(cells, []cell{
		{"nethttp/TimeoutHandler", plain(timeoutHandler), "*http.timeoutWriter", true},
		{"nethttp/gzip", plain(blindGzip), "", false},
		{"nethttp/bare recorder", plain(bareRecorder), "*adapters_test.recorder", false},
		{"nethttp/lying recorder", plain(lyingRecorder), "*adapters_test.liar", false},
	}...)
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
