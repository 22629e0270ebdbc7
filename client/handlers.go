package client

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// A Target is a namespace to emit to and to register handlers on: a *Socket, a *Client (the namespace of
// its URL), an Emitter, or a *Simple.
type Target interface {
	target() Emitter
}

// handler takes one event. answered is false when the ack has no argument.
type handler struct {
	site string
	call func(ctx context.Context, event string, args sio.Args, offsets bool) (out any, answered bool, err error)
}

// handlers are what is registered on one namespace. They are replaced, never changed: the fields of a Socket
// that point to them are guarded by Client.mu.
type handlers struct {
	events         map[string]*handler // by On and OnCall
	methods        map[string]*handler // by Listen
	any            []func(ctx context.Context, event string, args Args)
	arrival        []func(event string, args Args)
	unhandled      func(ctx context.Context, event string, args Args) (any, error)
	onConnect      []func(ctx context.Context)
	onConnectError []func(ctx context.Context, err error)
	onDisconnect   []func(ctx context.Context, reason Reason)
	onEmit         []func(event string, args []any)
}

// On registers a handler for an event. In is the type of the event's one argument; None, Args2 to Args4 and
// Args stand for none, several and any number, a pointer for an optional one. A []byte takes a binary
// argument, also inside a struct. If the server asked for an ack it gets one without arguments, or
// {"error": ...} when the handler failed (see Error).
//
// The handlers of one namespace run one after another. ctx ends with the client, not with the connection:
// work that an event has caused goes on while the client reconnects. From returns the namespace.
//
// With connection state recovery servers append a string to every event that has no ack; it is taken off
// unless In is Args, or has an optional last argument that it fits.
//
// On panics if the event has a handler already or its name is reserved. It may be called at any time; what
// arrives before is not kept, so register before Connect. Off removes a handler.
func On[In any](to Target, event string, h func(ctx context.Context, in In) error) {
	register(to, event, h == nil, func(ctx context.Context, event string, args sio.Args, offsets bool) (any, bool, error) {
		in, err := read[In](event, args, offsets)
		if err != nil {
			return nil, false, err
		}
		return nil, false, h(ctx, in)
	})
}

// OnCall is On for a handler with an answer: Out is the argument of the ack, and Args2 to Args4 several,
// None none.
func OnCall[In, Out any](to Target, event string, h func(ctx context.Context, in In) (Out, error)) {
	register(to, event, h == nil, func(ctx context.Context, event string, args sio.Args, offsets bool) (any, bool, error) {
		in, err := read[In](event, args, offsets)
		if err != nil {
			return nil, false, err
		}
		out, err := h(ctx, in)
		return out, err == nil, err
	})
}

func read[In any](event string, args sio.Args, offsets bool) (in In, err error) {
	if offsets {
		args = withoutOffset(&in, args)
	}
	err = decodeInto(&in, event, args)
	return in, err
}

// Off removes the handler of an event and reports whether there was one.
func Off(to Target, event string) (found bool) {
	to.target().socket.change(func(h *handlers) {
		if _, found = h.events[event]; found {
			h.events = maps.Clone(h.events)
			delete(h.events, event)
		}
	})
	return found
}

func register(to Target, event string, missing bool, call func(context.Context, string, sio.Args, bool) (any, bool, error)) {
	s := to.target().socket
	site := caller(3)
	switch {
	case missing:
		panic(fmt.Sprintf("client: event %q on %q: the handler is nil, at %s", event, s.name, site))
	case sio.Reserved(event):
		panic(fmt.Sprintf("client: event %q on %q is reserved; use OnConnect, OnConnectError or OnDisconnect, at %s", event, s.name, site))
	}
	s.change(func(h *handlers) {
		if first, ok := h.events[event]; ok {
			panic(fmt.Sprintf("client: event %q on %q registered twice: at %s and %s", event, s.name, first.site, site))
		}
		events := make(map[string]*handler, len(h.events)+1)
		maps.Copy(events, h.events)
		events[event] = &handler{site, call}
		h.events = events
	})
}

// caller returns the place in the user's program that called this package, skip functions ago.
func caller(skip int) string {
	_, file, line, ok := runtime.Caller(skip)
	if !ok {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// lookup returns the handler of an event, nil for none.
func (h *handlers) lookup(event string) *handler {
	if own := h.events[event]; own != nil {
		return own
	}
	return h.methods[event]
}

// change replaces the handlers by what f makes of them.
func (s *Socket) change(f func(h *handlers)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	next := *s.handlers
	f(&next)
	s.handlers = &next
}

// OnAny adds an observer: it sees every event in order, before its handler and also when there is none.
func (s *Socket) OnAny(f func(ctx context.Context, event string, args Args)) {
	s.change(func(h *handlers) { h.any = append(slices.Clip(h.any), f) })
}

// OnArrival adds an observer that sees every event as it is read, before it is queued for its handler. Events
// and acks come in one order there: when Call returns, the observer has seen all that the server sent before the
// ack. It runs on the reader of the connection, which reads nothing more until it returns: it must not wait.
// OnAny is right for everything else.
func (s *Socket) OnArrival(f func(event string, args Args)) {
	s.change(func(h *handlers) { h.arrival = append(slices.Clip(h.arrival), f) })
}

// OnUnhandled sets the handler of all events that have none. Its answer becomes the ack's argument: nil for
// none, Args2 to Args4 for several. Without it such events are ignored and their acks stay unanswered.
func (s *Socket) OnUnhandled(f func(ctx context.Context, event string, args Args) (answer any, err error)) {
	s.change(func(h *handlers) { h.unhandled = f })
}

// OnConnect adds a function that runs whenever the namespace has been joined, before any of its events is
// handled. Recovered says whether something may have been missed since.
func (s *Socket) OnConnect(f func(ctx context.Context)) {
	s.change(func(h *handlers) { h.onConnect = append(slices.Clip(h.onConnect), f) })
}

// OnConnectError adds a function that is told when the server refuses the namespace (a *ConnectError); it is
// then not joined again until Socket.Connect.
func (s *Socket) OnConnectError(f func(ctx context.Context, err error)) {
	s.change(func(h *handlers) { h.onConnectError = append(slices.Clip(h.onConnectError), f) })
}

// OnDisconnect adds a function that runs after the last event of a connection was handled.
func (s *Socket) OnDisconnect(f func(ctx context.Context, reason Reason)) {
	s.change(func(h *handlers) { h.onDisconnect = append(slices.Clip(h.onDisconnect), f) })
}

type socketKey struct{}

// From returns the namespace whose handler ctx belongs to.
func From(ctx context.Context) (*Socket, bool) {
	s, ok := ctx.Value(socketKey{}).(*Socket)
	return s, ok
}

// protect runs a callback of the user's. A panic becomes a *PanicError.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	return f()
}

// report hands an error of a callback to Options.OnError, or to the log.
func (c *Client) report(ctx context.Context, namespace, event string, err error) {
	if p, ok := err.(*PanicError); ok {
		c.opts.Logger.Error("client: a callback panicked", "namespace", namespace, "event", event, "panic", p.Value, "stack", string(p.Stack))
	} else if c.opts.OnError == nil {
		c.opts.Logger.Warn("client: a handler failed, or events were lost", "namespace", namespace, "event", event, "error", err)
	}
	if c.opts.OnError == nil {
		return
	}
	if failed := protect(func() error { c.opts.OnError(ctx, err); return nil }); failed != nil {
		c.opts.Logger.Error("client: OnError panicked", "error", failed)
	}
}

// undecoded is what observers get.
func undecoded(args sio.Args) Args { return arguments.Undecoded(args) }
