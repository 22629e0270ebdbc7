// Command chat is a gin application with a cookie login whose socket handlers know who is logged in.
//
// Start it with `make run` at the top of the repository and open http://127.0.0.1:5000 in two browsers: once as
// ann (ann-secret), once as bob (bob-secret).
//
// Environment:
//
//	ADDR         where to listen, default 127.0.0.1:5000
//	SESSION_KEY  signs the login cookies, at least 32 bytes; default: a key kept in the user's cache folder
//	CLIENT_DIR   the dist folder of npm's socket.io-client, default node_modules/socket.io-client/dist
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/sessions"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	key, err := sessionKey()
	if err != nil {
		return err
	}
	client, err := clientFiles()
	if err != nil {
		return err
	}
	handler, sockets, err := newApp(key, client)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:5000"))
	if err != nil {
		return fmt.Errorf("chat: %w: set ADDR to an address that is free", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("the chat is open", "url", "http://"+listener.Addr().String())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends the program at once
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// Sockets first: http.Server.Shutdown waits for polls that hang, and knows nothing of WebSockets.
	return errors.Join(sockets.Shutdown(ctx), server.Shutdown(ctx))
}

// newApp builds the whole application: one login, seen by the HTTP routes and by the socket handlers.
func newApp(key []byte, client fs.FS) (http.Handler, *core.Server, error) {
	sess, err := sessions.New(gorilla.NewCookieStore(key), "chat", sessions.Options{})
	if err != nil {
		return nil, nil, err
	}
	users := auth.New(sess, loadUser)
	sockets, err := core.New(core.Config{Sessions: sess, Authenticate: users.Handshake, Client: client})
	if err != nil {
		return nil, nil, err
	}
	handleEvents(sockets)

	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery(), ginsio.Middleware(users.Middleware))
	handleRoutes(router, users, sockets)
	ginsio.Mount(router, "/socket.io/", sockets)

	// Refuses forms that another site makes a browser send. Sockets have their own check of the origin.
	return http.NewCrossOriginProtection().Handler(router), sockets, nil
}

// clientFiles finds the browser's half of Socket.IO, which the server hands out at /socket.io/socket.io.min.js.
func clientFiles() (fs.FS, error) {
	dir := cmp.Or(os.Getenv("CLIENT_DIR"), "node_modules/socket.io-client/dist")
	if _, err := os.Stat(filepath.Join(dir, "socket.io.min.js")); err != nil {
		return nil, fmt.Errorf("chat: the browser client is missing (%w): start the chat with `make run`, "+
			"which fetches it, or set CLIENT_DIR to the dist folder of npm's socket.io-client", err)
	}
	return os.DirFS(dir), nil
}
