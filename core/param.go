package core

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// errInvalidNamespace refuses a CONNECT for a namespace that does not exist, as the Node server does.
var errInvalidNamespace = &ConnectError{Message: "Invalid namespace"}

// Param returns what stands in the namespace's name for the pattern's parameter, "" when there is no
// such parameter: "7" for "id" in "/org/7", of OfPattern("/org/{id}"). The value of "/*" is named "*".
func (ns *Namespace) Param(name string) string { return ns.params[name] }

// Param is Namespace.Param of the socket's namespace.
func (s *Socket) Param(name string) string { return s.ns.Param(name) }

// Parametric is what has the parameters of a namespace pattern: a *Context, a *Socket or a *Namespace.
type Parametric interface{ Param(name string) string }

// Param returns a parameter of the namespace's name as a T: a string, bool, integer or floating-point
// type, or one whose pointer is an encoding.TextUnmarshaler. Returned by a guard or OnConnect the error
// refuses the client with "Invalid namespace":
//
//	orgs := srv.OfPattern("/org/{id}")
//	orgs.Use(func(ctx context.Context) error {
//		c, _ := core.From(ctx)
//		id, err := core.Param[int](c, "id")
//		if err != nil {
//			return err
//		}
//		return mayEnter(ctx, id)
//	})
//
// A value must be written as T writes it. "/org/7", "/org/07" and "/org/+7" are three namespaces, so
// only the first may mean organisation 7.
func Param[T any](of Parametric, name string) (T, error) {
	raw := of.Param(name)
	var v T
	if err := parseParam(raw, &v); err != nil {
		var zero T
		return zero, errors.Join(errInvalidNamespace, fmt.Errorf("core: parameter %q of the namespace is %q: %w", name, clip(raw), err))
	}
	return v, nil
}

var errNotCanonical = errors.New("it is not written as its type writes it")

// parseParam parses raw into v, a pointer.
func parseParam(raw string, v any) error {
	written, err := scanParam(raw, v)
	if err == nil && (raw == "" || written != raw) {
		err = errNotCanonical
	}
	return err
}

// scanParam parses raw into v and returns how v is written.
func scanParam(raw string, v any) (written string, err error) {
	if t, ok := v.(encoding.TextUnmarshaler); ok {
		if err := t.UnmarshalText([]byte(raw)); err != nil {
			return "", err
		}
		if m, ok := v.(encoding.TextMarshaler); ok {
			text, err := m.MarshalText()
			return string(text), err
		}
		return raw, nil
	}
	to := reflect.ValueOf(v).Elem()
	switch to.Kind() {
	case reflect.String:
		to.SetString(raw)
	case reflect.Bool:
		b, err := strconv.ParseBool(raw)
		to.SetBool(b)
		return strconv.FormatBool(b), err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(raw, 10, to.Type().Bits())
		to.SetInt(n)
		return strconv.FormatInt(n, 10), err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(raw, 10, to.Type().Bits())
		to.SetUint(n)
		return strconv.FormatUint(n, 10), err
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(raw, to.Type().Bits())
		to.SetFloat(f)
		return strconv.FormatFloat(f, 'g', -1, to.Type().Bits()), err
	default:
		return "", fmt.Errorf("a %s cannot be read from text: give it UnmarshalText", to.Type())
	}
	return raw, nil
}
