// Command jwt is a net/http application whose sockets log in with a JSON Web Token instead of a cookie, for mobile
// apps, other services, and pages of another origin.
//
//	go run ./examples/jwt
//	curl -d 'user=ann&password=ann-secret' http://127.0.0.1:5000/token
//
// and with the token, in JavaScript:
//
//	const socket = io("http://127.0.0.1:5000", { auth: (cb) => fetchToken().then((token) => cb({ token })) });
//	setInterval(async () => socket.emit("token", await fetchToken()), 10 * 60e3); // before it expires
//	socket.on("session ended", ({ message, data }) => show(message));             // data.reason: "token expired", ...
//
// Environment:
//
//	ADDR     where to listen, default 127.0.0.1:5000
//	JWT_KEY  signs the tokens, at least 32 bytes; default: a new one at each start
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	key, err := signingKey()
	if err != nil {
		return err
	}
	handler, sockets, err := newApp(key, slog.Default())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:5000"))
	if err != nil {
		return fmt.Errorf("jwt: %w: set ADDR to an address that is free", err)
	}
	slog.Info("listening", "url", "http://"+listener.Addr().String())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(sockets.Shutdown(ctx), server.Shutdown(ctx))
}

// signingKey returns the key by which this program knows its own tokens: whoever has it is everybody.
func signingKey() ([]byte, error) {
	key := []byte(os.Getenv("JWT_KEY"))
	switch {
	case len(key) == 0:
		key = make([]byte, 32)
		rand.Read(key) // never fails: see crypto/rand
		slog.Warn("JWT_KEY is not set: tokens end with this process")
	case len(key) < 32:
		return nil, fmt.Errorf("jwt: JWT_KEY has %d bytes, at least 32 are needed: take the output of `openssl rand -hex 32`", len(key))
	}
	return key, nil
}
