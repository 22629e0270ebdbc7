package cluster

import (
	"bytes"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxList is how many rooms, sockets or other elements a list in a message may have. Two bytes of JSON can
// become a hundred in memory: without a bound one message could fill it.
const maxList = 1 << 16

// bounded is a list of at most maxList elements.
type bounded[T any] []T

// UnmarshalJSONFrom implements jsonv2.UnmarshalerFrom.
func (l *bounded[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	return elements(dec, maxList, func() error {
		var item T
		if err := jsonv2.UnmarshalDecode(dec, &item, jsontext.AllowDuplicateNames(true)); err != nil {
			return err
		}
		*l = append(*l, item)
		return nil
	})
}

// elements calls read, which reads one value, for each element of the list that comes next; null is none.
func elements(dec *jsontext.Decoder, most int, read func() error) error {
	switch t, err := dec.ReadToken(); {
	case err != nil:
		return err
	case t.Kind() == 'n':
		return nil
	case t.Kind() != '[':
		return fmt.Errorf("cluster: %s where a list was expected", t.Kind())
	}
	for n := 0; dec.PeekKind() != ']'; n++ {
		if n == most {
			return fmt.Errorf("cluster: a list of more than %d elements", most)
		}
		if err := read(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// split returns the elements of a list, which are parts of v.
func split(v jsontext.Value, most int) (parts []jsontext.Value, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v), lenient...)
	err = elements(dec, most, func() error {
		item, err := dec.ReadValue()
		if err == nil {
			end := dec.InputOffset()
			parts = append(parts, v[end-int64(len(item)):end])
		}
		return err
	})
	return parts, err
}
