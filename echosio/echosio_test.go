package echosio_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
	"github.com/siokit/siokit/siotest"
)

// A key that was not named at Mount must not look like a value that was not set.
func TestGetOfAnUnnamedKeySaysSo(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	core.OnCall(srv, "read", func(c *core.Context, _ core.None) (out string, err error) {
		defer func() { out, _ = recover().(string) }()
		for _, key := range []string{"unset", "number"} {
			if v, ok := echosio.Get[string](c, key); ok || v != "" {
				return "", nil
			}
		}
		_, _ = echosio.Get[string](c, "user")
		return "", nil
	})
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set("user", "ann")
			c.Set("number", 7)
			return next(c)
		}
	})
	echosio.Mount(e, "/socket.io/", srv, "unset", "number")
	c := siotest.Serve(t, e, srv).Dial()
	if got := siotest.Call[string](c, "read"); !strings.Contains(got, `echosio.Mount(e, path, srv, "user")`) {
		t.Errorf("Get of a key that was not named: %s", got)
	}
	if v, ok := echosio.Get[string](t.Context(), "user"); ok || v != "" {
		t.Errorf("outside of sockets: %q %t", v, ok)
	}
	if v := echosio.Param(t.Context(), "room"); v != "" {
		t.Errorf("outside of sockets: %q", v)
	}
}

// Middleware outside must see the status, whoever wrote the answer, and handlers inside the response that the
// net/http middleware passed on.
func TestMiddlewareLeavesEchosOwnResponse(t *testing.T) {
	type recorder struct{ http.ResponseWriter }
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Wrapped", "yes")
			next.ServeHTTP(recorder{w}, r)
		})
	}
	refuse := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	}
	for name, test := range map[string]struct {
		mw     func(http.Handler) http.Handler
		h      echo.HandlerFunc
		status int
		called bool
	}{
		"answers": {wrap, func(c echo.Context) error {
			if _, ok := c.Response().Writer.(recorder); !ok {
				t.Errorf("the handler writes to %T", c.Response().Writer)
			}
			return c.NoContent(http.StatusTeapot)
		}, http.StatusTeapot, true},
		"error":   {wrap, func(echo.Context) error { return echo.ErrNotFound }, http.StatusNotFound, true},
		"refused": {refuse, func(echo.Context) error { return nil }, http.StatusForbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, called := echo.New(), false
			var seen *echo.Response
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					before := c.Response()
					if err := next(c); err != nil {
						c.Error(err)
					}
					if seen = c.Response(); seen != before {
						t.Error("the response is another one after the middleware")
					}
					if seen.Status != test.status || !seen.Committed {
						t.Errorf("outside: status %d, committed %t", seen.Status, seen.Committed)
					}
					return nil
				}
			}, echosio.Middleware(test.mw))
			e.GET("/", func(c echo.Context) error { called = true; return test.h(c) })
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != test.status || called != test.called {
				t.Errorf("status %d, handler called: %t", w.Code, called)
			}
		})
	}
}
