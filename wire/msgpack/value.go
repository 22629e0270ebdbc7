package msgpack

import (
	"encoding/json"
	"fmt"

	"github.com/siokit/siokit/wire/sio"
)

// A Value is one MessagePack value as JSON, in which placeholders stand for its binary values.
type Value struct {
	JSON        json.RawMessage // nil for undefined
	Attachments [][]byte
	// Marker is the member that makes a placeholder, see sio.Packet.Marker. It is empty if that is _placeholder.
	Marker string
}

// ReadValue reads the value at the start of msg, by the rules of a packet's payload, and returns what follows
// it. It is for those who use the format for something else than packets, as the Node server's Redis adapter
// does. Of the limits, which may be nil, Depth holds. Nothing aliases msg but the rest.
func (p Parser) ReadValue(msg []byte, limits *sio.Limits) (v Value, rest []byte, err error) {
	d := p.NewDecoder(sio.FromServer, limits).(decoder)
	t := transcoder{depth: d.depth, binaries: d.binaries}
	if rest, err = t.run(msg); err != nil {
		return Value{}, msg, fmt.Errorf("msgpack: %w", err)
	}
	if t.nothing {
		return Value{}, rest, nil
	}
	return Value{JSON: t.out, Attachments: t.attachments, Marker: t.marker}, rest, nil
}

// AppendValue appends a value to dst, its binary values in their places. It is ReadValue's counterpart.
func AppendValue(dst []byte, v Value) ([]byte, error) {
	w := writers.Get().(*writer)
	out, err := w.value(dst, sio.Packet{Data: v.JSON, Attachments: v.Attachments, Marker: v.Marker})
	if err != nil {
		return dst, fmt.Errorf("msgpack: %w", err) // and the writer is dropped
	}
	w.release()
	return out, nil
}
