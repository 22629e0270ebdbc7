package echosio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
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
	fmt.Println(ask(app.URL+"/rooms/lobby/socket.io/", http.Header{"X-Tenant": {"acme"}}, "where"))
	// Output: ["acme/lobby"]
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

// ask connects as a client does, calls one event and returns the ack.
func ask(url string, header http.Header, event string) string {
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"?EIO=4&transport=websocket", header)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = ws.Close() }()
	next := "40" // join "/", and once that is answered, emit
	for {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(next)); err != nil {
			return err.Error()
		}
		for next = ""; next == ""; {
			_, packet, err := ws.ReadMessage()
			if err != nil {
				return err.Error()
			}
			if ack, ok := strings.CutPrefix(string(packet), "430"); ok {
				return ack
			}
			if strings.HasPrefix(string(packet), "40") {
				next = `420["` + event + `"]`
			}
		}
	}
}
