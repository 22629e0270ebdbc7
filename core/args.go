package core

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/siokit/siokit/wire/sio"
)

// None is the input of a handler that takes no argument, and the output of a Call whose answer
// does not matter. Arguments that arrive all the same are ignored.
type None struct{}

// Args2 is the input of a handler that takes two arguments:
//
//	core.On(srv, "move", func(c *core.Context, in core.Args2[int, int]) error { x, y := in.A, in.B; ... })
//
// A last argument of pointer type is optional: it is nil when the client did not send it.
type Args2[A, B any] struct {
	A A
	B B
}

// Args3 is the input of a handler that takes three arguments.
type Args3[A, B, C any] struct {
	A A
	B B
	C C
}

// Args4 is the input of a handler that takes four arguments.
type Args4[A, B, C, D any] struct {
	A A
	B B
	C C
	D D
}

// Args is the input of a handler that decodes its arguments itself, however many there are.
type Args struct{ args sio.Args }

// Len returns the number of arguments.
func (a Args) Len() int { return a.args.Len() }

// Raw returns argument i as JSON. Binary values are placeholders in it.
func (a Args) Raw(i int) json.RawMessage { return a.args.Raw[i] }

// Decode decodes argument i, counted from 0, into the value that v points to.
func (a Args) Decode(i int, v any) error {
	if i < 0 || i >= a.args.Len() {
		return fmt.Errorf("core: there is no argument %d, the client sent %d", i+1, a.args.Len())
	}
	return a.args.Decode(i, v)
}

// multi is implemented by the pointers to the types above.
type multi interface {
	// fields returns pointers to what the arguments are decoded into; nil and false for types
	// that take any number.
	fields() []any
}

func (*None) fields() []any              { return nil }
func (in *Args2[A, B]) fields() []any    { return []any{&in.A, &in.B} }
func (in *Args3[A, B, C]) fields() []any { return []any{&in.A, &in.B, &in.C} }
func (in *Args4[A, B, C, D]) fields() []any {
	return []any{&in.A, &in.B, &in.C, &in.D}
}

// several is implemented by the types above that hold more than one argument.
type several interface{ values() []any }

func (in Args2[A, B]) values() []any       { return []any{in.A, in.B} }
func (in Args3[A, B, C]) values() []any    { return []any{in.A, in.B, in.C} }
func (in Args4[A, B, C, D]) values() []any { return []any{in.A, in.B, in.C, in.D} }

// spread returns the arguments of an ack whose handler returned out.
func spread(out any) []any {
	switch out := out.(type) {
	case several:
		return out.values()
	case None:
		return nil
	}
	return []any{out}
}

// An ArgumentError says that what a client sent does not fit the handler. The client's ack gets
// code "bad_arguments" and a text without Go types.
type ArgumentError struct {
	Event string
	Got   int // arguments that the client sent
	Want  int // arguments that the handler takes
	Type  string
	Err   error // of decoding or validating; nil when the number is wrong

	Invalid bool // the arguments were decoded and did not pass validation
}

func (e *ArgumentError) Error() string {
	if e.Invalid {
		return fmt.Sprintf("core: event %q is not valid (%s): %v", e.Event, e.Type, e.Err)
	}
	if e.Err != nil {
		return fmt.Sprintf("core: event %q does not fit its handler (%s): %v", e.Event, e.Type, e.Err)
	}
	return fmt.Sprintf("core: event %q: the client sent %d arguments, the handler wants %d (%s)", e.Event, e.Got, e.Want, e.Type)
}

func (e *ArgumentError) Unwrap() error { return e.Err }

// forClient is what the ack says.
func (e *ArgumentError) forClient() *Error {
	if e.Invalid {
		return invalid(e.Err)
	}
	if e.Err != nil {
		return &Error{Code: badArguments, Message: "an argument does not have the form that this event takes"}
	}
	plural := "s"
	if e.Want == 1 {
		plural = ""
	}
	return &Error{Code: badArguments, Message: fmt.Sprintf("this event takes %d argument%s, got %d", e.Want, plural, e.Got)}
}

const badArguments = "bad_arguments"

// refusedArguments is an ArgumentError of an event, with what its client is told.
type refusedArguments struct {
	*ArgumentError
	told *Error
}

func (e *refusedArguments) Unwrap() []error { return []error{e.told, e.ArgumentError} }

// readInto decodes the arguments of a client's event into in, which points to an input type, and
// validates them.
func readInto(in any, event string, args sio.Args, check validation) error {
	err := decodeInto(in, event, args)
	if err == nil && check != nil {
		err = notValid(check(in), in, event, args)
	}
	return forItsClient(err)
}

// readEach is readInto for several targets, one for each argument. shape points to a value of the
// type that texts name.
func readEach(targets []any, shape any, event string, args sio.Args, check func([]any) error) error {
	err := decodeEach(targets, shape, event, args)
	if err == nil && check != nil {
		err = notValid(check(targets), shape, event, args)
	}
	return forItsClient(err)
}

// notValid makes an ArgumentError of a failed validation.
func notValid(err error, in any, event string, args sio.Args) error {
	if err == nil {
		return nil
	}
	return &ArgumentError{Event: event, Got: args.Len(), Want: args.Len(), Type: typeName(in), Err: err, Invalid: true}
}

// forItsClient adds what the client is told to an ArgumentError.
func forItsClient(err error) error {
	if bad, ok := err.(*ArgumentError); ok {
		return &refusedArguments{bad, bad.forClient()}
	}
	return err
}

// decodeInto decodes the arguments of an event or ack into in, which points to an input type.
func decodeInto(in any, event string, args sio.Args) error {
	var targets []any
	switch in := in.(type) {
	case *Args:
		in.args = args
		return nil
	case *None:
		return nil
	case multi:
		targets = in.fields()
	default:
		targets = []any{in}
	}
	return decodeEach(targets, in, event, args)
}

// decodeEach decodes one argument into each target; in is for texts.
func decodeEach(targets []any, in any, event string, args sio.Args) error {
	if err := checkCount(targets, in, event, args.Len()); err != nil {
		return err
	}
	for i, target := range targets[:min(len(targets), args.Len())] {
		if err := args.Decode(i, target); err != nil {
			return &ArgumentError{Event: event, Got: args.Len(), Want: len(targets), Type: typeName(in), Err: err}
		}
	}
	return nil
}

func checkCount(targets []any, in any, event string, got int) error {
	least := len(targets)
	for least > 0 && reflect.TypeOf(targets[least-1]).Elem().Kind() == reflect.Pointer {
		least--
	}
	if got < least || got > len(targets) {
		return &ArgumentError{Event: event, Got: got, Want: len(targets), Type: typeName(in)}
	}
	return nil
}

func typeName(in any) string { return reflect.TypeOf(in).Elem().String() }
