package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"

	"github.com/siokit/siokit/wire/sio"
)

// A Guard decides whether a connection or an event may proceed; an error refuses it, and its
// text reaches the client only if it is made for it (see Error). The context is a *Context:
// From(ctx) returns it. auth.Require is a Guard.
type Guard = func(ctx context.Context) error

// A Registrar is what handlers are registered on: a *Server (its namespace "/"), a *Namespace
// or a *Group.
type Registrar interface {
	registrar() (*handlerSet, []Guard)
}

// handler is one registered event handler.
type handler struct {
	event  string
	site   string // file:line of the registration
	guards []Guard
	// call decodes the arguments and runs the user's function. answered is false when the ack
	// has no argument.
	call func(c *Context, args sio.Args) (out any, answered bool, err error)
}

// On registers a handler for an event on r. In is the type of the event's one argument; None,
// Args2 to Args4 and Args stand for none, several and any number, a pointer for an optional
// one. The arguments are decoded as by encoding/json before the handler runs; a []byte takes a
// binary argument, also inside a struct. When the client asked for an ack it gets one without
// arguments, or {"error": ...} if the handler returned an error (see Error).
//
// The handlers of one socket run one after another, in the order the client sent the events;
// those of different sockets in parallel.
//
// An event without a handler is ignored. Its ack, and that of a handler that panicked, stays
// unanswered.
//
// On panics if the event has a handler already or its name is reserved: both are mistakes of
// the program. It may be called at any time.
func On[In any](r Registrar, event string, h func(c *Context, in In) error) {
	register(r, event, h == nil, func(c *Context, args sio.Args) (any, bool, error) {
		var in In
		if err := decodeInto(&in, event, args); err != nil {
			return nil, false, err
		}
		return nil, false, h(c, in)
	})
}

// OnCall is On for a handler with an answer: Out is the argument of the client's ack, and Args2
// to Args4 several, None none.
func OnCall[In, Out any](r Registrar, event string, h func(c *Context, in In) (Out, error)) {
	register(r, event, h == nil, func(c *Context, args sio.Args) (any, bool, error) {
		var in In
		if err := decodeInto(&in, event, args); err != nil {
			return nil, false, err
		}
		out, err := h(c, in)
		return out, err == nil, err
	})
}

// Plain makes a handler of a function that knows nothing of sockets.
func Plain[In, Out any](f func(ctx context.Context, in In) (Out, error)) func(*Context, In) (Out, error) {
	return func(c *Context, in In) (Out, error) { return f(c, in) }
}

func register(r Registrar, event string, missing bool, call func(*Context, sio.Args) (any, bool, error)) {
	set, guards := r.registrar()
	site := caller()
	switch {
	case missing:
		panic(fmt.Sprintf("core: event %q on %q: the handler is nil, at %s", event, set.place, site))
	case sio.Reserved(event):
		panic(fmt.Sprintf("core: event %q on %q is reserved; use OnConnect or OnDisconnect, at %s", event, set.place, site))
	}
	set.change(func(r *registered) {
		if first, ok := r.events[event]; ok {
			panic(fmt.Sprintf("core: event %q on %q registered twice: at %s and %s", event, set.place, first.site, site))
		}
		events := make(map[string]*handler, len(r.events)+1)
		maps.Copy(events, r.events)
		events[event] = &handler{event: event, site: site, guards: guards, call: call}
		r.events = events
	})
}

// caller returns the place in the user's program that called On or OnCall.
func caller() string {
	_, file, line, ok := runtime.Caller(3)
	if !ok {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// run decodes and calls, behind the guards.
func (h *handler) run(c *Context, args sio.Args) (any, bool, error) {
	for _, guard := range h.guards {
		if err := guard(c); err != nil {
			return nil, false, err
		}
	}
	out, answered, err := h.call(c, args)
	if bad, ok := errors.AsType[*ArgumentError](err); ok && bad.Event == h.event {
		return nil, false, errors.Join(bad, bad.forClient())
	}
	return out, answered, err
}

// A Group registers handlers behind common guards.
type Group struct {
	set    *handlerSet
	guards []Guard
}

func (g *Group) registrar() (*handlerSet, []Guard) { return g.set, g.guards }

// Group returns a Group whose handlers are behind g's guards and then these.
func (g *Group) Group(guards ...Guard) *Group {
	return &Group{g.set, append(append([]Guard(nil), g.guards...), guards...)}
}
