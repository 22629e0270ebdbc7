package sio

import (
	"bytes"
	"errors"
	"fmt"
)

// Decoder puts packets together from the messages of one connection in one direction.
// The zero value is ready: it reads a client's packets with the default limits.
//
// A Decoder is small, since one lives in every idle connection, and holds memory only
// while a binary packet is half received. It must not be used by two goroutines at once.
//
// After an error the decoder has forgotten any half-received packet. The connection
// should be closed, since the peers no longer agree on where packets begin.
type Decoder struct {
	limits  *Limits
	pending *partial
	from    Side
}

// partial is a binary packet whose attachments have not all arrived, or the decoder of a Parser,
// which keeps its own.
type partial struct {
	packet Packet
	want   int   // attachments that the header announced
	bytes  int64 // received so far

	custom  PacketDecoder // nil without a Parser
	halfway bool          // custom waits for more messages
}

// NewDecoder returns a decoder for the packets that the given side sends. Nil limits
// mean the defaults. The limits are kept, not copied, so that all connections of a
// server can share them; they must not change afterwards.
func NewDecoder(from Side, limits *Limits) Decoder {
	return Decoder{from: from, limits: limits}
}

var (
	// ErrUnexpectedBinary means that a binary message arrived that no packet announced.
	ErrUnexpectedBinary = errors.New("sio: binary message without a packet that announces attachments; a client with a binary parser, such as socket.io-msgpack-parser, needs a server with the same parser")
	// ErrUnexpectedText means that a text message arrived while attachments were due.
	ErrUnexpectedText = errors.New("sio: text message while the attachments of a packet were due")
)

// Text decodes a text message. If complete is false, the message is the header of a
// binary packet, whose attachments must follow through Binary: then p has the type
// BinaryEvent or BinaryAck, the namespace, the id and the payload, so that the caller
// can refuse the packet before it costs any memory (and call Reset).
//
// The payload of a binary packet is checked here, in full: every placeholder in it must
// name one of the announced attachments.
func (d *Decoder) Text(msg []byte) (p Packet, complete bool, err error) {
	if d.pending != nil {
		if d.pending.custom != nil {
			return d.parsed(d.pending.custom.Text(msg))
		}
		d.pending = nil
		return Packet{}, false, ErrUnexpectedText
	}
	p, attachments, err := parseHeader(msg, d.limits)
	if err != nil {
		return Packet{}, false, err
	}
	if err := d.checkPayload(p); err != nil {
		return Packet{}, false, err
	}
	if attachments == 0 {
		return p, true, nil
	}
	if err := checkPlaceholders(p.Data, attachments, d.limits.depth()); err != nil {
		return Packet{}, false, err
	}
	p.Data = bytes.Clone(p.Data)
	d.pending = &partial{packet: p, want: attachments}
	return p, false, nil
}

// Binary decodes a binary message: the next attachment of the packet that Text has
// begun. It copies msg. Complete is true with the last attachment.
func (d *Decoder) Binary(msg []byte) (p Packet, complete bool, err error) {
	part := d.pending
	if part == nil {
		return Packet{}, false, ErrUnexpectedBinary
	}
	if part.custom != nil {
		return d.parsed(part.custom.Binary(msg))
	}
	if part.bytes += int64(len(msg)); part.bytes > d.limits.attachmentBytes() {
		d.pending = nil
		return Packet{}, false, fmt.Errorf("sio: the attachments of one packet exceed %d bytes: raise Limits.AttachmentBytes or send less at once", d.limits.attachmentBytes())
	}
	// An empty attachment must stay distinguishable from none.
	part.packet.Attachments = append(part.packet.Attachments, append([]byte{}, msg...))
	if len(part.packet.Attachments) < part.want {
		return Packet{}, false, nil
	}
	d.pending = nil
	p = part.packet
	if p.Type == BinaryEvent {
		p.Type = Event
	} else {
		p.Type = Ack
	}
	return p, true, nil
}

// Pending reports whether a packet is half received. A server should bound how long
// that lasts.
func (d *Decoder) Pending() bool {
	return d.pending != nil && (d.pending.custom == nil || d.pending.halfway)
}

// Reset drops a half-received packet. With a Parser it does nothing: close the connection instead.
func (d *Decoder) Reset() {
	if d.pending != nil && d.pending.custom == nil {
		d.pending = nil
	}
}

// checkPayload applies the rules that depend on the packet's type.
func (d *Decoder) checkPayload(p Packet) error {
	switch p.Type {
	case Connect:
		if p.Data == nil {
			if d.from == FromServer {
				return errors.New("sio: CONNECT without a payload from the server: it speaks Socket.IO 2, version 3 or later is needed")
			}
			return nil
		}
		return checkObject(p, d.limits.depth())
	case ConnectError:
		if d.from == FromClient {
			return errors.New("sio: CONNECT_ERROR from a client: only servers send it")
		}
		if p.Data == nil || p.Data[0] == '"' {
			return checkJSON(p, d.limits.depth())
		}
		return checkObject(p, d.limits.depth())
	case Disconnect:
		if p.Data != nil {
			return errors.New("sio: DISCONNECT must not have a payload")
		}
	default:
		// The first byte is enough here. "42 [" is refused: the reference takes the
		// space for an ack id of 0.
		if p.Data != nil && p.Data[0] != '[' {
			return fmt.Errorf("sio: the payload of %v must be a JSON array right after the header", p.Type)
		}
	}
	return nil
}

func checkObject(p Packet, depth int) error {
	if p.Data[0] != '{' {
		return fmt.Errorf("sio: the payload of %v must be a JSON object right after the header", p.Type)
	}
	return checkJSON(p, depth)
}

func checkJSON(p Packet, depth int) error {
	if p.Data == nil {
		return nil
	}
	end, err := scanValue(p.Data, 0, depth)
	if err == nil && skipSpace(p.Data, end) != len(p.Data) {
		err = syntaxError("data after the value", end)
	}
	if err != nil {
		return fmt.Errorf("sio: the payload of %v: %w", p.Type, err)
	}
	return nil
}
