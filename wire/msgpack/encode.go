package msgpack

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/siokit/siokit/wire/sio"
)

// Encode implements sio.Parser. It leaves fields out that have no value: the JavaScript parser takes a
// nil for a mistake of the peer.
func (Parser) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	fields := uint32(2)
	if p.HasID {
		fields++
	}
	if p.Data != nil {
		fields++
	}
	out := msgp.AppendMapHeader(dst, fields)
	out = msgp.AppendString(out, "type")
	out = msgp.AppendUint64(out, uint64(p.Type))
	out = msgp.AppendString(out, "nsp")
	out = msgp.AppendString(out, p.Namespace)
	if p.HasID {
		out = msgp.AppendString(out, "id")
		out = msgp.AppendUint64(out, uint64(p.ID))
	}
	if p.Data != nil {
		out = msgp.AppendString(out, "data")
		w := writers.Get().(*writer)
		var err error
		if out, err = w.value(out, p); err != nil {
			return sio.Frame{Data: dst}, fmt.Errorf("msgpack: %w", err) // and the writer is dropped
		}
		w.release()
	}
	return sio.Frame{Data: out, Binary: true}, nil
}

// writer writes JSON as MessagePack. Containers there begin with their length, so the JSON is read twice:
// to count, and to write.
type writer struct {
	source  bytes.Reader
	dec     *jsontext.Decoder
	counts  []uint32 // of the containers, in the order in which they open
	open    []int    // while counting: the containers around, as indexes of counts
	scratch []byte   // of unquoted strings
}

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.dec = jsontext.NewDecoder(&w.source, lenient...)
	return w
}}

// release puts the writer back, unless a large packet has grown it.
func (w *writer) release() {
	const keep = 64 << 10
	if w.source.Size() > keep || cap(w.scratch) > keep {
		return
	}
	w.source.Reset(nil)
	w.counts, w.open = w.counts[:0], w.open[:0]
	writers.Put(w)
}

func (w *writer) value(dst []byte, p sio.Packet) ([]byte, error) {
	places, err := p.Placeholders()
	if err != nil {
		return dst, err
	}
	if err := w.count(p.Data, places); err != nil {
		return dst, err
	}
	return w.write(dst, p, places)
}

// rewind makes dec read data from its start.
func (w *writer) rewind(data []byte) {
	w.source.Reset(data)
	w.dec.Reset(&w.source, lenient...)
}

// skipPlaceholder skips the next value if it is the first of places, and returns the rest of them.
func (w *writer) skipPlaceholder(data []byte, places []sio.Placeholder) ([]sio.Placeholder, bool, error) {
	if len(places) == 0 || w.next(data) != places[0].Start {
		return places, false, nil
	}
	return places[1:], true, w.dec.SkipValue()
}

// next is where the next value begins.
func (w *writer) next(data []byte) int {
	at := int(w.dec.InputOffset())
	for at < len(data) && bytes.IndexByte([]byte(" \t\r\n,:"), data[at]) >= 0 {
		at++
	}
	return at
}

func (w *writer) count(data []byte, places []sio.Placeholder) error {
	w.rewind(data)
	for {
		depth := w.dec.StackDepth()
		switch w.dec.PeekKind() {
		case '{', '[':
			var skipped bool
			var err error
			if places, skipped, err = w.skipPlaceholder(data, places); err != nil {
				return err
			}
			if skipped {
				break
			}
			w.open = append(w.open, len(w.counts))
			w.counts = append(w.counts, 0)
			if _, err := w.dec.ReadToken(); err != nil {
				return err
			}
			continue // an opening bracket never ends a value
		case '}', ']':
			kind, n := w.dec.StackIndex(depth)
			if kind == '{' {
				n /= 2
			}
			if _, err := w.dec.ReadToken(); err != nil { // also of a bracket that closes nothing
				return err
			}
			w.counts[w.open[depth-1]] = uint32(n)
			w.open = w.open[:depth-1]
		default:
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
		}
		if w.dec.StackDepth() == 0 {
			return w.end(data)
		}
	}
}

// end checks that nothing follows the value.
func (w *writer) end(data []byte) error {
	if at := w.next(data); at != len(data) {
		return fmt.Errorf("the payload is not one JSON value: something follows at byte %d", at)
	}
	return nil
}

// write appends what count has counted.
func (w *writer) write(dst []byte, p sio.Packet, places []sio.Placeholder) ([]byte, error) {
	w.rewind(p.Data)
	counts := w.counts
	for {
		var err error
		switch kind := w.dec.PeekKind(); kind {
		case '{', '[':
			var skipped bool
			first := places
			if places, skipped, err = w.skipPlaceholder(p.Data, places); err != nil {
				return dst, err
			}
			if skipped {
				dst = msgp.AppendBytes(dst, p.Attachments[first[0].Num])
				break
			}
			if kind == '{' {
				dst = msgp.AppendMapHeader(dst, counts[0])
			} else {
				dst = msgp.AppendArrayHeader(dst, counts[0])
			}
			counts = counts[1:]
			_, err = w.dec.ReadToken()
		case '}', ']':
			_, err = w.dec.ReadToken()
		default:
			dst, err = w.scalar(dst)
		}
		if err != nil {
			return dst, err
		}
		if w.dec.StackDepth() == 0 {
			return dst, nil
		}
	}
}

func (w *writer) scalar(dst []byte) ([]byte, error) {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return dst, err
	}
	switch raw.Kind() {
	case '"':
		w.scratch, _ = jsontext.AppendUnquote(w.scratch[:0], raw) // invalid UTF-8 becomes U+FFFD
		return msgp.AppendStringFromBytes(dst, w.scratch), nil
	case '0':
		return appendNumber(dst, raw)
	case 't', 'f':
		return msgp.AppendBool(dst, raw.Kind() == 't'), nil
	}
	return msgp.AppendNil(dst), nil
}

// appendNumber appends an integer as one if MessagePack has it, and everything else as float64.
func appendNumber(dst, raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '.') < 0 && !bytes.ContainsAny(raw, "eE") {
		if raw[0] != '-' {
			if u, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
				return msgp.AppendUint64(dst, u), nil
			}
		} else if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil && i != 0 { // -0 is a float
			return msgp.AppendInt64(dst, i), nil
		}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(f, 0) {
		return dst, fmt.Errorf("number %.32s is out of the range of float64", raw)
	}
	return msgp.AppendFloat64(dst, f), nil
}
