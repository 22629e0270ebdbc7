package arguments

import (
	"fmt"
	"reflect"

	"github.com/siokit/siokit/wire/sio"
)

// A Misfit says that arguments do not fit an input type.
type Misfit struct {
	Got  int    // arguments that the peer sent
	Want int    // arguments that the input type takes
	Type string // the input type
	Err  error  // of decoding; nil when the number is wrong
}

func (m *Misfit) Error() string {
	if m.Err != nil {
		return fmt.Sprintf("arguments: they do not fit %s: %v", m.Type, m.Err)
	}
	return fmt.Sprintf("arguments: the peer sent %d, %s takes %d", m.Got, m.Type, m.Want)
}

func (m *Misfit) Unwrap() error { return m.Err }

// Decode decodes arguments into in, which points to an input type. An error is a *Misfit.
func Decode(in any, from sio.Args) error {
	var targets []any
	switch in := in.(type) {
	case *Args:
		in.args = from
		return nil
	case *None:
		return nil
	case multi:
		targets = in.fields()
	default:
		targets = []any{in}
	}
	return DecodeEach(targets, in, from)
}

// DecodeEach decodes one argument into each of the targets, which are pointers. shape points to a value
// of the type that texts name.
func DecodeEach(targets []any, shape any, from sio.Args) error {
	if err := checkCount(targets, shape, from.Len()); err != nil {
		return err
	}
	for i, target := range targets[:min(len(targets), from.Len())] {
		if err := from.Decode(i, target); err != nil {
			return &Misfit{Got: from.Len(), Want: len(targets), Type: TypeName(shape), Err: err}
		}
	}
	return nil
}

func checkCount(targets []any, shape any, got int) error {
	least := len(targets)
	for least > 0 && reflect.TypeOf(targets[least-1]).Elem().Kind() == reflect.Pointer {
		least--
	}
	if got < least || got > len(targets) {
		return &Misfit{Got: got, Want: len(targets), Type: TypeName(shape)}
	}
	return nil
}

// Most returns how many arguments the type takes that in points to; any is true for None and Args, which
// take any number.
func Most(in any) (n int, any bool) {
	switch in := in.(type) {
	case *Args, *None:
		return 0, true
	case multi:
		return len(in.fields()), false
	}
	return 1, false
}

// TypeName returns the name of the type that in points to.
func TypeName(in any) string { return reflect.TypeOf(in).Elem().String() }

// Spread returns the arguments of an ack whose handler returned out.
func Spread(out any) []any {
	switch out := out.(type) {
	case several:
		return out.values()
	case None:
		return nil
	}
	return []any{out}
}

var multiType = reflect.TypeFor[multi]()

// IsMulti reports whether t is None or one of Args2 to Args4.
func IsMulti(t reflect.Type) bool { return reflect.PointerTo(t).Implements(multiType) }

// Fields returns pointers to what the arguments are decoded into, for a pointer to a type of which
// IsMulti is true.
func Fields(in any) []any { return in.(multi).fields() }
