package msgpack

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/siokit/siokit/wire/sio"
)

// transcoder writes one MessagePack value as JSON, with placeholders for binary values. It keeps
// open containers in a slice, so that deep nesting costs 8 bytes a level.
type transcoder struct {
	depth    int // most levels
	binaries int // most binary values

	out         []byte // at most about six times as long as what was read, placeholders apart
	attachments [][]byte
	marker      string          // of placeholders, if not the default
	taken       map[string]bool // the members of the peer's objects that look like markers
	nothing     bool            // the whole value was undefined
}

// level is an open array or map.
type level struct {
	left   uint32 // elements or members to come
	object bool
	begun  bool // something has been written in it
}

const defaultMarker = "_placeholder"

// Leads of values that are told apart by their first byte.
const (
	leadNil   = 0xc0
	leadNever = 0xc1
)

var errShort = errors.New("it ends too early")

// isNothing reports whether there was no value, or undefined, or nil.
func (t *transcoder) isNothing() bool { return t.nothing || len(t.out) == 0 || string(t.out) == "null" }

// run transcodes the value at the start of b and returns what follows it. If the peer's data holds an
// object that looks like a placeholder beside real ones, the real ones get another marker.
func (t *transcoder) run(b []byte) (rest []byte, err error) {
	if rest, err = t.value(b); err != nil {
		return b, err
	}
	if len(t.attachments) > 0 && t.taken[defaultMarker] {
		t.marker = sio.Marker(t.taken)
		return t.value(b)
	}
	return rest, nil
}

func (t *transcoder) value(b []byte) ([]byte, error) {
	t.out, t.attachments, t.nothing = make([]byte, 0, min(len(b)+len(b)/4, 64<<10)), nil, false
	var few [8]level
	open := few[:0]
	for {
		member := len(t.out) // where it is taken out again if it is undefined
		var top *level
		if len(open) > 0 {
			top = &open[len(open)-1]
			if top.left == 0 {
				t.out = append(t.out, closing(top.object))
				if open = open[:len(open)-1]; len(open) == 0 {
					return b, nil
				}
				continue
			}
			top.left--
			if top.begun {
				t.out = append(t.out, ',')
			}
			if top.object {
				var err error
				if b, err = t.key(b); err != nil {
					return b, err
				}
			}
		}
		if len(b) == 0 {
			return b, errShort
		}
		if isContainer(b[0]) {
			inner, rest, err := readContainer(b)
			if err != nil {
				return b, err
			}
			if len(open) == t.depth {
				return b, fmt.Errorf("nested deeper than %d levels", t.depth)
			}
			if top != nil {
				top.begun = true
			}
			t.out = append(t.out, closing(inner.object)-2) // '{' is '}'-2, '[' is ']'-2
			open, b = append(open, inner), rest
			continue
		}
		undefined, rest, err := t.scalar(b)
		if err != nil {
			return b, err
		}
		b = rest
		switch {
		case top == nil:
			t.nothing = undefined
			return b, nil
		case undefined && top.object: // as in JSON.stringify
			t.out = t.out[:member]
			continue
		case undefined:
			t.out = append(t.out, "null"...)
		}
		top.begun = true
	}
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

func isContainer(lead byte) bool {
	return lead >= 0x80 && lead <= 0x9f || lead >= 0xdc && lead <= 0xdf
}

// readContainer reads the head of an array or a map. The number of elements is the peer's claim, but
// never more than can be in b.
func readContainer(b []byte) (c level, rest []byte, err error) {
	c.object = b[0] < 0x90 || b[0] >= 0xde
	least := uint64(1) // bytes of an element
	if c.object {
		least = 2
		c.left, rest, err = msgp.ReadMapHeaderBytes(b)
	} else {
		c.left, rest, err = msgp.ReadArrayHeaderBytes(b)
	}
	if err == nil && uint64(c.left)*least > uint64(len(rest)) {
		err = fmt.Errorf("it claims %d elements in %d bytes", c.left, len(rest))
	}
	return c, rest, err
}

// key writes the name of a member and its colon.
func (t *transcoder) key(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return b, errShort
	}
	switch {
	case isString(b[0]):
		var name []byte
		if name, rest, err = msgp.ReadStringZC(b); err != nil {
			return b, err
		}
		if bytes.HasPrefix(name, []byte(defaultMarker)) {
			if t.taken == nil {
				t.taken = map[string]bool{}
			}
			t.taken[string(name)] = true
		}
		t.out = appendQuoted(t.out, name)
	case isInteger(b[0]):
		t.out = append(t.out, '"')
		if rest, err = t.integer(b); err != nil {
			return b, err
		}
		t.out = append(t.out, '"')
	default:
		return b, fmt.Errorf("a map's key must be a string or an integer, not 0x%02x", b[0])
	}
	t.out = append(t.out, ':')
	return rest, nil
}

