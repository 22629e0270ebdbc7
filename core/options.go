package core

import (
	"fmt"
	"slices"
	"time"
)

// An Option says how the handlers of an event are run. On, OnCall and OnUnhandled take options for
// one event, With for a Group of them and EachEvent for all of a namespace.
type Option func(*options)

// options are what Options have said.
type options struct {
	layers     []layer // the outermost first
	concurrent int     // 0: nothing was said
	timeout    time.Duration
}

// with returns o and then opts, which must not be nil.
func (o options) with(opts []Option) options {
	o.layers = slices.Clip(o.layers) // others began with the same ones
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Behind puts guards before a handler, in this order. They run before the arguments are decoded,
// and the error of one answers the ack.
//
//	core.On(srv, "ban", ban, core.Behind(auth.Require, adminsOnly))
func Behind(guards ...Guard) Option {
	if slices.ContainsFunc(guards, func(g Guard) bool { return g == nil }) {
		panic("core: Behind: a guard is nil")
	}
	return func(o *options) {
		for _, guard := range guards {
			o.layers = append(o.layers, layer{guard: guard})
		}
	}
}

// Around puts middleware around a handler, the first outermost. See Middleware.
func Around(middleware ...Middleware) Option {
	if slices.ContainsFunc(middleware, func(m Middleware) bool { return m == nil }) {
		panic("core: Around: a middleware is nil")
	}
	return func(o *options) {
		for _, m := range middleware {
			o.layers = append(o.layers, layer{around: m})
		}
	}
}

// Concurrent takes an event out of the order in which a client's events are handled: up to n of its
// handlers run at once for one socket, and the client's next events need not wait for them. Their
// acks leave as they end. While n of them run, the next event of that name waits, and with it what
// the client sent after it; so the bounds of Config.QueueEvents and QueueBytes hold.
//
// What came before the event has ended when it begins, unless that is concurrent too. The disconnect
// functions run after all of a socket's handlers, and Shutdown waits for them. 1 is not the same as
// nothing: one at a time, but other events do not wait. n below 1 panics. Default: in order.
func Concurrent(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("core: Concurrent(%d): at least one handler must be able to run", n))
	}
	return func(o *options) { o.concurrent = n }
}

// Timeout ends the handler's Context d after the event's turn has come, and at the latest when it has
// been answered. Nothing stops a handler that does not look at its Context. One that returns the
// Context's error after that is answered with code "timeout". d must be positive, or Timeout panics.
// Default: no limit but the socket's life.
func Timeout(d time.Duration) Option {
	if d <= 0 {
		panic(fmt.Sprintf("core: Timeout(%s): the time must be positive", d))
	}
	return func(o *options) { o.timeout = d }
}
