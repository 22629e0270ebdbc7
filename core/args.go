package core

import (
	"fmt"
	"strings"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// The inputs of handlers that do not take exactly one argument. They are those of package client too.
type (
	// None is the input of a handler that takes no argument, and the output of a Call whose answer
	// does not matter. Arguments that arrive all the same are ignored.
	None = arguments.None

	// Args2 is the input of a handler that takes two arguments:
	//
	//	core.On(srv, "move", func(c *core.Context, in core.Args2[int, int]) error { x, y := in.A, in.B; ... })
	//
	// A last argument of pointer type is optional: it is nil when the client did not send it.
	Args2[A, B any] = arguments.Args2[A, B]

	// Args3 is the input of a handler that takes three arguments.
	Args3[A, B, C any] = arguments.Args3[A, B, C]

	// Args4 is the input of a handler that takes four arguments.
	Args4[A, B, C, D any] = arguments.Args4[A, B, C, D]

	// Args is the input of a handler that decodes its arguments itself, however many there are.
	Args = arguments.Args
)

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
	return &ArgumentError{Event: event, Got: args.Len(), Want: args.Len(), Type: named(arguments.TypeName(in)), Err: err, Invalid: true}
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
	return misfit(event, arguments.Decode(in, args))
}

// decodeEach decodes one argument into each target; in is for texts.
func decodeEach(targets []any, in any, event string, args sio.Args) error {
	return misfit(event, arguments.DecodeEach(targets, in, args))
}

// misfit names the event whose arguments do not fit.
func misfit(event string, err error) error {
	if m, ok := err.(*arguments.Misfit); ok {
		return &ArgumentError{Event: event, Got: m.Got, Want: m.Want, Type: named(m.Type), Err: m.Err}
	}
	return err
}

// named puts the names in a text about types that a user of this package knows.
func named(types string) string { return strings.ReplaceAll(types, "arguments.", "core.") }
