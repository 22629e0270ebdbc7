package core

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"unicode"

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
func SnakeCase(method string) string {
	letters := []rune(method)
	var b strings.Builder
	for i, l := range letters {
		if i > 0 && unicode.IsUpper(l) {
			after, before := i+1 < len(letters) && unicode.IsLower(letters[i+1]), letters[i-1]
			if unicode.IsLower(before) || unicode.IsDigit(before) || after && before != '_' {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(l))
	}
	return b.String()
}

// class is the methods of a value, on their way into a handlerSet.
type class struct {
	value any
	site  string
	set   *handlerSet
	opts  options

	methods map[string]*handler // by event
	special registered          // the methods that are no events
}

func listen(r Registrar, v any, name func(string) string, site string) {
	set, opts := r.registrar()
	cl := &class{value: v, site: site, set: set, opts: opts, methods: make(map[string]*handler)}
	t := reflect.TypeOf(v)
	if t == nil {
		cl.fail("the value is nil")
	}
	found := 0
	for i := range t.NumMethod() {
		method := t.Method(i).Name
		rest, on := strings.CutPrefix(method, "On")
		if first := []rune(rest); !on || len(first) == 0 || !unicode.IsUpper(first[0]) {
			continue
		}
		if cl.takeSpecial(method) {
			found++
			continue
		}
		if event := name(rest); event != "" {
			cl.takeEvent(method, event, reflect.ValueOf(v).Method(i))
			found++
		}
	}
	if found == 0 {
		if t.Kind() != reflect.Pointer && reflect.PointerTo(t).NumMethod() > t.NumMethod() {
			cl.fail("its methods are those of the pointer: pass a *%s", t)
		}
		cl.fail("it has no exported method whose name begins with On")
	}
	cl.register()
}

func (cl *class) fail(format string, args ...any) {
	panic(fmt.Sprintf("core: Listen on %q with %T: %s, at %s", cl.set.place, cl.value, fmt.Sprintf(format, args...), cl.site))
}

// takeSpecial takes one of the methods that are no events.
func (cl *class) takeSpecial(method string) bool {
	var form string
	ok := true
	switch method {
	case "OnConnect":
		form = "OnConnect(*core.Context) error"
		if v, is := cl.value.(interface{ OnConnect(*Context) error }); is {
			cl.special.onConnect = append(cl.special.onConnect, v.OnConnect)
		} else {
			ok = false
		}
	case "OnDisconnect":
		form = "OnDisconnect(*core.Context, core.Reason)"
		switch v := cl.value.(type) {
		case interface{ OnDisconnect(*Context, Reason) }:
			cl.special.onDisconnect = append(cl.special.onDisconnect, v.OnDisconnect)
		case interface{ OnDisconnect(*Context) }:
			cl.special.onDisconnect = append(cl.special.onDisconnect, func(c *Context, _ Reason) { v.OnDisconnect(c) })
		default:
			ok = false
		}
	case "OnError":
		form = "OnError(*core.Context, error)"
		if v, is := cl.value.(interface{ OnError(*Context, error) }); is {
			cl.special.onError = append(cl.special.onError, v.OnError)
		} else {
			ok = false
		}
	case "OnAny":
		form = "OnAny(*core.Context, string, core.Args)"
		if v, is := cl.value.(interface{ OnAny(*Context, string, Args) }); is {
			cl.special.onAny = append(cl.special.onAny, v.OnAny)
		} else {
			ok = false
		}
	case "OnUnhandled":
		form = "OnUnhandled(*core.Context, string, core.Args) (any, error)"
		if v, is := cl.value.(interface {
			OnUnhandled(*Context, string, Args) (any, error)
		}); is {
			cl.special.unhandled = catchAll(v.OnUnhandled, cl.at(method), cl.opts)
		} else {
			ok = false
		}
	default:
		return false
	}
	if !ok {
		cl.fail("method %s must be %s; an event of that name is served by On", method, form)
	}
	return true
}

// at names a method in texts.
func (cl *class) at(method string) string {
	return fmt.Sprintf("%s (%T.%s)", cl.site, cl.value, method)
}

func (cl *class) takeEvent(method, event string, f reflect.Value) {
	if sio.Reserved(event) {
		cl.fail("method %s would serve the event %q, which is reserved: rename it", method, event)
	}
	if first, twice := cl.methods[event]; twice {
		cl.fail("method %s serves the event %q, and so does %s: rename one", method, event, first.site)
	}
	call, wrong := methodCall(f, cl.set.validate)
	if wrong != "" {
		cl.fail("method %s is a %s: %s", method, named(f.Type().String()), wrong)
	}
	cl.methods[event] = &handler{site: cl.at(method), options: cl.opts, call: call}
}

func (cl *class) register() {
	cl.set.change(func(r *registered) {
		methods := maps.Clone(r.methods)
		if methods == nil {
			methods = make(map[string]*handler)
		}
		for event, h := range cl.methods {
			if first, twice := methods[event]; twice {
				cl.fail("event %q has a method already: %s", event, first.site)
			}
			methods[event] = h
		}
		if own := cl.special.unhandled; own != nil {
			if r.unhandled != nil {
				cl.fail("OnUnhandled is registered already, at %s", r.unhandled.site)
			}
			r.unhandled = own
		}
		r.methods = methods
		r.onConnect = append(r.onConnect, cl.special.onConnect...)
		r.onDisconnect = append(r.onDisconnect, cl.special.onDisconnect...)
		r.onError = append(r.onError, cl.special.onError...)
		r.onAny = append(r.onAny, cl.special.onAny...)
	})
}
