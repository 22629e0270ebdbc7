package echosio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
)

// A socket handler reads what Echo's middleware stored when the connection was opened.
func Example() {
	srv, err := core.New(core.Config{})
	if err != nil {
		panic(err)
	}
	core.OnCall(srv, "where", func(c *core.Context, _ core.None) (string, error) {
		tenant, _ := echosio.Get[string](c, "tenant")
		return tenant + "/" + echosio.Param(c, "room"), nil
	})

	e := echo.New()
	rooms := e.Group("/rooms/:room", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set("tenant", c.Request().Header.Get("X-Tenant"))
			return next(c)
		}
	})
	echosio.Mount(rooms, "/socket.io/", srv, "tenant")

	app := httptest.NewServer(e)
	defer app.Close()
	defer func() { _ = srv.Shutdown(context.Background()) }()
	ann, err := client.Dial(context.Background(), app.URL, client.Options{Path: "/rooms/lobby/socket.io/", Header: http.Header{"X-Tenant": {"acme"}}})
	if err != nil {
		panic(err)
	}
	defer ann.Close()
	fmt.Println(client.Call[string](context.Background(), ann, "where"))
	// Output: acme/lobby <nil>
}

// With Middleware, one for net/http wraps Echo's routes: here one that stores a value in the
// request's context, where socket handlers find it as well.
func ExampleMiddleware() {
	type key struct{}
	version := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "v2")))
		})
	}
	e := echo.New()
	e.Use(echosio.Middleware(version))
	e.GET("/version", func(c echo.Context) error {
		return c.String(http.StatusOK, c.Request().Context().Value(key{}).(string))
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/version", nil))
	body, _ := io.ReadAll(w.Body)
	fmt.Println(string(body))
	// Output: v2
}
