package core

import "context"

// A Guard decides whether a connection or an event may proceed; an error refuses it, and its
// text reaches the client only if it is made for it (see Error). The context is a *Context:
// From(ctx) returns it. auth.Require is a Guard.
type Guard = func(ctx context.Context) error

// A Middleware runs around the handler of an event. c.Event and c.Args tell what the client sent;
// next runs what is inside: further guards and middleware, the decoding and validation of the
// arguments, and the handler. What next returns is the handler's error, and what the Middleware
// returns takes its place: it may look at an error, change it, or hide it.
//
//	func logged(c *core.Context, next func() error) error {
//		begin := time.Now()
//		err := next()
//		slog.InfoContext(c, "event", "name", c.Event(), "took", time.Since(begin), "error", err)
//		return err
//	}
//
// Without a call of next the handler does not run: return an error for the client (see Error), or
// AnswerWith to answer in the handler's place; nil acks without arguments. Every call of next runs
// the handler; the answer of the last one counts. A panic passes through a Middleware as through any
// function. A Middleware runs for several clients at the same time.
type Middleware = func(c *Context, next func() error) error

// A layer is a Guard or a Middleware around a handler.
type layer struct {
	guard  Guard
	around Middleware
}

// runLayers runs inner inside of layers.
func runLayers(c *Context, layers []layer, inner func() error) error {
	for i, l := range layers {
		if l.around != nil {
			rest := layers[i+1:]
			return l.around(c, func() error { return runLayers(c, rest, inner) })
		}
		if err := l.guard(c); err != nil {
			return err
		}
	}
	return inner()
}

// A Group registers handlers with common options, such as guards.
type Group struct {
	set  *handlerSet
	opts options
}

func (g *Group) registrar() (*handlerSet, options) { return g.set, g.opts }

// Group returns a Group whose handlers are behind g's guards and then these.
func (g *Group) Group(guards ...Guard) *Group { return g.With(Behind(guards...)) }

// With returns a Group whose handlers have g's options and then these: the guards and middleware of
// g are the outer ones, and a Concurrent or Timeout here replaces g's.
func (g *Group) With(opts ...Option) *Group { return &Group{g.set, g.opts.with(opts)} }
