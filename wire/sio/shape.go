package sio

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
)

// A shape says what a type can hold that the JSON engine alone would treat wrongly. It
// decides, once per type, how much of our machinery a value needs.
type shape uint8

const (
	// holdsBytes: a []byte, a json.Number or an any, each found by its exact type.
	holdsBytes shape = 1 << iota
	// holdsOthers: a named byte slice, or an interface with methods that may hold
	// anything. Every value has to be looked at.
	holdsOthers
	// needsEngine: encoding/json must not write it, because the type is recursive and
	// encoding/json does not bound how deep it goes, or has a MarshalJSONTo method.
	needsEngine
	// isBytes: the type is itself a byte slice without a JSON form of its own.
	isBytes
)

var shapes sync.Map // reflect.Type -> shape

func shapeOf(t reflect.Type) shape {
	if s, ok := shapes.Load(t); ok {
		return s.(shape)
	}
	s := analyse(t, map[reflect.Type]bool{})
	if isByteSlice(t) {
		s |= isBytes
	}
	shapes.Store(t, s)
	return s
}

var (
	bytesType  = reflect.TypeFor[[]byte]()
	numberType = reflect.TypeFor[json.Number]()
	anyType    = reflect.TypeFor[any]()

	marshalerTo = reflect.TypeFor[jsonv2.MarshalerTo]()

	writtenForms = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](), marshalerTo}
	readForms    = []reflect.Type{
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[jsonv2.UnmarshalerFrom](),
	}
	ownForms = append(slices.Clip(writtenForms), readForms...)
)

// hasOwnForm reports whether t, or a pointer to it, has a method that writes or reads its JSON.
func hasOwnForm(t reflect.Type) bool {
	for _, form := range ownForms {
		if t.Implements(form) || reflect.PointerTo(t).Implements(form) {
			return true
		}
	}
	return false
}

// isByteSlice reports whether values of t travel as attachments.
func isByteSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !hasOwnForm(t) && !hasOwnForm(t.Elem())
}

// analyse collects the shapes of everything that t contains. It may say too much (of a
// type with methods on its pointer, which are not always called), never too little.
//
// Open is true for the types that t stands inside of, and false for those that are done.
func analyse(t reflect.Type, open map[reflect.Type]bool) (s shape) {
	if inside, seen := open[t]; inside {
		return needsEngine
	} else if seen {
		return 0
	}
	open[t] = true
	defer func() { open[t] = false }()
	switch {
	case t == bytesType, t == numberType, t == anyType:
		return holdsBytes
	case isByteSlice(t):
		return holdsOthers
	}
	if t.Implements(marshalerTo) || reflect.PointerTo(t).Implements(marshalerTo) {
		s = needsEngine
	}
	switch t.Kind() {
	case reflect.Interface:
		return holdsOthers
	case reflect.Pointer, reflect.Slice, reflect.Array:
		s |= analyse(t.Elem(), open)
	case reflect.Map:
		s |= analyse(t.Key(), open) | analyse(t.Elem(), open)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() || f.Anonymous {
				s |= analyse(f.Type, open)
			}
		}
	}
	return s
}
