package siotest

import (
	"cmp"
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
	t       testing.TB
	wires   *wires
	server  *Server
	dialing dialing

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
		s.t.Fatalf("siotest: %v%s", err, s.failures.story())
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
	return refusal(s, err)
}

func refusal(s *Server, err error) *client.ConnectError {
	s.t.Helper()
	refused, ok := errors.AsType[*client.ConnectError](err)
	if !ok {
		s.t.Fatalf("siotest: the client was not refused by its namespace: %v%s", err, s.failures.story())
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
	d := dialing{namespace: "/", limits: s.limits()}
	d.opts.Transports = []string{"websocket"}
	d.opts.Logger = slog.New(slog.DiscardHandler)
	for _, o := range opts {
		o(&d)
	}
	patience := d.limits.within(d.limits.patience)
	d.opts.Timeout = cmp.Or(d.opts.Timeout, patience)
	d.opts.OnError = s.failures.watchClient(d.opts.OnError)
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
	c := &Client{Client: inner, inbox: newInbox(s, d, own), t: s.t, wires: w, server: s, dialing: d}
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

// Of joins a further namespace on the client's connection, or joins one again that the client has left, on a new
// connection if need be, and waits until it is accepted; the test fails otherwise. It is the same Socket each time. To join with an auth payload of its own, call
// c.Client.Of(namespace).SetAuth before.
func (c *Client) Of(namespace string) *Socket {
	c.t.Helper()
	s, err := c.join(namespace)
	if err != nil {
		c.t.Fatalf("siotest: namespace %s: %v%s", namespace, err, c.server.failures.story())
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
	return refusal(c.server, err)
}

func (c *Client) join(namespace string) (*Socket, error) {
	inner := c.Client.Of(namespace)
	c.mu.Lock()
	s, ok := c.sockets[inner.Namespace()]
	if !ok {
		s = &Socket{inner, newInbox(c.server, c.dialing, inner)}
		c.sockets[inner.Namespace()] = s
	}
	c.mu.Unlock()
	if inner.Connected() {
		return s, nil
	}
	joins := s.joined(0)
	ctx, cancel := context.WithTimeout(context.Background(), s.patience())
	defer cancel()
	err := inner.Connect(ctx)
	if err == client.ErrNotConnected || err == client.ErrDisconnected && !s.returns { // the client ends with its connection
		err = c.again(ctx)
	}
	if err == nil {
		s.joined(joins + 1)
		if ok {
			s.expectJoin()
		}
	}
	return s, err
}

// again connects a client that has ended, or is about to.
func (c *Client) again(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		_ = c.Client.Wait() // why it ended is the inbox's to tell
		close(ended)
	}()
	select {
	case <-ended:
		return c.Client.Connect(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Connected reports whether the client is in the namespace that it was dialled with, right now. In a bubble it
// first waits until nothing is on its way any more.
func (c *Client) Connected() bool { settle(); return c.Client.Connected() }

// Connected reports whether the client is in the namespace, right now. In a bubble it first waits until nothing
// is on its way any more.
func (s *Socket) Connected() bool { settle(); return s.Socket.Connected() }

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
// fit Out. For a context or a timeout of your own see client.Call. When it returns, Received has every event that
// the server sent before the ack, in all namespaces of the client.
func Call[Out any](to Receiver, event string, args ...any) Out {
	t := to.received().t
	t.Helper()
	out, err := ask[Out](to, event, args)
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
	out, err := ask[any](to, event, args)
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		t.Fatalf("siotest: %q was answered with %v; it should have failed", event, out)
	case !ok:
		t.Fatalf("siotest: the ack of %q: %v%s", event, err, to.received().story())
	}
	return refused
}

func ask[Out any](to Receiver, event string, args []any) (out Out, err error) {
	in := to.received()
	ctx, cancel := context.WithTimeout(context.Background(), in.patience())
	defer cancel()
	asking, done := in.failures.asking(ctx, to.ID(), event)
	defer done()
	out, err = client.Call[Out](asking, to, event, args...)
	if failed := context.Cause(asking); failed != nil && ctx.Err() == nil {
		err = failed // not that the wait was ended
	}
	return out, err
}
