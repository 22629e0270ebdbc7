package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siokit/siokit/wire/sio"
)

// A Client is one connection to a server, with the namespaces that share it. All methods may be called
// concurrently, from anywhere; Connect, Close and Wait not from a callback, which they would wait for.
type Client struct {
	opts      Options
	endpoint  string // of Engine.IO, with the query of the caller's URL
	namespace string // of the caller's URL
	http      *http.Client
	own       *http.Transport // nil if the caller's is used
	encoder   sio.Encoder
	tasks     sync.WaitGroup // dispatchers and retries

	// mu guards everything of the client that is not immutable, its sockets' fields too. It is held for
	// assignments only: never while bytes are written, never while a callback runs. Order: mu before
	// engineio.ClientConn.mu.
	mu      sync.Mutex
	changed sync.Cond // on mu: a queue has room, a namespace or the client has changed its state
	sockets []*Socket // guarded by mu
	run     *run      // from Connect until the client has ended; guarded by mu
	last    *run      // the run before; guarded by mu
	hooks   hooks     // guarded by mu
	dropped int       // events that nobody else hears of; guarded by mu
}

// hooks are the callbacks about the connection as a whole.
type hooks struct {
	attempt   []func(ctx context.Context, attempt int)
	reconnect []func(ctx context.Context, attempt int)
	failure   []func(ctx context.Context, err error)
	gaveUp    []func(ctx context.Context, err error)
}

// New returns a client for the server at an address, "https://example.com". ws and wss mean the same as
// http and https. The path of the address is the namespace of the Client's own methods, as in JavaScript:
// "https://example.com/admin"; its query goes along with every request. Nothing happens until Connect.
func New(address string, opts Options) (*Client, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{opts: opts}
	if c.endpoint, c.namespace, err = opts.parseAddress(address); err != nil {
		return nil, err
	}
	c.http, c.own = opts.httpClient()
	c.changed.L = &c.mu
	c.encoder = sio.Encoder{Parser: opts.Parser, JSON: opts.JSON, Attachments: opts.Attachments}
	return c, nil
}

// parseAddress returns the address of Engine.IO and the namespace.
func (o *Options) parseAddress(address string) (endpoint, namespace string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, which may hold a token
		}
		return "", "", fmt.Errorf("client: the address must be like https://example.com: %w", err)
	}
	if u.Host == "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) {
		return "", "", fmt.Errorf("client: the address must be like https://example.com, got scheme %q and host %q", u.Scheme, u.Host)
	}
	if namespace = u.Path; namespace == "" {
		namespace = "/"
	}
	u.Path, u.RawPath = o.Path, ""
	return u.String(), namespace, nil
}

// Dial is New and Connect, for programs that only send and ask. To handle events use New, register the
// handlers, then Connect: what a server sends right after the connection would come too early here.
func Dial(ctx context.Context, address string, opts Options) (*Client, error) {
	c, err := New(address, opts)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Of returns a namespace, "/chat"; "" is the one of the client's address. It is joined by the next Connect, or by Socket.Connect.
func (c *Client) Of(namespace string) *Socket {
	if namespace == "" {
		namespace = c.namespace
	} else if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.name == namespace {
			return s
		}
	}
	s := &Socket{client: c, name: namespace, handlers: &handlers{}}
	s.ctx = context.WithValue(context.Background(), socketKey{}, s)
	c.sockets = append(c.sockets, s)
	return s
}

func (c *Client) target() Emitter { return Emitter{socket: c.Of("")} }

// Emit sends an event to the namespace of the client's address; see Socket.Emit.
func (c *Client) Emit(event string, args ...any) error { return c.target().Emit(event, args...) }

// Send emits the event "message" to the namespace of the client's address.
func (c *Client) Send(args ...any) error { return c.target().Send(args...) }

// Connect opens the connection and joins every namespace that has been named: the one of the address if
// anything was registered on or emitted to it, or if there is no other, and those of Of. It returns when all
// have answered.
//
// An error means that nothing is connected: a *ConnectError if the server has refused a namespace, an
// *engineio.DialError that says what to do if there was no connection, ErrNotConnected if the client was closed
// meanwhile, or ctx's. Connect may be called again then, and after Close.
func (c *Client) Connect(ctx context.Context) error {
	c.mu.Lock()
	if c.run != nil {
		c.mu.Unlock()
		return ErrConnected
	}
	if len(c.sockets) == 0 {
		c.mu.Unlock()
		c.target()
		c.mu.Lock()
	}
	if c.run != nil {
		c.mu.Unlock()
		return ErrConnected
	}
	r := newRun(c, ctx)
	c.run = r
	for _, s := range c.sockets {
		s.wanted = true
		s.ctx = context.WithValue(r.ctx, socketKey{}, s)
		s.startRetriesLocked()
	}
	c.mu.Unlock()
	go r.loop()
	select {
	case <-r.ready:
	case <-r.done:
	case <-ctx.Done():
		r.stop(context.Cause(ctx))
		<-r.done
		return context.Cause(ctx)
	}
	select {
	case <-r.ready:
		return nil
	default:
	}
	<-r.done
	if r.err == nil {
		return ErrNotConnected // somebody has closed it, or left every namespace
	}
	return r.err
}

