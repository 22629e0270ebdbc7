package arguments

import (
	"fmt"
	"reflect"
	"slices"
)

var (
	errorType = reflect.TypeFor[error]()
	argsType  = reflect.TypeFor[Args]()
)

// A Method of a Class serves an event. Its forms are
//
//	OnMyEvent(ctx)    OnMyEvent(ctx) error    OnMyEvent(ctx) (Out, error)
//
// with one parameter of an input type after the context, or with any number of them that take one argument
// each.
type Method struct {
	Event string
	Site  string // for texts

	f       reflect.Value // bound to the value
	inputs  []reflect.Type
	answers bool
}

// take notes the form of the method. wrong is not empty if it has none of them, and says what to do.
func (m *Method) take(cl *Class) (wrong string) {
	t := m.f.Type()
	if t.IsVariadic() {
		return fmt.Sprintf("take %s.Args for any number of arguments", cl.Package)
	}
	if t.NumIn() == 0 || !slices.Contains(cl.Contexts, t.In(0)) {
		return fmt.Sprintf("its first parameter must be a %s", cl.Contexts[0])
	}
	m.inputs = make([]reflect.Type, t.NumIn()-1)
	for i := range m.inputs {
		in := t.In(i + 1)
		if alone := in == argsType || IsMulti(in); alone && len(m.inputs) > 1 {
			return fmt.Sprintf("a %s must be the only parameter after the context", cl.named(in))
		}
		m.inputs[i] = in
	}
	if t.NumOut() > 2 || t.NumOut() > 0 && t.Out(t.NumOut()-1) != errorType {
		return "it must return nothing, an error, or an answer and an error"
	}
	m.answers = t.NumOut() == 2
	return ""
}

// Inputs returns the types of the parameters after the context.
func (m *Method) Inputs() []reflect.Type { return m.inputs }

// Targets returns pointers to new values for these parameters. One is to be decoded by Decode, several by
// DecodeEach.
func (m *Method) Targets() []any {
	targets := make([]any, len(m.inputs))
	for i, t := range m.inputs {
		targets[i] = reflect.New(t).Interface()
	}
	return targets
}

// Shape returns what stands for the parameters in texts, see DecodeEach.
func (m *Method) Shape() any { return reflect.New(m.f.Type()).Interface() }

// Call calls the method with ctx, which is of all Contexts of the Class, and what targets point to. answered is
// false when there is no answer.
func (m *Method) Call(ctx any, targets []any) (answer any, answered bool, err error) {
	in := make([]reflect.Value, 1, 1+len(targets))
	in[0] = reflect.ValueOf(ctx)
	for _, target := range targets {
		in = append(in, reflect.ValueOf(target).Elem())
	}
	out := m.f.Call(in)
	if len(out) > 0 {
		err, _ = out[len(out)-1].Interface().(error)
	}
	if m.answers {
		return out[0].Interface(), err == nil, err
	}
	return nil, false, err
}
