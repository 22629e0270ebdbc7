package arguments

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/siokit/siokit/wire/sio"
)

// A Class is a value whose methods are to serve events: what core.Listen and client.Listen share.
type Class struct {
	Package  string                     // of those two, for texts: its user knows the types by its name
	Place    string                     // the namespace, for texts
	Site     string                     // of the call, for texts
	Value    any                        // a pointer, as a rule
	Contexts []reflect.Type             // that a method's first parameter may have; texts name the first
	Name     func(method string) string // the event for a method's name without On; "" leaves it alone
	Special  map[string]Special         // the methods that are no events, by name
}

// Special is a method that is no event.
type Special struct {
	Form string           // that it must have, for texts: "OnConnect(*core.Context) error"
	Take func(v any) bool // takes the method of v; false if it has another form
}

// Methods returns the methods that serve events, and has the special ones taken. It panics with a text that
// says what to do if one cannot be served, or if there is none.
func (cl *Class) Methods() []*Method {
	t := reflect.TypeOf(cl.Value)
	if t == nil {
		cl.Fail("the value is nil")
	}
	byEvent := make(map[string]*Method)
	var methods []*Method
	found := false
	for i := range t.NumMethod() {
		name := t.Method(i).Name
		rest, on := strings.CutPrefix(name, "On")
		if first := []rune(rest); !on || len(first) == 0 || !unicode.IsUpper(first[0]) {
			continue
		}
		if special, is := cl.Special[name]; is {
			if found = true; !special.Take(cl.Value) {
				cl.Fail("method %s must be %s; an event of that name is served by On", name, special.Form)
			}
			continue
		}
		event := cl.Name(rest)
		if event == "" {
			continue
		}
		found = true
		if sio.Reserved(event) {
			cl.Fail("method %s would serve the event %q, which is reserved: rename it", name, event)
		}
		if first, twice := byEvent[event]; twice {
			cl.Fail("method %s serves the event %q, and so does %s: rename one", name, event, first.Site)
		}
		m := &Method{Event: event, Site: cl.At(name), f: reflect.ValueOf(cl.Value).Method(i)}
		if wrong := m.take(cl); wrong != "" {
			cl.Fail("method %s is a %s: %s", name, cl.named(m.f.Type()), wrong)
		}
		byEvent[event] = m
		methods = append(methods, m)
	}
	if !found {
		if t.Kind() != reflect.Pointer && reflect.PointerTo(t).NumMethod() > t.NumMethod() {
			cl.Fail("its methods are those of the pointer: pass a *%s", t)
		}
		cl.Fail("it has no exported method whose name begins with On")
	}
	return methods
}

// Fail panics with a text about the class.
func (cl *Class) Fail(format string, args ...any) {
	panic(fmt.Sprintf("%s: Listen on %q with %T: %s, at %s", cl.Package, cl.Place, cl.Value, fmt.Sprintf(format, args...), cl.Site))
}

// At names a method in texts.
func (cl *Class) At(method string) string {
	return fmt.Sprintf("%s (%T.%s)", cl.Site, cl.Value, method)
}

// named returns a type as the user of the package knows it.
func (cl *Class) named(t reflect.Type) string {
	return strings.ReplaceAll(t.String(), "arguments.", cl.Package+".")
}

// SnakeCase returns the event that Listen takes a method for: "MyEvent" is my_event and "HTTPGet" http_get.
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
