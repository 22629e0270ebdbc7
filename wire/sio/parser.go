package sio

import (
	"errors"
	"fmt"
	"strings"
)

// A Parser is a way to write Socket.IO packets other than the protocol's own text, such as
// MessagePack (package wire/msgpack). Both peers must use the same one: there is no negotiation.
//
// What it gets and gives are Packets whose payload is JSON with a placeholder for each binary value,
// whatever its own format is, so that the application above sees no difference. Encoder and Decoder
// call it and do the rest: they turn Go values into that JSON, and check what a decoder returns.
//
// Both methods may be called by any number of goroutines at once.
type Parser interface {
	// Encode appends the one message that carries p to dst, which may hold bytes of the caller's
	// and must stay at the front of Frame.Data. Nothing may alias p.Data, and only
	// Frame.Attachments may alias p.Attachments.
	//
	// p.Type is Connect, Disconnect, Event, Ack or ConnectError. p.Data is one compact JSON value, or nil:
	// an object for Connect and ConnectError, an array for Event and Ack. It is nil for Disconnect.
	Encode(dst []byte, p Packet) (Frame, error)

	// NewDecoder returns a decoder for the packets that the given side sends on one connection.
	// Limits are those of the connection; they may be nil, which means the defaults, and must not be
	// changed.
	NewDecoder(from Side, limits *Limits) PacketDecoder
}

// A PacketDecoder puts packets together from the messages of one connection in one direction. Only one
// goroutine at a time calls it. What it receives comes from anybody: it must check every length before it
// allocates. An error closes the connection, and a panic in a server does too.
type PacketDecoder interface {
	// Text takes a text message. It returns a complete packet; or one that is not complete, whose
	// attachments are to follow; or, not complete, the zero Packet, when the message says nothing by
	// itself. The packet's payload must be checked JSON if its type is Connect or
	// ConnectError; that of events and acks is checked when it is taken apart.
	//
	// A complete packet is an Event or Ack also when it has attachments. One that is not complete is a
	// BinaryEvent or BinaryAck. msg is only lent: p.Data may alias it, attachments must not.
	Text(msg []byte) (p Packet, complete bool, err error)
	// Binary takes a binary message, by the same rules.
	Binary(msg []byte) (p Packet, complete bool, err error)
}

// A Frame is an encoded packet: one message, and the attachments that follow it as binary messages.
type Frame struct {
	// Data is the dst of the call with the message appended.
	Data []byte
	// Binary says that the message is a binary one.
	Binary bool
	// Attachments follow the message, in order. They alias the slices that were encoded.
	Attachments [][]byte
}

// NewParserDecoder is NewDecoder for the packets of a parser. It checks what the parser's decoder
// returns as strictly as its own packets. A nil parser is the protocol's text.
func NewParserDecoder(parser Parser, from Side, limits *Limits) Decoder {
	d := NewDecoder(from, limits)
	if parser != nil {
		d.pending = &partial{custom: parser.NewDecoder(from, limits)}
	}
	return d
}

// parsed handles what the decoder of a parser has returned.
func (d *Decoder) parsed(p Packet, complete bool, err error) (Packet, bool, error) {
	d.pending.halfway = err == nil && !complete
	switch {
	case err != nil:
		return Packet{}, false, err
	case !complete && p.Namespace == "":
		return Packet{}, false, nil
	}
	if err := d.checkParsed(p, complete); err != nil {
		d.pending.halfway = false
		return Packet{}, false, err
	}
	switch p.Type {
	case Connect, Disconnect, ConnectError:
		p.ID, p.HasID = 0, false
	}
	return p, complete, nil
}

func (d *Decoder) checkParsed(p Packet, complete bool) error {
	switch {
	case complete && p.Type > ConnectError:
		return fmt.Errorf("sio: the parser returned a complete %v: a packet with all its attachments is an EVENT or an ACK", p.Type)
	case !complete && p.Type != BinaryEvent && p.Type != BinaryAck:
		return fmt.Errorf("sio: the parser returned a %v that is not complete: only events and acks have attachments", p.Type)
	case !strings.HasPrefix(p.Namespace, "/"):
		return fmt.Errorf("sio: namespace %.64q must begin with a slash", p.Namespace)
	case len(p.Namespace) > d.limits.namespace():
		return fmt.Errorf("sio: a namespace is longer than %d bytes, it begins with %.64q", d.limits.namespace(), p.Namespace)
	case p.HasID && (p.ID < 0 || p.ID > MaxID):
		return fmt.Errorf("sio: ack id %d must be from 0 to 2^53-1", p.ID)
	case p.Data != nil && len(p.Data) == 0:
		return errors.New("sio: the parser returned an empty payload: nil means none")
	}
	return d.checkPayload(p)
}
