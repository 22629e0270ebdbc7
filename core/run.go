package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// defaultAddr is where Run listens: on this machine only, as Flask does.
const defaultAddr = "127.0.0.1:5000"

// Run serves on addr until ctx ends, for applications that have no HTTP server of their own: the
// Socket.IO endpoint and the browser client at Config.Path, and app for every other path. app may be nil:
// then those are 404. addr "" is "127.0.0.1:5000", which this machine alone can reach; ":5000" is every
// interface.
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := srv.Run(ctx, "", core.Static(os.DirFS("public"), files, nil))
//
// When ctx ends, or Shutdown is called, Run calls Shutdown, then closes the listener and waits for the
// requests under way: all of it for at most Config.ShutdownTimeout. It returns nil when everything has
// ended in time, else an error. Before, it returns only if it cannot listen or accept.
//
// The HTTP server waits 10 s for a request's header, 5 minutes for all of a request and of its answer,
// and 2 minutes for the next request of a connection. Sockets have their own timeouts: none of these ends
// a waiting poll or a WebSocket. An app handler that needs longer sets it by http.ResponseController. For
// anything else, mount the server in an http.Server of yours. Run may be called several times at once,
// with different addresses; the first to end ends the server.
func (s *Server) Run(ctx context.Context, addr string, app http.Handler) error {
	return s.run(ctx, addr, app, (*http.Server).Serve)
}

// RunTLS is Run over HTTPS. The files are PEM: the certificate, followed by those in between, and its
// key.
func (s *Server) RunTLS(ctx context.Context, addr, certFile, keyFile string, app http.Handler) error {
	return s.run(ctx, addr, app, func(server *http.Server, l net.Listener) error {
		return server.ServeTLS(l, certFile, keyFile)
	})
}

// Serve is Run on a listener that exists: a Unix socket, one of systemd, tls.NewListener, a test's. It
// closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener, app http.Handler) error {
	return s.serveOn(ctx, l, app, (*http.Server).Serve)
}

func (s *Server) run(ctx context.Context, addr string, app http.Handler, serve func(*http.Server, net.Listener) error) error {
	if s.background.ctx.Err() != nil {
		return ErrShutdown
	}
	l, err := net.Listen("tcp", cmp.Or(addr, defaultAddr))
	if err != nil {
		return fmt.Errorf("core: Run: %w: choose an address of this machine with a free port, like %q", err, defaultAddr)
	}
	return s.serveOn(ctx, l, app, serve)
}

// serveOn serves on l by serve until something ends it.
func (s *Server) serveOn(ctx context.Context, l net.Listener, app http.Handler, serve func(*http.Server, net.Listener) error) error {
	if s.background.ctx.Err() != nil {
		_ = l.Close()
		return ErrShutdown
	}
	requests := context.WithoutCancel(ctx) // those under way may finish
	server := &http.Server{
		Handler:           s.before(app),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       5 * time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	s.cfg.Logger.Info("core: serving", "address", l.Addr().String(), "path", s.cfg.Path)
	failed := make(chan error, 1)
	go func() { failed <- serve(server, l) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("core: Run: %w", err)
		failed <- http.ErrServerClosed // for the receive below
	case <-ctx.Done():
	case <-s.background.ctx.Done(): // somebody called Shutdown
	}
	limit, cancel := context.WithTimeout(requests, s.cfg.ShutdownTimeout)
	defer cancel()
	// Sockets first: http.Server.Shutdown would wait for parked polls, and knows nothing of WebSockets.
	err = errors.Join(err, s.Shutdown(limit), server.Shutdown(limit))
	_ = server.Close()
	<-failed
	return err
}

// before answers at Config.Path, and hands all other requests to app.
func (s *Server) before(app http.Handler) http.Handler {
	if app == nil {
		app = http.NotFoundHandler()
	}
	base := strings.TrimSuffix(s.cfg.Path, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == base || strings.HasPrefix(r.URL.Path, base+"/") {
			s.ServeHTTP(w, r)
			return
		}
		app.ServeHTTP(w, r)
	})
}
