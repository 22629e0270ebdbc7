package client

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// Listen registers the methods of v, as python-socketio does with those of a ClientNamespace: a method
// OnMyEvent serves the event "my_event" (see SnakeCase; ListenAs for other names). v is a pointer, as a rule.
// A method has one of the forms
//
//	OnMyEvent(ctx context.Context)
//	OnMyEvent(ctx context.Context, in In)
//	OnMyEvent(ctx context.Context, in In) error
//	OnMyEvent(ctx context.Context, in In) (Out, error)
//
// without an in, with one of On's input types, or with one parameter for each argument. Out is the ack's
// argument, as with OnCall. Five methods are no events and must have exactly these forms:
//
//	OnConnect(ctx context.Context)
//	OnConnectError(ctx context.Context, err error)
//	OnDisconnect(ctx context.Context, reason client.Reason)   // or without the reason
//	OnAny(ctx context.Context, event string, args client.Args)
//	OnUnhandled(ctx context.Context, event string, args client.Args) (any, error)
//
// They do what the functions of these names do, after those that were registered before; OnUnhandled
// replaces the one before. A handler registered by On or OnCall wins over a method, whichever came first, and
// Off does not remove methods. Other methods, and those whose name does not go on with a capital letter after
// On, are left alone.
//
// All methods registered on one namespace run one after another; a value that listens on several must expect
// calls at the same time. From(ctx) tells the namespace.
//
// Listen panics, and registers nothing, if a method has another form, if its event is reserved or another
// method serves it already, or if there is no method to register: the text names the method and says what to
// do. Each call of a method uses reflection; that of a function given to On does not.
func Listen(to Target, v any) { listen(to, v, SnakeCase, caller(2)) }

// ListenAs is Listen with other names of events. name gets a method's name without On, for example
// "MyEvent", and returns the event; "" leaves the method alone.
func ListenAs(to Target, v any, name func(method string) string) { listen(to, v, name, caller(2)) }

// SnakeCase returns the event that Listen takes a method for: "MyEvent" is my_event and "HTTPGet" http_get.
func SnakeCase(method string) string { return arguments.SnakeCase(method) }

func listen(to Target, v any, name func(string) string, site string) {
	s := to.target().socket
	var special handlers // the methods that are no events
	cl := &arguments.Class{
		Package: "client", Place: s.name, Site: site, Value: v, Contexts: []reflect.Type{reflect.TypeFor[context.Context]()}, Name: name,
		Special: specialMethods(&special),
	}
	methods := cl.Methods()
	s.change(func(h *handlers) {
		all := maps.Clone(h.methods)
		if all == nil {
			all = make(map[string]*handler)
		}
		for _, m := range methods {
			if first, twice := all[m.Event]; twice {
				cl.Fail("event %q has a method already: %s", m.Event, first.site)
			}
			all[m.Event] = &handler{m.Site, methodCall(m)}
		}
		h.methods = all
		h.onConnect = slices.Concat(h.onConnect, special.onConnect)
		h.onConnectError = slices.Concat(h.onConnectError, special.onConnectError)
		h.onDisconnect = slices.Concat(h.onDisconnect, special.onDisconnect)
		h.any = slices.Concat(h.any, special.any)
		if special.unhandled != nil {
			h.unhandled = special.unhandled
		}
	})
}

// specialMethods says which methods are no events, and puts those of the class into h.
func specialMethods(h *handlers) map[string]arguments.Special {
	return map[string]arguments.Special{
		"OnConnect": {Form: "OnConnect(context.Context)", Take: func(v any) bool {
			m, ok := v.(interface{ OnConnect(context.Context) })
			if ok {
				h.onConnect = append(h.onConnect, m.OnConnect)
			}
			return ok
		}},
		"OnConnectError": {Form: "OnConnectError(context.Context, error)", Take: func(v any) bool {
			m, ok := v.(interface{ OnConnectError(context.Context, error) })
			if ok {
				h.onConnectError = append(h.onConnectError, m.OnConnectError)
			}
			return ok
		}},
		"OnDisconnect": {Form: "OnDisconnect(context.Context, client.Reason)", Take: func(v any) bool {
			switch m := v.(type) {
			case interface{ OnDisconnect(context.Context, Reason) }:
				h.onDisconnect = append(h.onDisconnect, m.OnDisconnect)
			case interface{ OnDisconnect(context.Context) }:
				h.onDisconnect = append(h.onDisconnect, func(ctx context.Context, _ Reason) { m.OnDisconnect(ctx) })
			default:
				return false
			}
			return true
		}},
		"OnAny": {Form: "OnAny(context.Context, string, client.Args)", Take: func(v any) bool {
			m, ok := v.(interface {
				OnAny(context.Context, string, Args)
			})
			if ok {
				h.any = append(h.any, m.OnAny)
			}
			return ok
		}},
		"OnUnhandled": {Form: "OnUnhandled(context.Context, string, client.Args) (any, error)", Take: func(v any) bool {
			m, ok := v.(interface {
				OnUnhandled(context.Context, string, Args) (any, error)
			})
			if ok {
				h.unhandled = m.OnUnhandled
			}
			return ok
		}},
	}
}

// methodCall makes of a method what a handler calls.
func methodCall(m *arguments.Method) func(context.Context, string, sio.Args, bool) (any, bool, error) {
	inputs, shape := m.Inputs(), m.Shape()
	return func(ctx context.Context, event string, args sio.Args, offsets bool) (any, bool, error) {
		targets := m.Targets()
		var err error
		switch len(inputs) {
		case 0:
		case 1:
			if offsets {
				args = withoutOffset(targets[0], args)
			}
			err = decodeInto(targets[0], event, args)
		default:
			if offsets {
				args = withoutLast(args, len(inputs))
			}
			err = misfit(event, arguments.DecodeEach(targets, shape, args))
		}
		if err != nil {
			return nil, false, err
		}
		return m.Call(ctx, targets)
	}
}
