package siotest

import (
	"context"
	"errors"
	"net"
	"slices"
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
	near, far, err := w.connect()
	if err != nil {
		return nil, err
	}
	select {
	case l.accepted <- far:
		return near, nil
	case <-l.closed:
		err = errClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = near.Close()
	_ = far.Close()
	return nil, err
}

// wires are the connections of one client, and what is wrong with them.
type wires struct {
	mu      sync.Mutex    // guards all below, and the fields of the connections
	changed chan struct{} // closed and replaced when anything has changed
	open    []*end        // the clients' ends
	down    bool          // no new connections
	gap     time.Time     // no new connections before
	frozen  bool          // nothing arrives, not even the end of a connection
	delay   time.Duration // until what is written arrives
}

func newWires() *wires { return &wires{changed: make(chan struct{})} }

var (
	errDown = errors.New("siotest: the network is down (Client.Down)")
	errCut  = errors.New("siotest: the connection was cut (Client.Cut)")
)

func (w *wires) connect() (near, far *end, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.down:
		return nil, nil, errDown
	case time.Until(w.gap) > 0:
		return nil, nil, errCut
	}
	there, back := &stream{}, &stream{}
	near = &end{wires: w, in: back, out: there, local: address(40000), remote: address(80)}
	far = &end{wires: w, in: there, out: back, local: near.remote, remote: near.local}
	w.open = append(w.open, near)
	return near, far, nil
}

// change changes what mu guards and wakes all who wait.
func (w *wires) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.wakeLocked()
}

func (w *wires) wakeLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// cutLocked ends all connections, as a pulled cable does that both sides notice. What is on its way is lost.
func (w *wires) cutLocked() {
	for _, c := range w.open {
		*c.in, *c.out = stream{cut: true}, stream{cut: true}
	}
	w.open = nil
}

// forgetLocked takes a connection off whose end is the client's.
func (w *wires) forgetLocked(c *end) {
	w.open = slices.DeleteFunc(w.open, func(o *end) bool { return o == c })
}
