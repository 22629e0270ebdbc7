package client

import (
	"encoding/json"
	"strings"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// The inputs of handlers, and the answers of Call, that are not exactly one argument. They are those of
// package core too.
type (
	// None stands for no argument. Arguments that arrive all the same are ignored.
	None = arguments.None

	// Args2 stands for two arguments. A last one of pointer type is optional.
	Args2[A, B any] = arguments.Args2[A, B]

	// Args3 stands for three arguments.
	Args3[A, B, C any] = arguments.Args3[A, B, C]

	// Args4 stands for four arguments.
	Args4[A, B, C, D any] = arguments.Args4[A, B, C, D]

	// Args stands for any number of arguments, which are decoded with its methods.
	Args = arguments.Args
)

// decodeInto decodes the arguments of an event or ack into in, which points to an input type.
func decodeInto(in any, event string, args sio.Args) error {
	return misfit(event, arguments.Decode(in, args))
}

// misfit names the event whose arguments do not fit.
func misfit(event string, err error) error {
	if m, ok := err.(*arguments.Misfit); ok {
		return &ArgumentError{event, m.Got, m.Want, strings.ReplaceAll(m.Type, "arguments.", "client."), m.Err}
	}
	return err
}

// withoutOffset takes the last argument off if it is one too many for in: with connection state recovery
// servers append an offset to every event.
func withoutOffset(in any, args sio.Args) sio.Args {
	if most, any := arguments.Most(in); !any {
		return withoutLast(args, most)
	}
	return args
}

// withoutLast takes the last argument off if it is a string and one more than most.
func withoutLast(args sio.Args, most int) sio.Args {
	if n := args.Len(); n == most+1 && isString(args.Raw[n-1]) {
		args.Raw = args.Raw[:n-1]
	}
	return args
}

func isString(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

// failure returns the error that an ack of a siokit server stands for.
func failure(args sio.Args) *Error {
	if args.Len() != 1 || len(args.Raw[0]) == 0 || args.Raw[0][0] != '{' {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(args.Raw[0], &members) != nil || len(members) != 1 || members["error"] == nil {
		return nil
	}
	var answer struct {
		Error struct {
			Code    string  `json:"code"`
			Message *string `json:"message"`
			Data    any     `json:"data"`
		} `json:"error"`
	}
	if args.Decode(0, &answer) != nil || answer.Error.Message == nil {
		return nil
	}
	return &Error{answer.Error.Code, *answer.Error.Message, answer.Error.Data}
}
