package arguments

import (
	"encoding/json"
	"fmt"

	"github.com/siokit/siokit/wire/sio"
)

// None is the input of a handler that takes no argument, and the output of a Call whose answer
// does not matter. Arguments that arrive all the same are ignored.
type None struct{}

// Args2 is the input of a handler that takes two arguments:
//
//	core.On(srv, "move", func(c *core.Context, in core.Args2[int, int]) error { x, y := in.A, in.B; ... })
//
// A last argument of pointer type is optional: it is nil when the peer did not send it.
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

// Undecoded returns the Args of a packet's arguments.
func Undecoded(args sio.Args) Args { return Args{args} }

// Packet returns what Undecoded was given.
func Packet(a Args) sio.Args { return a.args }

// Len returns the number of arguments.
func (a Args) Len() int { return a.args.Len() }

// Raw returns argument i as JSON. Binary values are placeholders in it.
func (a Args) Raw(i int) json.RawMessage { return a.args.Raw[i] }

// Decode decodes argument i, counted from 0, into the value that v points to.
func (a Args) Decode(i int, v any) error {
	if i < 0 || i >= a.args.Len() {
		return fmt.Errorf("arguments: there is no argument %d, the peer sent %d", i+1, a.args.Len())
	}
	return a.args.Decode(i, v)
}

// String returns the arguments as one JSON list, for logs. Binary values are placeholders in it.
func (a Args) String() string {
	text := []byte{'['}
	for i, raw := range a.args.Raw {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, raw...)
	}
	return string(append(text, ']'))
}

// multi is implemented by the pointers to the types above that do not stand for one argument.
type multi interface {
	// fields returns pointers to what the arguments are decoded into.
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
