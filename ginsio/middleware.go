package ginsio

import (
	"bufio"
	"net"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

// Middleware makes a gin middleware of one for net/http, such as sessions.Manager.Middleware,
// auth.Users.Middleware and auth.Users.RequireHTTP. If it does not call the next handler, the
// chain is aborted. If it returns before the next handler does, as http.TimeoutHandler may, the answer
// is sent and the handler waited for: gin would give its *gin.Context to another request.
//
// sessions.From and auth.User then work with c.Request.Context() and with the *gin.Context
// itself.
func Middleware(mw func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		var running sync.Mutex // mw may run next on a goroutine of its own and not wait, as http.TimeoutHandler does
		outer, called, over := c.Writer, false, false
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Lock()
			defer running.Unlock()
			if over {
				return // c is another request's
			}
			called = true
			c.Request = r
			if w != http.ResponseWriter(outer) {
				c.Writer = &writer{ResponseWriter: outer, inner: w}
			}
			c.Set(sessions.ContextKey, sessions.From(r.Context()))
			c.Set(auth.ContextKey, auth.From(r.Context()))
			c.Next()
		})
		defer func() {
			if !running.TryLock() {
				if outer.Written() {
					outer.Flush() // the client need not wait
				}
				running.Lock()
			}
			defer running.Unlock()
			over = true
			c.Writer = outer
			if !called {
				c.Abort()
			}
		}()
		mw(next).ServeHTTP(outer, c.Request)
	}
}

// writer is gin's ResponseWriter over the one that a net/http middleware put in front of it.
// What gin alone knows (size, status) is still counted by gin's own.
type writer struct {
	gin.ResponseWriter
	inner http.ResponseWriter
	begun bool // inner has been told the status
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.inner }

func (w *writer) Header() http.Header { return w.inner.Header() }

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	return w.inner.Write(p)
}

func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// WriteHeader is inherited: gin only notes the status, and handlers may still change the session.

// WriteHeaderNow is where the header really goes out.
func (w *writer) WriteHeaderNow() {
	w.begin()
	w.ResponseWriter.WriteHeaderNow()
}

// begin gives inner the status that gin has noted, before the first byte.
func (w *writer) begin() {
	if !w.begun && !w.Written() {
		w.inner.WriteHeader(w.Status())
	}
	w.begun = true
}

func (w *writer) Flush() {
	w.begin()
	_ = http.NewResponseController(w.inner).Flush()
}

// Hijack goes through inner too: the session is saved before the connection is taken over.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.inner).Hijack()
}
