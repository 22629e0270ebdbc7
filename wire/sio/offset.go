package sio

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// FrameWithOffset makes a packet of an event with one more argument, a text that the caller puts in its place later:
// it is f.Data[at:at+len(placeholder)]. Connection state recovery needs that, because what an event's offset is must be
// decided under a lock, where a Parser may not run.
//
// The placeholder, and what is to replace it, are ASCII letters, digits and dashes, of the same length. A Parser must
// write texts as they are: one that compresses or encrypts gets an error.
func (e *Encoder) FrameWithOffset(dst []byte, ns string, ev EncodedEvent, placeholder string) (f Frame, at int, err error) {
	quoted := strconv.Quote(placeholder)
	p := Packet{Type: Event, Attachments: slices.Clone(ev.Attachments), Marker: ev.marker}
	p.Data = slices.Concat(ev.data[:len(ev.data)-1], []byte(","), []byte(quoted), []byte("]"))
	if e.Parser == nil {
		f, err = e.frame(dst, ns, p)
		return f, len(f.Data) - len(placeholder) - len(`"]`), err
	}
	if f, err = e.parse(dst, ns, p); err != nil {
		return f, 0, err
	}
	// Where the parser has put it shows when it encodes another one.
	other := strings.Repeat("Z", len(placeholder))
	p.Data = append(slices.Clone(p.Data[:len(p.Data)-len(quoted)-1]), strconv.Quote(other)+"]"...)
	g, err := e.parse(nil, ns, p)
	if err != nil {
		return Frame{Data: dst}, 0, err
	}
	if at, err = replaced(f.Data[len(dst):], g.Data, placeholder, other); err != nil {
		return Frame{Data: dst}, 0, err
	}
	return f, len(dst) + at, nil
}

var errNotVerbatim = errors.New("sio: the parser does not write texts as they are, so it cannot be used with connection state recovery")

// replaced returns where a, which has one text, differs from b, which has the other.
func replaced(a, b []byte, one, other string) (at int, err error) {
	if len(a) != len(b) {
		return 0, errNotVerbatim
	}
	for at < len(a) && a[at] == b[at] {
		at++
	}
	end := at + len(one)
	if end > len(a) || string(a[at:end]) != one || string(b[at:end]) != other || !bytes.Equal(a[end:], b[end:]) {
		return 0, errNotVerbatim
	}
	return at, nil
}
