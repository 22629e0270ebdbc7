package chisio_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// A socket handler reads what chi's middleware and the route said when the connection was opened.
func Example() {
	srv, err := core.New(core.Config{})
	if err != nil {
		panic(err)
	}
	core.OnCall(srv, "where", func(c *core.Context, _ core.None) (string, error) {
		return fmt.Sprint(c.Value("tenant"), "/", chisio.Param(c, "room")), nil
	})

	r := chi.NewRouter()
	r.Route("/rooms/{room}", func(r chi.Router) {
		r.Use(middleware.WithValue("tenant", "acme"))
		chisio.Mount(r, "/socket.io/", srv)
	})

	app := httptest.NewServer(r)
	defer app.Close()
	defer func() { _ = srv.Shutdown(context.Background()) }()
	ann, err := client.Dial(context.Background(), app.URL, client.Options{Path: "/rooms/lobby/socket.io/"})
	if err != nil {
		panic(err)
	}
	defer ann.Close()
	fmt.Println(client.Call[string](context.Background(), ann, "where"))
	// Output: acme/lobby <nil>
}
