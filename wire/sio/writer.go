package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// writer encodes the arguments of one packet after another. It is pooled because its
// functions, and what the engine caches for them, are costly to make. The functions
// find the packet at work through the writer.
type writer struct {
	out         []byte   // what the encoders have written
	attachments [][]byte // in placeholder order
	limit       int      // of attachments
	marker      string   // of placeholders

	// Which one encodes a value depends on the shape of its type. For most structs
	// encoding/json itself will do, and it is the fastest.
	standard *json.Encoder
	plain    *jsontext.Encoder // bounds the depth
	full     *jsontext.Encoder // also finds []byte, any and json.Number
	others   jsonv2.Options    // makes full look at every value
}

// Escaping for HTML and JavaScript is for JSON inside a page; here it would only make
// packets longer. Raw
// strings are not preserved, because a json.RawMessage may hold invalid UTF-8, which must
// not get into a text frame: peers would close the connection.
var writeOptions = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsontext.EscapeForHTML(false), jsontext.EscapeForJS(false), jsontext.PreserveRawStrings(false))

var writers = sync.Pool{New: func() any {
	w := &writer{}
	exact := []*jsonv2.Marshalers{
		jsonv2.MarshalToFunc(func(enc *jsontext.Encoder, v *any) error { return w.value(enc, *v) }),
		jsonv2.MarshalToFunc(w.bytes),
		jsonv2.MarshalToFunc(writeNumber),
	}
	w.standard = json.NewEncoder(w)
	w.standard.SetEscapeHTML(false)
	w.plain = jsontext.NewEncoder(w, writeOptions)
	w.full = jsontext.NewEncoder(w, writeOptions, jsonv2.WithMarshalers(jsonv2.JoinMarshalers(exact...)))
	w.others = jsonv2.WithMarshalers(jsonv2.JoinMarshalers(append(exact, jsonv2.MarshalToFunc(w.other))...))
	return w
}}

// Write takes what the encoders have encoded. It never fails.
func (w *writer) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

// release puts the writer back, unless a large packet has grown its encoders' buffers.
func (w *writer) release(written int) {
	const keep = 64 << 10
	if written > keep {
		return
	}
	w.out, w.attachments = nil, nil
	writers.Put(w)
}

// appendValues appends the values with a comma before each, and the first comma left
// out if first is set. After an error the writer must not be used again, since its encoders
// stand in the middle of a value. The error is an argumentError.
func (w *writer) appendValues(dst []byte, values []any, first bool, codec JSON) ([]byte, error) {
	w.out = dst
	for i, v := range values {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		if err := w.argument(v, codec); err != nil {
			return dst, argumentError{index: i, err: err}
		}
	}
	return w.out, nil
}

// argumentError is a value that has no JSON form; the caller words the message.
type argumentError struct {
	index int
	err   error
}

func (e argumentError) Error() string { return e.err.Error() }
func (e argumentError) Unwrap() error { return e.err }

// argument encodes one argument with codec, if there is one and it can.
func (w *writer) argument(v any, codec JSON) error {
	if codec == nil {
		return w.top(v)
	}
	if _, raw := v.(json.RawMessage); raw || holdsBinary(reflect.ValueOf(v), 0) {
		return w.top(v)
	}
	return w.marshal(codec, v)
}

// top encodes one argument with the built-in codec.
func (w *writer) top(v any) error {
	switch v := v.(type) {
	case nil:
		w.out = append(w.out, "null"...)
		return nil
	case string:
		w.out = appendString(w.out, v)
		return nil
	case int:
		w.out = strconv.AppendInt(w.out, int64(v), 10)
		return nil
	case bool:
		w.out = strconv.AppendBool(w.out, v)
		return nil
	case json.RawMessage:
		return w.raw(v)
	}
	var err error
	switch shapeOf(reflect.TypeOf(v)) {
	case 0:
		start := len(w.out)
		if err := w.standard.Encode(v); err != nil {
			return err
		}
		if utf8.Valid(w.out[start:]) {
			break
		}
		// MarshalJSON made invalid UTF-8; the engine mends it.
		w.out = w.out[:start]
		fallthrough
	case needsEngine:
		err = jsonv2.MarshalEncode(w.plain, v)
	default:
		err = w.value(w.full, v)
	}
	if err != nil {
		return reason(err)
	}
	w.out = w.out[:len(w.out)-1] // all three end a top-level value with a line break
	return nil
}

