package core

import (
	"cmp"
	"time"

	"github.com/siokit/siokit/wire/arguments"
)

// route is what was registered for an event at the time of its turn.
type route struct {
	handler          *handler // nil if there is none
	here, everywhere *registered
}

// find looks up what handles an event: see Everywhere for the order.
func (s *Socket) find(name string) route {
	r := route{here: s.ns.set.load(), everywhere: s.ns.srv.everywhere.load()}
	if r.handler = r.here.find(name); r.handler == nil {
		r.handler = r.everywhere.find(name)
	}
	return r
}

func (r route) timeout() time.Duration {
	return cmp.Or(r.handler.timeout, r.here.each.timeout, r.everywhere.each.timeout)
}

func (r route) concurrent() int {
	return cmp.Or(r.handler.concurrent, r.here.each.concurrent, r.everywhere.each.concurrent)
}

// run decodes the arguments and calls the handler, inside of all guards and middleware.
func (r route) run(c *Context) (out any, answered bool, err error) {
	own := r.handler.layers
	if len(r.everywhere.each.layers)+len(r.here.each.layers) > 0 {
		return r.runInside(c, own)
	}
	for ; len(own) > 0 && own[0].guard != nil; own = own[1:] { // what most events have, if anything
		if err := own[0].guard(c); err != nil {
			return nil, false, err
		}
	}
	if len(own) > 0 {
		return r.runInside(c, own)
	}
	return r.handler.call(c, arguments.Packet(c.args))
}

// runInside is run of a handler with middleware around it. own is what is left of the handler's layers.
func (r route) runInside(c *Context, own []layer) (out any, answered bool, err error) {
	err = runLayers(c, r.everywhere.each.layers, func() error {
		return runLayers(c, r.here.each.layers, func() error {
			return runLayers(c, own, func() (err error) {
				out, answered, err = r.handler.call(c, arguments.Packet(c.args))
				return err
			})
		})
	})
	return out, answered, err
}
