package siotest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/client"
)

// A Client is a client of a Server. It is a *client.Client and can be passed to client.On and client.OnCall,
// to answer what the server asks, and to client.Call.
type Client struct {
	*client.Client
	*inbox
	t     testing.TB
	wires *wires

	mu      sync.Mutex
	sockets map[string]*Socket // by namespace; guarded by mu
}

// A Socket is a further namespace of a Client.
type Socket struct {
	*client.Socket
	*inbox
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

// Refused connects a client that the namespace must refuse, and returns how: Message and Data are those of
// the CONNECT_ERROR. The test fails if the client is accepted, or does not come so far; then see DialError.
func (s *Server) Refused(opts ...Option) *client.ConnectError {
	s.t.Helper()
	c, err := s.dial(opts)
	if err == nil {
		s.t.Fatalf("siotest: the client was accepted, with id %s; it should have been refused", c.ID())
	}
	return refusal(s.t, err)
}

func refusal(t testing.TB, err error) *client.ConnectError {
	t.Helper()
	refused, ok := errors.AsType[*client.ConnectError](err)
	if !ok {
		t.Fatalf("siotest: the client was not refused by its namespace: %v", err)
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
	d.opts.Logger = slog.New(slog.DiscardHandler)
	d.opts.Timeout = patience
	for _, o := range opts {
		o(&d)
	}
	d.opts.DisableReconnection = !d.reconnect
	if !strings.HasPrefix(d.namespace, "/") {
		d.namespace = "/" + d.namespace
	}
	w := newWires()
	d.opts.HTTP = s.http(d.jar, w)
	d.opts.HTTP.Timeout = 0 // polls are parked longer
	inner, err := client.New(URL+d.namespace+"?"+d.query.Encode(), d.opts)
	if err != nil {
		return nil, err
	}
	own := inner.Of(d.namespace)
	c := &Client{Client: inner, inbox: newInbox(s.t, own), t: s.t, wires: w}
	c.sockets = map[string]*Socket{d.namespace: {own, c.inbox}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.marks.do(func() { err = inner.Connect(ctx) })
	if err != nil {
		_ = inner.Close()
		return nil, err
	}
	s.t.Cleanup(func() {
		c.Up()
		_ = inner.Close() // which returns no error
	})
	return c, nil
}

// Of joins a further namespace on the client's connection, or joins one again, and waits until it is accepted;
// the test fails otherwise. It is the same Socket each time. To join with an auth payload of its own, call
// c.Client.Of(namespace).SetAuth before.
func (c *Client) Of(namespace string) *Socket {
	c.t.Helper()
	s, err := c.join(namespace)
	if err != nil {
		c.t.Fatalf("siotest: namespace %s: %v", namespace, err)
	}
	return s
}

// RefusedOf joins a further namespace, which must refuse the client, and returns how. The test fails if it is
// accepted.
func (c *Client) RefusedOf(namespace string) *client.ConnectError {
	c.t.Helper()
	s, err := c.join(namespace)
	if err == nil {
		c.t.Fatalf("siotest: the client was accepted in %s, with id %s; it should have been refused", namespace, s.ID())
	}
	return refusal(c.t, err)
}

func (c *Client) join(namespace string) (*Socket, error) {
	inner := c.Client.Of(namespace)
	c.mu.Lock()
	s, ok := c.sockets[inner.Namespace()]
	if !ok {
		s = &Socket{inner, newInbox(c.t, inner)}
		c.sockets[inner.Namespace()] = s
	}
	c.mu.Unlock()
	if inner.Connected() {
		return s, nil
	}
	if ok {
		s.expectJoin()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s, inner.Connect(ctx)
}

// Emit sends an event; the test fails if it cannot be sent.
func (c *Client) Emit(event string, args ...any) { c.t.Helper(); emit(c.t, c.Client, event, args) }

// Emit sends an event; the test fails if it cannot be sent.
func (s *Socket) Emit(event string, args ...any) { s.t.Helper(); emit(s.t, s.Socket, event, args) }

func emit(t testing.TB, by interface{ Emit(string, ...any) error }, event string, args []any) {
	t.Helper()
	if err := by.Emit(event, args...); err != nil {
		t.Errorf("siotest: emitting %q: %v", event, err)
	}
}

// Call emits an event and waits for its ack. The test fails without one, and when it is an error or does not
// fit Out. For a context or a timeout of your own see client.Call.
func Call[Out any](to Receiver, event string, args ...any) Out {
	t := to.received().t
	t.Helper()
	out, err := call[Out](to, event, args)
	if err != nil {
		t.Fatalf("siotest: the ack of %q: %v%s", event, err, to.received().story())
	}
	return out
}

// CallError emits an event that the server must answer with an error, and returns that: its members are those
// of {"error": {"code", "message", "data"}}.
func CallError(to Receiver, event string, args ...any) *client.Error {
	t := to.received().t
	t.Helper()
	out, err := call[any](to, event, args)
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		t.Fatalf("siotest: %q was answered with %v; it should have failed", event, out)
	case !ok:
		t.Fatalf("siotest: the ack of %q: %v%s", event, err, to.received().story())
	}
	return refused
}

func call[Out any](to Receiver, event string, args []any) (Out, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return client.Call[Out](ctx, to, event, args...)
}
