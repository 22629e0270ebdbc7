package core_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/siokit/siokit/core"
)

// recorder is a middleware's ResponseWriter that hides what it wraps.
type recorder struct{ http.ResponseWriter }

// A middleware whose writer cannot be hijacked keeps every client on polling. Check says which one it is.
func ExampleServer_Check() {
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = srv.Shutdown(context.Background()) }()
	mux := http.NewServeMux()
	core.Mount(mux, "/socket.io/", srv)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(recorder{w}, r) })

	fmt.Println(srv.Check(context.Background(), app, "/socket.io/", nil))
	fmt.Println(srv.Check(context.Background(), mux, "/socket.io/", nil))
	// Output:
	// core: check: upgrade, WebSocket handshake: Bad request: engineio: cannot take over the connection: feature not supported; the ResponseWriter chain is core_test.recorder: the last one has neither Hijack nor Unwrap. Mount the socket route before that middleware
	// <nil>
}
