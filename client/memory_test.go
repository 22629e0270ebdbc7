package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// network is one host in memory, for testing/synctest: everything that waits on it is durably blocked.
type network struct {
	mu      sync.Mutex
	handler http.Handler   // guarded by mu; nil: nothing listens
	dials   []time.Time    // guarded by mu
	conns   []net.Conn     // both ends; guarded by mu
	frozen  bool           // guarded by mu
	serving sync.WaitGroup // one for each connection
}

// listen makes h serve from now on; nil stops listening. Open connections stay.
func (n *network) listen(h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handler = h
}

// cut breaks every open connection.
func (n *network) cut() {
	n.mu.Lock()
	conns := n.conns
	n.conns = nil
	n.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, time.Now())
	if n.handler == nil {
		return nil, errors.New("nothing listens in memory")
	}
	here, there := net.Pipe()
	w := &wire{Conn: here, network: n, closed: make(chan struct{})}
	n.conns = append(n.conns, w, there)
	one := &oneConn{conn: there, done: make(chan struct{})}
	srv := &http.Server{Handler: n.handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed || s == http.StateHijacked {
			one.once.Do(func() { close(one.done) })
		}
	}}
	n.serving.Go(func() { _ = srv.Serve(one) })
	return w, nil
}

// wire is the client's end of a connection.
type wire struct {
	net.Conn
	network *network
	once    sync.Once
	closed  chan struct{}
}

func (w *wire) Read(p []byte) (int, error) {
	k, err := w.Conn.Read(p)
	w.network.mu.Lock()
	frozen := w.network.frozen
	w.network.mu.Unlock()
	if frozen {
		<-w.closed
		return 0, net.ErrClosed
	}
	return k, err
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// freeze lets nothing through to the client any more.
func (n *network) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = true
}

func (n *network) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.dial}}
}

// count returns how often somebody has dialled.
func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

// close ends all connections and waits for their servers.
func (n *network) close() {
	n.listen(nil)
	n.cut()
	n.serving.Wait()
}

// oneConn is a listener of one connection.
type oneConn struct {
	conn net.Conn // nil once accepted; owned by Accept
	done chan struct{}
	once sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// memoryServer is a siokit server on n; stop ends it.
func memoryServer(t *testing.T, n *network, setup func(srv *core.Server)) (stop func()) {
	return memoryServerOf(t, n, core.Config{}, setup)
}

func memoryServerOf(t *testing.T, n *network, cfg core.Config, setup func(srv *core.Server)) (stop func()) {
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	n.listen(srv)
	return func() {
		n.listen(nil)
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
}

func memoryClient(t *testing.T, n *network, opts client.Options) *client.Client {
	t.Helper()
	opts.HTTP = n.http()
	opts.Logger = slog.New(slog.DiscardHandler)
	c, err := client.New("http://memory", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
