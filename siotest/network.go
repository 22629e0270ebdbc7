package siotest

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// listener is a network without ports: what dials it is accepted.
type listener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newListener() *listener {
	return &listener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

var errClosed = errors.New("siotest: the server is closed")

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return address(80) }

// address looks like one of this machine, for code that parses them.
func address(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// dial opens a connection that is part of w.
func (l *listener) dial(ctx context.Context, w *wires) (net.Conn, error) {
	near, far := net.Pipe()
	client := &wire{Conn: near, of: w, peer: far}
	if err := w.add(client); err != nil {
		return nil, err
	}
	server := &end{Conn: far, remote: address(40000)}
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end is the server's end of a connection.
type end struct {
	net.Conn
	remote net.Addr
}

func (e *end) RemoteAddr() net.Addr { return e.remote }
func (e *end) LocalAddr() net.Addr  { return address(80) }

// wires are the connections of one client, and what is wrong with them.
type wires struct {
	mu     sync.Mutex
	open   []*wire       // guarded by mu
	down   bool          // no new connections; guarded by mu
	frozen chan struct{} // closed when bytes pass again; nil while they do; guarded by mu
	ended  []*wire       // closed by the client while frozen, which the server does not know yet; guarded by mu
	delay  time.Duration // guarded by mu
}

var errDown = errors.New("siotest: the network is down (Client.Down)")

func (w *wires) add(c *wire) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return errDown
	}
	w.open = append(w.open, c)
	return nil
}

// cut ends all connections, as a pulled cable does that both sides notice.
func (w *wires) cut() {
	w.mu.Lock()
	open := w.open
	w.open = nil
	w.mu.Unlock()
	for _, c := range open {
		_ = c.Conn.Close()
		_ = c.peer.Close()
	}
}

// pass waits while the network is frozen, and for its delay.
func (w *wires) pass(closed <-chan struct{}) {
	w.mu.Lock()
	frozen, delay := w.frozen, w.delay
	w.mu.Unlock()
	if frozen != nil {
		select {
		case <-frozen:
		case <-closed:
		}
	}
	if delay > 0 {
		time.Sleep(delay)
	}
}

// wire is the client's end of a connection.
type wire struct {
	net.Conn
	of   *wires
	peer net.Conn

	once   sync.Once
	closed chan struct{}
	init   sync.Once
}

func (c *wire) done() chan struct{} {
	c.init.Do(func() { c.closed = make(chan struct{}) })
	return c.closed
}

func (c *wire) Write(p []byte) (int, error) {
	c.of.pass(c.done())
	return c.Conn.Write(p)
}

func (c *wire) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		c.of.pass(c.done())
	}
	return n, err
}

func (c *wire) Close() error {
	c.once.Do(func() { close(c.done()) })
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.frozen != nil {
		c.of.ended = append(c.of.ended, c)
		return c.Conn.SetDeadline(time.Unix(1, 0)) // ends Read and Write
	}
	return c.Conn.Close()
}

func (c *wire) RemoteAddr() net.Addr { return address(80) }
func (c *wire) LocalAddr() net.Addr  { return address(40000) }
