package core

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"runtime"

	"github.com/siokit/siokit/wire/sio"
)

// A Registrar is what handlers are registered on: a *Server (its namespace "/"), a *Namespace,
// a *Group, or Everywhere.
type Registrar interface {
	registrar() (*handlerSet, options)
}

// handler is one registered event handler.
type handler struct {
	site string // file:line of the registration
	options
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
// Options put guards and middleware around this event alone (Behind, Around), limit its time (Timeout)
// or let it out of the order (Concurrent). Group and With do so for several events, EachEvent for all.
//
// On panics if the event has a handler already or its name is reserved: both are mistakes of
// the program. It may be called at any time. Off removes the handler.
func On[In any](r Registrar, event string, h func(c *Context, in In) error, opts ...Option) {
	check := validationFor[In](r)
	register(r, event, h == nil, opts, func(c *Context, args sio.Args) (any, bool, error) {
		var in In
		if err := readInto(&in, c.event, args, check); err != nil {
			return nil, false, err
		}
		return nil, false, h(c, in)
	})
}

// OnCall is On for a handler with an answer: Out is the argument of the client's ack, and Args2
// to Args4 several, None none.
func OnCall[In, Out any](r Registrar, event string, h func(c *Context, in In) (Out, error), opts ...Option) {
	check := validationFor[In](r)
	register(r, event, h == nil, opts, func(c *Context, args sio.Args) (any, bool, error) {
		var in In
		if err := readInto(&in, c.event, args, check); err != nil {
			return nil, false, err
		}
		out, err := h(c, in)
		return out, err == nil, err
	})
}

// Off removes the handler of an event that On or OnCall registered, and reports whether there was
// one. Events whose turn has come are still handled. A Group's events are those of its namespace.
//
// There is no Once: handlers are the server's and serve all its clients, so the first event would be
// anybody's. To wait for one answer of one client use Call.
func Off(r Registrar, event string) bool {
	set, _ := r.registrar()
	found := false
	set.change(func(r *registered) {
		if _, found = r.events[event]; found {
			r.events = maps.Clone(r.events)
			delete(r.events, event)
		}
	})
	return found
}

// Plain makes a handler of a function that knows nothing of sockets.
func Plain[In, Out any](f func(ctx context.Context, in In) (Out, error)) func(*Context, In) (Out, error) {
	return func(c *Context, in In) (Out, error) { return f(c, in) }
}

func validationFor[In any](r Registrar) validation {
	set, _ := r.registrar()
	return validationOf(reflect.TypeFor[In](), set.validate)
}

func register(r Registrar, event string, missing bool, opts []Option, call func(*Context, sio.Args) (any, bool, error)) {
	set, common := r.registrar()
	site := caller(3)
	switch {
	case missing:
		panic(fmt.Sprintf("core: event %q on %q: the handler is nil, at %s", event, set.place, site))
	case sio.Reserved(event):
		panic(fmt.Sprintf("core: event %q on %q is reserved; use OnConnect or OnDisconnect, at %s", event, set.place, site))
	}
	h := &handler{site: site, options: common.with(opts), call: call}
	set.change(func(r *registered) {
		if first, ok := r.events[event]; ok {
			panic(fmt.Sprintf("core: event %q on %q registered twice: at %s and %s", event, set.place, first.site, site))
		}
		events := make(map[string]*handler, len(r.events)+1)
		maps.Copy(events, r.events)
		events[event] = h
		r.events = events
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