func isString(lead byte) bool { return lead >= 0xa0 && lead <= 0xbf || lead >= 0xd9 && lead <= 0xdb }

func isInteger(lead byte) bool {
	return lead <= 0x7f || lead >= 0xe0 || lead >= 0xcc && lead <= 0xd3
}

// scalar writes a value that holds no others. Undefined writes nothing.
func (t *transcoder) scalar(b []byte) (undefined bool, rest []byte, err error) {
	lead := b[0]
	switch {
	case isString(lead):
		var s []byte
		if s, rest, err = msgp.ReadStringZC(b); err == nil {
			t.out = appendQuoted(t.out, s)
		}
	case isInteger(lead):
		rest, err = t.integer(b)
	case lead == leadNil:
		t.out, rest = append(t.out, "null"...), b[1:]
	case lead == leadNever:
		err = errors.New("0xc1 is no MessagePack value")
	case lead == 0xc2 || lead == 0xc3:
		t.out, rest = strconv.AppendBool(t.out, lead == 0xc3), b[1:]
	case lead == 0xca || lead == 0xcb:
		var f float64
		if f, rest, err = msgp.ReadFloat64Bytes(b); err == nil { // takes float32 too
			t.out = appendFloat(t.out, f)
		}
	case lead >= 0xc4 && lead <= 0xc6:
		var data []byte
		if data, rest, err = msgp.ReadBytesZC(b); err == nil {
			err = t.binary(data)
		}
	default:
		return t.extension(b)
	}
	return false, rest, err
}

// integer writes any integer, all digits of it.
func (t *transcoder) integer(b []byte) (rest []byte, err error) {
	if lead := b[0]; lead <= 0x7f || lead >= 0xcc && lead <= 0xcf {
		var u uint64
		if u, rest, err = msgp.ReadUint64Bytes(b); err == nil {
			t.out = strconv.AppendUint(t.out, u, 10)
		}
		return rest, err
	}
	var i int64
	if i, rest, err = msgp.ReadInt64Bytes(b); err == nil {
		t.out = strconv.AppendInt(t.out, i, 10)
	}
	return rest, err
}

// appendFloat writes numbers as JavaScript and encoding/json do.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if size := math.Abs(f); size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); n-start >= 4 && string(dst[n-4:n-1]) == "e-0" { // e-09 is e-9
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}

func appendQuoted(dst, s []byte) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		out, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(string(s), "\uFFFD"))
	}
	return out
}

// binary writes a placeholder and keeps a copy of the data.
func (t *transcoder) binary(data []byte) error {
	if len(t.attachments) == t.binaries {
		return fmt.Errorf("more than %d binary values: raise Parser.Binaries or send less at once", t.binaries)
	}
	marker := t.marker
	if marker == "" {
		marker = defaultMarker
	}
	t.out = append(t.out, `{"`...)
	t.out = append(t.out, marker...)
	t.out = append(t.out, `":true,"num":`...)
	t.out = append(strconv.AppendInt(t.out, int64(len(t.attachments)), 10), '}')
	t.attachments = append(t.attachments, append([]byte{}, data...))
	return nil
}
