package eio

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// Type is the kind of an Engine.IO packet. On the wire it is one ASCII digit, '0' to '6'.
type Type byte

// The packet types of Engine.IO 4.
const (
	Open    Type = iota // server to client: the handshake
	Close               // either side: the session ends
	Ping                // server to client: heartbeat; "2probe" while upgrading
	Pong                // client to server: answer to Ping; "3probe" while upgrading
	Message             // either side: user data, text or binary
	Upgrade             // client to server: the upgrade is complete
	Noop                // server to client: releases a waiting poll
)

var typeNames = [...]string{"open", "close", "ping", "pong", "message", "upgrade", "noop"}

// String returns the name that the protocol document uses, such as "ping".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", byte(t))
}

// Packet is one Engine.IO packet.
type Packet struct {
	Type Type
	// Binary tells a binary message from a text one. Only a Message can be binary.
	Binary bool
	// Data is what follows the type digit. For a text packet it aliases the input of
	// Decode or Packets; for a binary one it is a slice of its own.
	Data []byte
}

// Errors of Decode and Packets. They mean that the peer does not speak Engine.IO 4;
// the session ends with the reason "parse error".
var (
	ErrEmpty  = errors.New("eio: empty packet: a packet begins with a type digit 0 to 6, or with b and base64")
	ErrType   = errors.New("eio: unknown packet type: want a digit 0 to 6, or b and base64")
	ErrBase64 = errors.New("eio: bad base64 in a binary packet: want the standard or the URL-safe alphabet, padding optional")
)

// Decode reads one text frame of a WebSocket, or one element of a polling body:
// "4hello", "2probe", "bAQID". A binary WebSocket frame needs no decoding, it is the
// data of a binary message.
//
// The data of a text packet aliases frame and is not checked to be UTF-8: that is up
// to the transport, which answers it differently (close code 1007) from a bad packet.
// A message without data ("4") is legal here; Socket.IO refuses it one layer up.
func Decode(frame []byte) (Packet, error) {
	if len(frame) == 0 {
		return Packet{}, ErrEmpty
	}
	if frame[0] == 'b' {
		data, err := decodeBase64(frame[1:])
		if err != nil {
			return Packet{}, err
		}
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	t := Type(frame[0] - '0')
	if t > Noop {
		return Packet{}, ErrType
	}
	return Packet{Type: t, Data: frame[1:]}, nil
}

// Append appends the text form of p: the type digit and the data, or for a binary
// message 'b' and padded standard base64. It is what a polling body holds between
// separators, and what a WebSocket text frame holds. On a WebSocket a binary message
// is better sent as a binary frame of its data.
//
// Text data must not hold Separator if the packet is to travel in a polling body. JSON
// never does: it escapes control characters.
func Append(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = append(dst, 'b')
		return base64.StdEncoding.AppendEncode(dst, p.Data)
	}
	dst = append(dst, '0'+byte(p.Type))
	return append(dst, p.Data...)
}
