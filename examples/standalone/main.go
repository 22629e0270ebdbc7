// Command standalone serves Socket.IO without a web framework: core.Server.Run listens, Static serves the page, and a
// background task of the server emits. Start it at the top of the repository and open http://127.0.0.1:5000:
//
//	go run ./examples/standalone
//
// Environment:
//
//	ADDR        where to listen, default 127.0.0.1:5000
//	CLIENT_DIR  the dist folder of npm's socket.io-client, default node_modules/socket.io-client/dist
package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/siokit/siokit/core"
)

//go:embed page
var page embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:5000"))
	if err == nil {
		err = run(ctx, l, os.DirFS(cmp.Or(os.Getenv("CLIENT_DIR"), "node_modules/socket.io-client/dist")), time.Second)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves on l until ctx ends, and tells everybody the time every so often. A program that does not care where it
// listens calls srv.Run instead of srv.Serve.
func run(ctx context.Context, l net.Listener, client fs.FS, every time.Duration) error {
	srv, err := core.New(core.Config{Client: client})
	if err != nil {
		return err
	}
	core.On(srv, "say", func(c *core.Context, text string) error { return srv.Emit("said", text) })

	err = srv.Go(func(ctx context.Context) { // ctx ends with the server
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				_ = srv.Emit("time", now.Format(time.TimeOnly)) // a string can always be sent
			case <-ctx.Done():
				return
			}
		}
	})
	if err != nil {
		return err
	}

	app := http.NewServeMux() // what is neither Socket.IO nor a file
	app.HandleFunc("POST /say", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Emit("said", r.FormValue("text")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	files := core.Static(page, map[string]core.StaticFile{
		"/":       {Name: "page/index.html"},
		"/assets": {Name: "page/"},
	}, app)
	return srv.Serve(ctx, l, files)
}
