package sio

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Args are the undecoded arguments of an event or ack. They may be decoded by several
// goroutines at once, and any argument any number of times.
type Args struct {
	// Raw holds one JSON value for each argument, as ParseEvent and ParseArgs return them.
	Raw []json.RawMessage
	// Attachments are the binary values of the packet. In a packet without any, an
	// object that looks like a placeholder is just an object.
	Attachments [][]byte

	reading *reading // nil: as the protocol's text and the built-in codec have it
}

func (a Args) marker() string {
	if a.reading == nil || a.reading.marker == "" {
		return defaultMarker
	}
	return a.reading.marker
}

// Len returns the number of arguments.
func (a Args) Len() int { return len(a.Raw) }

// Decode decodes argument i, counted from 0, into the value that v points to, by the
// rules of encoding/json: field names match without regard to case, null leaves a
// value alone, and a JSON string decodes into a []byte as base64. It differs in two points:
//
//   - A number that is written as an integer and decoded into an interface becomes a
//     json.Number if a float64 would not be written with the same digits again, and a float64 otherwise.
//   - In a packet with attachments, a placeholder decodes into a []byte (or a named byte
//     slice without JSON methods) or an any as the attachment that it names. The slice
//     is the packet's own: two placeholders for one attachment share it.
//
// A json.RawMessage gets the JSON as it came, placeholders included.
//
// If Packet.Args has been given another codec, that decodes the arguments without placeholders, by its own
// rules.
//
// Errors name the argument, counted from 1 as a reader of the event's code would. A
// panic of an UnmarshalJSON method is not recovered.
func (a Args) Decode(i int, v any) error {
	if i < 0 || i >= len(a.Raw) {
		return fmt.Errorf("sio: argument %d is missing: the peer sent %d", i+1, len(a.Raw))
	}
	raw := a.Raw[i]
	if p, ok := v.(*json.RawMessage); ok && p != nil {
		*p = slices.Clone(raw)
		return nil
	}
	if err := a.decode(raw, v); err != nil {
		return fmt.Errorf("sio: argument %d: %w", i+1, err)
	}
	return nil
}

func (a Args) decode(raw json.RawMessage, v any) error {
	if a.reading != nil && a.reading.codec != nil {
		if done, err := a.unmarshal(raw, v); done || err != nil {
			return err
		}
	}
	return decode(raw, v, reader{a.Attachments, a.marker()}, readOptions)
}

// DecodeExact decodes raw into the value that v points to with field names matched by
// case: {"ADMIN":true} does not set a field named admin, as it would with encoding/json.
// It is meant for auth payloads. Of members with the same name the last one wins; like
// in encoding/json, two objects of the same name merge. Large integers are kept as
// Args.Decode keeps them. Empty raw, a CONNECT without a payload, leaves v alone.
func DecodeExact(raw []byte, v any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := decode(raw, v, reader{}, exactOptions); err != nil {
		return fmt.Errorf("sio: %w", err)
	}
	return nil
}

// The options are joined once: each Join at run time would copy them.
var (
	readOptions  = newReadOptions(jsonv1.DefaultOptionsV1())
	exactOptions = newReadOptions(jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.MatchCaseInsensitiveNames(false)))
)

type optionSet struct {
	plain  jsonv2.Options // for types that hold nothing special
	exact  jsonv2.Options // plus any and json.Number
	source jsonv2.Options // what both are made from
}

func newReadOptions(base jsonv2.Options) optionSet {
	r := &reader{}
	return optionSet{
		plain:  base,
		exact:  jsonv2.JoinOptions(base, jsonv2.WithUnmarshalers(r.unmarshalers(false))),
		source: base,
	}
}

func decode(raw []byte, v any, from reader, opts optionSet) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return errTarget
	}
	use := opts.plain
	s := shapeOf(t.Elem())
	switch {
	case s&^needsEngine == 0:
	case len(from.attachments) > 0:
		// The functions carry the packet's attachments, so they are made for it. Only
		// packets with attachments pay for that.
		r := &reader{from.attachments, from.marker}
		use = jsonv2.JoinOptions(opts.source, jsonv2.WithUnmarshalers(r.unmarshalers(s&(holdsOthers|isBytes) != 0)))
	default:
		use = opts.exact
	}
	return jsonv2.Unmarshal(raw, v, use)
}
