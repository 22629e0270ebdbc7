package siotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/siokit/siokit/client"
)

// An Option says how a client connects.
type Option func(*dialing)

type dialing struct {
	opts      client.Options
	jar       http.CookieJar
	namespace string
	reconnect bool
}

// Cookies connects as the person with that jar. Default: nobody's.
func Cookies(jar http.CookieJar) Option { return func(d *dialing) { d.jar = jar } }

// Auth sends an auth payload, a struct or a map, with each CONNECT. Default none.
func Auth(payload any) Option {
	return func(d *dialing) { d.opts.Auth = func(context.Context) (any, error) { return payload, nil } }
}

// Header sends a header with every request. It may be given more than once.
func Header(name, value string) Option {
	return func(d *dialing) {
		if d.opts.Header == nil {
			d.opts.Header = make(http.Header)
		}
		d.opts.Header.Add(name, value)
	}
}

// Namespace joins that namespace instead of "/". Client.Of joins further ones.
func Namespace(name string) Option { return func(d *dialing) { d.namespace = name } }

// Path is where the sockets are mounted. Default "/socket.io/".
func Path(path string) Option { return func(d *dialing) { d.opts.Path = path } }

// Transports are those that the client uses, in order: "polling", "websocket", or both to begin on polling and move to
// WebSocket. Default WebSocket alone.
func Transports(names ...string) Option { return func(d *dialing) { d.opts.Transports = names } }

// Reconnecting makes the client come back by itself when its connection ends. Default: it stays away, so that a test sees why.
func Reconnecting() Option { return func(d *dialing) { d.reconnect = true } }

// Configure changes what none of the other options does, such as the parser.
func Configure(f func(*client.Options)) Option { return func(d *dialing) { f(&d.opts) } }

// A Client is a client of a Server. Its Emit, OnCall and so on are those of package client: it can be passed to
// client.On and client.OnCall, to answer what the server asks.
type Client struct {
	*client.Client
	*inbox
	t     source
	wires *wires
}

// source is what both kinds of receivers fail with.
type source = interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// Dial connects a client and waits until its namespace has accepted it. The test fails if that does not
// happen; for clients that are to be refused see Refused. The client is closed when the test ends.
func (s *Server) Dial(opts ...Option) *Client {
	s.t.Helper()
	c, err := s.dial(opts)
	if err != nil {
		s.t.Fatalf("siotest: %v", err)
	}
	return c
}

// Refused connects a client that the namespace must refuse, and returns how: Message and Data are those of the CONNECT_ERROR. The
// test fails if the client is accepted, or does not come so far; then see DialError.
func (s *Server) Refused(opts ...Option) *client.ConnectError {
	s.t.Helper()
	c, err := s.dial(opts)
	refused, ok := errors.AsType[*client.ConnectError](err)
	switch {
	case err == nil:
		s.t.Fatalf("siotest: the client was accepted, with id %s; it should have been refused", c.ID())
	case !ok:
		s.t.Fatalf("siotest: the client was not refused by its namespace: %v", err)
	}
	return refused
}

// DialError returns why a client cannot connect: an HTTP refusal, for example. The test fails if it can.
func (s *Server) DialError(opts ...Option) error {
	s.t.Helper()
	c, err := s.dial(opts)
	if err == nil {
		s.t.Fatalf("siotest: the client was accepted, with id %s", c.ID())
	}
	return err
}

func (s *Server) dial(opts []Option) (*Client, error) {
	d := dialing{namespace: "/"}
	d.opts.Transports = []string{"websocket"}
	d.opts.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	d.opts.Timeout = patience
	for _, o := range opts {
		o(&d)
	}
	d.opts.DisableReconnection = !d.reconnect
	if len(d.namespace) == 0 || d.namespace[0] != '/' {
		d.namespace = "/" + d.namespace
	}
	w := &wires{}
	d.opts.HTTP = s.http(d.jar, w)
	d.opts.HTTP.Timeout = 0 // polls are parked longer
	inner, err := client.New(URL+d.namespace, d.opts)
	if err != nil {
		return nil, err
	}
	c := &Client{Client: inner, inbox: newInbox(s.t, inner.Of(d.namespace)), t: s.t, wires: w}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.marks.do(func() { err = inner.Connect(ctx) })
	if err != nil {
		_ = inner.Close()
		return nil, err
	}
	s.t.Cleanup(func() {
		w.thaw()
		if err := inner.Close(); err != nil {
			s.t.Logf("siotest: closing a client: %v", err)
		}
	})
	return c, nil
}

// Of joins a further namespace on the client's connection and waits until it is accepted; the test fails otherwise.
func (c *Client) Of(namespace string) *Socket {
	c.t.Helper()
	inner := c.Client.Of(namespace)
	s := &Socket{Socket: inner, inbox: newInbox(c.t, inner)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := inner.Connect(ctx); err != nil && !errors.Is(err, client.ErrConnected) {
		c.t.Fatalf("siotest: namespace %s: %v", namespace, err)
	}
	return s
}

// A Socket is a further namespace of a Client.
type Socket struct {
	*client.Socket
	*inbox
}

// Cut ends the client's connection as a network does that breaks: both sides notice at once.
func (c *Client) Cut() { c.wires.cut() }

// Down cuts the connection and lets the client make no other until Up.
func (c *Client) Down() {
	c.wires.mu.Lock()
	c.wires.down = true
	c.wires.mu.Unlock()
	c.wires.cut()
}

// Up ends Down and Freeze.
func (c *Client) Up() {
	c.wires.mu.Lock()
	c.wires.down = false
	c.wires.mu.Unlock()
	c.wires.thaw()
}

// Freeze makes the network swallow what both sides say, without telling them, until Up: only heartbeats
// find out.
func (c *Client) Freeze() {
	c.wires.mu.Lock()
	defer c.wires.mu.Unlock()
	if c.wires.frozen == nil {
		c.wires.frozen = make(chan struct{})
	}
}

// Delay makes everything take that much longer in each direction.
func (c *Client) Delay(d time.Duration) {
	c.wires.mu.Lock()
	defer c.wires.mu.Unlock()
	c.wires.delay = d
}

func (w *wires) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen != nil {
		close(w.frozen)
		w.frozen = nil
	}
	for _, c := range w.ended {
		_ = c.Conn.Close()
	}
	w.ended = nil
}

// Call emits an event and waits for its ack. The test fails without one, and when it does not fit Out.
func Call[Out any](to client.Target, event string, args ...any) Out {
	t := sourceOf(to)
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := client.Call[Out](ctx, to, event, args...)
	if err != nil {
		t.Fatalf("siotest: the ack of %q: %v", event, err)
	}
	return out
}

// CallError emits an event that the server must answer with an error, and returns that: its members are those of
// {"error": {"code", "message", "data"}}.
func CallError(to client.Target, event string, args ...any) *client.Error {
	t := sourceOf(to)
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := client.Call[any](ctx, to, event, args...)
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		t.Fatalf("siotest: %q was answered with %v; it should have failed", event, out)
	case !ok:
		t.Fatalf("siotest: the ack of %q: %v", event, err)
	}
	return refused
}

func sourceOf(to client.Target) source {
	if r, ok := to.(Receiver); ok {
		return r.received().t
	}
	panic(fmt.Sprintf("siotest: %T is not a client or socket of this package", to))
}
