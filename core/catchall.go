package core

import (
	"fmt"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// OnAny adds an observer: it sees every event that a client sends here, in order, before its handler
// and also when there is none. It cannot hold an event up, other than by the time it takes, and a
// panic in it stops nobody. To refuse events use EachEvent. (JavaScript: socket.onAny.)
func (ns *Namespace) OnAny(f func(c *Context, event string, args Args)) { ns.set.observe(f) }

// OnUnhandled registers the handler of all events that have none here. Its answer becomes the
// ack's argument: nil for none, Args2 to Args4 for several. It knows what it is given and must
// trust neither the name nor the arguments; to tell the client that there is no such event, return
// an Error. Without OnUnhandled such events are ignored and their acks stay unanswered.
// (Flask-SocketIO: on('*').)
//
// It panics if there is one already.
func (ns *Namespace) OnUnhandled(f func(c *Context, event string, args Args) (answer any, err error), opts ...Option) {
	ns.set.catch(f, caller(2), opts)
}

func (hs *handlerSet) observe(f func(*Context, string, Args)) {
	hs.refuseNil(f == nil, "OnAny")
	hs.change(func(r *registered) { r.onAny = append(r.onAny, f) })
}

func (hs *handlerSet) catch(f func(*Context, string, Args) (any, error), site string, opts []Option) {
	if f == nil {
		panic(fmt.Sprintf("core: OnUnhandled on %q: the handler is nil, at %s", hs.place, site))
	}
	h := catchAll(f, site, options{}.with(opts))
	hs.change(func(r *registered) {
		if r.unhandled != nil {
			panic(fmt.Sprintf("core: OnUnhandled on %q registered twice: at %s and %s", hs.place, r.unhandled.site, site))
		}
		r.unhandled = h
	})
}

func catchAll(f func(*Context, string, Args) (any, error), site string, opts options) *handler {
	return &handler{site: site, options: opts, call: func(c *Context, args sio.Args) (any, bool, error) {
		answer, err := f(c, c.event, arguments.Undecoded(args))
		return answer, err == nil && answer != nil, err
	}}
}

// observe calls the OnAny functions for an event.
func (s *Socket) observe(c *Context, r route) {
	for _, observers := range [...][]func(*Context, string, Args){r.everywhere.onAny, r.here.onAny} {
		for _, f := range observers {
			if err := protect(func() error { f(c, c.event, c.args); return nil }); err != nil {
				s.ns.report(c, err)
			}
		}
	}
}
