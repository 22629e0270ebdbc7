package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reader supplies the functions through which the JSON engine decodes the types that
// need more than encoding/json gives.
type reader struct {
	attachments [][]byte
	marker      string // of placeholders, if there are attachments
}

func (r *reader) unmarshalers(others bool) *jsonv2.Unmarshalers {
	all := []*jsonv2.Unmarshalers{
		jsonv2.UnmarshalFromFunc(r.readAny),
		jsonv2.UnmarshalFromFunc(readNumber),
	}
	if len(r.attachments) > 0 {
		all = append(all, jsonv2.UnmarshalFromFunc(r.readBytes))
		if others {
			all = append(all, jsonv2.UnmarshalFromFunc(r.readOther))
		}
	}
	return jsonv2.JoinUnmarshalers(all...)
}

// readAny decodes into an interface without methods. One that holds a pointer is left
// to the engine, which decodes into what it points to.
func (r *reader) readAny(dec *jsontext.Decoder, p *any) error {
	if *p != nil && reflect.TypeOf(*p).Kind() == reflect.Pointer {
		return errors.ErrUnsupported
	}
	v, err := r.value(dec)
	if err == nil {
		*p = v
	}
	return err
}

// value decodes one JSON value as encoding/json does into an any. Its recursion is
// bounded by the decoder, which refuses more than 10,000 levels.
func (r *reader) value(dec *jsontext.Decoder) (any, error) {
	switch dec.PeekKind() {
	case '{':
		return r.object(dec)
	case '[':
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		list := []any{}
		for {
			if dec.PeekKind() == ']' {
				_, err := dec.ReadToken()
				return list, err
			}
			v, err := r.value(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case '0':
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		return number(string(raw))
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '"':
		return tok.String(), nil
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return nil, nil
}

// object decodes an object, or the attachment that it stands for.
func (r *reader) object(dec *jsontext.Decoder) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	object := map[string]any{}
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		if tok.Kind() == '}' {
			break
		}
		name := tok.String() // the token does not survive the next read
		if object[name], err = r.value(dec); err != nil {
			return nil, err
		}
	}
	if len(r.attachments) == 0 || object[r.marker] != true {
		return object, nil
	}
	m := members{placeholder: true}
	m.num, m.hasNum = object["num"].(float64)
	n, err := m.index(len(r.attachments))
	if err != nil {
		return nil, err
	}
	return r.attachments[n], nil
}

// number decodes a JSON number for an any. An integer is a float64 only if that is written with the same digits
// again: 2^60 is a float64, but one that encoding/json writes as 1152921504606847000.
func number(s string) (any, error) {
	f, err := strconv.ParseFloat(s, 64)
	if len(s) > 15 && !strings.ContainsAny(s, ".eE") { // 15 digits always fit
		if err != nil || strconv.FormatFloat(f, 'f', -1, 64) != s {
			return json.Number(s), nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("number %.32s is out of the range of float64", s)
	}
	return f, nil
}

// readBytes decodes a placeholder into a []byte.
func (r *reader) readBytes(dec *jsontext.Decoder, p *[]byte) error {
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported
	}
	data, err := r.attachment(dec)
	if err == nil {
		*p = data
	}
	return err
}

// readOther decodes a placeholder into a named byte slice. It is asked about every value.
func (r *reader) readOther(dec *jsontext.Decoder, p any) error {
	v := reflect.ValueOf(p).Elem()
	if v.Kind() != reflect.Slice || dec.PeekKind() != '{' || shapeOf(v.Type())&isBytes == 0 {
		return errors.ErrUnsupported
	}
	data, err := r.attachment(dec)
	if err == nil {
		v.SetBytes(data)
	}
	return err
}

func (r *reader) attachment(dec *jsontext.Decoder) ([]byte, error) {
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n, ok, err := readPlaceholder(raw, len(r.attachments), r.marker)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("cannot decode a JSON object that is no placeholder into a byte slice")
	}
	return r.attachments[n], nil
}

// readNumber decodes into encoding/json's Number, which the engine takes for a string.
func readNumber(dec *jsontext.Decoder, p *json.Number) error {
	if atName(dec.StackIndex(dec.StackDepth())) {
		return errors.ErrUnsupported
	}
	switch dec.PeekKind() {
	case '0':
		raw, err := dec.ReadValue()
		if err == nil {
			*p = json.Number(raw)
		}
		return err
	case '"':
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		s := tok.String()
		if !validNumber(s) {
			return fmt.Errorf("invalid number literal, trying to unmarshal %.64q into Number", s)
		}
		*p = json.Number(s)
		return nil
	case 'n':
		_, err := dec.ReadToken()
		return err
	}
	return errors.ErrUnsupported
}

// atName reports whether the next token is the name of an object's member.
func atName(kind jsontext.Kind, length int64) bool { return kind == '{' && length%2 == 0 }

func validNumber(s string) bool {
	end, err := scanNumber([]byte(s), 0)
	return err == nil && end == len(s)
}

var errNotFinite = errors.New("NaN and infinity have no JSON form")

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
