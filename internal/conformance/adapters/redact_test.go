package adapters_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

type around = func(http.Handler) http.Handler

// accessLogs are the default loggers, each behind the middleware under test.
var accessLogs = []struct {
	name string
	app  func(srv *core.Server, redact around, out io.Writer) http.Handler
}{
	{"gin", func(srv *core.Server, redact around, out io.Writer) http.Handler {
		e := gin.New()
		e.Use(ginsio.Middleware(redact), gin.LoggerWithWriter(out), gin.RecoveryWithWriter(out))
		ginsio.Mount(e, "/socket.io/", srv)
		return e
	}},
	{"echo Logger", func(srv *core.Server, redact around, out io.Writer) http.Handler {
		e := echo.New()
		e.Use(echosio.Middleware(redact))
		//lint:ignore SA1019 deprecated, and in use
		e.Use(echomw.LoggerWithConfig(echomw.LoggerConfig{Output: out}))
		echosio.Mount(e, "/socket.io/", srv)
		return e
	}},
	{"echo RequestLogger", func(srv *core.Server, redact around, out io.Writer) http.Handler {
		e := echo.New()
		logger := slog.New(slog.NewTextHandler(out, nil))
		e.Use(echosio.Middleware(redact), echomw.RequestLoggerWithConfig(echomw.RequestLoggerConfig{
			LogURI: true, LogStatus: true, LogQueryParams: []string{"sid", "token"},
			LogValuesFunc: func(_ echo.Context, v echomw.RequestLoggerValues) error {
				logger.Info("request", "uri", v.URI, "status", v.Status, "query", v.QueryParams)
				return nil
			},
		}))
		echosio.Mount(e, "/socket.io/", srv)
		return e
	}},
	{"chi", func(srv *core.Server, redact around, out io.Writer) http.Handler {
		r := chi.NewRouter()
		r.Use(redact, chimw.RequestLogger(&chimw.DefaultLogFormatter{Logger: log.New(out, "", 0), NoColor: true}))
		chisio.Mount(r, "/socket.io/", srv)
		return r
	}},
	{"nethttp", func(srv *core.Server, redact around, out io.Writer) http.Handler {
		logger := log.New(out, "", 0)
		return redact(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { logger.Print(r.Method, " ", r.RequestURI, " ", r.URL) }()
			srv.ServeHTTP(w, r)
		}))
	}},
}

// secrets notes the session ids that clients send, in front of everything.
type secrets struct {
	mu   sync.Mutex
	sids map[string]bool // guarded by mu
}

func (s *secrets) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sid := r.URL.Query().Get("sid"); sid != "" {
			s.mu.Lock()
			s.sids[sid] = true
			s.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// leaks counts the session ids that stand in text.
func (s *secrets) leaks(text string) (found, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sid := range s.sids {
		if strings.Contains(text, sid) {
			found++
		}
	}
	return found, len(s.sids)
}

// no session id and no token of a URL stands in any access log, and everything works all the same.
func TestAccessLogsHoldNoSecret(t *testing.T) {
	const token = "tok-en-5ecret"
	for _, logs := range accessLogs {
		for _, hidden := range []bool{true, false} { // false shows that the test would see a leak
			name := logs.name
			if !hidden {
				name += " without RedactQuery"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				out, seen := &lines{}, &secrets{sids: map[string]bool{}}
				redact, sessions := around(core.RedactQuery), 60
				if os.Getenv("SIOKIT_SOAK") != "" {
					sessions = 1002
				}
				if !hidden {
					redact, sessions = func(next http.Handler) http.Handler { return next }, 3
				}
				app := &late{}
				s := serve(t, app)
				srv, own := newServer(t, core.Config{})
				core.OnCall(srv, "token", func(c *core.Context, _ core.None) (string, error) { return c.Query().Get("token"), nil })
				app.Handler = seen.note(logs.app(srv, redact, out))

				for _, transport := range transports {
					for range sessions / len(transports) {
						p := s.dial(transport, "/socket.io/?token="+token, nil)
						p.wantCall(token, "token")
						p.kill()
					}
				}
				if hidden {
					exampletest.Node(t, "redact-"+strings.ReplaceAll(logs.name, " ", "-"), "redact.test.mjs",
						"EXAMPLE="+logs.name, "EXAMPLE_URL="+s.url, "TOKEN="+token)
				}
				if err := srv.Shutdown(context.Background()); err != nil { // a WebSocket is logged at its end
					t.Error(err)
				}
				eventually(t, "polls and WebSockets are logged, after their end", func() bool {
					text := out.String()
					found, _ := seen.leaks(text)
					return strings.Contains(text, "transport=polling") && strings.Contains(text, "transport=websocket") && (hidden || found > 0)
				})
				text := out.String() + own.String()
				found, all := seen.leaks(text)
				switch {
				case all < sessions/3 || !strings.Contains(text, "transport=polling") || !strings.Contains(text, "transport=websocket"):
					t.Errorf("%d sessions seen; the log is %.2000s", all, text)
				case hidden && (found > 0 || strings.Contains(text, token) || !strings.Contains(text, "sid=REDACTED") || !strings.Contains(text, "token=REDACTED")):
					t.Errorf("%d of %d session ids are in the log: %.2000s", found, all, text)
				case !hidden && (found == 0 || !strings.Contains(text, token)):
					t.Errorf("the test finds nothing where nothing is hidden: %.2000s", text)
				}
			})
		}
	}
}
