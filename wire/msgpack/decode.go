package msgpack

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/siokit/siokit/wire/sio"
)

// Binary decodes one packet. The rules are those of socket.io-msgpack-parser, but nil also stands for
// undefined, because python-socketio writes it.
func (d decoder) Binary(msg []byte) (p sio.Packet, complete bool, err error) {
	if p, err = d.packet(msg); err != nil {
		return sio.Packet{}, false, fmt.Errorf("msgpack: %w", err)
	}
	return p, true, nil
}

// fields says which of a packet's fields have been read.
type fields struct {
	kind, namespace bool
}

func (d decoder) packet(msg []byte) (p sio.Packet, err error) {
	n, b, err := msgp.ReadMapHeaderBytes(msg)
	if err != nil {
		return p, fmt.Errorf("a packet must be a map: %w", err)
	}
	data := transcoder{depth: d.depth, binaries: d.binaries}
	var seen fields
	for ; n > 0; n-- { // each turn takes bytes or fails, whatever n claims
		var name []byte
		if name, b, err = msgp.ReadStringZC(b); err != nil {
			return p, fmt.Errorf("a packet's field: %w", err)
		}
		switch string(name) {
		case "type":
			if p.Type, b, err = readType(b); err != nil {
				return p, err
			}
			seen.kind = true
		case "nsp":
			if p.Namespace, b, err = msgp.ReadStringBytes(b); err != nil {
				return p, fmt.Errorf("the namespace: %w", err)
			}
			seen.namespace = true
		case "id":
			if p.ID, p.HasID, b, err = readID(b); err != nil {
				return p, err
			}
		case "data":
			if b, err = data.run(b); err != nil {
				return p, fmt.Errorf("the payload: %w", err)
			}
		default: // clients in JavaScript send their options too
			other := transcoder{depth: d.depth, binaries: d.binaries}
			if b, err = other.run(b); err != nil {
				return p, fmt.Errorf("field %.32q: %w", name, err)
			}
		}
	}
	switch {
	case len(b) > 0:
		return p, fmt.Errorf("%d bytes follow the packet", len(b))
	case !seen.kind || !seen.namespace:
		return p, errors.New("a packet needs the fields type and nsp")
	}
	return p, d.payload(&p, data)
}

// readType reads the type of a packet. Those with attachments do not exist in this format.
func readType(b []byte) (sio.Type, []byte, error) {
	n, b, err := msgp.ReadInt64Bytes(b)
	if err != nil {
		return 0, b, fmt.Errorf("the type: %w", err)
	}
	if n < 0 || n > int64(sio.ConnectError) {
		return 0, b, fmt.Errorf("packet type %d: want 0 to 4", n)
	}
	return sio.Type(n), b, nil
}

func readID(b []byte) (id int64, ok bool, rest []byte, err error) {
	if rest, ok := skipNothing(b); ok {
		return 0, false, rest, nil
	}
	id, rest, err = msgp.ReadInt64Bytes(b)
	if err == nil && (id < 0 || id > sio.MaxID) {
		err = fmt.Errorf("%d is not from 0 to 2^53-1", id)
	}
	if err != nil {
		return 0, false, b, fmt.Errorf("the ack id: %w", err)
	}
	return id, true, rest, nil
}

// skipNothing skips nil or undefined.
func skipNothing(b []byte) (rest []byte, ok bool) {
	if len(b) > 0 && b[0] == leadNil {
		return b[1:], true
	}
	if e, rest, err := readExtension(b); err == nil && e.isUndefined() {
		return rest, true
	}
	return b, false
}

// payload checks the data against the packet's type. What it must look like as JSON, sio.Decoder checks.
func (d decoder) payload(p *sio.Packet, data transcoder) error {
	if data.isNothing() {
		if p.Type == sio.Event || p.Type == sio.Ack {
			return fmt.Errorf("%v without data: want a list", p.Type)
		}
		return nil
	}
	if len(data.attachments) > 0 && p.Type != sio.Event && p.Type != sio.Ack {
		return fmt.Errorf("binary data in %v", p.Type)
	}
	p.Data, p.Attachments, p.Marker = data.out, data.attachments, data.marker
	return nil
}
