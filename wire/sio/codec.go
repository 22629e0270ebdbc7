package sio

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// JSON encodes and decodes single arguments in place of the built-in codec: for another engine, or for
// forms of the application's own, such as another format of time. sonic.ConfigStd is one as it is.
//
// It is used for the arguments of events and acks that hold no binary value. One that does is left to the
// built-in codec, which knows where its attachments stand; so is a json.RawMessage. Payloads of CONNECT and
// CONNECT_ERROR never come here.
//
// Struct tags must mean what they mean in encoding/json, because the kit's own answers, such as
// {"error": ...}, are structs too. Both methods may be called by any number of goroutines at once.
type JSON interface {
	// Marshal returns one JSON value in UTF-8, which is checked before it is sent.
	Marshal(v any) ([]byte, error)
	// Unmarshal decodes one JSON value that has been checked into what v points to. It must not keep data.
	Unmarshal(data []byte, v any) error
}

// marshal appends what codec makes of v.
func (w *writer) marshal(codec JSON, v any) error {
	out, err := codec.Marshal(v)
	if err != nil {
		return err
	}
	start := skipSpace(out, 0)
	end, err := scanValue(out, start, DefaultDepth)
	if err == nil && skipSpace(out, end) != len(out) {
		err = syntaxError("data after the value", end)
	}
	if err != nil {
		return fmt.Errorf("the JSON codec's result: %w", err)
	}
	if !utf8.Valid(out) {
		return w.raw(out)
	}
	w.out = append(w.out, out[start:end]...)
	return nil
}

// reading is how the JSON of some arguments differs from the default.
type reading struct {
	codec  JSON   // nil: the built-in codec
	marker string // "": defaultMarker
}

// unmarshal decodes raw with the codec. Done is false if it holds a placeholder.
func (a Args) unmarshal(raw []byte, v any) (done bool, err error) {
	if len(a.Attachments) > 0 {
		found, err := findPlaceholders(raw, len(a.Attachments), a.marker())
		if err != nil || len(found) > 0 {
			return false, err
		}
	}
	if t := reflect.TypeOf(v); t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return true, errTarget
	}
	// A clone, because codecs that save allocations let strings alias what they decode, and an argument may
	// be decoded again.
	return true, a.reading.codec.Unmarshal(bytes.Clone(raw), v)
}

var errTarget = errors.New("the target of decoding must be a pointer that is not nil")

// maxWalk is how deep holdsBinary looks. A value that is nested deeper, or in a circle, is the built-in
// codec's, which has an error for it.
const maxWalk = 1_000

// holdsBinary reports whether an attachment would be made of something in v.
func holdsBinary(v reflect.Value, depth int) bool {
	if !v.IsValid() {
		return false
	}
	t := v.Type()
	s := shapeOf(t)
	switch {
	case s&(holdsBytes|holdsOthers) == 0 || t == numberType:
		return false
	case s&isBytes != 0:
		return !v.IsNil()
	case depth == maxWalk:
		return true
	case marshalsItself(v):
		return false // its methods decide what becomes of its bytes
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return holdsBinary(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if holdsBinary(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for members := v.MapRange(); members.Next(); {
			if holdsBinary(members.Value(), depth+1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if (f.IsExported() || f.Anonymous) && !isLeftOut(f) && holdsBinary(v.Field(i), depth+1) {
				return true
			}
		}
	}
	return false
}

func marshalsItself(v reflect.Value) bool {
	t := v.Type()
	if t.Kind() == reflect.Interface {
		return false // what it holds does, or does not
	}
	for _, form := range writtenForms {
		if t.Implements(form) || v.CanAddr() && reflect.PointerTo(t).Implements(form) {
			return true
		}
	}
	return false
}

func isLeftOut(f reflect.StructField) bool {
	name, _, options := strings.Cut(f.Tag.Get("json"), ",")
	return name == "-" && !options
}
