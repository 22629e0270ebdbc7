package core

import (
	"context"
	"fmt"
	"reflect"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

var (
	contextType     = reflect.TypeFor[*Context]()
	anyContextType  = reflect.TypeFor[context.Context]()
	errorType       = reflect.TypeFor[error]()
	anyArgumentType = reflect.TypeFor[Args]()
)

// methodCall makes what a handler calls of a method in one of the forms of Listen. wrong is not
// empty if it has none of them, and says what to do.
func methodCall(f reflect.Value, validate func(any) error) (call func(*Context, sio.Args) (any, bool, error), wrong string) {
	t := f.Type()
	if t.IsVariadic() {
		return nil, "take core.Args for any number of arguments"
	}
	if t.NumIn() == 0 || t.In(0) != contextType && t.In(0) != anyContextType {
		return nil, "its first parameter must be a *core.Context"
	}
	inputs := make([]reflect.Type, t.NumIn()-1)
	for i := range inputs {
		inputs[i] = t.In(i + 1)
		alone := inputs[i] == anyArgumentType || arguments.IsMulti(inputs[i])
		if alone && len(inputs) > 1 {
			return nil, fmt.Sprintf("a %s must be the only parameter after the context", named(inputs[i].String()))
		}
	}
	answers := t.NumOut() == 2
	switch {
	case t.NumOut() > 2, t.NumOut() > 0 && t.Out(t.NumOut()-1) != errorType:
		return nil, "it must return nothing, an error, or an answer and an error"
	}
	read := methodReader(inputs, f, validate)
	return func(c *Context, args sio.Args) (any, bool, error) {
		in := make([]reflect.Value, 1, 1+len(inputs))
		in[0] = reflect.ValueOf(c)
		in, err := read(in, c.event, args)
		if err != nil {
			return nil, false, err
		}
		out := f.Call(in)
		if len(out) > 0 {
			err, _ = out[len(out)-1].Interface().(error)
		}
		if answers {
			return out[0].Interface(), err == nil, err
		}
		return nil, false, err
	}, ""
}

// methodReader returns what decodes and validates the arguments of a method and appends them to in.
func methodReader(inputs []reflect.Type, f reflect.Value, validate func(any) error) func(in []reflect.Value, event string, args sio.Args) ([]reflect.Value, error) {
	switch len(inputs) {
	case 0:
		return func(in []reflect.Value, _ string, _ sio.Args) ([]reflect.Value, error) { return in, nil }
	case 1:
		check := validationOf(inputs[0], validate)
		return func(in []reflect.Value, event string, args sio.Args) ([]reflect.Value, error) {
			v := reflect.New(inputs[0])
			err := readInto(v.Interface(), event, args, check)
			return append(in, v.Elem()), err
		}
	}
	shape, check := reflect.New(f.Type()).Interface(), validationOfAll(inputs, validate)
	return func(in []reflect.Value, event string, args sio.Args) ([]reflect.Value, error) {
		targets := make([]any, len(inputs))
		for i, t := range inputs {
			v := reflect.New(t)
			targets[i], in = v.Interface(), append(in, v.Elem())
		}
		return in, readEach(targets, shape, event, args, check)
	}
}
