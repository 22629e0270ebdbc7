package core

import (
	"context"
	"maps"
	"reflect"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// Listen registers the methods of v, as Flask-SocketIO does with those of a class: a method OnMyEvent
// serves the event "my_event" (see SnakeCase; ListenAs for other names). v is a pointer, as a rule,
// and its methods run for many clients at the same time. A method has one of the forms
//
//	OnMyEvent(c *core.Context)
//	OnMyEvent(c *core.Context, in In)
//	OnMyEvent(c *core.Context, in In) error
//	OnMyEvent(c *core.Context, in In) (Out, error)
//
// without an in, with one of On's input types, or with one parameter for each argument; the first
// parameter may be a context.Context. Out is the ack's argument, as with OnCall. Five methods
// are no events and must have exactly these forms:
//
//	OnConnect(c *core.Context) error
//	OnDisconnect(c *core.Context, reason core.Reason)   // or without the reason
//	OnError(c *core.Context, err error)
//	OnAny(c *core.Context, event string, args core.Args)
//	OnUnhandled(c *core.Context, event string, args core.Args) (any, error)
//
// They do what the functions of these names do, after those that were registered before. A handler
// registered by On or OnCall wins over a method, whichever came first. Other methods, and those whose
// name does not go on with a capital letter after On, are left alone.
//
// Listen panics, and registers nothing, if a method has another form, if its event is reserved or
// another method serves it already, or if there is no method to register: the text names the method
// and says what to do. Each call of a method uses reflection; that of a function given to On does not.
func Listen(r Registrar, v any) { listen(r, v, SnakeCase, caller(2)) }

// ListenAs is Listen with other names of events. name gets a method's name without On, for example
// "MyEvent", and returns the event; "" leaves the method alone.
func ListenAs(r Registrar, v any, name func(method string) string) { listen(r, v, name, caller(2)) }

// SnakeCase returns the event that Listen takes a method for: "MyEvent" is my_event and "HTTPGet"
// http_get.
func SnakeCase(method string) string { return arguments.SnakeCase(method) }

func listen(r Registrar, v any, name func(string) string, site string) {
	set, opts := r.registrar()
	var special registered // the methods that are no events
	cl := &arguments.Class{Package: "core", Place: set.place, Site: site, Value: v, Contexts: contextTypes, Name: name}
	cl.Special = specialMethods(&special, cl, opts)
	methods := cl.Methods()
	set.change(func(r *registered) {
		all := maps.Clone(r.methods)
		if all == nil {
			all = make(map[string]*handler)
		}
		for _, m := range methods {
			if first, twice := all[m.Event]; twice {
				cl.Fail("event %q has a method already: %s", m.Event, first.site)
			}
			all[m.Event] = &handler{site: m.Site, options: opts, call: methodCall(m, set.validate)}
		}
		if special.unhandled != nil {
			if r.unhandled != nil {
				cl.Fail("OnUnhandled is registered already, at %s", r.unhandled.site)
			}
			r.unhandled = special.unhandled
		}
		r.methods = all
		r.onConnect = append(r.onConnect, special.onConnect...)
		r.onDisconnect = append(r.onDisconnect, special.onDisconnect...)
		r.onError = append(r.onError, special.onError...)
		r.onAny = append(r.onAny, special.onAny...)
	})
}

// specialMethods says which methods are no events, and puts those of the class into r.
func specialMethods(r *registered, cl *arguments.Class, opts options) map[string]arguments.Special {
	return map[string]arguments.Special{
		"OnConnect": {Form: "OnConnect(*core.Context) error", Take: func(v any) bool {
			h, ok := v.(interface{ OnConnect(*Context) error })
			if ok {
				r.onConnect = append(r.onConnect, h.OnConnect)
			}
			return ok
		}},
		"OnDisconnect": {Form: "OnDisconnect(*core.Context, core.Reason)", Take: func(v any) bool {
			switch h := v.(type) {
			case interface{ OnDisconnect(*Context, Reason) }:
				r.onDisconnect = append(r.onDisconnect, h.OnDisconnect)
			case interface{ OnDisconnect(*Context) }:
				r.onDisconnect = append(r.onDisconnect, func(c *Context, _ Reason) { h.OnDisconnect(c) })
			default:
				return false
			}
			return true
		}},
		"OnError": {Form: "OnError(*core.Context, error)", Take: func(v any) bool {
			h, ok := v.(interface{ OnError(*Context, error) })
			if ok {
				r.onError = append(r.onError, h.OnError)
			}
			return ok
		}},
		"OnAny": {Form: "OnAny(*core.Context, string, core.Args)", Take: func(v any) bool {
			h, ok := v.(interface{ OnAny(*Context, string, Args) })
			if ok {
				r.onAny = append(r.onAny, h.OnAny)
			}
			return ok
		}},
		"OnUnhandled": {Form: "OnUnhandled(*core.Context, string, core.Args) (any, error)", Take: func(v any) bool {
			h, ok := v.(interface {
				OnUnhandled(*Context, string, Args) (any, error)
			})
			if ok {
				r.unhandled = catchAll(h.OnUnhandled, cl.At("OnUnhandled"), opts)
			}
			return ok
		}},
	}
}

var contextTypes = []reflect.Type{reflect.TypeFor[*Context](), reflect.TypeFor[context.Context]()}

// methodCall makes of a method what a handler calls.
func methodCall(m *arguments.Method, validate func(any) error) func(*Context, sio.Args) (any, bool, error) {
	read := methodReader(m, validate)
	return func(c *Context, args sio.Args) (any, bool, error) {
		targets := m.Targets()
		if err := read(targets, c.event, args); err != nil {
			return nil, false, err
		}
		return m.Call(c, targets)
	}
}

// methodReader returns what decodes and validates the arguments of a method.
func methodReader(m *arguments.Method, validate func(any) error) func(targets []any, event string, args sio.Args) error {
	switch inputs := m.Inputs(); len(inputs) {
	case 0:
		return func([]any, string, sio.Args) error { return nil }
	case 1:
		check := validationOf(inputs[0], validate)
		return func(targets []any, event string, args sio.Args) error {
			return readInto(targets[0], event, args, check)
		}
	default:
		shape, check := m.Shape(), validationOfAll(inputs, validate)
		return func(targets []any, event string, args sio.Args) error {
			return readEach(targets, shape, event, args, check)
		}
	}
}
