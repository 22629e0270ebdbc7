package app

import (
	"cmp"
	"context"
	"crypto/rand"
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
)

// Main serves the application with these routes until the process is told to end. Environment:
//
//	ADDR         where to listen, default 127.0.0.1:5000
//	SESSION_KEY  signs the session cookies, at least 32 bytes; default: a new key, so a restart logs everybody out
//	SESSION_DIR  a folder for the sessions, which sockets and routes then share; default: they are in the cookies
//	CLIENT_DIR   the dist folder of npm's socket.io-client, default node_modules/socket.io-client/dist
func Main(routes func(*App) http.Handler) {
	if err := run(routes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(routes func(*App) http.Handler) error {
	key, err := sessionKey()
	if err != nil {
		return err
	}
	client, err := clientFiles()
	if err != nil {
		return err
	}
	a, err := New(Config{Key: key, Client: client, SessionDir: os.Getenv("SESSION_DIR")})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:5000"))
	if err != nil {
		return fmt.Errorf("app: %w: set ADDR to an address that is free", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: routes(a), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("log in as ann (ann-secret) or bob (bob-secret)", "url", "http://"+listener.Addr().String())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends the program at once
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// Sockets first: http.Server.Shutdown waits for polls that hang, and knows nothing of WebSockets.
	return errors.Join(a.Sockets.Shutdown(ctx), server.Shutdown(ctx))
}

// sessionKey returns the key that signs the cookies. Whoever has it can log in as anybody.
func sessionKey() ([]byte, error) {
	const size = 32
	if key := os.Getenv("SESSION_KEY"); key != "" {
		if len(key) < size {
			return nil, fmt.Errorf("app: SESSION_KEY has %d bytes, at least %d are needed: take the output of `openssl rand -hex 32`", len(key), size)
		}
		return []byte(key), nil
	}
	slog.Warn("SESSION_KEY is not set: a restart will log everybody out")
	key := make([]byte, size)
	rand.Read(key) // never fails: see crypto/rand
	return key, nil
}

// clientFiles finds the browser's half of Socket.IO, which the server hands out at /socket.io/socket.io.min.js.
func clientFiles() (fs.FS, error) {
	dir := cmp.Or(os.Getenv("CLIENT_DIR"), "node_modules/socket.io-client/dist")
	if _, err := os.Stat(filepath.Join(dir, "socket.io.min.js")); err != nil {
		return nil, fmt.Errorf("app: the browser client is missing (%w): run `make setup-node` and start at the top of "+
			"the repository, or set CLIENT_DIR to the dist folder of npm's socket.io-client", err)
	}
	return os.DirFS(dir), nil
}
