package core

import (
	"errors"
	"reflect"
	"time"

	"github.com/siokit/siokit/wire/arguments"
)

// selfValidating is implemented by input types that check themselves.
type selfValidating interface{ Validate() error }

var (
	selfValidatingType = reflect.TypeFor[selfValidating]()
	timeType           = reflect.TypeFor[time.Time]()
)

// A validation checks what its argument points to.
type validation func(in any) error

// validationOf returns the validation of an input type of On, nil if there is nothing to check. What a type
// needs is found out once, at the registration.
func validationOf(t reflect.Type, validate func(any) error) validation {
	if !arguments.IsMulti(t) {
		return validationOfOne(t, validate, 0)
	}
	fields := arguments.Fields(reflect.New(t).Interface())
	types := make([]reflect.Type, len(fields))
	for i, field := range fields {
		types[i] = reflect.TypeOf(field).Elem()
	}
	all := validationOfAll(types, validate)
	if all == nil {
		return nil
	}
	return func(in any) error { return all(arguments.Fields(in)) }
}

// validationOfAll returns the validation of several arguments, which is given pointers to them.
func validationOfAll(types []reflect.Type, validate func(any) error) func(targets []any) error {
	checks, some := make([]validation, len(types)), false
	for i, t := range types {
		checks[i] = validationOfOne(t, validate, 0)
		some = some || checks[i] != nil
	}
	if !some {
		return nil
	}
	return func(targets []any) error {
		for i, check := range checks {
			if check == nil {
				continue
			}
			if err := check(targets[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// maxValidationDepth ends the search in types that contain themselves.
const maxValidationDepth = 3

// validationOfOne returns the validation of one argument: of the struct that it is or points to, or of the
// elements of a slice or array of them.
func validationOfOne(t reflect.Type, validate func(any) error, depth int) validation {
	if depth > maxValidationDepth || t == reflect.TypeFor[Args]() || t == reflect.TypeFor[None]() {
		return nil
	}
	var inside validation
	switch t.Kind() {
	case reflect.Pointer:
		pointed := validationOfOne(t.Elem(), validate, depth+1)
		if pointed == nil {
			return nil
		}
		return func(in any) error {
			if p := reflect.ValueOf(in).Elem(); !p.IsNil() {
				return pointed(p.Interface())
			}
			return nil
		}
	case reflect.Struct:
		if validate != nil && !t.ConvertibleTo(timeType) {
			inside = validate
		}
	case reflect.Slice, reflect.Array:
		if element := validationOfOne(t.Elem(), validate, depth+1); element != nil {
			inside = func(in any) error {
				all := reflect.ValueOf(in).Elem()
				for i := range all.Len() {
					if err := element(all.Index(i).Addr().Interface()); err != nil {
						return err
					}
				}
				return nil
			}
		}
	}
	if !reflect.PointerTo(t).Implements(selfValidatingType) {
		return inside
	}
	return func(in any) error {
		if inside != nil {
			if err := inside(in); err != nil {
				return err
			}
		}
		return in.(selfValidating).Validate()
	}
}

// invalid is what the client is told of a failed validation.
func invalid(err error) *Error {
	told := &Error{Code: badArguments, Message: "an argument is not valid"}
	if own, ok := errors.AsType[*Error](err); ok {
		told = &Error{own.Code, own.Message, own.Data}
		if told.Code == "" {
			told.Code = badArguments
		}
	} else if own, ok := errors.AsType[clientError](err); ok {
		told.Message, told.Data = own.ClientError()
	} else if fields := invalidFields(err); len(fields) > 0 {
		told.Data = map[string]any{"fields": fields}
	}
	return told
}

// invalidField is one of go-playground/validator's errors, as the client sees it.
type invalidField struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
	Param string `json:"param,omitempty"`
}

// invalidFields takes apart validator.ValidationErrors, known by what its elements can do: this
// package imports no validator.
func invalidFields(err error) (fields []invalidField) {
	for ; err != nil; err = errors.Unwrap(err) {
		list := reflect.ValueOf(err)
		if list.Kind() != reflect.Slice {
			continue
		}
		for i := range list.Len() {
			if f, ok := list.Index(i).Interface().(interface {
				Field() string
				Tag() string
				Param() string
			}); ok {
				fields = append(fields, invalidField{f.Field(), f.Tag(), f.Param()})
			}
		}
	}
	return fields
}