// raw appends JSON that the caller has made, checked and without the space around it.
func (w *writer) raw(v json.RawMessage) error {
	if v == nil {
		w.out = append(w.out, "null"...)
		return nil
	}
	val, err := jsontext.AppendFormat(w.out, []byte(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("json.RawMessage: %w", err)
	}
	w.out = val
	return nil
}

// value encodes what an interface holds. The trees that encoding/json makes of any JSON
// are walked here; the engine gets the rest, with as little of our machinery as it needs.
func (w *writer) value(enc *jsontext.Encoder, v any) error {
	switch v := v.(type) {
	case nil:
		return enc.WriteToken(jsontext.Null)
	case bool:
		return enc.WriteToken(jsontext.Bool(v))
	case string:
		return enc.WriteToken(jsontext.String(v))
	case int:
		return enc.WriteToken(jsontext.Int(int64(v)))
	case int64:
		return enc.WriteToken(jsontext.Int(v))
	case float64:
		if !finite(v) {
			return errNotFinite
		}
		return enc.WriteToken(jsontext.Float(v))
	case json.Number:
		return writeNumber(enc, v)
	case []byte:
		return w.bytes(enc, v)
	case map[string]any:
		return w.object(enc, v)
	case []any:
		return w.list(enc, v)
	}
	s := shapeOf(reflect.TypeOf(v))
	switch {
	case s&isBytes != 0:
		return w.bytes(enc, reflect.ValueOf(v).Bytes())
	case s&holdsOthers != 0:
		return jsonv2.MarshalEncode(enc, v, w.others)
	}
	return jsonv2.MarshalEncode(enc, v)
}

func (w *writer) object(enc *jsontext.Encoder, object map[string]any) error {
	if object == nil {
		return enc.WriteToken(jsontext.Null)
	}
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	var few [16]string
	names := slices.AppendSeq(few[:0], maps.Keys(object))
	slices.Sort(names)
	for _, name := range names {
		if err := enc.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if err := w.value(enc, object[name]); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

func (w *writer) list(enc *jsontext.Encoder, list []any) error {
	if list == nil {
		return enc.WriteToken(jsontext.Null)
	}
	if err := enc.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, v := range list {
		if err := w.value(enc, v); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndArray)
}

// bytes writes a placeholder and keeps the bytes for after the packet.
func (w *writer) bytes(enc *jsontext.Encoder, v []byte) error {
	if v == nil {
		return enc.WriteToken(jsontext.Null)
	}
	if len(w.attachments) == w.limit {
		return fmt.Errorf("the packet has more than %d binary attachments, and peers with that limit would close the connection: send fewer at once, join them into one, or raise the limit on both sides", w.limit)
	}
	placeholder := append(enc.AvailableBuffer(), `{"`...)
	placeholder = append(placeholder, w.marker...)
	placeholder = append(placeholder, `":true,"num":`...)
	placeholder = append(strconv.AppendInt(placeholder, int64(len(w.attachments)), 10), '}')
	w.attachments = append(w.attachments, v)
	return enc.WriteValue(placeholder)
}

// other writes named byte slices and what interfaces with methods hold. It is asked
// about every value.
func (w *writer) other(enc *jsontext.Encoder, p any) error {
	v := reflect.ValueOf(p).Elem()
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Uint8 || shapeOf(v.Type())&isBytes == 0 {
		return errors.ErrUnsupported
	}
	return w.bytes(enc, v.Bytes())
}

// writeNumber writes encoding/json's Number, which the engine takes for a string.
func writeNumber(enc *jsontext.Encoder, n json.Number) error {
	if atName(enc.StackIndex(enc.StackDepth())) {
		return errors.ErrUnsupported
	}
	if n == "" {
		n = "0" // as in encoding/json
	}
	if !validNumber(string(n)) {
		return fmt.Errorf("invalid number literal %.64q", string(n))
	}
	return enc.WriteValue(append(enc.AvailableBuffer(), n...))
}

// reason takes off the layers that the engine puts around an error of our functions.
func reason(err error) error {
	for {
		layer, ok := err.(*jsonv1.MarshalerError)
		if !ok || !strings.HasPrefix(layer.Error(), "json: error calling MarshalToFunc ") {
			return err
		}
		err = layer.Err
	}
}