// Disconnect leaves every namespace and begins to close the connection, once what has been emitted on it is sent.
// It does not wait, so callbacks may call it. Events that no handler has seen are dropped, and so is what waits for a
// connection or, with Options.Retries, for its turn or its ack: Options.OnError hears of that, Flush waits for it.
func (c *Client) Disconnect() {
	c.mu.Lock()
	r := c.run
	var joined []*Socket
	for _, s := range c.sockets {
		s.wanted = false
		s.dropQueueLocked()
		if s.state == connected {
			joined = append(joined, s)
		}
	}
	c.mu.Unlock()
	if r == nil {
		return
	}
	for _, s := range joined {
		s.depart()
	}
	r.stop(errClosed)
}

// Close is Disconnect, and waits until nothing of the client runs any more: handlers that are running
// included. Flush before it if what is emitted must arrive. It always returns nil; it is an error so that a Client is an io.Closer.
func (c *Client) Close() error {
	c.Disconnect()
	c.mu.Lock()
	r := c.run
	c.mu.Unlock()
	if r != nil {
		<-r.done
	}
	return nil
}

// Wait waits until the client has ended, and returns why: nil after Close or Disconnect, a *DisconnectError
// when the server has ended the last namespace or, with DisableReconnection, the connection broke, a
// *ConnectError when it has refused it, a *ReconnectError after too many attempts. Before Connect it
// returns nil at once.
func (c *Client) Wait() error {
	c.mu.Lock()
	r := c.run
	if r == nil {
		r = c.last
	}
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	<-r.done
	return r.err
}

// Connected reports whether the namespace of the client's address is connected.
func (c *Client) Connected() bool { return c.ID() != "" }

// ID returns the socket id in the namespace of the client's address; see Socket.ID.
func (c *Client) ID() string {
	if s := c.find(c.namespace); s != nil { // without Of: asking does not name a namespace
		return s.ID()
	}
	return ""
}

// Transport returns "polling" or "websocket", and "" without a connection.
func (c *Client) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil || c.run.link == nil {
		return ""
	}
	return c.run.link.conn.Transport()
}

// OnReconnectAttempt adds a function that runs before each attempt to reconnect, counted from 1. It delays
// the attempt.
func (c *Client) OnReconnectAttempt(f func(ctx context.Context, attempt int)) {
	c.hook(func(h *hooks) { h.attempt = append(slices.Clip(h.attempt), f) })
}

// OnReconnect adds a function that runs when an attempt to reconnect had success, before the namespaces have
// been joined again.
func (c *Client) OnReconnect(f func(ctx context.Context, attempt int)) {
	c.hook(func(h *hooks) { h.reconnect = append(slices.Clip(h.reconnect), f) })
}

// OnReconnectError adds a function that is told why an attempt to reconnect has failed, or with
// Options.RetryConnect the first attempt to connect. There will be another, unless ReconnectAttempts says not.
func (c *Client) OnReconnectError(f func(ctx context.Context, err error)) {
	c.hook(func(h *hooks) { h.failure = append(slices.Clip(h.failure), f) })
}

// OnReconnectFailed adds a function that runs when Options.ReconnectAttempts have failed.
func (c *Client) OnReconnectFailed(f func(ctx context.Context, err error)) {
	c.hook(func(h *hooks) { h.gaveUp = append(slices.Clip(h.gaveUp), f) })
}

func (c *Client) hook(f func(h *hooks)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.hooks)
}

func (c *Client) loadHooks() hooks {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hooks
}

func runHooks[T any](r *run, name string, all []func(context.Context, T), value T) {
	for _, f := range all {
		if err := protect(func() error { f(r.ctx, value); return nil }); err != nil {
			r.client.report(r.ctx, "", name, err)
		}
	}
}

// callTimeout returns a channel for the end of a wait, nil when only ctx ends it.
func (c *Client) callTimeout(ctx context.Context, own time.Duration) (expired <-chan time.Time, stop func()) {
	if _, has := ctx.Deadline(); own <= 0 && !has {
		own = c.opts.CallTimeout
	}
	if own <= 0 {
		return nil, func() {}
	}
	timer := time.NewTimer(own)
	return timer.C, func() { timer.Stop() }
}
