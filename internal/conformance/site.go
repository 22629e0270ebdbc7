package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/siokit/siokit/core"
)

// A site is one Socket.IO server on one address.
type site struct {
	address string
	sockets *core.Server
	http    *http.Server
	stop    func() error // may be called again, and so may kill
	kill    func() error // as the end of a process does that is killed

	mu    sync.Mutex
	conns map[net.Conn]bool // open, or hijacked; guarded by mu
}

func serve(address string, cfg core.Config) (*site, error) {
	return serveNoting(address, cfg, newNotes())
}

// serveNoting serves the contract; n outlives the site.
func serveNoting(address string, cfg core.Config, n *notes) (*site, error) {
	sockets, err := core.New(cfg)
	if err != nil {
		return nil, err
	}
	answer(sockets, n)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle("/socket.io/", sockets)
	s := &site{address: listener.Addr().String(), sockets: sockets, conns: make(map[net.Conn]bool)}
	s.http = &http.Server{Handler: routes, ReadHeaderTimeout: shutdownPatience, ConnState: s.note}
	served := make(chan struct{})
	finish := func(ctx context.Context, cut func()) error {
		// No new connections first, so that clients which come back at once meet a closed port. Serve
		// has to notice before http.Close, which closes every listener that is still served, and says
		// that this one was closed.
		err := listener.Close()
		<-served
		cut()
		return errors.Join(err, s.sockets.Shutdown(ctx), s.http.Close())
	}
	var once sync.Once
	s.stop = func() (err error) {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
			defer cancel()
			err = finish(ctx, func() {})
		})
		return err
	}
	s.kill = func() (err error) {
		once.Do(func() {
			now, cancel := context.WithCancel(context.Background())
			cancel()
			if err = finish(now, s.reset); errors.Is(err, context.Canceled) {
				err = nil // nobody was waited for
			}
		})
		return err
	}
	go func() {
		defer close(served)
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// reset breaks every connection: the peers see a reset.
func (s *site) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// note keeps the connections for reset. Those of WebSockets stay until the site has gone.
func (s *site) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[conn] = true
	case http.StateClosed:
		delete(s.conns, conn)
	}
}
